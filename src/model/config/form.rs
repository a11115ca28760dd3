//! The serde form of the model file. Limits of the values are in `schema.rs`, rules between keys in `rules.rs`.
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::choice::*;
use super::prior::PriorText;
use crate::sim::DataShape;

/// A model file: what is simulated, which network learns it, how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Version of the form, 1.
    #[serde(default = "version")]
    pub version: u32,
    /// One line for `couplet models`.
    #[serde(default)]
    pub description: String,
    /// Where the pairs (theta, x) come from.
    pub simulator: SimulatorConfig,
    /// The parameters in order; one entry may stand for several.
    #[serde(default)]
    pub parameter: Vec<ParameterConfig>,
    /// The data vector.
    #[serde(default)]
    pub data: DataConfig,
    /// The summary network.
    #[serde(default)]
    pub summary: SummaryConfig,
    /// The flow.
    #[serde(default)]
    pub flow: FlowConfig,
    /// The loss.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// The training run.
    #[serde(default)]
    pub train: TrainConfig,
}

/// `[simulator]`: exactly one of its keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SimulatorConfig {
    /// A built-in simulator; brings its parameters and its own defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// An npz file with `theta` (n, D) and `x` (n, C); relative to the model file, absolute once resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<PathBuf>,
    /// A simulator that the program brings itself (`Model::with_simulator`); the text only names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<String>,
}

/// `[[parameter]]`: one parameter (`name`), or several that share a prior (`names`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterConfig {
    /// The name of a single parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Names of several parameters: independent with the same prior, or jointly `multivariate-normal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// The prior, e.g. `uniform(0, beta)`.
    pub prior: PriorText,
    /// Mean of a `multivariate-normal` prior, (k).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f64>>,
    /// Means of the components of a `normal-mixture` prior, (n, k).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<Vec<Vec<f64>>>,
    /// Relative weights of the components of a `normal-mixture` prior, (n); equal by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<f64>>,
    /// Covariance of a `multivariate-normal` prior, or of every component of a `normal-mixture`, (k, k).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
    /// Map to the real line; by default logit, log or identity, as the prior's support asks. Always set once resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Support>,
}

impl ParameterConfig {
    /// The names it stands for.
    pub fn names(&self) -> &[String] {
        match (&self.name, &self.names) {
            (Some(name), _) => std::slice::from_ref(name),
            (None, Some(names)) => names,
            (None, None) => &[],
        }
    }
}

/// `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataConfig {
    /// Element-wise map before standardisation.
    pub transform: DataTransform,
    /// What a data set is; a vector when absent. For `simulator.dataset`, and for `custom`, which fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<DataKind>,
    /// Length C of the data vector, or values of an item or grid point; for `simulator.dataset`, and for `custom`, which
    /// fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<usize>,
    /// Items of a set or series: one number, or the fewest and the most. With a built-in simulator it narrows its range.
    #[serde(deserialize_with = "number::counts", skip_serializing_if = "Vec::is_empty")]
    pub size: Vec<usize>,
    /// Rows and columns of a field.
    #[serde(deserialize_with = "number::counts", skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
}

impl DataConfig {
    /// The shape of the data as far as the file says it.
    pub fn declared(&self) -> Option<DataShape> {
        let features = self.features?;
        let (first, last) = (self.size.first().copied(), self.size.last().copied());
        Some(match self.kind.unwrap_or(DataKind::Vector) {
            DataKind::Vector => DataShape::Vector { features },
            DataKind::Set => DataShape::Set { features, min: first?, max: last? },
            DataKind::Series => DataShape::Series { features, min: first?, max: last? },
            DataKind::Field => match self.shape[..] {
                [height, width] => DataShape::Field { height, width, channels: features },
                _ => return None,
            },
        })
    }
    /// Declares this shape.
    pub fn declare(&mut self, shape: &DataShape) {
        self.features = Some(match *shape {
            DataShape::Vector { features } => features,
            _ => shape.features(),
        });
        let (min, max) = shape.items();
        (self.kind, self.size, self.shape) = match *shape {
            DataShape::Vector { .. } => (None, vec![], vec![]),
            DataShape::Set { .. } => (Some(DataKind::Set), vec![min, max], vec![]),
            DataShape::Series { .. } => (Some(DataKind::Series), vec![min, max], vec![]),
            DataShape::Field { height, width, .. } => (Some(DataKind::Field), vec![], vec![height, width]),
        };
    }
}

/// `[summary]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SummaryConfig {
    /// The kind of network; follows from the data when absent. Always set once resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<SummaryKind>,
    /// Width of its layers, 64 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Modules, blocks or layers; when absent, 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<usize>,
    /// Summaries; when absent, four for each parameter, 16 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<usize>,
    /// Most heads of attention networks, 4 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Whether the first value of an item is its time stamp, for `transformer`; without, items are equally spaced.
    pub time_stamps: bool,
    /// Whether recurrent networks walk in both directions.
    pub bidirectional: bool,
    /// Activation of its layers. Smooth by default, as a posterior changes smoothly with the data; conditioners, which may have to
    /// bend it sharply, do better with `relu` (`docs/BAYESFLOW2020.md`).
    pub activation: Activation,
    /// Dropout probability, [0, 1).
    pub dropout: f64,
}

/// `[flow]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowConfig {
    /// Coupling blocks, 1 to 64.
    pub blocks: usize,
    /// Element-wise transform of a coupling.
    pub transform: TransformKind,
    /// Spline bins, 2 to 64.
    pub bins: usize,
    /// Half-width of the spline's interval, in standardised units.
    pub bound: f64,
    /// Widths of the hidden layers of each conditioner, 4 to 4096 each; when empty, [`Config::settle`] chooses.
    #[serde(deserialize_with = "number::counts", skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<usize>,
    /// Activation of the conditioners.
    pub activation: Activation,
    /// Skip connections between hidden layers of equal width.
    pub residual: bool,
    /// A linear map from each conditioner's inputs straight to its output.
    pub linear_skip: bool,
    /// Dropout probability in the conditioners, [0, 1); when absent, [`Config::settle`] chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// What mixes the coordinates between blocks.
    pub permutation: Permutation,
    /// Householder reflections in a block; min(D, 8) by default. Only with `permutation = "householder"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reflections: Option<usize>,
    /// An ActNorm layer in every block.
    pub actnorm: bool,
    /// Base density.
    pub base: Base,
    /// Fixed degrees of freedom of the t base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nu: Option<f64>,
    /// Degrees of freedom learned as 2 + softplus; the default of the t base when `nu` is absent.
    pub learn_nu: bool,
}

/// `[objective]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectiveConfig {
    /// The loss.
    pub kind: ObjectiveKind,
}

/// `[train]`. One of `steps`, `minutes` and `epochs` gives the length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// Fresh simulations, or a fixed table; follows from `simulations` and `dataset` when absent. Always set once resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Optimiser steps.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub steps: Option<u64>,
    /// Length in minutes; the number of steps is then fixed from the first seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Passes over the table, offline only; early stopping may end them sooner.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub epochs: Option<u64>,
    /// Simulations in a step; when absent, [`Config::settle`] chooses.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub batch: Option<usize>,
    /// Peak learning rate; when absent, [`Config::settle`] chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Decoupled decay of matrices.
    pub weight_decay: f64,
    /// Global gradient norm is cut to this.
    pub clip: f64,
    /// Share of the steps over which the rate rises, [0, 1).
    pub warmup: f64,
    /// Keep an average of the weights and use it for validation and inference.
    pub ema: bool,
    /// Seed of every random number.
    #[serde(with = "number::seed")]
    pub seed: u64,
    /// Size of the table, offline only: simulations to make, or rows of the dataset to use (all when absent).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub simulations: Option<u64>,
    /// Data sets of the largest size that are simulated once and kept; each step takes some items of some of them. For
    /// simulations that are dear, online only, sets and series only.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub pool: Option<u64>,
    /// Whether a step takes windows at random places of the pool's series, not their first steps; false when absent. Only for
    /// stationary series: with a simulator that has a start, the network would learn what a window says of the parameters.
    /// Without effect where all series have the same size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<bool>,
    /// Equal parts of the run over which the pool grows to its size, 1 when absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub rounds: Option<u64>,
    /// Share of the table kept for validation, offline only.
    pub validation: f64,
    /// Epochs without a better validation loss before training stops, offline only.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    pub patience: Option<usize>,
    /// Share of simulations that may be non-finite before training stops with an error.
    pub max_bad: f64,
}

/// Rows of a step and peak rate where nothing calls for others.
const BATCH: usize = 64;
const RATE: f64 = 5e-4;

impl TrainConfig {
    /// Rows of a step, as given or chosen by [`Config::settle`].
    pub fn rows(&self) -> usize {
        self.batch.unwrap_or(BATCH)
    }
    /// Peak learning rate, as given or chosen by [`Config::settle`].
    pub fn peak_rate(&self) -> f64 {
        self.lr.unwrap_or(RATE)
    }
    /// Trains for this many steps; clears the other lengths.
    pub fn set_steps(&mut self, steps: u64) {
        (self.steps, self.minutes, self.epochs) = (Some(steps), None, None);
    }
    /// Trains for this long; clears the other lengths.
    pub fn set_minutes(&mut self, minutes: f64) {
        (self.steps, self.minutes, self.epochs) = (None, Some(minutes), None);
    }
    /// Trains offline on this many simulations; a length that only fits online training gives way to the default.
    pub fn set_simulations(&mut self, simulations: u64) {
        if self.mode != Some(Mode::Offline) {
            (self.steps, self.epochs) = (None, None);
        }
        (self.mode, self.simulations) = (Some(Mode::Offline), Some(simulations));
    }
}

/// Stored simulations below which a network is small and dropped out, and steps are small.
const SMALL_TABLE: u64 = 30_000;

impl Config {
    /// Fills in what depends on the amount of data and was not given. Online, and on large tables: two layers of 128
    /// without dropout; below 30,000 stored simulations two of 64 with dropout 0.1, which overfit later. Large tables are read in
    /// batches of 256 (else 64), with 6 epochs of patience (else 20).
    pub fn settle(&mut self) {
        let offline = self.train.mode == Some(Mode::Offline);
        let small = offline && self.train.simulations.is_some_and(|n| n < SMALL_TABLE);
        if self.flow.hidden.is_empty() {
            self.flow.hidden = if small { vec![64, 64] } else { vec![128, 128] };
        }
        self.flow.dropout.get_or_insert(if small { 0.1 } else { 0.0 });
        let batch = *self.train.batch.get_or_insert(if offline && !small { 4 * BATCH } else { BATCH });
        if self.train.lr.is_none() {
            self.train.lr = Some(self.rate(offline, batch));
        }
        self.train.patience.get_or_insert(if small || !offline { 20 } else { 6 });
    }

    /// A peak learning rate that grows with the root of the batch. Online the cosine ends every run at 0 and nothing is seen
    /// twice, so it may begin four times as high as on a table; half of that with a summary network, and less above layers of 128.
    fn rate(&self, offline: bool, batch: usize) -> f64 {
        let root = (batch as f64 / BATCH as f64).sqrt();
        if offline {
            return RATE * root.clamp(0.5, 4.0);
        }
        let summaries = !matches!(self.summary.kind, None | Some(SummaryKind::Identity));
        let widest = self.flow.hidden.iter().copied().max().unwrap_or(0).max(128);
        let peak = if summaries { 1e-3 } else { 2e-3 };
        peak * root.clamp(0.5, 1.0) * (128.0 / widest as f64).max(0.25)
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { transform: DataTransform::None, kind: None, features: None, size: vec![], shape: vec![] }
    }
}
impl Default for SummaryConfig {
    fn default() -> Self {
        Self {
            kind: None,
            width: None,
            modules: None,
            outputs: None,
            heads: None,
            time_stamps: false,
            bidirectional: false,
            activation: Activation::Silu,
            dropout: 0.0,
        }
    }
}
impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self { kind: ObjectiveKind::ForwardKl }
    }
}
impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            blocks: 6,
            transform: TransformKind::Spline,
            bins: 8,
            bound: 5.0,
            hidden: vec![],
            activation: Activation::Relu,
            residual: false,
            linear_skip: true,
            dropout: None,
            permutation: Permutation::Random,
            reflections: None,
            actnorm: true,
            base: Base::Normal,
            nu: None,
            learn_nu: false,
        }
    }
}
impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            mode: None,
            steps: None,
            minutes: None,
            epochs: None,
            batch: None,
            lr: None,
            weight_decay: 1e-4,
            clip: 1.5,
            warmup: 0.05,
            ema: true,
            seed: 1,
            simulations: None,
            pool: None,
            windows: None,
            rounds: None,
            validation: 0.1,
            patience: None,
            max_bad: 0.05,
        }
    }
}

fn version() -> u32 {
    super::read::VERSION
}

/// Counts may be written `1e5`; a seed beyond TOML's signed integers is written as text.
mod number {
    use serde::de::{Deserialize, Deserializer, Error};

    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Raw {
        Integer(i64),
        Real(f64),
        Text(String),
    }

    fn whole<T: TryFrom<u64>, E: Error>(raw: Raw) -> Result<T, E> {
        let count = match raw {
            Raw::Integer(n) => u64::try_from(n).ok(),
            Raw::Real(r) if r >= 0.0 && r.fract() == 0.0 && r <= 9e15 => Some(r as u64),
            Raw::Text(text) => text.trim().parse().ok(),
            Raw::Real(_) => None,
        };
        count.and_then(|n| T::try_from(n).ok()).ok_or_else(|| E::custom("expected a whole number"))
    }

    pub fn count<'de, D: Deserializer<'de>, T: TryFrom<u64>>(d: D) -> Result<T, D::Error> {
        whole(Raw::deserialize(d)?)
    }
    pub fn optional<'de, D: Deserializer<'de>, T: TryFrom<u64>>(d: D) -> Result<Option<T>, D::Error> {
        count(d).map(Some)
    }
    pub fn counts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<usize>, D::Error> {
        Vec::<Raw>::deserialize(d)?.into_iter().map(whole).collect()
    }

    pub mod seed {
        pub fn serialize<S: serde::Serializer>(seed: &u64, s: S) -> Result<S::Ok, S::Error> {
            match i64::try_from(*seed) {
                Ok(small) => s.serialize_i64(small),
                Err(_) => s.serialize_str(&seed.to_string()),
            }
        }
        pub fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
            super::count(d)
        }
    }
}
