//! `couplet selftest`: is this device to be trusted?
use crate::check::harness::compare;
use crate::error::Result;
use crate::kernels;
use crate::model::Model;
use crate::model::definition::{Bad, standardised};
use crate::model::network::{Network, Rows};
use crate::optim;
use crate::runtime::device::Device;
use crate::runtime::exec::{Snapshot, StepLog};
use crate::runtime::gpu::Gpu;
use crate::runtime::state::StepArgs;
use crate::runtime::tiling::Tiling;
use std::sync::Arc;

/// Row counts: one, below, at and above a tile, and several tiles with a ragged last one.
pub fn row_counts(tiling: Tiling) -> [usize; 6] {
    let tile = tiling.rows;
    [1, tile - 1, tile, tile + 1, 64, 100]
}
/// Allowed difference of a step's loss, nats.
const LOSS: f32 = 1e-3;

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What was checked: a kernel's name, or `training`; behind it the tiling, where it is not the default.
    pub name: String,
    /// The largest difference, as a part of what is allowed; or what is wrong.
    pub outcome: std::result::Result<f32, String>,
}

impl Line {
    /// Whether it passed.
    pub fn ok(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.outcome {
            Ok(worst) => write!(f, "{:<36} {:>5.1} % of the tolerance  ok", self.name, 100.0 * worst),
            Err(problem) => write!(f, "{:<36} FAILED: {problem}", self.name),
        }
    }
}

/// Checks a device. A GPU, in each of these tilings: every kernel against its twin, then a few training steps against the
/// CPU's. The CPU: that those steps give the same bits twice and finite losses. `done` hears of each check when it is done.
///
/// # Errors
/// If training cannot run at all, or a tiling does not fit the device. What merely differs is said in a line.
pub fn selftest(device: &Device, tilings: &[Tiling], done: &mut dyn FnMut(Line)) -> Result<()> {
    let training =
        Training { model: Model::builtin("two-moons")?, batch: 64, steps: 20, lr: 1e-3, nudge: 0.0 };
    let cpu = training.run(&Device::Cpu)?;
    let Device::Gpu(gpu) = device else {
        let outcome = match training.run(device)? == cpu {
            true => agree(&cpu.0, &cpu.0),
            false => Err("two runs gave different bits".into()),
        };
        done(Line { name: "training".into(), outcome });
        return Ok(());
    };
    for &tiling in tilings {
        let gpu = gpu.with_tiling(tiling)?;
        let named = |name: &str| match tiling == Tiling::default() {
            true => name.to_string(),
            false => format!("{name} {tiling}"),
        };
        for def in kernels::all() {
            done(Line { name: named(def.name), outcome: kernel(&gpu, def, tiling) });
        }
        let trained = training.run(&Device::Gpu(gpu)).map_err(|e| e.to_string());
        done(Line { name: named("training"), outcome: trained.and_then(|gpu| agree(&cpu.0, &gpu.0)) });
    }
    Ok(())
}

fn kernel(
    gpu: &Arc<Gpu>,
    def: &'static crate::runtime::kernel::KernelDef,
    tiling: Tiling,
) -> std::result::Result<f32, String> {
    let mut worst = 0.0f32;
    for rows in row_counts(tiling) {
        worst = worst.max(compare(gpu, def, rows)?.error);
    }
    Ok(worst)
}

/// The largest difference of two runs' losses as a part of what is allowed.
fn agree(a: &[StepLog], b: &[StepLog]) -> std::result::Result<f32, String> {
    if a.len() != b.len() {
        return Err(format!("expected {} steps, found {}", a.len(), b.len()));
    }
    let mut worst = 0.0f32;
    for (step, (a, b)) in a.iter().zip(b).enumerate() {
        let error = (a.loss - b.loss).abs() / LOSS;
        // NaN counts as wrong
        if error.is_nan() || error > 1.0 || a.skipped != b.skipped || a.masked != b.masked {
            return Err(format!("step {step}: expected {a:?}, found {b:?}"));
        }
        worst = worst.max(error);
    }
    Ok(worst)
}

/// A short training with fixed seeds.
pub struct Training {
    /// What is trained.
    pub model: Model,
    /// Rows of a batch.
    pub batch: usize,
    /// Steps.
    pub steps: usize,
    /// Largest learning rate.
    pub lr: f32,
    /// Relative change of the first weights. Training is chaotic; a nudge of one rounding error shows how far two
    /// runs may part without anything being wrong.
    pub nudge: f32,
}

impl Training {
    /// Logs and final state.
    ///
    /// # Errors
    /// If the device cannot run it.
    pub fn run(&self, device: &Device) -> Result<(Vec<StepLog>, Snapshot)> {
        let model = &self.model;
        let pairs = model.simulate(1, u32::MAX, 1000)?;
        let host = model.host(model.standardiser(&pairs)?);
        let (rows, _) = standardised(&host, &pairs, model.theta_dim(), model.x_dim()?, Bad::LeftOut);
        let network = Network::new(&model.flow_shape()?, host, 1);
        let mut start = network.initial(1, &rows)?;
        start.params.iter_mut().for_each(|w| *w += *w * self.nudge);
        let mut exec = device.executor(network.table.clone(), &optim::STEP)?;
        let plan = exec.prepare(network.train_plan(Rows::Online), self.batch)?;
        exec.restore(&start)?;
        let args = StepArgs {
            lr: self.lr,
            warmup: 5.0,
            total: self.steps as f32,
            cosine: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            decay: 1e-4,
            clip: 1.5,
            ema: 0.999,
            ..StepArgs::default()
        };
        exec.train(plan, &args, self.batch, self.steps, 0)?;
        Ok((exec.logs()?, exec.snapshot()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_differ_or_are_missing_are_seen() {
        let log = |loss| StepLog { loss, ..StepLog::default() };
        let a = [log(1.0), log(2.0)];
        assert!(agree(&a, &a).is_ok());
        assert!(agree(&a, &[log(1.0), log(2.0005)]).is_ok_and(|w| w > 0.4 && w < 0.6));
        assert!(agree(&a, &[log(1.0), log(2.01)]).is_err());
        assert!(agree(&a, &[log(1.0), log(f32::NAN)]).is_err());
        assert!(agree(&a, &a[..1]).is_err());
        assert!(agree(&a, &[log(1.0), StepLog { skipped: 1.0, ..log(2.0) }]).is_err());
        let line = Line { name: "a/b".into(), outcome: Err("no".into()) };
        assert!(!line.ok() && line.to_string().ends_with("FAILED: no"));
    }
}
