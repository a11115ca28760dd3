//! Every kernel of a workload by itself: time of a call, arithmetic and bytes a second.
//!
//! On the CPU a call is timed in its place, on one thread: a block of rows goes through the whole plan, as in training, and
//! each call is timed on the way, so that its data are in the caches where they will be. On a GPU a call is launched
//! alone, many times in one submission, over a whole batch.
use std::collections::HashMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::counts::{CallCount, calls};
use super::table::{percent, significant, whole};
use super::timing::{Spread, measure};
use super::workload::{Opened, Workload};
use crate::error::Result;
use crate::model::definition::{Bad, VALIDATION_STEP};
use crate::model::ragged::standardised;
use crate::model::summaries::{Stage, Summaries};
use crate::optim;
use crate::runtime::Device;
use crate::runtime::cpu_exec::SMALL_TILE;
use crate::runtime::cpu_plan::CpuPlan;
use crate::runtime::exec::{Executor, PlanId};
use crate::runtime::gpu_exec::GpuExec;
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, State};
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
    /// Rows of a call; on the CPU those of a block, of which a call may take a few at a time.
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

/// Measures all kernels of a workload's plan; on a GPU over `batch` rows a call, on the CPU over a block.
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
    let w = workload.open()?;
    let plan = match which {
        Which::Train => w.train_plan(device)?,
        Which::Sample => w.network.sample_plan().plan,
    };
    let (row, table) = match which {
        Which::Train => (w.row(), vec![]),
        Which::Sample => (vec![0.0; w.network.dims().1], conditions(&w)?),
    };
    let groups = grouped(&calls(&plan, &row));
    let (rows, tiling, times) = match device {
        Device::Cpu => {
            let (rows, times) = on_cpu(&w, plan, table, seconds);
            (rows, None, times)
        }
        Device::Gpu(gpu) => {
            let mut exec = GpuExec::new(gpu.clone(), w.network.table.clone(), &optim::STEP)?;
            exec.restore(&w.start)?;
            let rows = if w.items.is_some() { w.chunk(&plan, false, batch) } else { batch };
            let id = exec.prepare(plan, rows)?;
            exec.set_table(id, &table)?;
            let each = seconds / groups.len() as f64;
            (rows, exec.tiling(id), on_gpu(&mut exec, id, &groups, rows, each)?)
        }
    };
    Ok(summed(&groups, &times, rows, tiling))
}

/// What the flow sees of a few data sets.
fn conditions(w: &Opened) -> Result<Vec<f32>> {
    let pairs = w.model.simulate(1, VALIDATION_STEP, SMALL_TILE)?;
    let (mut rows, _) = standardised(w.network.host(), &w.model.shape()?, &pairs, Bad::LeftOut);
    if let Some(summary) = &w.network.summary {
        let mut exec = w.executor(&Device::Cpu)?;
        rows = Summaries::new(summary, Stage::Condition).rows(exec.as_mut(), &w.network, &rows)?;
    }
    let (d, c) = w.network.dims();
    Ok(rows.chunks_exact(d + c).flat_map(|row| &row[d..]).copied().cycle().take(SMALL_TILE * c).collect())
}

fn grouped(counts: &[CallCount]) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    // Of one shape, but perhaps of other numbers of items.
    let mut known = HashMap::new();
    for (i, count) in counts.iter().enumerate() {
        let at = *known.entry((count.kernel, &count.shape, count.slot_bytes)).or_insert_with(|| {
            groups.push(Group { count: count.clone(), members: vec![] });
            groups.len() - 1
        });
        groups[at].members.push(i);
    }
    groups
}

/// Rows of a block, and times of every call, call by call: passes of one block through the plan.
fn on_cpu(w: &Opened, plan: Plan, table: Vec<f32>, seconds: f64) -> (usize, Vec<Vec<f64>>) {
    let mut params = w.start.params.clone();
    params.resize(2 * plan.params.len, 0.0);
    plan.params.transpose_all(&mut params);
    let mut cpu = CpuPlan::new(plan, SMALL_TILE);
    cpu.table = table.into();
    let rows = cpu.block_rows(1);
    let n = rows as u32;
    let run = RunArgs { rows: n, pad: SMALL_TILE as u32, batch: n, draws: 1, ..RunArgs::default() };
    let calls = &cpu.plan.calls;
    let mut times = vec![vec![]; calls.len()];
    let begun = Instant::now();
    let mut pass = 0;
    while pass < 4 || begun.elapsed().as_secs_f64() < seconds {
        let state = State { step: pass, ..State::new(1) };
        let mut took = vec![0.0; calls.len()];
        cpu.first_block(&run, &state, &params, |i, tile| {
            let begun = Instant::now();
            (calls[i].def.cpu)(tile, &calls[i]);
            took[i] += begun.elapsed().as_secs_f64();
        });
        // The first pass finds nothing in the caches.
        if pass > 0 {
            times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        }
        pass += 1;
    }
    (rows, times)
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
    let mut out: Vec<Row> = groups
        .iter()
        .map(|g| {
            let all = g.members.iter().flat_map(|&i| &times[i]).copied().collect();
            let seconds = Spread::of(all);
            let tile = tiling.map_or(g.count.tile.unwrap_or(SMALL_TILE), |t| t.rows);
            let tiles = rows.div_ceil(tile) as f64;
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
    fn kernels_on_items_are_measured_where_the_caches_hold_them() {
        // of large data sets a block holds few
        for (name, items, few) in [("wd", 4000, true), ("wd-lstm", 30, false)] {
            let w = Workload::find(name).unwrap().resized(Some(1), Some(4)).unwrap().sized(items).unwrap();
            for which in [Which::Train, Which::Sample] {
                let found = measure_kernels(&w, &Device::Cpu, which, 64, 0.0).unwrap();
                let part = few && which == Which::Train;
                let fits = |r: &Row| (r.rows < SMALL_TILE) == part && r.seconds.median > 0.0;
                assert!(found.iter().all(fits), "{name} {which:?}");
                let on_items = found.iter().any(|r| r.kernel.starts_with("layers/item_"));
                assert_eq!(on_items, which == Which::Train, "{name}");
            }
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
            tile: None,
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
