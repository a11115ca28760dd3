//! The training loop. The device does the steps; here they are counted, validated, logged and saved.
use crate::data::standardise::Standardiser;
use crate::error::{Error, Result};
use crate::infer::Posterior;
use crate::model::config::{Mode, TrainConfig};
use crate::model::definition::{Bad, STANDARDISE_STEP, VALIDATION_STEP, standardised};
use crate::model::network::{Network, Rows};
use crate::model::{Model, Pairs};
use crate::optim;
use crate::runtime::device::Device;
use crate::runtime::exec::{Executor, PlanId, Snapshot, Weights};
use crate::runtime::plan::meta;
use crate::runtime::state::{RunArgs, StepArgs};
use crate::runtime::tile::Slot;
use crate::train::checkpoint::{Counters, Folder};
use crate::train::offline::{self, Split};
use crate::train::run::{Metric, Progress, Summary};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Rows whose slots are held at a time; larger batches go in chunks.
const CHUNK_ROWS: usize = 1024;
/// Simulations that standardise.
const STANDARDISE: usize = 10_000;
/// Pairs that ActNorm starts from, and that online training validates on.
const HELD_OUT: usize = 2_048;
/// Seconds between checkpoints.
const CHECKPOINT_SECONDS: f64 = 30.0;
/// Steps whose batches are simulated on the host at a time.
const STREAM_STEPS: usize = 64;
/// Most steps of warm-up offline.
const OFFLINE_WARMUP: f32 = 200.0;
/// Drops of the learning rate on a validation loss that stands still, and the factor of each.
const DROPS: u32 = 2;
const DROP: f32 = 0.2;
/// Non-finite steps in a row that cause a roll-back, and roll-backs that end training.
const BAD_STEPS: u64 = 10;
const ROLLBACKS: u32 = 3;

type Callback<'a> = Box<dyn FnMut(&Progress) -> ControlFlow<()> + 'a>;

/// Trains a model. Made by [`Trainer::new`], set by its methods, run by [`Trainer::train`].
pub struct Trainer<'a> {
    model: Model,
    device: Device,
    folder: Option<PathBuf>,
    resume: bool,
    callback: Option<Callback<'a>>,
    data: Option<Pairs>,
    checkpoint_seconds: f64,
}

impl<'a> Trainer<'a> {
    /// A trainer with the model file's settings, on the CPU, without a run folder.
    pub fn new(model: Model) -> Self {
        let (folder, callback, data) = (None, None, None);
        let checkpoint_seconds = CHECKPOINT_SECONDS;
        Self { model, device: Device::Cpu, folder, resume: false, callback, data, checkpoint_seconds }
    }
    /// The device that trains.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }
    /// Where checkpoints, weights and metrics go.
    pub fn run_folder(mut self, path: impl AsRef<Path>) -> Self {
        self.folder = Some(path.as_ref().into());
        self
    }
    /// The seed of every random number.
    pub fn seed(mut self, seed: u64) -> Self {
        self.model.config.train.seed = seed;
        self
    }
    /// Trains offline on this many simulations.
    pub fn simulations(mut self, n: u64) -> Self {
        self.model.config.train.set_simulations(n);
        self
    }
    /// Trains for this long; the number of steps is fixed from the first seconds.
    pub fn minutes(mut self, minutes: f64) -> Self {
        self.model.config.train.set_minutes(minutes);
        self
    }
    /// Trains for this many steps.
    pub fn steps(mut self, steps: u64) -> Self {
        self.model.config.train.set_steps(steps);
        self
    }
    /// Rows in a step.
    pub fn batch(mut self, batch: usize) -> Self {
        self.model.config.train.batch = Some(batch);
        self
    }
    /// Peak learning rate.
    pub fn lr(mut self, lr: f64) -> Self {
        self.model.config.train.lr = Some(lr);
        self
    }
    /// Goes on from the run folder's state where there is one.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }
    /// Trains offline on these pairs.
    pub fn data(mut self, pairs: Pairs) -> Self {
        let n = pairs.theta.len() / self.model.theta_dim().max(1);
        self.model.config.train.set_simulations(n as u64);
        self.data = Some(pairs);
        self
    }
    /// Seconds between checkpoints, 30 by default: what a kill can cost.
    pub fn checkpoint_seconds(mut self, seconds: f64) -> Self {
        self.checkpoint_seconds = seconds;
        self
    }
    /// Called a few times a second; `Break` ends training, which then saves as if it were done.
    pub fn on_progress(mut self, f: impl FnMut(&Progress) -> ControlFlow<()> + 'a) -> Self {
        self.callback = Some(Box::new(f));
        self
    }
    /// Trains, saves, and hands back the posterior.
    pub fn train(self) -> Result<(Posterior, Summary)> {
        Session::open(self)?.run()
    }
}

/// What one call of `train` works with.
struct Session<'a> {
    model: Model,
    device: Device,
    folder: Option<Folder>,
    callback: Option<Callback<'a>>,
    network: Network,
    standardiser: Standardiser,
    exec: Box<dyn Executor>,
    train: PlanId,
    loss: PlanId,
    loss_meta: Slot,
    /// Rows of the fixed table; none online.
    split: Option<Split>,
    /// Online, but simulated on the host for a device that cannot.
    streamed: bool,
    validation_rows: usize,
    counters: Counters,
    best: Option<Vec<f32>>,
    /// Steps done.
    step: u64,
    /// The last snapshot taken: what is validated and saved, and what a roll-back returns to.
    good: Snapshot,
    started: Instant,
    bad_in_a_row: u64,
    resumed: bool,
    checkpoint_seconds: f64,
}

impl<'a> Session<'a> {
    fn open(t: Trainer<'a>) -> Result<Self> {
        let mut model = t.model;
        model.config.settle();
        let settings = &model.config.train;
        let (d, c, seed) = (model.theta_dim(), model.x_dim()?, settings.seed);
        let offline = settings.mode == Some(Mode::Offline) || t.data.is_some();
        let folder = t.folder.as_deref().map(Folder::create).transpose()?;
        let table = match t.data {
            Some(pairs) => Some(pairs),
            None if offline => Some(model.table(seed, settings.simulations.map(|n| n as usize))?),
            None => None,
        };
        let fitted_on = match &table {
            Some(pairs) => pairs.clone(),
            None => model.simulate(seed, STANDARDISE_STEP, STANDARDISE)?,
        };
        let standardiser = model.standardiser(&fitted_on)?;
        let host = model.host(standardiser.clone());
        let network = Network::new(&model.flow_shape()?, host.clone(), seed);
        let (rows, bad) = standardised(&host, &fitted_on, d, c, Bad::LeftOut);
        let total = rows.len() / (d + c) + bad;
        check_bad(bad as u64, total as u64, settings.max_bad)?;
        let first_rows = &rows[..(HELD_OUT * (d + c)).min(rows.len())];
        let start = network.initial(seed, first_rows)?;
        let split = table.is_some().then(|| offline::split(&rows, d + c, settings.validation, seed));
        if split.as_ref().is_some_and(|s| s.n == 0) {
            let hint = "Give at least two rows, better thousands";
            return Err(Error::config(
                "train.simulations",
                format!("expected rows to train on, found {total}"),
                hint,
            ));
        }
        let validation = match &split {
            Some(s) => s.validation.clone(),
            None => {
                standardised(&host, &model.simulate(seed, VALIDATION_STEP, HELD_OUT)?, d, c, Bad::LeftOut).0
            }
        };
        let batch = settings.batch.unwrap_or(64).min(split.as_ref().map_or(usize::MAX, |s| s.n));
        let mut exec = t.device.executor(network.table.clone(), &optim::STEP)?;
        // A simulator that only the host knows streams its pairs to the device as a table.
        let on_device = t.device.is_cpu() || model.simulator.as_ref().is_some_and(|s| s.wgsl().is_some());
        let source = if offline || !on_device { Rows::Indexed } else { Rows::Online };
        let train = exec.prepare(network.train_plan(source), batch.min(CHUNK_ROWS))?;
        let loss_plan = network.loss_plan();
        let loss_meta = loss_plan.meta;
        let loss = exec.prepare(loss_plan, CHUNK_ROWS)?;
        exec.set_table(loss, &validation)?;
        if let Some(s) = &split {
            exec.set_table(train, &s.train)?;
        }
        let streamed = !offline && !on_device;
        exec.restore(&start)?;
        let validation_rows = validation.len() / (d + c);
        let mut s = Self {
            network,
            standardiser,
            exec,
            train,
            loss,
            loss_meta,
            split,
            streamed,
            validation_rows,
            counters: Counters { lr_factor: 1.0, ..Counters::default() },
            best: None,
            step: 0,
            good: start,
            started: Instant::now(),
            bad_in_a_row: 0,
            resumed: false,
            checkpoint_seconds: t.checkpoint_seconds,
            model,
            device: t.device,
            folder,
            callback: t.callback,
        };
        s.model.config.train.batch = Some(batch);
        s.begin(t.resume)?;
        Ok(s)
    }

    fn settings(&self) -> &TrainConfig {
        &self.model.config.train
    }
    fn batch(&self) -> usize {
        self.settings().batch.unwrap_or(64)
    }
    fn epoch_steps(&self) -> Option<usize> {
        self.split.as_ref().map(|s| offline::steps_per_epoch(s.n, self.batch()))
    }

    /// Fixes the number of steps, or takes everything from the state file.
    fn begin(&mut self, resume: bool) -> Result<()> {
        let state = self.folder.as_ref().map(|f| f.state()).filter(|p| resume && p.exists());
        if let (Some(_), Some(folder)) = (state, &self.folder) {
            let r = folder.load_state(&self.network.table, &self.model.config)?;
            folder.truncate_metrics(u64::from(r.now.state.step))?;
            self.exec.restore(&r.now)?;
            self.step = u64::from(r.now.state.step);
            (self.good, self.best, self.counters) = (r.now, r.best, r.counters);
            self.resumed = true;
            // A longer run may be asked for: the schedule is stretched, which the user sees in the new total.
            if let Some(steps) = self.settings().steps.filter(|&s| s > self.counters.total) {
                self.counters.total = steps;
            }
            return Ok(());
        }
        self.counters.total = match (self.settings().steps, self.settings().minutes, self.epoch_steps()) {
            (Some(steps), ..) => steps,
            (None, Some(minutes), _) => self.steps_in(minutes * 60.0)?,
            (None, None, Some(per)) => self.settings().epochs.unwrap_or(300) * per as u64,
            (None, None, None) => 20_000,
        };
        // From here on the number of steps is what counts, also for a resumed run.
        if self.settings().minutes.is_some() {
            let total = self.counters.total;
            self.model.config.train.set_steps(total);
        }
        if let Some(folder) = &self.folder {
            folder.clear()?;
            folder.save_model(&self.model.config)?;
        }
        Ok(())
    }

    /// Steps that fit in `seconds`, measured by training for a moment and starting over.
    fn steps_in(&mut self, seconds: f64) -> Result<u64> {
        let budget = (0.02 * seconds).clamp(0.2, 2.0);
        let start = Instant::now();
        let (mut steps, mut n) = (0u64, 4);
        while start.elapsed().as_secs_f64() < budget {
            self.advance(steps as u32, n)?;
            self.exec.logs()?;
            steps += n as u64;
            n = (n * 2).min(256);
        }
        let per_step = start.elapsed().as_secs_f64() / steps as f64;
        self.exec.restore(&self.good)?;
        // a little is left for validation and saving
        Ok(((seconds * 0.96 - budget) / per_step).max(1.0) as u64)
    }

    fn step_args(&self) -> StepArgs {
        let t = self.settings();
        let total = self.counters.total as f32;
        let offline = self.split.is_some();
        StepArgs {
            lr: t.lr.unwrap_or(5e-4) as f32 * self.counters.lr_factor,
            // Offline the end is not known in advance: the rate stays until the validation loss stands still.
            warmup: if offline {
                (t.warmup as f32 * total).floor().min(OFFLINE_WARMUP)
            } else {
                (t.warmup as f32 * total).floor()
            },
            total,
            cosine: if offline { 0.0 } else { 1.0 },
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            decay: t.weight_decay as f32,
            clip: t.clip as f32,
            ema: if t.ema { 0.999 } else { 0.0 },
            pad0: 0,
            pad1: 0,
        }
    }

    /// Trains `n` steps from `first` on.
    fn advance(&mut self, first: u32, n: usize) -> Result<()> {
        let (batch, args) = (self.batch(), self.step_args());
        if let Some(s) = &self.split {
            let index = offline::order(s.n, batch, self.settings().seed, first, n);
            self.exec.set_index(self.train, &index)?;
        } else if self.streamed {
            self.stream(first, n, batch)?;
        }
        self.exec.train(self.train, &args, batch, n, first)
    }

    /// Simulates the batches of `n` steps on the host: the pairs the CPU would draw in these steps.
    fn stream(&mut self, first: u32, n: usize, batch: usize) -> Result<()> {
        let (d, c) = self.network.dims();
        let mut rows = Vec::with_capacity(n * batch * (d + c));
        for step in first..first + n as u32 {
            let pairs = self.model.simulate(self.settings().seed, step, batch)?;
            rows.extend(standardised(self.network.host(), &pairs, d, c, Bad::Kept).0);
        }
        let index: Vec<u32> = (0..(n * batch) as u32).collect();
        self.exec.set_table(self.train, &rows)?;
        self.exec.set_index(self.train, &index)
    }

    fn run(mut self) -> Result<(Posterior, Summary)> {
        let mut stopped_early = false;
        let mut interrupted = false;
        let (mut chunk, mut saved, mut shown) = (4usize, Instant::now(), Instant::now());
        let _ = self.report(self.resumed.then_some("resumed"));
        let every = self.validation_interval();
        while self.step < self.counters.total {
            let now = self.step;
            let left = (self.counters.total - now).min(every - now % every) as usize;
            let n = chunk.min(left).min(if self.streamed { STREAM_STEPS } else { usize::MAX });
            let begun = Instant::now();
            self.advance(now as u32, n)?;
            let bad = self.take_logs(n)?;
            // aim at a tenth of a second between looks
            let seconds = begun.elapsed().as_secs_f64().max(1e-6);
            chunk = ((0.1 / seconds * n as f64) as usize).clamp(1, 2 * chunk).clamp(1, 4096);
            if bad {
                self.roll_back()?;
                continue;
            }
            self.step += n as u64;
            // Weights whose gradients are not finite are nothing to go back to, or to save.
            let sound = self.bad_in_a_row == 0;
            if sound && (self.step.is_multiple_of(every) || self.step == self.counters.total) {
                self.good = self.exec.snapshot()?;
                let stale = self.validate()?;
                self.log_metric()?;
                let done = stale && self.drop_rate()?;
                if saved.elapsed().as_secs_f64() > self.checkpoint_seconds {
                    self.save()?;
                    saved = Instant::now();
                }
                if done {
                    stopped_early = true;
                    break;
                }
            } else if sound && saved.elapsed().as_secs_f64() > self.checkpoint_seconds {
                self.good = self.exec.snapshot()?;
                self.save()?;
                saved = Instant::now();
            }
            if shown.elapsed().as_secs_f64() > 0.2 {
                shown = Instant::now();
                if self.report(None).is_break() {
                    interrupted = true;
                    break;
                }
            }
        }
        if self.bad_in_a_row == 0 {
            self.good = self.exec.snapshot()?;
        }
        let summary = self.summary(stopped_early, interrupted);
        self.save()?;
        let values = self.best.take().unwrap_or_else(|| self.good.average.clone());
        if let Some(f) = &self.folder {
            f.save_weights(&self.model.config, &self.network.table, &values, &self.standardiser, &summary)?;
        }
        let posterior = Posterior::new(self.model, self.network, self.standardiser, values, self.device)?;
        Ok((posterior, summary))
    }

    /// Steps between validations: an epoch (at least 50 steps) offline, a fortieth of the run online.
    fn validation_interval(&self) -> u64 {
        match self.epoch_steps() {
            Some(per) => (per as u64) * 50u64.div_ceil(per as u64),
            None => (self.counters.total / 40).max(1),
        }
    }

    /// Reads the logs of the last `n` steps; true when they were bad enough for a roll-back.
    fn take_logs(&mut self, n: usize) -> Result<bool> {
        let batch = self.batch() as u64;
        for log in self.exec.logs()? {
            let c = &mut self.counters;
            c.masked += log.masked as u64;
            if log.skipped > 0.0 {
                c.skipped += 1;
                self.bad_in_a_row += 1;
            } else {
                self.bad_in_a_row = 0;
                c.loss_sum += f64::from(log.loss);
                c.norm_sum += f64::from(log.norm);
                c.loss_steps += 1;
            }
        }
        let rows = (self.step + n as u64) * batch;
        if rows >= 10_000 {
            check_bad(self.counters.masked, rows, self.settings().max_bad)?;
        }
        Ok(self.bad_in_a_row >= BAD_STEPS)
    }

    fn roll_back(&mut self) -> Result<()> {
        self.counters.rollbacks += 1;
        self.bad_in_a_row = 0;
        if self.counters.rollbacks > ROLLBACKS {
            let lr = self.settings().lr.unwrap_or(5e-4) * f64::from(self.counters.lr_factor);
            return Err(Error::Training {
                step: self.step,
                problem: format!(
                    "{BAD_STEPS} gradients in a row were not finite, also after {ROLLBACKS} roll-backs (learning rate {lr:.1e})"
                ),
                hint: "Lower `train.lr`, or look at the simulator's output for extreme values".into(),
            });
        }
        self.counters.lr_factor *= 0.5;
        self.exec.restore(&self.good)?;
        self.step = u64::from(self.good.state.step);
        // what the callback answers is heard at the next report
        let _ = self.report(Some("gradients were not finite: rolled back with half the learning rate"));
        Ok(())
    }

    /// Validation loss of the averaged weights; true when patience has run out.
    fn validate(&mut self) -> Result<bool> {
        let total = self.validation_rows;
        if total == 0 {
            return Ok(false);
        }
        let mut sum = 0.0;
        for row0 in (0..total).step_by(CHUNK_ROWS) {
            let rows = CHUNK_ROWS.min(total - row0);
            let run = RunArgs {
                rows: rows as u32,
                row0: row0 as u32,
                batch: total as u32,
                draws: 1,
                ..RunArgs::default()
            };
            self.exec.run(self.loss, &run, Weights::Average)?;
            let m = self.exec.read(self.loss, self.loss_meta, rows, 4)?;
            sum += m.chunks_exact(4).map(|m| f64::from(m[meta::LOSS])).sum::<f64>();
        }
        let loss = (sum / total as f64) as f32;
        let step = self.step;
        let patience = self.settings().patience.unwrap_or(20) as u64;
        let c = &mut self.counters;
        c.validation = Some(loss);
        if self.split.is_none() {
            c.best_step = step; // online nothing overfits: the last average is kept
            return Ok(false);
        }
        if loss.is_finite() && c.best.is_none_or(|b| loss < b) {
            (c.best, c.best_step) = (Some(loss), step);
            self.best = Some(self.good.average.clone());
        }
        let since = step - self.counters.best_step.max(self.counters.drop_step);
        Ok(since / self.epoch_steps().unwrap_or(1).max(1) as u64 >= patience)
    }

    /// The validation loss stands still: goes on from the best weights with a lower rate; true when that has been
    /// done often enough.
    fn drop_rate(&mut self) -> Result<bool> {
        let Some(best) = self.best.as_ref().filter(|_| self.counters.drops < DROPS) else { return Ok(true) };
        self.counters.drops += 1;
        self.counters.drop_step = self.step;
        self.counters.lr_factor *= DROP;
        self.good.params.clone_from(best);
        self.good.average.clone_from(best);
        self.exec.restore(&self.good)?;
        Ok(false)
    }

    fn log_metric(&mut self) -> Result<()> {
        let seconds = self.seconds();
        let c = &mut self.counters;
        let n = c.loss_steps.max(1) as f64;
        c.loss = (c.loss_sum / n) as f32;
        let metric = Metric {
            step: u64::from(self.good.state.step),
            loss: c.loss,
            validation: c.validation,
            norm: (c.norm_sum / n) as f32,
            lr: self.good.state.lr,
            seconds,
        };
        (c.loss_sum, c.norm_sum, c.loss_steps) = (0.0, 0.0, 0);
        self.folder.as_ref().map_or(Ok(()), |f| f.append_metric(&metric))
    }

    fn seconds(&self) -> f64 {
        self.counters.seconds + self.started.elapsed().as_secs_f64()
    }

    /// Writes weights, then state. `good` must be up to date.
    fn save(&mut self) -> Result<()> {
        let Some(f) = &self.folder else { return Ok(()) };
        let summary = self.summary(false, false);
        let values = self.best.as_deref().unwrap_or(&self.good.average);
        f.save_weights(&self.model.config, &self.network.table, values, &self.standardiser, &summary)?;
        let counters = Counters { seconds: self.seconds(), ..self.counters.clone() };
        f.save_state(&self.model.config, &self.good, self.best.as_deref(), &self.standardiser, &counters)
    }

    fn summary(&self, stopped_early: bool, interrupted: bool) -> Summary {
        let c = &self.counters;
        let drawn = self.step * self.batch() as u64;
        Summary {
            steps: self.step,
            seconds: self.seconds(),
            loss: if c.loss_steps > 0 { (c.loss_sum / c.loss_steps as f64) as f32 } else { c.loss },
            validation: c.best.or(c.validation),
            best_step: c.best_step,
            stopped_early,
            interrupted,
            simulations: self.split.as_ref().map_or(drawn, |s| (s.n + s.n_validation) as u64),
            skipped: c.skipped,
            masked: c.masked,
            parameters: self.network.table.count() as u64,
            device: self.device.name(),
        }
    }

    fn report(&mut self, message: Option<&str>) -> ControlFlow<()> {
        let Some(callback) = &mut self.callback else { return ControlFlow::Continue(()) };
        let c = &self.counters;
        let (step, seconds) = (self.step, self.started.elapsed().as_secs_f64());
        let total_seconds = c.seconds + seconds;
        let rate = step as f64 / total_seconds.max(1e-9);
        callback(&Progress {
            step,
            steps: c.total,
            loss: if c.loss_steps > 0 { (c.loss_sum / c.loss_steps as f64) as f32 } else { c.loss },
            validation: c.validation,
            steps_per_second: rate,
            seconds: total_seconds,
            eta_seconds: if step > 0 { c.total.saturating_sub(step) as f64 / rate } else { 0.0 },
            skipped: c.skipped,
            masked: c.masked,
            message,
        })
    }
}

/// An error when more than `max` of the simulations were not finite.
fn check_bad(bad: u64, total: u64, max: f64) -> Result<()> {
    let share = bad as f64 / total.max(1) as f64;
    if share <= max {
        return Ok(());
    }
    Err(Error::config(
        "simulator",
        format!(
            "{bad} of {total} simulations ({:.1} %) gave NaN or infinity; at most {:.1} % are tolerated",
            100.0 * share,
            100.0 * max
        ),
        "Narrow the prior, mend the simulator, or raise `train.max_bad`",
    ))
}
