//! The training loop. The device does the steps; here they are counted, validated, logged and saved.
use crate::data::standardise::Standardiser;
use crate::error::{Error, Result};
use crate::infer::{Posterior, ood};
use crate::model::config::{Mode, TrainConfig};
use crate::model::definition::{Bad, STANDARDISE_STEP, VALIDATION_STEP};
use crate::model::network::{Network, Rows};
use crate::model::ragged::{row_floats, standardised};
use crate::model::summaries::{Stage, Summaries};
use crate::model::weights::Weights;
use crate::model::{Model, Pairs};
use crate::optim;
use crate::runtime::device::Device;
use crate::runtime::exec::{Executor, PlanId, Snapshot};
use crate::runtime::state::StepArgs;
use crate::runtime::tile::Slot;
use crate::train::checkpoint::{Counters, Folder};
use crate::train::items::ItemPlans;
use crate::train::offline::{self, Split};
use crate::train::pool::Pool;
use crate::train::run::Summary;
use crate::train::trainer::{Callback, Trainer};
use std::time::Instant;

/// Rows whose slots are held at a time; larger batches go in chunks.
pub(super) const CHUNK_ROWS: usize = 1024;
/// Simulations that standardise.
const STANDARDISE: usize = 10_000;
/// Pairs that ActNorm starts from, and that online training validates on.
const HELD_OUT: usize = 2_048;
/// Values that standardise data sets of many items: their moments are known to a thousandth long before there are
/// `HELD_OUT` data sets, and some simulators take a minute for those. [`FEWEST`] data sets there are anyhow.
const STANDARDISE_VALUES: usize = 1 << 20;
/// What parameters and summaries need.
const FEWEST: usize = 768;
/// Steps whose batches are simulated on the host at a time.
const STREAM_STEPS: usize = 64;
/// Most steps of warm-up offline.
const OFFLINE_WARMUP: f32 = 200.0;

/// What one call of `train` works with.
pub(super) struct Session<'a> {
    pub(super) model: Model,
    pub(super) device: Device,
    pub(super) folder: Option<Folder>,
    pub(super) callback: Option<Callback<'a>>,
    pub(super) network: Network,
    pub(super) standardiser: Standardiser,
    pub(super) exec: Box<dyn Executor>,
    /// Steps on vectors.
    pub(super) train: Option<PlanId>,
    /// Steps on data sets of many items.
    pub(super) items: Option<ItemPlans>,
    /// Simulated data sets whose items they take.
    pub(super) pool: Option<Pool>,
    pub(super) loss: PlanId,
    pub(super) loss_meta: Slot,
    /// Rows of the fixed table; none online.
    pub(super) split: Option<Split>,
    /// Online, but simulated on the host for a device that cannot.
    pub(super) streamed: bool,
    pub(super) validation_rows: usize,
    /// Plans of the summaries, and the data sets to validate on.
    pub(super) summaries: Option<(Summaries, Vec<f32>)>,
    pub(super) counters: Counters,
    pub(super) best: Option<Vec<f32>>,
    /// Steps done.
    pub(super) step: u64,
    /// The step at which this session began, and seconds since in which no steps were made.
    pub(super) first_step: u64,
    pub(super) filling: f64,
    /// The last snapshot taken: what is validated and saved, and what a roll-back returns to.
    pub(super) good: Snapshot,
    pub(super) started: Instant,
    pub(super) bad_in_a_row: u64,
    pub(super) resumed: bool,
    pub(super) checkpoint_seconds: f64,
    /// Simulated data `(n, C)` from which the posterior learns what is familiar.
    pub(super) seen: Vec<f32>,
}

impl<'a> Session<'a> {
    pub(super) fn open(t: Trainer<'a>) -> Result<Self> {
        let mut model = t.model;
        model.config.settle();
        let settings = &model.config.train;
        let (d, seed, shape) = (model.theta_dim(), settings.seed, model.shape()?);
        let offline = settings.mode == Some(Mode::Offline) || t.data.is_some();
        let folder = t.folder.as_deref().map(Folder::create).transpose()?;
        if let Some(folder) = folder.as_ref().filter(|_| t.resume) {
            folder.check_same(&model.config)?;
        }
        let foreign = t.data.is_some() || model.config.simulator.dataset.is_some();
        let table = match t.data {
            Some(pairs) => Some(pairs),
            None if offline => Some(model.table(seed, settings.simulations.map(|n| n as usize))?),
            None => None,
        };
        let checksum = table.as_ref().filter(|_| foreign).map(Pairs::checksum);
        let fitted_on = match &table {
            Some(pairs) => pairs.clone(),
            None if shape.is_vector() => model.simulate(seed, STANDARDISE_STEP, STANDARDISE)?,
            None => {
                let (least, most) = shape.items();
                let values = (least + most) / 2 * shape.features();
                let n = (STANDARDISE_VALUES / values.max(1)).clamp(FEWEST, HELD_OUT);
                model.simulate(seed, STANDARDISE_STEP, n)?
            }
        };
        let standardiser = model.standardiser(&fitted_on)?;
        // NaN ends a data set of many items.
        let fine = |v: &f32| v.is_finite() || (!shape.is_vector() && v.is_nan());
        let sound = fitted_on.x.chunks_exact(model.x_dim()?.max(1)).filter(|row| row.iter().all(fine));
        let seen = sound.take(ood::ROWS).flatten().copied().collect();
        let network = model.network(standardiser.clone())?;
        let host = network.host().clone();
        let width = row_floats(&shape, d);
        let (rows, bad) = standardised(&host, &shape, &fitted_on, Bad::LeftOut);
        let total = rows.len() / width + bad;
        check_bad(bad as u64, total as u64, settings.max_bad)?;
        let first_rows = &rows[..(HELD_OUT * width).min(rows.len())];
        let start = network.initial(seed, first_rows)?;
        let split = table.is_some().then(|| offline::split(&rows, width, settings.validation, seed));
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
                let n = if shape.is_vector() { HELD_OUT } else { HELD_OUT / 4 };
                standardised(&host, &shape, &model.simulate(seed, VALIDATION_STEP, n)?, Bad::LeftOut).0
            }
        };
        let batch = settings.rows().min(split.as_ref().map_or(usize::MAX, |s| s.n));
        let mut exec = t.device.executor(network.table.clone(), &optim::STEP)?;
        // A simulator that only the host knows streams its pairs to the device as a table.
        let on_device = t.device.is_cpu() || model.simulator.as_ref().is_some_and(|s| s.has_wgsl());
        let pool = settings.pool.filter(|_| !offline);
        let source = match (pool, offline || !on_device) {
            (Some(_), _) => Rows::Pool(model.take()?),
            (None, true) => Rows::Indexed,
            (None, false) => Rows::Online,
        };
        let (mut train, mut items) = (None, None);
        match &network.summary {
            None => train = Some(exec.prepare(network.train_plan(source), batch.min(CHUNK_ROWS))?),
            Some(summary) => {
                let rows = split.as_ref().map(|s| &s.train[..]);
                let plans = ItemPlans::open(
                    exec.as_mut(),
                    &network,
                    summary,
                    source,
                    batch,
                    t.device.is_cpu(),
                    rows,
                )?;
                items = Some(plans);
            }
        }
        let loss_plan = network.loss_plan();
        let loss_meta = loss_plan.meta;
        let loss = exec.prepare(loss_plan, CHUNK_ROWS)?;
        if network.summary.is_none() {
            exec.set_table(loss, &validation)?;
        }
        if let (Some(s), Some(train)) = (&split, train) {
            exec.set_table(train, &s.train)?;
        }
        let streamed = !offline && !on_device && settings.pool.is_none();
        exec.restore(&start)?;
        let validation_rows = validation.len() / width;
        let summaries = network.summary.as_ref().map(|s| (Summaries::new(s, Stage::Condition), validation));
        let pool = pool.map(|size| Pool::new(size, settings.rounds.unwrap_or(1)));
        let mut s = Self {
            network,
            standardiser,
            exec,
            train,
            items,
            pool,
            summaries,
            loss,
            loss_meta,
            split,
            streamed,
            validation_rows,
            counters: Counters { lr_factor: 1.0, table: checksum, ..Counters::default() },
            best: None,
            step: 0,
            first_step: 0,
            filling: 0.0,
            good: start,
            started: Instant::now(),
            bad_in_a_row: 0,
            resumed: false,
            checkpoint_seconds: t.checkpoint_seconds,
            seen,
            model,
            device: t.device,
            folder,
            callback: t.callback,
        };
        s.model.config.train.batch = Some(batch);
        s.begin(t.resume)?;
        Ok(s)
    }

    pub(super) fn settings(&self) -> &TrainConfig {
        &self.model.config.train
    }
    pub(super) fn batch(&self) -> usize {
        self.settings().rows()
    }
    pub(super) fn epoch_steps(&self) -> Option<usize> {
        self.split.as_ref().map(|s| offline::steps_per_epoch(s.n, self.batch()))
    }

    /// Fixes the number of steps, or takes everything from the state file.
    fn begin(&mut self, resume: bool) -> Result<()> {
        if let Some(folder) = &self.folder {
            crate::data::atomic::sweep(&folder.path);
        }
        let state = self.folder.as_ref().map(|f| f.state()).filter(|p| resume && p.exists());
        if let (Some(_), Some(folder)) = (state, &self.folder) {
            let r = folder.load_state(&self.network.table, &self.model.config)?;
            if let (Some(was), Some(now)) = (r.counters.table, self.counters.table)
                && was != now
            {
                let problem = "expected the pairs that the run began with, found others";
                let hint = "Bring the file back, or start a run in a folder of its own";
                return Err(Error::config("simulator.dataset", problem, hint));
            }
            folder.truncate_metrics(u64::from(r.now.state.step))?;
            self.exec.restore(&r.now)?;
            self.step = u64::from(r.now.state.step);
            (self.good, self.best, self.counters) = (r.now, r.best, r.counters);
            self.resumed = true;
            self.keep_tilings()?;
            // Another length may be asked for: the schedule is stretched or cut, which the user sees in the new total.
            let epochs = self.settings().epochs.zip(self.epoch_steps()).map(|(n, per)| n * per as u64);
            if let Some(steps) = self.settings().steps.or(epochs).filter(|&s| s != self.counters.total) {
                if steps < self.step {
                    let made = self.step;
                    let problem =
                        format!("expected at least the {made} steps that the run has made, found {steps}");
                    return Err(Error::config(
                        "train.steps",
                        problem,
                        "Ask for more, or resume without a number",
                    ));
                }
                self.counters.total = steps;
            }
            if self.settings().minutes.is_some() {
                self.model.config.train.set_steps(self.counters.total);
            }
            // With what was asked for this time: a length, a rate.
            return self.folder.iter().try_for_each(|folder| folder.save_model(&self.model.config));
        }
        self.counters.tilings = self.tilings();
        self.counters.total = match (self.settings().steps, self.settings().minutes, self.epoch_steps()) {
            (Some(steps), ..) => steps,
            (None, Some(minutes), _) => {
                while !self.fill_pool(0)? {
                    let _ = self.report(None); // nothing is there yet that could be broken off
                }
                self.steps_in((minutes * 60.0 - self.started.elapsed().as_secs_f64()).max(1.0))?
            }
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
        // The first step pays for what a driver compiles late.
        self.advance(0, 1)?;
        self.exec.logs()?;
        let start = Instant::now();
        let (mut steps, mut n) = (1u64, 4);
        while start.elapsed().as_secs_f64() < budget {
            self.advance(steps as u32, n)?;
            self.exec.logs()?;
            steps += n as u64;
            n = (n * 2).min(256);
        }
        let per_step = start.elapsed().as_secs_f64() / (steps - 1) as f64;
        self.exec.restore(&self.good)?;
        // a little is left for validation and saving
        Ok(((seconds * 0.96 - budget) / per_step).max(1.0) as u64)
    }

    fn step_args(&self) -> StepArgs {
        let t = self.settings();
        let total = self.counters.total as f32;
        let offline = self.split.is_some();
        StepArgs {
            lr: t.peak_rate() as f32 * self.counters.lr_factor,
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
    pub(super) fn advance(&mut self, first: u32, n: usize) -> Result<()> {
        let (batch, args) = (self.batch(), self.step_args());
        let seed = self.settings().seed;
        while !self.fill_pool(u64::from(first))? {}
        if let Some(items) = &mut self.items {
            if let (true, Some(simulator)) = (self.streamed, self.model.simulator.as_deref()) {
                let exec = self.exec.as_mut();
                return items.stream(exec, &self.network, simulator, &args, batch, seed, first, n);
            }
            let index = self.split.as_ref().map(|s| offline::order(s.n, batch, seed, first, n));
            return items.advance(self.exec.as_mut(), &args, batch, seed, first, n, index.as_deref());
        }
        let Some(train) = self.train else { return Ok(()) };
        if let Some(s) = &self.split {
            let index = offline::order(s.n, batch, self.settings().seed, first, n);
            self.exec.set_index(train, &index)?;
        } else if self.streamed {
            self.stream(train, first, n, batch)?;
        }
        self.exec.train(train, &args, batch, n, first)
    }

    /// Simulates the batches of `n` steps on the host: the pairs the CPU would draw in these steps.
    fn stream(&mut self, train: PlanId, first: u32, n: usize, batch: usize) -> Result<()> {
        let shape = self.model.shape()?;
        let mut rows = vec![];
        for step in first..first + n as u32 {
            let pairs = self.model.simulate(self.settings().seed, step, batch)?;
            rows.extend(standardised(self.network.host(), &shape, &pairs, Bad::Kept).0);
        }
        let index: Vec<u32> = (0..(n * batch) as u32).collect();
        self.exec.set_table(train, &rows)?;
        self.exec.set_index(train, &index)
    }

    pub(super) fn run(mut self) -> Result<(Posterior, Summary)> {
        let mut stopped_early = false;
        let mut interrupted = false;
        (self.first_step, self.filling) = (self.step, self.started.elapsed().as_secs_f64());
        if let Some(done) = self.done_before()? {
            return Ok(done);
        }
        let (mut chunk, mut saved, mut shown) = (4usize, Instant::now(), Instant::now());
        let _ = self.report(self.resumed.then_some("resumed"));
        let every = self.validation_interval();
        while self.step < self.counters.total {
            let now = self.step;
            let begun = Instant::now();
            if !self.fill_pool(now)? {
                self.filling += begun.elapsed().as_secs_f64();
                if self.look(&mut shown).is_break() {
                    interrupted = true;
                    break;
                }
                continue;
            }
            let round = self.pool.as_ref().map_or(u64::MAX, |p| p.steps_left(now, self.counters.total));
            let left = (self.counters.total - now).min(every - now % every).min(round) as usize;
            let n = chunk.min(left).min(if self.streamed { STREAM_STEPS } else { usize::MAX });
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
            if self.look(&mut shown).is_break() {
                interrupted = true;
                break;
            }
        }
        if self.bad_in_a_row == 0 {
            self.good = self.exec.snapshot()?;
        }
        let summary = self.summary(stopped_early, interrupted);
        self.save()?;
        // the last report says where training ended; there is nothing left to break off
        let _ = self.report(None);
        let values = self.best.take().unwrap_or_else(|| self.good.average.clone());
        if let Some(f) = &self.folder {
            f.save_weights(&self.model.config, &self.network.table, &values, &self.standardiser, &summary)?;
        }
        let mut posterior = Posterior::new(self.model, self.network, self.standardiser, values, self.device)?;
        let reference = posterior.learn_reference(&self.seen)?;
        if let (Some(reference), Some(f)) = (reference, &self.folder) {
            reference.store(&f.weights())?;
        }
        Ok((posterior, summary))
    }

    /// The posterior of a run that was resumed after its last step: nothing is made or written anew.
    fn done_before(&self) -> Result<Option<(Posterior, Summary)>> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.resumed && self.step >= self.counters.total)
        else {
            return Ok(None);
        };
        let Ok(weights) = Weights::load(&folder.weights()) else { return Ok(None) };
        let summary =
            weights.metadata.get("training").and_then(|text| serde_json::from_str::<Summary>(text).ok());
        let Some(summary) = summary.filter(|s| s.steps == self.step && !s.interrupted) else {
            return Ok(None);
        };
        // This model and not the file's: a simulator may be the program's own.
        let posterior = Posterior::of_weights(self.model.clone(), &weights, self.device.clone())?;
        // Without it the run was killed between its last step and its end.
        Ok(posterior.reference().is_some().then_some((posterior, summary)))
    }

    /// Steps between validations: an epoch (at least 50 steps) offline, a fortieth of the run online.
    fn validation_interval(&self) -> u64 {
        match self.epoch_steps() {
            Some(per) => (per as u64) * 50u64.div_ceil(per as u64),
            None => (self.counters.total / 40).max(1),
        }
    }
}

/// An error when more than `max` of the simulations were not finite.
pub(super) fn check_bad(bad: u64, total: u64, max: f64) -> Result<()> {
    let share = bad as f64 / total.max(1) as f64;
    if share <= max {
        return Ok(());
    }
    Err(Error::config(
        "simulator",
        format!(
            "{bad} of {total} simulations ({:.1} %) gave NaN, infinity or values that `data.transform` does not take; at most \
             {:.1} % are tolerated",
            100.0 * share,
            100.0 * max
        ),
        "Narrow the prior, mend the simulator, change the transform, or raise `train.max_bad`",
    ))
}
