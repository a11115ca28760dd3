//! The tasks of sbibm against their reference posteriors: train, sample, MLP-C2ST.
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::published::{PUBLISHED, Published};
use crate::data::npz::Npz;
use crate::diag::c2st::c2st_mlp;
use crate::error::{Error, Result};
use crate::infer::Posterior;
use crate::model::{Config, Model};
use crate::runtime::Device;
use crate::train::{Progress, Trainer};

/// Observations of a task that are compared.
const OBSERVATIONS: usize = 5;

/// How many simulations training may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// A fixed table of this size.
    Table(u64),
    /// Fresh ones at every step.
    Online,
}

impl Budget {
    /// The published value to compare with, if there is one.
    pub fn bar(self, published: &Published) -> Option<f64> {
        match self {
            Self::Table(1_000) => Some(published.npe[0]),
            Self::Table(10_000) => Some(published.npe[1]),
            Self::Table(100_000) => Some(published.npe[2]),
            Self::Table(_) => None,
            Self::Online => Some(published.amortised),
        }
    }
}

impl std::str::FromStr for Budget {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "online" => Ok(Self::Online),
            Ok(n) if n >= 2.0 && n <= f64::from(u32::MAX) && n.fract() == 0.0 => Ok(Self::Table(n as u64)),
            _ => Err(format!("expected 1e3, 1e4, 1e5 or online, found `{text}`")),
        }
    }
}

/// What to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder with `TASK/observation_01.npz` and so on, TASK with underscores; arrays `observation` and
    /// `reference_posterior`.
    pub reference: PathBuf,
    /// Simulations for training.
    pub budget: Budget,
    /// Length of the training of one task; by default as its model file says.
    pub minutes: Option<f64>,
    /// Seed of training, draws and classifiers.
    pub seed: u64,
    /// Run folders go to `runs/TASK`.
    pub runs: PathBuf,
}

/// A task's outcome.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// C2ST for each observation.
    pub c2st: Vec<f64>,
    /// Training time, seconds.
    pub seconds: f64,
    /// Training steps.
    pub steps: u64,
    /// The device that trained.
    pub device: String,
}

impl Outcome {
    /// Mean over the observations.
    pub fn mean(&self) -> f64 {
        self.c2st.iter().sum::<f64>() / self.c2st.len() as f64
    }
}

/// An observation with draws of its known posterior.
struct Reference {
    x: Vec<f32>,
    draws: Vec<f32>,
}

/// Trains and compares one task; all reference files are read first.
///
/// # Errors
/// Unknown task, files that are missing or misshapen, or whatever training reports.
pub fn task(
    name: &str,
    options: &Options,
    device: Device,
    mut on_progress: impl FnMut(&Progress<'_>),
) -> Result<Outcome> {
    let mut config = Config::builtin(name)?;
    if let Budget::Table(n) = options.budget {
        config.train.set_simulations(n);
    }
    if let Some(minutes) = options.minutes {
        config.train.set_minutes(minutes);
    }
    config.train.seed = options.seed;
    let model = Model::from_config(config.checked("the benchmark")?)?;
    let (d, c) = (model.theta_dim(), model.x_dim()?);
    let folder = options.reference.join(name.replace('-', "_"));
    let references = (1..=OBSERVATIONS)
        .map(|i| reference(&folder.join(format!("observation_{i:02}.npz")), d, c))
        .collect::<Result<Vec<_>>>()?;
    let start = std::time::Instant::now();
    let (posterior, summary) = Trainer::new(model)
        .device(device)
        .run_folder(options.runs.join(name))
        .on_progress(|p: &Progress<'_>| {
            on_progress(p);
            ControlFlow::Continue(())
        })
        .train()?;
    let seconds = start.elapsed().as_secs_f64();
    let c2st = references.iter().map(|r| compare(&posterior, r, d, options.seed)).collect::<Result<_>>()?;
    Ok(Outcome { c2st, seconds, steps: summary.steps, device: summary.device })
}

/// The published numbers of a task.
pub fn published(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|p| p.task == name)
}

fn compare(posterior: &Posterior, reference: &Reference, dim: usize, seed: u64) -> Result<f64> {
    let draws = posterior.sample(&reference.x, reference.draws.len() / dim, seed)?;
    c2st_mlp(&reference.draws, &draws, dim, seed)
}

fn reference(path: &Path, d: usize, c: usize) -> Result<Reference> {
    let mut file = Npz::open(path)?;
    let (x, draws) = (file.read("observation")?, file.read("reference_posterior")?);
    if x.values.len() != c {
        let problem = format!("expected {c} values in `observation`, found {}", x.values.len());
        return Err(Error::data(path, problem, "Is it the file of this task?"));
    }
    match draws.shape.as_slice() {
        [n, columns] if *n > 0 && *columns == d => Ok(Reference { x: x.values, draws: draws.values }),
        shape => {
            let problem = format!("expected `reference_posterior` of shape (n, {d}), found {shape:?}");
            Err(Error::data(path, problem, "Is it the file of this task?"))
        }
    }
}
