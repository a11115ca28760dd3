//! Every kernel of a workload by itself: time of a call, arithmetic and bytes a second.
//!
//! On the CPU a call is timed in its place, on one thread: a tile of rows goes through the whole plan, as in training, and
//! each call is timed on the way, so that its data are in the caches where they will be. On a GPU a call is launched
//! alone, many times in one submission, over a whole batch.
use std::collections::HashMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::counts::{CallCount, calls};
use super::table::{percent, significant, whole};
use super::timing::{Spread, measure};
use super::workload::{Opened, Workload};
use crate::data::standardise::Standardiser;
use crate::error::Result;
use crate::model::definition::VALIDATION_STEP;
use crate::optim;
use crate::runtime::Device;
use crate::runtime::cpu_exec::SMALL_TILE;
use crate::runtime::exec::{Executor, PlanId};
use crate::runtime::gpu_exec::GpuExec;
use crate::runtime::memory::Shared;
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, State};
use crate::runtime::tile::Tile;
use crate::runtime::tiling::Tiling;

/// Which plan's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// A training step's, without gradients and update.
    Train,
    /// Those that draw.
    Sample,
}

/// One measurement: a kernel at a shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The kernel.
    pub kernel: String,
    /// Its specialisation.
    pub shape: String,
    /// Calls of it in the plan.
    pub calls: usize,
    /// Rows of a call.
    pub rows: usize,
    /// Tiling of the row launch on a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiling: Option<Tiling>,
    /// Time of a call, seconds.
    pub seconds: Spread,
    /// Arithmetic at the median.
    pub gflops: f64,
    /// Bytes of slots and parameters at the median.
    pub gbs: f64,
    /// Part of the time that all calls of the plan take together.
    pub share: f64,
}

/// Calls of a plan that are the same kernel at the same shape.
struct Group {
    count: CallCount,
    members: Vec<usize>,
}

/// Measures all kernels of a workload's plan; on a GPU over `batch` rows a call, on the CPU over a tile.
///
/// # Errors
/// As [`Workload::open`] and [`Opened::train_plan`].
pub fn measure_kernels(
    workload: &Workload,
    device: &Device,
    which: Which,
    batch: usize,
    seconds: f64,
) -> Result<Vec<Row>> {
    let w = workload.open_vectors()?;
    let plan = match which {
        Which::Train => w.train_plan(device)?,
        Which::Sample => w.network.sample_plan().plan,
    };
    let (d, c) = w.network.dims();
    let groups = grouped(&calls(&plan, d + c));
    let x = w.model.simulate(1, VALIDATION_STEP, SMALL_TILE)?.x;
    let table = data_rows(&w.standardiser, &x, c);
    let (rows, tiling, times) = match device {
        Device::Cpu => (SMALL_TILE, None, on_cpu(&w, &plan, &table, seconds)),
        Device::Gpu(gpu) => {
            let mut exec = GpuExec::new(gpu.clone(), w.network.table.clone(), &optim::STEP)?;
            exec.restore(&w.start)?;
            let id = exec.prepare(plan, batch)?;
            exec.set_table(id, &table)?;
            let each = seconds / groups.len() as f64;
            (batch, exec.tiling(id), on_gpu(&mut exec, id, &groups, batch, each)?)
        }
    };
    Ok(summed(&groups, &times, rows, tiling))
}

/// Standardised data sets.
fn data_rows(standardiser: &Standardiser, x: &[f32], c: usize) -> Vec<f32> {
    let mut table = vec![0.0; x.len()];
    for (from, to) in x.chunks_exact(c.max(1)).zip(table.chunks_exact_mut(c.max(1))) {
        standardiser.standardise_x(from, to);
    }
    table
}

fn grouped(counts: &[CallCount]) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    let mut known = HashMap::new();
    for (i, count) in counts.iter().enumerate() {
        let at = *known.entry((count.kernel, &count.shape)).or_insert_with(|| {
            groups.push(Group { count: count.clone(), members: vec![] });
            groups.len() - 1
        });
        groups[at].members.push(i);
    }
    groups
}

/// Times of every call, call by call: passes of one tile through the plan.
fn on_cpu(w: &Opened, plan: &Plan, table: &[f32], seconds: f64) -> Vec<Vec<f64>> {
    let rows = SMALL_TILE as u32;
    let run = RunArgs { rows, pad: rows, batch: rows, draws: 1, ..RunArgs::default() };
    let acts = Shared::new(plan.quads as usize * 4 * SMALL_TILE);
    let mut params = w.start.params.clone();
    params.resize(2 * plan.params.len, 0.0);
    plan.params.transpose_all(&mut params);
    let mut times = vec![vec![]; plan.calls.len()];
    let begun = Instant::now();
    let mut pass = 0;
    while pass < 4 || begun.elapsed().as_secs_f64() < seconds {
        let state = State { step: pass, ..State::new(1) };
        let tile = Tile {
            row0: 0,
            rows: SMALL_TILE,
            run: &run,
            state: &state,
            acts: &acts,
            wide: None,
            params: &params,
            consts: &plan.consts,
            table,
            index: &[],
        };
        for (call, times) in plan.calls.iter().zip(&mut times) {
            let begun = Instant::now();
            (call.def.cpu)(&tile, call);
            // The first pass finds nothing in the caches.
            if pass > 0 {
                times.push(begun.elapsed().as_secs_f64());
            }
        }
        pass += 1;
    }
    times
}

/// Times of the first call of every group, in its place among all calls.
fn on_gpu(
    exec: &mut GpuExec,
    id: PlanId,
    groups: &[Group],
    batch: usize,
    seconds: f64,
) -> Result<Vec<Vec<f64>>> {
    let n = batch as u32;
    let run = RunArgs { rows: n, batch: n, draws: n.div_ceil(SMALL_TILE as u32), ..RunArgs::default() };
    let calls = groups.iter().flat_map(|g| &g.members).max().map_or(0, |last| last + 1);
    let mut times = vec![vec![]; calls];
    for group in groups {
        let call = group.members[0];
        let spread = measure(seconds, 0.02, |times| exec.repeat_call(id, &run, call, times))?;
        times[call] = vec![spread.p10, spread.median, spread.p90];
    }
    Ok(times)
}

/// One row a group from the times of its calls, slowest group first.
fn summed(groups: &[Group], times: &[Vec<f64>], rows: usize, tiling: Option<Tiling>) -> Vec<Row> {
    let tiles = rows.div_ceil(tiling.map_or(SMALL_TILE, |t| t.rows)) as f64;
    let mut out: Vec<Row> = groups
        .iter()
        .map(|g| {
            let all = g.members.iter().flat_map(|&i| &times[i]).copied().collect();
            let seconds = Spread::of(all);
            let bytes = rows as f64 * g.count.slot_bytes as f64 + tiles * g.count.param_bytes as f64;
            Row {
                kernel: g.count.kernel.into(),
                shape: g.count.shape.clone(),
                calls: g.members.len(),
                rows,
                tiling,
                seconds,
                gflops: 1e-9 * rows as f64 * g.count.flops as f64 / seconds.median,
                gbs: 1e-9 * bytes / seconds.median,
                share: g.members.len() as f64 * seconds.median,
            }
        })
        .collect();
    let total: f64 = out.iter().map(|r| r.share).sum();
    out.iter_mut().for_each(|r| r.share /= total);
    out.sort_by(|a, b| b.share.total_cmp(&a.share));
    out
}

/// Columns of [`cells`].
pub const HEADER: [&str; 8] =
    ["kernel", "shape", "calls", "rows", "a call (p10 - p90)", "GFLOP/s", "GB/s", "of the plan"];

/// A row of the table.
pub fn cells(r: &Row) -> Vec<String> {
    vec![
        r.kernel.clone(),
        r.shape.clone(),
        r.calls.to_string(),
        whole(r.rows),
        r.seconds.text(),
        significant(r.gflops),
        significant(r.gbs),
        percent(r.share),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_a_plan_is_in_a_group_and_shares_add_up() {
        let w = Workload::find("w").unwrap().resized(Some(2), Some(16)).unwrap();
        for which in [Which::Train, Which::Sample] {
            let rows = measure_kernels(&w, &Device::Cpu, which, 64, 0.0).unwrap();
            let opened = w.open().unwrap();
            let plan = match which {
                Which::Train => opened.train_plan(&Device::Cpu).unwrap(),
                Which::Sample => opened.network.sample_plan().plan,
            };
            assert_eq!(rows.iter().map(|r| r.calls).sum::<usize>(), plan.calls.len());
            assert!((rows.iter().map(|r| r.share).sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(rows.is_sorted_by(|a, b| a.share >= b.share));
            assert_eq!(cells(&rows[0]).len(), HEADER.len());
        }
    }

    #[test]
    fn rates_come_from_counts_and_times() {
        let count = |kernel, flops| CallCount {
            kernel,
            shape: "K 4".into(),
            flops,
            slot_bytes: 100,
            param_bytes: 1600,
        };
        let groups = grouped(&[count("a", 1000), count("b", 0), count("a", 1000)]);
        assert_eq!(groups.iter().map(|g| g.members.clone()).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
        let rows = summed(&groups, &[vec![1e-6], vec![6e-6], vec![3e-6]], 32, None);
        // b: 6 us of 10; a: two calls of 2 us, 32000 FLOPs and 3200 + 2 x 1600 bytes each
        assert_eq!((rows[0].kernel.as_str(), rows[1].calls), ("b", 2));
        assert!((rows[0].share - 0.6).abs() < 1e-9 && (rows[1].share - 0.4).abs() < 1e-9);
        assert!((rows[1].gflops - 16.0).abs() < 1e-9 && (rows[1].gbs - 3.2).abs() < 1e-9);
    }
}
