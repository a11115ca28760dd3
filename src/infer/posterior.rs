//! The user's handle on a trained model.
use crate::data::standardise::Standardiser;
use crate::error::{Error, Result};
use crate::infer::ood::{Familiarity, Reference};
use crate::model::definition::{Bad, Model, Pairs};
use crate::model::network::Network;
use crate::model::ragged::{push_items, standardised};
use crate::model::summaries::{Stage, Summaries};
use crate::model::weights::Weights as File;
use crate::optim;
use crate::runtime::device::Device;
use crate::runtime::exec::{Executor, PlanId, Snapshot, Weights};
use crate::runtime::params::ParamTable;
use crate::runtime::plan::meta;
use crate::runtime::state::{RunArgs, State};
use crate::runtime::tile::Slot;
use crate::runtime::tiling::Tiling;
use crate::runtime::tune::{Options, Pass, Tuned};
use crate::sim::DataShape;
use std::path::Path;
use std::sync::Mutex;

/// Rows computed at a time.
const CHUNK_ROWS: usize = 4096;
/// Most draws of one pass over data sets, so that row numbers fit 32 bits.
const MAX_ROWS: usize = 1 << 30;

/// Answers for any data set of the model it was trained on.
pub struct Posterior {
    model: Model,
    network: Network,
    standardiser: Standardiser,
    device: Device,
    engine: Mutex<Engine>,
    reference: Option<Reference>,
}

struct Engine {
    exec: Box<dyn Executor>,
    sample: PlanId,
    theta: Slot,
    loss: PlanId,
    meta: Slot,
    summaries: Option<Summaries>,
}

impl Posterior {
    /// From weights in storage layout.
    pub(crate) fn new(
        model: Model,
        network: Network,
        standardiser: Standardiser,
        values: Vec<f32>,
        device: Device,
    ) -> Result<Self> {
        let mut exec = device.executor(network.table.clone(), &optim::STEP)?;
        let sample_plan = network.sample_plan();
        let (theta, loss_plan) = (sample_plan.theta, network.loss_plan());
        let sample = exec.prepare(sample_plan.plan, CHUNK_ROWS)?;
        let meta = loss_plan.meta;
        let loss = exec.prepare(loss_plan, CHUNK_ROWS)?;
        let zeros = vec![0.0; values.len()];
        exec.restore(&Snapshot {
            params: values.clone(),
            average: values,
            first: zeros.clone(),
            second: zeros,
            state: State::new(0),
        })?;
        let summaries = network.summary.as_ref().map(|s| Summaries::new(s, Stage::Condition));
        let engine = Mutex::new(Engine { exec, sample, theta, loss, meta, summaries });
        Ok(Self { model, network, standardiser, device, engine, reference: None })
    }

    /// Loads a run folder, or a weights file.
    pub fn load(run: &Path, device: Device) -> Result<Self> {
        let file = if run.is_dir() { run.join("weights.safetensors") } else { run.to_path_buf() };
        if !file.exists() {
            return Err(Error::run(
                run,
                "expected a run folder with `weights.safetensors`, found none",
                "`couplet train MODEL -o FOLDER` makes one",
            ));
        }
        let w = File::load(&file)?;
        Self::of_weights(Model::from_config(w.config.clone())?, &w, device)
    }

    /// From a weights file of this model.
    pub(crate) fn of_weights(mut model: Model, w: &File, device: Device) -> Result<Self> {
        let standardiser = crate::model::moments::load_moments(w, &model.config)?;
        if model.shape().is_err() {
            model.config.data.features.get_or_insert(standardiser.x_mean.len());
        }
        let network = model.network(standardiser.clone())?;
        let mut values = vec![0.0; network.table.len];
        for p in &network.table.entries {
            let shape = if p.matrix { vec![p.rows, p.cols] } else { vec![p.cols] };
            ParamTable::pad_into(p, &w.expect(&p.name, &shape)?.values, &mut values);
        }
        let mut posterior = Self::new(model, network, standardiser, values, device)?;
        posterior.reference = Reference::find(w)?;
        Ok(posterior)
    }

    /// Learns from simulated data sets, as [`Posterior::sample`] takes them, what familiar data look like. Training does this.
    pub fn learn_reference(&mut self, x: &[f32]) -> Result<Option<&Reference>> {
        self.reference = None;
        if !x.is_empty() {
            let sets = x.len() / self.model.x_dim()?.max(1);
            let summaries = self.unclamped(x)?;
            self.reference = Reference::fit(&summaries, summaries.len() / sets);
        }
        Ok(self.reference.as_ref())
    }

    /// What familiar data look like; none in runs that ended early or had too few simulations.
    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// Compares each data set of `x (sets, C)` with simulated ones; none without a reference.
    pub fn familiarity(&self, x: &[f32]) -> Result<Option<Vec<Familiarity>>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        Ok(Some(reference.familiarity(&self.unclamped(x)?)))
    }

    /// The summaries of data sets; of vectors as they are, what the flow sees without the clamp, which would make all that is far
    /// equally far.
    fn unclamped(&self, x: &[f32]) -> Result<Vec<f32>> {
        let mut summaries = self.condition(x)?.0;
        if self.model.shape()?.is_vector() && self.network.summary.is_none() {
            let c = self.model.x_dim()?;
            for (x, to) in x.chunks_exact(c).zip(summaries.chunks_exact_mut(c)) {
                self.standardiser.unclamped_x(x, to);
            }
        }
        Ok(summaries)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }
    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }
    /// The device and, of a GPU, the tiling of the row launch that draws: `GeForce, tiling 8x256`.
    pub fn place(&self) -> String {
        let name = self.device.name();
        self.tiling().map_or(name.clone(), |tiling| format!("{name}, tiling {tiling}"))
    }
    /// The tiling of the row launch that draws; none on the CPU.
    pub fn tiling(&self) -> Option<Tiling> {
        let engine = self.engine.lock().unwrap_or_else(|e| e.into_inner());
        engine.exec.tiling(engine.sample)
    }
    /// Times that launch in all tilings that the device allows, for data sets as [`Posterior::sample`] takes them. Changes
    /// nothing.
    ///
    /// # Errors
    /// On the CPU, and if the device fails in the default tiling.
    pub fn tune(&self, x: &[f32], options: &Options) -> Result<Tuned> {
        let (condition, sets) = self.condition(x)?;
        let (d, _) = self.network.dims();
        let mut engine = self.engine.lock().unwrap_or_else(|e| e.into_inner());
        let Engine { exec, sample, theta, .. } = &mut *engine;
        exec.set_seed(1)?;
        exec.set_table(*sample, &condition)?;
        let rows = exec.capacity(*sample);
        let run = RunArgs {
            rows: rows as u32,
            batch: rows as u32,
            draws: rows.div_ceil(sets) as u32,
            ..RunArgs::default()
        };
        exec.tune(*sample, &Pass { run, weights: Weights::Average, result: Some((*theta, d)) }, options)
    }
    /// Whether training would take pair `i` of `pairs`: parameters and data are finite, also as the network sees them.
    pub(crate) fn takes(&self, pairs: &Pairs, i: usize) -> bool {
        let (Ok(shape), Ok(c), d) = (self.model.shape(), self.model.x_dim(), self.model.theta_dim()) else {
            return false;
        };
        let one = Pairs { theta: pairs.theta[i * d..][..d].to_vec(), x: pairs.x[i * c..][..c].to_vec() };
        standardised(self.network.host(), &shape, &one, Bad::LeftOut).1 == 0
    }
    /// Parameters of the network.
    pub fn parameters(&self) -> usize {
        self.network.table.count()
    }

    /// What the flow sees of the data sets, and how many there are; an error names the first value that is not finite.
    fn condition(&self, x: &[f32]) -> Result<(Vec<f32>, usize)> {
        let shape = self.model.shape()?;
        let c = match shape {
            DataShape::Vector { features } => features,
            _ => shape.values(),
        };
        if c == 0 || x.is_empty() || !x.len().is_multiple_of(c) {
            return Err(Error::input(
                "data",
                format!("whole data sets of {c} values"),
                format!("{} values", x.len()),
                "Give the data sets one after the other, shorter ones ended by NaN",
            ));
        }
        let transform = self.standardiser.transform;
        let bad = |i: usize, row: &[f32]| {
            // Of items NaN is a missing one.
            let wrong = |v: f32| match v.is_nan() {
                true => shape.is_vector(),
                false => !transform.apply(v, 0.0, 1.0).is_finite() || v.is_infinite(),
            };
            let at = row.iter().position(|&v| wrong(v)).unwrap_or(0);
            let expected = match row[at].is_finite() {
                true => "a number that `data.transform` takes (`log`: from 0 on, `reciprocal`: not 0)",
                false => "a finite number",
            };
            Error::input(
                format!("data set {i}, value {at}"),
                expected,
                format!("{}", row[at]),
                "Remove the data set, or mend the value",
            )
        };
        let sets = x.len() / c;
        if !shape.is_vector() {
            let mut table = vec![];
            for (i, row) in x.chunks_exact(c).enumerate() {
                match push_items(&self.standardiser, &shape, row, &mut table) {
                    None => return Err(bad(i, row)),
                    Some(0) => {
                        let (expected, found) = ("at least one item without missing values", "none");
                        return Err(Error::input(format!("data set {i}"), expected, found, "Remove it"));
                    }
                    Some(_) => {}
                }
            }
            let mut engine = self.engine.lock().unwrap_or_else(|e| e.into_inner());
            let Engine { exec, summaries, .. } = &mut *engine;
            let Some(summaries) = summaries else { return Ok((vec![], sets)) };
            return Ok((summaries.of(exec.as_mut(), &self.network, &table)?, sets));
        }
        let mut out = vec![0.0; x.len()];
        for (i, (row, to)) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)).enumerate() {
            if !self.standardiser.standardise_x(row, to) {
                return Err(bad(i, row));
            }
        }
        Ok((out, sets))
    }

    /// Values of items `(n, F)` after the data transform and standardisation; NaN stays.
    pub fn standardised_items(&self, x: &[f32], features: usize) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        for (item, to) in x.chunks_exact(features).zip(out.chunks_exact_mut(features)) {
            self.standardiser.standardise_x(item, to);
            for (to, v) in to.iter_mut().zip(item).filter(|(_, v)| v.is_nan()) {
                *to = *v;
            }
        }
        out
    }

    /// `n` draws of theta for each data set: `x (sets, C)`, or `(sets, most items, F)` with missing values NaN, to `(sets, n, D)`. Every draw lies inside the prior's support.
    /// Draw j of set i depends on (seed, i, j), the weights and the data set alone.
    pub fn sample(&self, x: &[f32], n: usize, seed: u64) -> Result<Vec<f32>> {
        let (condition, sets) = self.condition(x)?;
        let (d, c) = self.network.dims();
        let mut out = vec![];
        let room = sets.checked_mul(n).and_then(|v| v.checked_mul(d));
        if room.is_none_or(|values| out.try_reserve_exact(values).is_err()) {
            let found = format!("{n} for each of {sets} data sets");
            return Err(Error::input("draws", "as many as fit in memory", found, "Ask for fewer at a time"));
        }
        let mut engine = self.engine.lock().unwrap_or_else(|e| e.into_inner());
        let Engine { exec, sample, theta, .. } = &mut *engine;
        exec.set_seed(seed)?;
        if n == 0 {
            return Ok(out);
        }
        if n > MAX_ROWS {
            return Err(Error::input("draws", format!("at most {MAX_ROWS}"), n.to_string(), "Ask for fewer"));
        }
        let per_pass = (MAX_ROWS / n).max(1);
        for first in (0..sets).step_by(per_pass) {
            let count = per_pass.min(sets - first);
            exec.set_table(*sample, &condition[first * c..(first + count) * c])?;
            let (total, capacity) = (count * n, exec.capacity(*sample));
            for row0 in (0..total).step_by(capacity) {
                let rows = capacity.min(total - row0);
                let run = RunArgs {
                    rows: rows as u32,
                    row0: row0 as u32,
                    batch: total as u32,
                    draws: n as u32,
                    set0: first as u32,
                    ..RunArgs::default()
                };
                exec.run(*sample, &run, Weights::Average)?;
                out.extend(exec.read(*sample, *theta, rows, d)?);
            }
        }
        Ok(out)
    }

    /// `ln q(theta | x)`, nats of theta space: `theta (n, D)`, `x (sets, C)` to `(n)`; minus infinity outside the prior's support.
    /// The first n / sets thetas belong to the first data set, and so on.
    pub fn log_prob(&self, theta: &[f32], x: &[f32]) -> Result<Vec<f32>> {
        let (d, c) = self.network.dims();
        let (condition, sets) = self.condition(x)?;
        let n = theta.len() / d;
        if !theta.len().is_multiple_of(d * sets) {
            return Err(Error::input(
                "theta",
                format!("rows of {d} values, equally many for each of {sets} data sets"),
                format!("{} values", theta.len()),
                "Give the thetas of one data set after those of the other",
            ));
        }
        let each = n / sets;
        let wide: Vec<f64> = theta.iter().map(|&v| f64::from(v)).collect();
        let inside: Vec<bool> =
            wide.chunks_exact(d).map(|t| self.model.prior.log_prob(t).is_finite()).collect();
        let host = self.network.host();
        let (mut rows, mut u, mut bad) = (vec![], vec![0.0; d], 0);
        for i in (0..n).filter(|&i| inside[i]) {
            host.prior.to_unconstrained(&theta[i * d..(i + 1) * d], &mut u);
            bad += usize::from(!host.standardiser.standardise_u(&mut u));
            rows.extend_from_slice(&u);
            rows.extend_from_slice(&condition[i / each * c..][..c]);
        }
        if bad > 0 {
            return Err(Error::input(
                "theta",
                "values inside the support",
                "a value on its edge",
                "Move it inside",
            ));
        }
        let mut losses = Vec::with_capacity(n);
        let mut engine = self.engine.lock().unwrap_or_else(|e| e.into_inner());
        let Engine { exec, loss, meta: slot, .. } = &mut *engine;
        exec.set_table(*loss, &rows)?;
        let (total, capacity) = (rows.len() / (d + c), exec.capacity(*loss));
        for row0 in (0..total).step_by(capacity) {
            let rows = capacity.min(total - row0);
            let run = RunArgs {
                rows: rows as u32,
                row0: row0 as u32,
                batch: total as u32,
                draws: 1,
                ..RunArgs::default()
            };
            exec.run(*loss, &run, Weights::Average)?;
            let m = exec.read(*loss, *slot, rows, 4)?;
            losses.extend(m.chunks_exact(4).map(|m| m[meta::LOSS]));
        }
        let jacobian = self.standardiser.log_jacobian();
        let mut next = losses.into_iter();
        Ok(wide
            .chunks_exact(d)
            .zip(inside)
            .map(|(t, inside)| match inside.then(|| next.next()).flatten() {
                Some(l) => (f64::from(-l) + self.model.prior.log_jacobian(t) + jacobian) as f32,
                None => f32::NEG_INFINITY,
            })
            .collect())
    }

    /// What the flow sees of each data set: `(sets, C)`, of identity models the standardised data set.
    pub fn summary(&self, x: &[f32]) -> Result<Vec<f32>> {
        Ok(self.condition(x)?.0)
    }
}
