//! What is measured: the reference workloads W, Ws and Wd, or any model.
//!
//! W is what a hand-written JAX program of the same size trains (`benches/peers/jax_scan.py`): two-moons simulated inside the
//! step, 6 two-way affine blocks with conditioners of 2 x 128 silu, no dropout, clip 1.5, Adam; 207,384 parameters. Ws is the
//! same with splines of 10 bins. Against Couplet's own defaults W lacks ActNorm, the linear skip and weight decay. Against the
//! JAX program it does more: the support transform of the uniform prior, standardisation, the moving average
//! of the weights, and a mask for simulations that are not finite.
use crate::data::standardise::Standardiser;
use crate::error::{Error, Result};
use crate::flow::TransformKind;
use crate::model::definition::{Bad, STANDARDISE_STEP};
use crate::model::network::{Network, Rows};
use crate::model::ragged::{row_floats, standardised};
use crate::model::{Config, Model};
use crate::optim;
use crate::runtime::Device;
use crate::runtime::exec::{Executor, PlanId, Snapshot};
use crate::runtime::params::Param;
use crate::runtime::plan::Plan;
use crate::runtime::state::StepArgs;
use crate::sim::DataShape;
use crate::train::items::rows_at_a_time;

use super::sets;

/// Rows whose slots are held at a time in training; larger batches go in chunks, as in `couplet train`.
pub const CHUNK_ROWS: usize = 1024;
/// Simulations that standardise, as in `couplet train`.
const STANDARDISE: usize = 10_000;
/// Pairs that ActNorm starts from, and data sets of many items that standardise.
const HELD_OUT: [usize; 2] = [2_048, 256];

const W: &str = r#"
simulator.builtin = "two-moons"
[[parameter]]
names = ["theta_1", "theta_2"]
prior = "uniform(-1, 1)"
[flow]
blocks = 6
transform = "affine"
bins = 10
hidden = [128, 128]
activation = "silu"
linear_skip = false
dropout = 0.0
permutation = "reversal"
actnorm = false
[train]
weight_decay = 0.0
lr = 5e-4
clip = 1.5
steps = 1000000
"#;

/// A model to measure.
#[derive(Clone, Debug)]
pub struct Workload {
    /// `w`, `ws`, `wd`, `wd-SUMMARY`, or the name or path of a model.
    pub name: String,
    /// Items of each data set; none for vectors.
    pub items: Option<usize>,
    /// The resolved model file.
    pub config: Config,
}

impl Workload {
    /// The workload of this name: `w`, `ws`, `wd` (or `wd-lstm`, with any summary network), a built-in model, or the path of a
    /// model file.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no such model, or it has no simulator.
    pub fn find(name: &str) -> Result<Self> {
        let mut config = match name.to_lowercase().as_str() {
            "w" => Config::from_toml(W, "workload w")?,
            "ws" => Config::from_toml(&W.replace("\"affine\"", "\"spline\""), "workload ws")?,
            lower => match lower.strip_prefix("wd") {
                Some("") => Config::from_toml(&sets::model_file("deep-set"), "workload wd")?,
                Some(kind) if kind.starts_with('-') => {
                    Config::from_toml(&sets::model_file(&kind[1..]), name)?
                }
                _ => Config::find(name)?,
            },
        };
        config.settle();
        let items = (config.simulator.custom.as_deref() == Some(sets::NAME)).then_some(sets::ITEMS);
        Ok(Self { name: name.into(), items, config })
    }

    /// The same on data sets of so many items each.
    ///
    /// # Errors
    /// [`Error::Config`] where there are none, or the simulator does not make so many.
    pub fn sized(&self, items: usize) -> Result<Self> {
        let mut config = self.config.clone();
        if self.items.is_none() || config.simulator.builtin.is_some() {
            let shape = Model::from_config(config.clone())?.shape()?;
            if shape.is_vector() {
                let problem = format!("expected a model whose data sets have items, found `{}`", self.name);
                return Err(Error::config("items", problem, "Leave --items out"));
            }
            if let DataShape::Field { .. } = shape {
                let most = shape.items().1;
                if items != most {
                    let problem =
                        format!("expected {most}, the whole field of `{}`, found {items}", self.name);
                    return Err(Error::config("items", problem, "Leave --items out"));
                }
            } else {
                config.data.size = vec![items];
                config = config.checked("the command line")?;
            }
        }
        Ok(Self { name: self.name.clone(), items: Some(items), config })
    }

    /// The same with so many blocks, and conditioners whose hidden layers all have this width.
    ///
    /// # Errors
    /// [`Error::Config`] for what a model file may not say either.
    pub fn resized(&self, blocks: Option<usize>, width: Option<usize>) -> Result<Self> {
        let mut config = self.config.clone();
        if let Some(blocks) = blocks {
            config.flow.blocks = blocks;
        }
        if let Some(width) = width {
            config.flow.hidden.iter_mut().for_each(|w| *w = width);
        }
        Ok(Self { name: self.name.clone(), items: self.items, config: config.checked("the command line")? })
    }

    /// The same on the largest data sets that its simulator makes, where they have items and nobody said how many.
    ///
    /// # Errors
    /// As [`Model::from_config`].
    pub fn largest(&self) -> Result<Self> {
        let shape = self.model()?.shape()?;
        if self.items.is_some() || shape.is_vector() {
            return Ok(self.clone());
        }
        self.sized(shape.items().1)
    }

    /// The model, with its simulator.
    ///
    /// # Errors
    /// As [`Model::from_config`].
    pub fn model(&self) -> Result<Model> {
        let model = Model::from_config(self.config.clone())?;
        match (self.items, self.config.simulator.custom.as_deref()) {
            (Some(items), Some(_)) => {
                let kind = self.config.summary.kind.map_or("", |kind| kind.name());
                model.with_simulator(sets::simulator(kind, items))
            }
            _ => Ok(model),
        }
    }

    /// Everything that is ready before the first step: moments, network, first weights.
    ///
    /// # Errors
    /// As [`Model::from_config`] and [`Model::simulator`]; data sets of many items whose number nobody said.
    pub fn open(&self) -> Result<Opened> {
        let model = self.model()?;
        let (d, seed, shape) = (model.theta_dim(), model.config.train.seed, model.shape()?);
        if !shape.is_vector() && self.items.is_none() {
            let problem =
                format!("expected the number of items, found `{}`, whose data sets vary", self.name);
            return Err(Error::config("workload", problem, "Give it with --items"));
        }
        let vector = shape.is_vector();
        let simulations = if vector { STANDARDISE } else { HELD_OUT[1] };
        let pairs = model.simulate(seed, STANDARDISE_STEP, simulations)?;
        let standardiser = model.standardiser(&pairs)?;
        let network = model.network(standardiser.clone())?;
        let (rows, _) = standardised(network.host(), &shape, &pairs, Bad::LeftOut);
        let held_out = HELD_OUT[usize::from(!vector)] * row_floats(&shape, d);
        let start = network.initial(seed, &rows[..held_out.min(rows.len())])?;
        Ok(Opened { model, standardiser, network, start, items: self.items })
    }
}

/// A workload that is ready to run.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// Moments of its simulations.
    pub standardiser: Standardiser,
    /// Its network.
    pub network: Network,
    /// First weights.
    pub start: Snapshot,
    /// Items of each data set; none for vectors.
    pub items: Option<usize>,
}

impl Opened {
    /// Parameters that the loss depends on: without ActNorm where there is none, and without outputs of conditioners that
    /// only fill a vector.
    pub fn parameters(&self) -> usize {
        let (shape, d) = (&self.network.flow.shape, self.network.dims().0);
        let outputs = match shape.transform {
            TransformKind::Affine => 2,
            TransformKind::Spline { bins, .. } => 3 * bins - 1,
        };
        let count = |p: &Param| match p.name.strip_prefix("flow.") {
            Some(name) if name.contains(".actnorm.") && !shape.actnorm => 0,
            Some(name) if name.contains(".output.") || name.contains(".skip.") => {
                let coordinates = if name.contains(".first.") { d / 2 } else { d - d / 2 };
                p.rows * outputs * coordinates
            }
            _ => p.rows * p.cols,
        };
        self.network.table.entries.iter().map(count).sum()
    }
    /// The plan of a training step with the simulator inside.
    ///
    /// # Errors
    /// [`Error::Config`] where the simulator cannot run on this device.
    pub fn train_plan(&self, device: &Device) -> Result<Plan> {
        let simulator = self.model.simulator()?;
        if !device.is_cpu() && !simulator.has_wgsl() {
            let problem = format!("expected a simulator that runs on a GPU, found `{}`", simulator.name());
            return Err(Error::config("model", problem, "Measure it with --device cpu"));
        }
        Ok(self.step_plan(Rows::Online))
    }
    /// The plan of a training step on rows from there.
    pub fn step_plan(&self, rows: Rows) -> Plan {
        match (&self.network.summary, self.items) {
            (Some(summary), Some(items)) => self.network.items_plan(summary, rows, items),
            _ => self.network.train_plan(rows),
        }
    }
    /// A row of a training table, zeros with all the items that there are.
    pub fn row(&self) -> Vec<f32> {
        let (d, c) = self.network.dims();
        match (&self.network.summary, self.items) {
            (Some(summary), Some(items)) => {
                let mut row = vec![0.0; row_floats(&summary.shape.data, d)];
                row[d] = items as f32;
                row
            }
            _ => vec![0.0; d + c],
        }
    }
    /// An executor with the first weights.
    ///
    /// # Errors
    /// [`Error::Gpu`] if memory does not suffice.
    pub fn executor(&self, device: &Device) -> Result<Box<dyn Executor>> {
        let mut exec = device.executor(self.network.table.clone(), &optim::STEP)?;
        exec.restore(&self.start)?;
        Ok(exec)
    }
    /// Rows of a plan that are computed at a time.
    pub fn chunk(&self, plan: &Plan, on_host: bool, batch: usize) -> usize {
        match self.items {
            Some(_) => rows_at_a_time(plan, on_host, batch),
            None => batch.min(CHUNK_ROWS),
        }
    }
    /// An executor that is ready to train in batches of `batch` rows, and its plan.
    ///
    /// # Errors
    /// As [`Opened::train_plan`] and [`Opened::executor`].
    pub fn trainer(&self, device: &Device, batch: usize) -> Result<(Box<dyn Executor>, PlanId)> {
        let mut exec = self.executor(device)?;
        let plan = self.train_plan(device)?;
        let rows = self.chunk(&plan, device.is_cpu(), batch);
        let plan = exec.prepare(plan, rows)?;
        Ok((exec, plan))
    }
    /// Hyper-parameters of its steps, with a schedule too long to end.
    pub fn step_args(&self) -> StepArgs {
        let t = &self.model.config.train;
        StepArgs {
            lr: t.peak_rate() as f32,
            warmup: 100.0,
            total: 1e9,
            cosine: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            decay: t.weight_decay as f32,
            clip: t.clip as f32,
            ema: if t.ema { 0.999 } else { 0.0 },
            ..StepArgs::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_has_the_size_of_the_peers() {
        let w = Workload::find("W").unwrap();
        assert_eq!(w.open().unwrap().parameters(), 207_384);
        // 29 outputs for a coordinate instead of 2: 129 weights and biases each, 12 conditioners
        let ws = Workload::find("ws").unwrap();
        assert_eq!(ws.open().unwrap().parameters(), 207_384 + 12 * 129 * 27);
        let small = w.resized(Some(2), Some(32)).unwrap();
        assert_eq!((small.config.flow.blocks, small.config.flow.hidden.as_slice()), (2, &[32, 32][..]));
        assert_eq!(small.open().unwrap().parameters(), 4 * (3 * 32 + 32 + 32 * 32 + 32 + 2 * 32 + 2));
    }

    #[test]
    fn a_model_without_padding_counts_whole() {
        // 10 parameters: halves of 5, for which each output layer stores 2 x 8; ActNorm and the linear skip are there
        let w = Workload::find("gaussian-linear").unwrap().resized(Some(1), Some(8)).unwrap();
        let (half, hidden) = (5, 8);
        let outputs = half * 2;
        let inputs = half + 10;
        let net = inputs * hidden + hidden + hidden * hidden + hidden + (hidden + 1 + inputs) * outputs;
        assert_eq!(w.open().unwrap().parameters(), 2 * net + 2 * 10);
    }

    #[test]
    fn wd_has_the_size_of_its_peer_and_any_number_of_items() {
        let wd = Workload::find("wd").unwrap();
        // what benches/peers/jax_items.py prints, and padding: mean and largest of 2 columns stand in 8, before a layer of 64
        let peer = 302_504;
        assert_eq!((wd.items, wd.open().unwrap().parameters()), (Some(256), peer + (8 - 4) * 64));
        let small = wd.sized(3).unwrap().open().unwrap();
        assert_eq!((small.items, small.model.x_dim().unwrap()), (Some(3), 6));
        assert!(Workload::find("wd-lstm").unwrap().sized(5).unwrap().open().is_ok());
        let ricker = Workload::find("ricker").unwrap();
        assert!(ricker.open().err().unwrap().to_string().contains("--items"));
        assert_eq!(ricker.sized(120).unwrap().open().unwrap().model.x_dim().unwrap(), 120);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(Workload::find("two-mons").unwrap_err().to_string().contains("two-moons"));
        let w = Workload::find("w").unwrap();
        assert!(w.resized(Some(65), None).unwrap_err().to_string().contains("flow.blocks"));
        assert!(w.resized(None, Some(3)).unwrap_err().to_string().contains("flow.hidden"));
        assert!(w.sized(3).unwrap_err().to_string().contains("items"));
        assert!(Workload::find("wd-lstn").is_err());
        assert!(Workload::find("ricker").unwrap().sized(9).is_err());
    }
}
