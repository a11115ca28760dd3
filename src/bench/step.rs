//! Time of a training step with the simulator inside.
use serde::{Deserialize, Serialize};

use super::ceiling::{SHAPES, gemm_gflops};
use super::counts::{calls, totals};
use super::machine::{forget_peak_memory, peak_memory};
use super::table::{bytes, percent, significant, whole};
use super::timing::{Spread, measure};
use super::workload::Workload;
use crate::error::{Error, Result};
use crate::optim;
use crate::runtime::Device;
use crate::runtime::exec::{Executor, Weights};
use crate::runtime::gpu_exec::GpuExec;
use crate::runtime::launches::launches;
use crate::runtime::state::RunArgs;
use crate::runtime::tiling::Tiling;

/// Length of a sample: the end of the steps is waited for once a sample, which costs a GPU more than a CPU.
const SAMPLE: [f64; 2] = [0.03, 0.2];
/// Time for the ceiling beside each measurement.
const CEILING_SECONDS: f64 = 0.15;
/// Steps recorded for the host's part of a step.
const ENCODED: usize = 64;

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The workload.
    pub workload: String,
    /// Coupling blocks.
    pub blocks: usize,
    /// Widths of the hidden layers of a conditioner.
    pub hidden: Vec<usize>,
    /// Rows of a step.
    pub batch: usize,
    /// Items of each row, where it is a data set of many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
    /// Parameters that the loss depends on.
    pub parameters: usize,
    /// Time of a step, seconds.
    pub seconds: Spread,
    /// Part of it that goes into the row-local calls (simulate, forward, loss, backward), measured apart; the rest are
    /// gradients and update.
    pub rows_share: f64,
    /// At the median.
    pub steps_per_second: f64,
    /// At the median.
    pub rows_per_second: f64,
    /// Time of a step for each item, seconds; none for vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_per_item: Option<f64>,
    /// Useful arithmetic: 6 FLOPs a parameter and row, as the peers count it; with items, each product as often as it is made.
    pub gflops: f64,
    /// All arithmetic of the plan: padding and element-wise functions too.
    pub plan_gflops: f64,
    /// Matrix products alone, measured just before and after, GFLOP/s; none on a GPU.
    pub ceiling_gflops: Option<f64>,
    /// `gflops / ceiling_gflops`.
    pub share: Option<f64>,
    /// Tiling of the row launch on a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiling: Option<Tiling>,
    /// Launches of a step: dispatches on a GPU, fork-joins on the CPU.
    pub launches: usize,
    /// Barriers between the calls of the row program that a workgroup passes; 0 on the CPU.
    pub barriers: usize,
    /// Bytes that the calls of a step read and write, counted, not measured; caches serve most of them.
    pub bytes: u64,
    /// Most resident memory of the process during this measurement, bytes.
    pub peak_memory: Option<u64>,
    /// Time in which the host records a step for a GPU, seconds.
    pub host_seconds: Option<f64>,
    /// Loss of the last step, nats: a check that something was learned.
    pub loss: f32,
}

/// Measures steps of `batch` rows for about `seconds`. `on_first`: called once when the first step is done.
///
/// # Errors
/// As [`Workload::open`]; [`Error::Training`] where the loss is not finite.
pub fn measure_step(
    workload: &Workload,
    device: &Device,
    batch: usize,
    seconds: f64,
    on_first: &mut dyn FnMut(),
) -> Result<Row> {
    forget_peak_memory();
    let w = workload.open()?;
    let (mut exec, id) = w.trainer(device, batch)?;
    let args = w.step_args();
    let mut loss = f32::NAN;
    let meta = w.train_plan(device)?.meta;
    let mut train = |n: usize| -> Result<()> {
        exec.train(id, &args, batch, n, 0)?;
        loss = exec.logs()?.last().map_or(f32::NAN, |log| log.loss);
        Ok(())
    };
    train(1)?;
    on_first();
    let ceiling = || device.is_cpu().then(|| gemm_gflops(SHAPES[0], CEILING_SECONDS));
    let before = ceiling();
    let spread = measure(seconds, SAMPLE[usize::from(!device.is_cpu())], &mut train)?;
    if !loss.is_finite() {
        return Err(Error::Training {
            step: 0,
            problem: format!("expected a finite loss, found {loss}"),
            hint: "Measure a model that trains: `couplet train` shows its loss".into(),
        });
    }
    let peak_memory = peak_memory();
    let plan = w.train_plan(device)?;
    let chunk = w.chunk(&plan, device.is_cpu(), batch);
    let run = RunArgs { rows: chunk as u32, batch: batch as u32, draws: 1, ..RunArgs::default() };
    let rows_only = measure(0.2 * seconds, 0.01, |n| {
        (0..n).try_for_each(|_| exec.run(id, &run, Weights::Current))?;
        exec.read(id, meta, 1, 4).map(drop)
    })?;
    let ceiling_gflops = before.zip(ceiling()).map(|(a, b)| a.max(b));
    let tiling = exec.tiling(id);
    let total = totals(&plan, &calls(&plan, &w.row()), batch, tiling);
    // Forward, delta and gradient of a product cost the same; with items, a weight is used more than once.
    let flops = match w.items {
        Some(_) => 3 * plan.grad_flops() * batch as u64,
        None => (6 * w.parameters() * batch) as u64,
    };
    let chunks = batch.div_ceil(chunk);
    let gflops = 1e-9 * flops as f64 / spread.median;
    let barriers = match tiling {
        None => 0,
        Some(tiling) => {
            let counted =
                launches(&plan, batch, chunk, tiling).map_err(|e| Error::config("plan", e, "Report it"))?;
            counted.0.iter().map(|l| l.times * l.barriers).sum()
        }
    };
    Ok(Row {
        workload: workload.name.clone(),
        blocks: w.model.config.flow.blocks,
        hidden: w.model.config.flow.hidden.clone(),
        batch,
        items: w.items,
        parameters: w.parameters(),
        seconds: spread,
        rows_share: rows_only.median * batch as f64 / chunk as f64 / spread.median,
        steps_per_second: spread.per_second(),
        rows_per_second: batch as f64 * spread.per_second(),
        seconds_per_item: w.items.map(|n| spread.median / (n * batch) as f64),
        gflops,
        plan_gflops: 1e-9 * total.flops as f64 / spread.median,
        ceiling_gflops,
        share: ceiling_gflops.map(|most| gflops / most),
        tiling,
        launches: 2 * chunks + 1,
        barriers,
        bytes: total.bytes(),
        peak_memory,
        host_seconds: host_seconds(workload, device, batch)?,
        loss,
    })
}

/// Time in which the host records one step; none on the CPU.
fn host_seconds(workload: &Workload, device: &Device, batch: usize) -> Result<Option<f64>> {
    let Device::Gpu(gpu) = device else { return Ok(None) };
    let w = workload.open()?;
    let mut exec = GpuExec::new(gpu.clone(), w.network.table.clone(), &optim::STEP)?;
    let plan = w.train_plan(device)?;
    let rows = w.chunk(&plan, false, batch);
    let id = exec.prepare(plan, rows)?;
    let spread = measure(0.1, 0.0, |_| exec.encode_only(id, batch, ENCODED))?;
    Ok(Some(spread.median / ENCODED as f64))
}

/// Columns of [`cells`].
pub const HEADER: [&str; 18] = [
    "workload",
    "blocks",
    "width",
    "batch",
    "items",
    "step (p10 - p90)",
    "in rows",
    "steps/s",
    "rows/s",
    "an item",
    "GFLOP/s",
    "of ceiling",
    "tiling",
    "launches",
    "barriers",
    "bytes",
    "peak memory",
    "host/step",
];

/// A row of the table.
pub fn cells(r: &Row) -> Vec<String> {
    let widths: Vec<String> = r.hidden.iter().map(ToString::to_string).collect();
    vec![
        r.workload.clone(),
        r.blocks.to_string(),
        widths.join("x"),
        whole(r.batch),
        r.items.map_or("-".into(), whole),
        r.seconds.text(),
        percent(r.rows_share),
        significant(r.steps_per_second),
        significant(r.rows_per_second),
        r.seconds_per_item.map_or("-".into(), |s| format!("{} us", significant(1e6 * s))),
        significant(r.gflops),
        r.share.map_or("-".into(), percent),
        r.tiling.map_or("-".into(), |t| t.to_string()),
        r.launches.to_string(),
        r.barriers.to_string(),
        if r.bytes > 0 { bytes(r.bytes) } else { "-".into() },
        r.peak_memory.map_or("-".into(), bytes),
        r.host_seconds.map_or("-".into(), |s| format!("{} us", significant(1e6 * s))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_measured_and_its_numbers_agree() {
        let w = Workload::find("w").unwrap().resized(Some(1), Some(16)).unwrap();
        let mut first = 0;
        let r = measure_step(&w, &Device::Cpu, 32, 0.0, &mut || first += 1).unwrap();
        assert_eq!((first, r.batch, r.blocks, r.launches, r.barriers), (1, 32, 1, 3, 0));
        let parameters = 2 * (3 * 16 + 16 + 16 * 16 + 16 + 2 * 16 + 2);
        assert_eq!(r.parameters, parameters);
        assert!((r.rows_per_second / r.steps_per_second - 32.0).abs() < 1e-6);
        let flops = r.gflops * 1e9 * r.seconds.median;
        assert!((flops / (6 * 32 * parameters) as f64 - 1.0).abs() < 1e-9);
        let share = r.share.unwrap();
        assert!((share * r.ceiling_gflops.unwrap() - r.gflops).abs() < 1e-9 && share > 0.0);
        assert!(r.loss.is_finite() && r.bytes > 0 && r.rows_share > 0.0 && r.host_seconds.is_none());
        assert_eq!(cells(&r).len(), HEADER.len());
        let json = serde_json::to_string(&r).unwrap();
        assert_eq!(cells(&serde_json::from_str(&json).unwrap()), cells(&r));
    }

    #[test]
    fn a_step_on_sets_is_measured_for_each_item() {
        let w = Workload::find("wd").unwrap().resized(Some(1), Some(4)).unwrap().sized(20).unwrap();
        let r = measure_step(&w, &Device::Cpu, 8, 0.0, &mut || ()).unwrap();
        assert_eq!((r.items, r.batch), (Some(20), 8));
        assert!(r.bytes > 0 && r.plan_gflops > r.gflops);
        let each = r.seconds_per_item.unwrap();
        assert!((each * 160.0 / r.seconds.median - 1.0).abs() < 1e-9);
        assert!(r.loss.is_finite() && r.gflops > 0.0 && r.rows_share > 0.0);
        assert_eq!(cells(&r).len(), HEADER.len());
    }

    #[test]
    fn a_batch_beyond_the_chunk_has_more_launches() {
        let w = Workload::find("w").unwrap().resized(Some(1), Some(4)).unwrap();
        let r =
            measure_step(&w, &Device::Cpu, super::super::workload::CHUNK_ROWS + 1, 0.0, &mut || ()).unwrap();
        assert_eq!(r.launches, 5);
    }
}
