//! A model as a program holds it: the resolved file, the prior, the simulator.
use crate::data::items::Take;
use crate::data::observed::read_table;
use crate::data::observed_sets::read_pairs;
use crate::data::problem::Problem;
use crate::data::source::{self, Host};
use crate::data::standardise::{DataTransform, Standardiser};
use crate::error::{Error, Result};
use crate::flow::{FlowShape, Permutation, TransformKind};
use crate::layers::activation::Activation;
use crate::layers::mlp::MlpShape;
use crate::layers::recurrent::Cell;
use crate::model::config::{self, Config, data};
use crate::model::network::Network;
use crate::model::ragged;
use crate::sim::{self, DataShape, Prior, Simulator};
use crate::summary::series::Walk;
use crate::summary::transformer::Look;
use crate::summary::{self, SummaryShape};
use std::path::Path;
use std::sync::Arc;

// Step numbers of all that is not a training batch. Training counts up from 0 and never reaches them; no two are the same,
// as what is drawn with one seed, stream and step is the same. They are never reused or changed, only added.

/// Step number of the simulations that standardise.
pub const STANDARDISE_STEP: u32 = u32::MAX;
/// Step number of the simulations of a fixed table.
pub const TABLE_STEP: u32 = u32::MAX - 1;
/// Step number of the simulations online training validates on.
pub const VALIDATION_STEP: u32 = u32::MAX - 2;
/// Step number of the simulations `check` uses.
pub const CHECK_STEP: u32 = u32::MAX - 3;
/// Step number of the test sets of comparisons with published results.
pub const BENCH_STEP: u32 = u32::MAX - 4;
/// Step number of draws from the prior alone, to which truths are compared.
pub const PRIOR_STEP: u32 = u32::MAX - 5;
/// Step number of `couplet simulate`.
pub const SIMULATE_STEP: u32 = u32::MAX - 6;
/// Step number of data sets as large as observed ones.
pub const SIZED_STEP: u32 = u32::MAX - 7;
/// Step number of fresh replicates of a check's data sets.
pub const FRESH_STEP: u32 = u32::MAX - 30;
/// Step number of replicates from posterior draws.
pub const REPLICATE_STEP: u32 = u32::MAX - 31;
/// Step number of the first round of a pool.
const POOL_STEP: u32 = u32::MAX - 64;
/// Most rounds of a pool, which count down from its first.
pub const MAX_ROUNDS: u32 = 1000;

/// Step number of the simulations of a round of a pool, below [`MAX_ROUNDS`].
pub fn pool_step(round: u32) -> u32 {
    debug_assert!(round < MAX_ROUNDS);
    POOL_STEP - round
}

/// Prior, simulator, network and training of one inference problem.
#[derive(Clone)]
pub struct Model {
    /// The resolved model file.
    pub config: Config,
    /// The prior with its support transforms.
    pub prior: Prior,
    /// The simulator; none when pairs come from a dataset only.
    pub simulator: Option<Arc<dyn Simulator>>,
}

/// Simulated pairs, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// Parameters `(n, D)`.
    pub theta: Vec<f32>,
    /// Data `(n, C)`.
    pub x: Vec<f32>,
}

impl Pairs {
    /// CRC-32 of all values: tells a table from another.
    pub fn checksum(&self) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(bytemuck::cast_slice(&self.theta));
        sum.update(bytemuck::cast_slice(&self.x));
        sum.finalize()
    }
}

impl Model {
    /// A built-in model; `couplet models` lists them.
    pub fn builtin(name: &str) -> Result<Self> {
        Self::from_config(Config::builtin(name)?)
    }
    /// The model of a TOML file.
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::from_config(Config::from_file(path)?)
    }
    /// The model of a TOML text.
    pub fn from_toml(text: &str) -> Result<Self> {
        Self::from_config(Config::from_toml(text, "model")?)
    }
    /// The model of a resolved configuration.
    pub fn from_config(config: Config) -> Result<Self> {
        let prior = config.prior()?;
        let simulator = config.simulator.builtin.as_deref().and_then(sim::builtin);
        Ok(Self { config, prior, simulator })
    }
    /// A model whose simulator is the program's own: `[simulator] custom = "..."` in its file.
    pub fn with_simulator(mut self, simulator: Arc<dyn Simulator>) -> Result<Self> {
        let (d, _) = simulator.dims();
        if d != self.prior.dim() {
            return Err(Error::input(
                "simulator",
                format!("one of the prior's {} parameters", self.prior.dim()),
                format!("{d} parameters"),
                "Give the simulator and the prior the same parameters",
            ));
        }
        let shape = data::narrowed(simulator.shape(), &self.config.data.size).map_err(|problem| {
            Error::config("data.size", problem, "Remove it, or keep to the simulator's range")
        })?;
        if self.config.simulator.builtin.is_none() {
            self.config.data.declare(&shape);
        }
        // What was chosen before the data were known is chosen anew.
        if !shape.is_vector() && self.config.summary.kind == Some(config::SummaryKind::Identity) {
            self.config.summary.kind = None;
        }
        self.config = self.config.checked("the simulator")?;
        self.simulator = Some(simulator);
        Ok(self)
    }
    /// Shape of the data, where it is known: from the simulator or from `[data]`.
    pub fn shape(&self) -> Result<DataShape> {
        let known = match &self.simulator {
            Some(s) => data::narrowed(s.shape(), &self.config.data.size).ok(),
            None => self.config.data.declared(),
        };
        known.ok_or_else(|| {
            let hint = "Write `features = C` under `[data]`";
            Error::config("data.features", "expected the length of a data vector, found nothing", hint)
        })
    }
    /// Names of the parameters, in order.
    pub fn parameter_names(&self) -> &[String] {
        &self.prior.names
    }
    /// Number of parameters D.
    pub fn theta_dim(&self) -> usize {
        self.prior.dim()
    }
    /// Values C of a data set, where they are known; of the largest data set where sizes differ.
    pub fn x_dim(&self) -> Result<usize> {
        match self.shape()? {
            DataShape::Vector { features } => Ok(features),
            shape => Ok(shape.values()),
        }
    }
    /// `n` pairs from prior and simulator: a pure function of (seed, step). Data sets of fewer items than the largest end in
    /// NaN; one whose simulation is not finite begins with infinity.
    pub fn simulate(&self, seed: u64, step: u32, n: usize) -> Result<Pairs> {
        let simulator = self.simulator()?;
        let shape = self.shape()?;
        if !shape.is_vector() {
            let (theta, x) =
                ragged::simulate(&self.prior, simulator.as_ref(), &shape, seed, step, 0..n, None);
            return Ok(Pairs { theta, x });
        }
        let ((theta, _), x) = source::pairs(&self.prior, simulator.as_ref(), seed, step, n);
        Ok(Pairs { theta, x })
    }
    /// The simulator, or an error that says there is none.
    pub fn simulator(&self) -> Result<&Arc<dyn Simulator>> {
        self.simulator.as_ref().ok_or_else(|| {
            Error::config(
                "simulator",
                "expected a simulator that this program can run, found none: only a dataset, or another program's own",
                "Use a model with `builtin`, or give the program's own with Model::with_simulator",
            )
        })
    }
    /// Pairs of an npz file with arrays `theta` and `x`, whose parameters can be of this model's prior.
    pub fn read_pairs(&self, path: &Path) -> Result<Pairs> {
        let shape = self.shape()?;
        let t = match shape.is_vector() {
            true => read_table(path, self.theta_dim(), self.x_dim()?)?,
            false => read_pairs(path, self.theta_dim(), &shape)?,
        };
        self.sound_parameters(&t.theta).map_err(|problem| problem.at(path))?;
        Ok(Pairs { theta: t.theta, x: t.x })
    }
    /// The fixed table of offline training: simulated, or read from the dataset.
    pub fn table(&self, seed: u64, n: Option<usize>) -> Result<Pairs> {
        if let Some(path) = &self.config.simulator.dataset {
            let mut pairs = self.read_pairs(path)?;
            let (d, c) = (self.theta_dim(), self.x_dim()?);
            let found = pairs.theta.len() / d;
            let rows = n.unwrap_or(found);
            if rows > found {
                return Err(Error::data(
                    path,
                    format!("expected {rows} rows, found {found}"),
                    "Ask for fewer with --simulations",
                ));
            }
            pairs.theta.truncate(rows * d);
            pairs.x.truncate(rows * c);
            return Ok(pairs);
        }
        self.simulate(seed, TABLE_STEP, n.unwrap_or(10_000))
    }
    /// That parameters `(n, D)` from somewhere else can be of this prior: the flow only knows its support.
    fn sound_parameters(&self, theta: &[f32]) -> std::result::Result<(), Problem> {
        let d = self.theta_dim();
        let outside = theta.chunks_exact(d).map(|row| self.prior.outside(row));
        let found: Vec<(usize, usize)> = outside.enumerate().filter_map(|(i, p)| Some((i, p?))).collect();
        if let Some(&(row, p)) = found.first() {
            return Err(Problem::new(
                format!(
                    "`theta`, row {row} (counted from 0): `{}` is {}, outside of the support of its prior; so are values in {} of {} rows",
                    self.parameter_names()[p],
                    theta[row * d + p],
                    found.len(),
                    theta.len() / d
                ),
                "Write the prior into the model file that the parameters were drawn from, and give them in its order",
            ));
        }
        let constant = |p: &usize| theta.iter().skip(*p).step_by(d).all(|v| *v == theta[*p]);
        match (0..d).find(|p| theta.len() > d && constant(p)) {
            Some(p) => Err(Problem::new(
                format!(
                    "`theta`: `{}` is {} in every row, expected draws from its prior",
                    self.parameter_names()[p],
                    theta[p]
                ),
                "Remove the parameter from the file and the model, or draw it",
            )),
            None => Ok(()),
        }
    }
    /// Moments of pairs, with this model's transforms.
    pub fn standardiser(&self, pairs: &Pairs) -> Result<Standardiser> {
        let (d, c) = (self.theta_dim(), self.x_dim()?);
        let mut u0 = vec![0.0; pairs.theta.len()];
        for (t, u) in pairs.theta.chunks_exact(d).zip(u0.chunks_exact_mut(d)) {
            self.prior.to_unconstrained(t, u);
        }
        let (transform, shape) = (data_transform(&self.config), self.shape()?);
        if !shape.is_vector() {
            return Ok(Standardiser::fit_items(transform, &u0, &pairs.x, d, shape.features()));
        }
        Ok(Standardiser::fit(transform, &u0, &pairs.x, d, c))
    }
    /// What a network of this model needs from the host.
    pub fn host(&self, standardiser: Standardiser) -> Arc<Host> {
        Arc::new(Host { prior: self.prior.clone(), simulator: self.simulator.clone(), standardiser })
    }
    /// The summary network that the configuration describes; none for vectors.
    pub fn summary_shape(&self) -> Result<Option<SummaryShape>> {
        let s = &self.config.summary;
        let (layers, heads) = (s.modules.unwrap_or(2), s.heads.unwrap_or(4));
        let kind = match s.kind.unwrap_or(config::SummaryKind::Identity) {
            config::SummaryKind::Identity => return Ok(None),
            config::SummaryKind::DeepSet => summary::Kind::DeepSet,
            config::SummaryKind::Ecdf => summary::Kind::Ecdf,
            config::SummaryKind::SetTransformer => summary::Kind::Attention(Look::Induced, heads),
            config::SummaryKind::Transformer => {
                let look = if s.time_stamps { Look::Stamps } else { Look::Places };
                summary::Kind::Attention(look, heads)
            }
            config::SummaryKind::Lstm => summary::Kind::Series(0, Walk::Cell(Cell::Lstm, s.bidirectional)),
            config::SummaryKind::Gru => summary::Kind::Series(0, Walk::Cell(Cell::Gru, s.bidirectional)),
            config::SummaryKind::Conv => summary::Kind::Series(layers, Walk::Pool),
            config::SummaryKind::ConvGru => {
                summary::Kind::Series(layers, Walk::Cell(Cell::Gru, s.bidirectional))
            }
            config::SummaryKind::ConvField => summary::Kind::Field(false),
            config::SummaryKind::ResidualField => summary::Kind::Field(true),
        };
        Ok(Some(SummaryShape {
            kind,
            data: self.shape()?,
            width: s.width.unwrap_or(64),
            modules: layers,
            outputs: s.outputs.unwrap_or(16),
            activation: activation(s.activation),
            dropout: s.dropout as f32,
        }))
    }
    /// The network that the configuration describes, with first weights of none: [`Network::initial`] makes them.
    pub fn network(&self, standardiser: Standardiser) -> Result<Network> {
        let (flow, summary) = (self.flow_shape()?, self.summary_shape()?);
        Ok(Network::with_summary(&flow, summary.as_ref(), self.host(standardiser), self.config.train.seed))
    }
    /// Which items of a pool's data sets a training step takes.
    pub fn take(&self) -> Result<Take> {
        Ok(match (self.shape()?, self.config.train.windows) {
            (DataShape::Set { .. }, _) => Take::Any,
            (_, Some(true)) => Take::Window,
            _ => Take::First,
        })
    }
    /// The flow that the configuration describes.
    pub fn flow_shape(&self) -> Result<FlowShape> {
        let f = &self.config.flow;
        let activation = activation(f.activation);
        Ok(FlowShape {
            dim: self.theta_dim(),
            condition: self.summary_shape()?.map_or_else(|| self.x_dim(), |s| Ok(s.condition()))?,
            blocks: f.blocks,
            transform: match f.transform {
                config::TransformKind::Affine => TransformKind::Affine,
                config::TransformKind::Spline => {
                    TransformKind::Spline { bins: f.bins, bound: f.bound as f32 }
                }
            },
            mlp: MlpShape {
                hidden: if f.hidden.is_empty() { vec![128, 128] } else { f.hidden.clone() },
                activation,
                residual: f.residual,
                dropout: f.dropout.unwrap_or(0.0) as f32,
                skip: f.linear_skip,
            },
            permutation: match f.permutation {
                config::Permutation::Random => Permutation::Random,
                config::Permutation::Reversal => Permutation::Reversal,
                config::Permutation::Householder => Permutation::Householder(f.reflections.unwrap_or(1)),
            },
            actnorm: f.actnorm,
            nu: (f.base == config::Base::StudentT).then(|| f.nu.unwrap_or(5.0) as f32),
            learn_nu: f.base == config::Base::StudentT && (f.learn_nu || f.nu.is_none()),
        })
    }
}

fn activation(name: config::Activation) -> Activation {
    match name {
        config::Activation::Relu => Activation::Relu,
        config::Activation::Elu => Activation::Elu,
        config::Activation::Silu => Activation::Silu,
        config::Activation::Gelu => Activation::Gelu,
        config::Activation::Tanh => Activation::Tanh,
        config::Activation::Mish => Activation::Mish,
    }
}

/// What happens to a pair that is not finite on the way to a plan's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is left out.
    LeftOut,
    /// It stays, as a row that begins with NaN, which `data/gather` masks.
    Kept,
}

/// Standardised rows `(u, x)` of pairs for a plan's table, and how many pairs were not finite.
pub fn standardised(host: &Host, pairs: &Pairs, d: usize, c: usize, bad: Bad) -> (Vec<f32>, usize) {
    let mut rows = Vec::with_capacity(pairs.theta.len() + pairs.x.len());
    let (mut u, mut x, mut n_bad) = (vec![0.0; d], vec![0.0; c], 0);
    for i in 0..pairs.theta.len() / d {
        host.prior.to_unconstrained(&pairs.theta[i * d..(i + 1) * d], &mut u);
        let good = host.standardiser.standardise_u(&mut u);
        let good = host.standardiser.standardise_x(&pairs.x[i * c..(i + 1) * c], &mut x) && good;
        if !good {
            n_bad += 1;
            if bad == Bad::LeftOut {
                continue;
            }
            u[0] = f32::NAN;
        }
        rows.extend_from_slice(&u);
        rows.extend_from_slice(&x);
    }
    (rows, n_bad)
}

/// The data transform of a configuration.
pub fn data_transform(config: &Config) -> DataTransform {
    match config.data.transform {
        config::DataTransform::None => DataTransform::None,
        config::DataTransform::Log => DataTransform::Log,
        config::DataTransform::Log1p => DataTransform::Log1p,
        config::DataTransform::Asinh => DataTransform::Asinh,
        config::DataTransform::LogMilli => DataTransform::LogMilli,
        config::DataTransform::Reciprocal => DataTransform::Reciprocal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_uses_share_a_step() {
        let single = [
            STANDARDISE_STEP,
            TABLE_STEP,
            VALIDATION_STEP,
            CHECK_STEP,
            BENCH_STEP,
            PRIOR_STEP,
            SIMULATE_STEP,
            SIZED_STEP,
            FRESH_STEP,
            REPLICATE_STEP,
        ];
        let mut all: Vec<u32> = single.into_iter().chain((0..MAX_ROUNDS).map(pool_step)).collect();
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        // Far above the steps of any training.
        assert!(all.len() == n && all[0] > u32::MAX - 10_000);
    }
}
