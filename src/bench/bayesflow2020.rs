//! The models of Radev et al. 2020 ("BayesFlow", arXiv 2003.06281): train, evaluate on fresh test sets, compare with what
//! was published or with the exact posterior.
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Serialize;

use crate::bench::machine::{forget_peak_memory, peak_memory};
use crate::diag::examine::prior_draws;
use crate::error::{Error, Result};
use crate::infer::Posterior;
use crate::model::definition::{BENCH_STEP, Pairs};
use crate::model::{Config, Model};
use crate::report::run_facts::RunFacts;
use crate::rng::{Rng, streams};
use crate::runtime::Device;
use crate::sim::{DataShape, Simulator};
use crate::train::{Progress, Trainer};

mod exact;
pub mod measure;
pub mod published;
mod recovery;

use measure::Measure;
use published::Published;
use recovery::Found;

/// The models, in the order of the table.
pub const MODELS: &[&str] = &[
    "mvn-5",
    "mvn-50",
    "mvn-500",
    "mixture-of-eight",
    "ricker",
    "levy-flight",
    "sir-stochastic",
    "lotka-volterra-ode",
    "lotka-volterra-ode-stats",
    "normal-mean",
];
/// Test sets that are drawn for at a time.
const BLOCK: usize = 250;

/// What to compare, and how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Length of the training of one model; by default as its model file says.
    pub minutes: Option<f64>,
    /// Seed of training, test sets and draws.
    pub seed: u64,
    /// Run folders go to `runs/MODEL`.
    pub runs: PathBuf,
    /// The runs are there already: evaluate them.
    pub trained: bool,
    /// Small networks, a short training and few test sets: shows the effects, reaches no target.
    pub quick: bool,
}

/// How much is evaluated.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Test sets for each size of the data.
    sets: usize,
    /// Draws for each of them.
    draws: usize,
    /// Joint pairs, and draws for each condition, where the exact posterior is known.
    pairs: usize,
}

impl Effort {
    fn of(options: &Options) -> Self {
        if options.quick {
            Self { sets: 200, draws: 200, pairs: 2000 }
        } else {
            Self { sets: 2000, draws: 2000, pairs: 10_000 }
        }
    }
}

/// A model's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The model.
    pub model: String,
    /// Every number with what it is compared to.
    pub measures: Vec<Measure>,
    /// Training time, seconds.
    pub seconds: f64,
    /// Training steps.
    pub steps: u64,
    /// Evaluation time, seconds.
    pub evaluation: f64,
    /// Most resident memory of the evaluation, bytes, where the system tells.
    pub evaluation_memory: Option<u64>,
    /// The device that trained.
    pub device: String,
    /// Test sets for each size of the data.
    pub sets: usize,
    /// Draws for each test set.
    pub draws: usize,
}

/// The configuration that is trained.
fn config(name: &str, options: &Options) -> Result<Config> {
    if !MODELS.contains(&name) {
        return Err(Error::input(
            "model",
            format!("one of {}", MODELS.join(", ")),
            name,
            "`couplet bench bayesflow2020` without names compares all of them",
        ));
    }
    let mut config = Config::builtin(name)?;
    if options.quick {
        config.flow.hidden = vec![64, 64];
        config.flow.blocks = config.flow.blocks.min(4);
        config.train.set_steps(3000);
        config.train.pool = config.train.pool.map(|n| n.min(1000));
    }
    if let Some(minutes) = options.minutes {
        config.train.set_minutes(minutes);
    }
    config.train.seed = options.seed;
    config.checked("the benchmark")
}

/// Trains and evaluates one of [`MODELS`].
///
/// # Errors
/// An unknown model, or whatever training and sampling report.
pub fn model(
    name: &str,
    options: &Options,
    device: Device,
    mut on_progress: impl FnMut(&Progress<'_>),
) -> Result<Outcome> {
    let config = config(name, options)?;
    let run = options.runs.join(name);
    let start = std::time::Instant::now();
    let (posterior, summary) = if options.trained {
        let posterior = Posterior::load(&run, device)?;
        let found = posterior.model().config.simulator.builtin.as_deref().unwrap_or("a simulator of its own");
        let hint = "Train it with `couplet train`, to the end";
        if found != name {
            return Err(Error::input(run.display().to_string(), format!("a run of {name}"), found, hint));
        }
        let unfinished =
            || Error::input(run.display().to_string(), "a finished run", "an unfinished one", hint);
        (posterior, RunFacts::read(&run).summary.filter(|s| !s.interrupted).ok_or_else(unfinished)?)
    } else {
        Trainer::new(Model::from_config(config)?)
            .device(device)
            .run_folder(run)
            .on_progress(|p: &Progress<'_>| {
                on_progress(p);
                ControlFlow::Continue(())
            })
            .train()?
    };
    let seconds = if options.trained { summary.seconds } else { start.elapsed().as_secs_f64() };
    forget_peak_memory();
    let start = std::time::Instant::now();
    let measures = evaluate(name, &posterior, options)?;
    let effort = Effort::of(options);
    Ok(Outcome {
        model: name.into(),
        measures,
        seconds,
        steps: summary.steps,
        evaluation: start.elapsed().as_secs_f64(),
        evaluation_memory: peak_memory(),
        device: summary.device,
        sets: effort.sets,
        draws: effort.draws,
    })
}

/// Every number of a trained model.
///
/// # Errors
/// A posterior that does not belong to the model `name`, or whatever sampling reports.
pub fn evaluate(name: &str, posterior: &Posterior, options: &Options) -> Result<Vec<Measure>> {
    let (effort, seed) = (Effort::of(options), options.seed);
    match name {
        "mvn-5" | "mvn-50" | "mvn-500" => exact::mvn(posterior, effort, seed),
        "mixture-of-eight" => exact::mixture(posterior, effort, seed),
        "normal-mean" => exact::normal_mean(posterior, effort, seed),
        _ => {
            let known = published::find(name).ok_or_else(|| {
                Error::input("model", "one with published numbers", name, "See `bayesflow2020::MODELS`")
            })?;
            compare(known, posterior, effort, seed)
        }
    }
}

/// Recovery and calibration at every size of the data.
fn compare(known: &Published, posterior: &Posterior, effort: Effort, seed: u64) -> Result<Vec<Measure>> {
    let model = posterior.model();
    let (d, names) = (model.theta_dim(), model.parameter_names());
    let prior = prior_draws(&model.prior, seed);
    let mut measures = vec![];
    for &size in known.sizes {
        let pairs = test_sets(model, seed, size, effort.sets)?;
        let width = width(model.simulator()?.as_ref(), size);
        let mut found = Found::new(d);
        for (block, theta) in pairs.theta.chunks(BLOCK * d).enumerate() {
            let first = block * BLOCK;
            let x = &pairs.x[first * width..][..theta.len() / d * width];
            // Draw j of set i depends on the seed and i within the call, so each block has a seed of its own.
            let draws = sample(posterior, x, size, effort.draws, seed.wrapping_add(first as u64))?;
            found.push(theta, &draws, effort.draws)?;
        }
        measures.extend(found.measures(known, size, names, &prior, seed)?);
    }
    Ok(measures)
}

/// Values of a data set of `items` items.
fn width(simulator: &dyn Simulator, items: usize) -> usize {
    match simulator.shape() {
        DataShape::Vector { features } => features,
        DataShape::Set { features, .. } | DataShape::Series { features, .. } => items * features,
        DataShape::Field { height, width, channels } => height * width * channels,
    }
}

/// `n` fresh test sets of `items` items each; vectors ignore `items`.
fn test_sets(model: &Model, seed: u64, items: usize, n: usize) -> Result<Pairs> {
    let simulator = model.simulator()?;
    let seed = seed ^ ((items as u64) << 32);
    let d = model.theta_dim();
    let mut theta = vec![0.0; n * d];
    for (i, theta) in theta.chunks_exact_mut(d).enumerate() {
        model.prior.draw(&mut Rng::new(seed, streams::PRIOR, BENCH_STEP, i as u32), theta);
    }
    let mut x = vec![0.0; n * width(simulator.as_ref(), items)];
    simulator.simulate_items(seed, BENCH_STEP, 0, items, &theta, &mut x);
    Ok(Pairs { theta, x })
}

/// `draws` draws for each data set of `items` items: `(sets, draws, D)`.
fn sample(posterior: &Posterior, x: &[f32], items: usize, draws: usize, seed: u64) -> Result<Vec<f32>> {
    let model = posterior.model();
    let shape = model.shape()?;
    if shape.is_vector() {
        return posterior.sample(x, draws, seed);
    }
    let ((least, most), width) = (shape.items(), width(model.simulator()?.as_ref(), items));
    if !(least..=most).contains(&items) {
        return Err(Error::input(
            "network",
            format!("one that takes data sets of {items} items"),
            format!("one that takes {least} to {most}"),
            "Leave `size` out of the model file",
        ));
    }
    // NaN ends a data set.
    let mut padded = Vec::with_capacity(x.len() / width * shape.values());
    for set in x.chunks_exact(width) {
        padded.extend_from_slice(set);
        padded.resize(padded.len() + shape.values() - width, f32::NAN);
    }
    posterior.sample(&padded, draws, seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::definition::CHECK_STEP;

    #[test]
    fn every_model_is_built_in_and_has_something_to_compare_with() {
        let options = Options { minutes: None, seed: 3, runs: PathBuf::new(), quick: true, trained: false };
        for name in MODELS {
            let config = config(name, &options).unwrap();
            assert_eq!((config.train.seed, config.train.steps), (3, Some(3000)), "{name}");
            let exact = ["mvn", "mixture", "normal"].iter().any(|known| name.starts_with(known));
            assert_ne!(published::find(name).is_some(), exact, "{name}");
        }
        assert!(config("two-moons", &options).is_err());
    }

    #[test]
    fn test_sets_are_fresh_for_each_size_and_seed() {
        let model = Model::builtin("normal-mean").unwrap();
        let [a, b, c] =
            [(1, 5), (1, 6), (2, 5)].map(|(seed, items)| test_sets(&model, seed, items, 3).unwrap());
        assert_eq!((a.x.len(), b.x.len(), c.x.len()), (15, 18, 15));
        assert!(a.theta != b.theta && a.theta != c.theta && b.theta != c.theta);
        assert_ne!(a.theta, model.simulate(1, CHECK_STEP, 3).unwrap().theta);
    }
}
