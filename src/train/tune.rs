//! Tuning what a model's training and its posterior would run on a GPU: the very plans, tables and first weights.
use crate::error::{Error, Result};
use crate::infer::Posterior;
use crate::runtime::exec::{PlanId, Weights};
use crate::runtime::state::RunArgs;
use crate::runtime::tiling::Tiling;
use crate::runtime::tune::{Options, Pass, Tuned};
use crate::train::offline;
use crate::train::session::Session;
use crate::train::trainer::Trainer;

/// Steps that are set for the trainer: enough that its schedule is an ordinary one; it makes one of them.
const STEPS: u64 = 1_000;
/// Steps among which the one with the longest data sets is taken.
const LOOKED_AT: u32 = 64;
/// Data sets that draws are spread over.
const SETS: usize = 16;

impl Trainer<'_> {
    /// Times the row launches of a training step and of draws in all tilings that the device allows, each for at most
    /// `options.seconds`. Trains and stores nothing: choices are stored with [`Tuned::choice`]. The plan of data sets of many
    /// items is that of the longest; its choice holds for all sizes, which share their kernels.
    ///
    /// # Errors
    /// On the CPU; if the device fails in the default tiling; and those of [`Trainer::train`].
    pub fn tune(mut self, options: &Options) -> Result<Vec<Tuned>> {
        if self.device.is_cpu() {
            let hint = "Choose one that `couplet devices` lists with --device gpu:NAME";
            let problem = "expected a GPU, found the CPU, which has nothing to tune";
            return Err(Error::config("--device", problem, hint));
        }
        (self.folder, self.resume) = (None, false);
        let mut session = Session::open(self.steps(STEPS))?;
        let training = session.tune(options)?;
        let Session { model, network, standardiser, good, device, seen, .. } = session;
        let c = model.x_dim()?;
        let posterior = Posterior::new(model, network, standardiser, good.params, device)?;
        let drawing = posterior.tune(&seen[..seen.len().min(SETS * c)], options)?;
        Ok(vec![training, drawing])
    }
}

impl Session<'_> {
    /// The plans of a training step: one, or one for each bucket of sizes.
    pub(super) fn train_plans(&self) -> Vec<PlanId> {
        self.train.iter().chain(self.items.iter().flat_map(|items| items.plans())).copied().collect()
    }
    /// Their tilings; none on the CPU.
    pub(super) fn tilings(&self) -> Vec<Tiling> {
        self.train_plans().into_iter().filter_map(|plan| self.exec.tiling(plan)).collect()
    }

    /// Goes on with the tilings that a run began with, whatever was chosen since: another one may change last bits. A run that
    /// says nothing of them began with the default, or on the CPU.
    pub(super) fn keep_tilings(&mut self) -> Result<()> {
        let crate::runtime::Device::Gpu(gpu) = &self.device else { return Ok(()) };
        let most = gpu.most();
        for (i, plan) in self.train_plans().into_iter().enumerate() {
            let tiling = self.counters.tilings.get(i).copied().unwrap_or_default();
            if let (Some(problem), Some(folder)) = (tiling.problem_on(most), &self.folder) {
                let name = self.device.name();
                let problem =
                    format!("it began with tiling {tiling}, which `{name}` does not allow ({problem})");
                let hint = "Go on with it on the device on which it began, or with --device cpu";
                return Err(Error::run(&folder.path, problem, hint));
            }
            self.exec.set_tiling(plan, tiling)?;
        }
        Ok(())
    }

    /// Tunes the plan of a step; the step is made once, so that its table and index are in place.
    fn tune(&mut self, options: &Options) -> Result<Tuned> {
        let (seed, batch) = (self.settings().seed, self.batch());
        let index = |step| self.split.as_ref().map(|s| offline::order(s.n, batch, seed, step, 1));
        let plan_of = |step: u32| match &self.items {
            None => (0, self.train),
            Some(items) => {
                let bucket = items.bucket(seed, step, index(step).as_deref());
                (bucket, Some(items.plans()[bucket]))
            }
        };
        let steps = if self.items.is_some() { LOOKED_AT } else { 1 };
        // The first of the longest.
        let step = (0..steps).rev().max_by_key(|&step| plan_of(step).0).unwrap_or(0);
        let Some(plan) = plan_of(step).1 else {
            return Err(Error::config(
                "tuning",
                "expected a plan of a training step, found none",
                "Report it",
            ));
        };
        let mut at = self.good.clone();
        at.state.step = step;
        self.exec.restore(&at)?;
        self.advance(step, 1)?;
        self.exec.logs()?;
        self.exec.restore(&at)?;
        let rows = self.exec.capacity(plan).min(batch) as u32;
        let run = RunArgs { rows, batch: batch as u32, draws: 1, first_step: step, ..RunArgs::default() };
        let pass = Pass { run, weights: Weights::Current, result: None };
        let tuned = self.exec.tune(plan, &pass, options);
        self.exec.restore(&self.good)?;
        tuned
    }
}
