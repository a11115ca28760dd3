//! The trainer: what a caller sets before training.
use crate::error::Result;
use crate::infer::Posterior;
use crate::model::{Model, Pairs};
use crate::runtime::device::Device;
use crate::train::run::{Progress, Summary};
use crate::train::session::Session;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Seconds between checkpoints.
const CHECKPOINT_SECONDS: f64 = 30.0;

pub(super) type Callback<'a> = Box<dyn FnMut(&Progress) -> ControlFlow<()> + 'a>;

/// Trains a model. Made by [`Trainer::new`], set by its methods, run by [`Trainer::train`].
pub struct Trainer<'a> {
    pub(super) model: Model,
    pub(super) device: Device,
    pub(super) folder: Option<PathBuf>,
    pub(super) resume: bool,
    pub(super) callback: Option<Callback<'a>>,
    pub(super) data: Option<Pairs>,
    pub(super) checkpoint_seconds: f64,
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
