//! Runs every sample call of a kernel on the CPU and on a GPU, from the same slots.
use crate::check::judge::{Worst, judge};
use crate::error::Result as OurResult;
use crate::optim;
use crate::rng::{Rng, streams};
use crate::runtime::exec::Executor;
use crate::runtime::gpu::Gpu;
use crate::runtime::gpu_exec::GpuExec;
use crate::runtime::kernel::KernelDef;
use crate::runtime::memory::Shared;
use crate::runtime::params::{Init, ParamTable};
use crate::runtime::plan::Plan;
use crate::runtime::recorder::Recorder;
use crate::runtime::state::{RunArgs, State};
use crate::runtime::tile::Tile;
use crate::runtime::tiling::MOST_ROWS;
use std::sync::Arc;

/// Parameters that samples may refer to.
const PARAMS: usize = 8192;
/// Floats of the table, and entries of the index.
const TABLE: usize = 4096;
/// Floats of slots before and after those of the samples, which nobody may write.
const GUARD: usize = 8;

/// All samples of a kernel as one plan, with guard slots around them.
pub fn sample_plan(def: &'static KernelDef) -> Plan {
    let mut r = Recorder::new();
    let before = r.slot(GUARD);
    for sample in def.samples {
        sample(&mut r);
        r.slot(GUARD);
    }
    let mut table = ParamTable::default();
    table.vector("values", PARAMS, Init::Constant(0.0));
    let mut plan = r.finish(def.name, Arc::new(table), before);
    // a definition made from another (tests) takes its place in the calls
    plan.calls.iter_mut().for_each(|c| c.def = def);
    plan
}

/// What a sample runs with.
struct Inputs {
    run: RunArgs,
    state: State,
    params: Vec<f32>,
    table: Vec<f32>,
    index: Vec<u32>,
}

impl Inputs {
    fn new(def: &KernelDef, rows: usize, pad: usize) -> Self {
        let (row0, first_step, step) = (5, 6, 7);
        let batch = row0 + rows as u32;
        let run = RunArgs {
            rows: rows as u32,
            pad: pad as u32,
            row0,
            batch,
            draws: 3,
            set0: 2,
            first_step,
            calls: 1,
        };
        let mut table = noise(1, TABLE, 2.0);
        if def.name == "data/gather" {
            // a row that is not finite is masked
            table[8 * 7 + 2] = f32::NAN;
            table[8 * 9 + 6] = f32::INFINITY;
        }
        if def.name == "data/gather_items" {
            // rows of 8: three parameters, the number of items, two items of two values
            (0..TABLE / 8).for_each(|i| table[8 * i + 3] = (i % 3) as f32);
            table[8 * 7 + 4] = f32::NAN;
        }
        let mut rng = Rng::new(4, streams::TEST, 0, 0);
        let mut index: Vec<u32> = (0..TABLE).map(|_| rng.next_u32() % (TABLE as u32 / 8)).collect();
        // the second row of this step is a bad one
        index[(batch + row0) as usize + 1] = 7;
        Self {
            run,
            state: State { step, ..State::new(0x1234_5678_9abc_def0) },
            params: noise(2, 2 * PARAMS, 0.8),
            table,
            index,
        }
    }
    /// The twin of one call over the slots, in tiles of so many rows: the rows of the last one that do not exist are written too.
    fn twin(&self, plan: &Plan, call: usize, slots: &[f32], tile_rows: usize) -> Vec<f32> {
        let mut acts = Shared::from_vec(slots.to_vec());
        let call = &plan.calls[call];
        for t in 0..(self.run.rows as usize).div_ceil(tile_rows) {
            let tile = Tile {
                row0: t * tile_rows,
                rows: tile_rows,
                run: &self.run,
                state: &self.state,
                acts: &acts,
                wide: None,
                params: &self.params,
                consts: &plan.consts,
                table: &self.table,
                index: &self.index,
            };
            (call.def.cpu)(&tile, call);
        }
        acts.get_mut().to_vec()
    }
}

/// `n` numbers in (-size, size).
fn noise(row: u32, n: usize, size: f32) -> Vec<f32> {
    let mut rng = Rng::new(3, streams::TEST, 0, row);
    (0..n).map(|_| size * (2.0 * rng.uniform() - 1.0)).collect()
}

/// Compares a kernel with its twin on `rows` rows: every call of every sample alone, all floats of all slots, with the tiling
/// that the device has for it ([`Gpu::with_tiling`]).
///
/// Where the twin writes without reading, the device starts from another value, so that what a kernel forgets to write
/// differs.
///
/// # Errors
/// A sentence naming the kernel, the call and the element; or why the kernel cannot run.
pub fn compare(gpu: &Arc<Gpu>, def: &'static KernelDef, rows: usize) -> Result<Worst, String> {
    let named = |e: crate::error::Error| format!("{}: {e}", def.name);
    let plan = sample_plan(def);
    // more room than rows: what lies past the last tile is guarded too
    let mut exec = open(gpu, &plan).map_err(named)?;
    let id = exec.prepare(plan.clone(), rows + MOST_ROWS).map_err(named)?;
    let pad = exec.pad(id);
    let tile = exec.tiling(id).unwrap_or_default().rows;
    let inputs = Inputs::new(def, rows, pad);
    let mut begin = || -> OurResult<()> {
        exec.set_table(id, &inputs.table)?;
        exec.set_index(id, &inputs.index)?;
        exec.set_state(&inputs.state)?;
        exec.set_image(&inputs.params)
    };
    begin().map_err(named)?;
    let mut worst = Worst { error: 0.0, at: 0, cpu: 0.0, gpu: 0.0 };
    for call in 0..plan.calls.len() {
        let mut before = noise(10 + call as u32, plan.quads as usize * 4 * pad, 1.5);
        for slot in &plan.counts {
            let start = slot.at as usize * 4 * pad;
            let rows = before[start..][..4 * pad].chunks_exact_mut(4);
            rows.enumerate().for_each(|(r, count)| count[0] = ((5 * r + 1) % 7) as f32);
        }
        let after = inputs.twin(&plan, call, &before, tile);
        let device_before = sentinels(&before, &after, |slots| inputs.twin(&plan, call, slots, tile));
        let mut run = || -> OurResult<Vec<f32>> {
            exec.set_slots(id, &device_before)?;
            exec.run_call(id, &inputs.run, call)?;
            exec.slots(id)
        };
        let device_after = run().map_err(named)?;
        let w = judge(&before, &after, &device_before, &device_after, slack(def)).map_err(|e| {
            format!("{} call {call}, {rows} rows, {:?}: {e}", def.name, plan.calls[call].spec.numbers)
        })?;
        if w.error > worst.error {
            worst = w;
        }
    }
    Ok(worst)
}

/// Splines divide by squares of bin widths, which are differences of running sums: rounding grows by an order.
fn slack(def: &KernelDef) -> f32 {
    if def.name.starts_with("flow/spline") { 10.0 } else { 1.0 }
}

fn open(gpu: &Arc<Gpu>, plan: &Plan) -> OurResult<GpuExec> {
    GpuExec::new(gpu.clone(), plan.params.clone(), &optim::STEP)
}

/// `before`, with far-off values where `kernel` writes without reading.
fn sentinels(before: &[f32], after: &[f32], kernel: impl Fn(&[f32]) -> Vec<f32>) -> Vec<f32> {
    let same = |a: &[f32], b: &[f32], i: usize| a[i].to_bits() == b[i].to_bits();
    let with = |places: &[usize]| {
        let mut slots = before.to_vec();
        places.iter().for_each(|&i| slots[i] = 1e7 + i as f32);
        slots
    };
    let written: Vec<usize> = (0..before.len()).filter(|&i| !same(before, after, i)).collect();
    // Those whose result does not change when all that is written begins elsewhere ...
    let result = kernel(&with(&written));
    let free: Vec<usize> = written.into_iter().filter(|&i| same(&result, after, i)).collect();
    // ... if nothing else changes when they do.
    let slots = with(&free);
    let result = kernel(&slots);
    let unread = (0..before.len()).all(|i| same(&result, after, i));
    if unread { slots } else { before.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_unread_gets_a_sentinel() {
        // 1 = 2 x 0, 2 += 1: element 0 is read, 1 written, 2 both, 3 neither
        let kernel = |s: &[f32]| vec![s[0], 2.0 * s[0], s[2] + 1.0, s[3]];
        let before = [1.0, 5.0, 6.0, 7.0];
        let after = kernel(&before);
        assert_eq!(sentinels(&before, &after, kernel), [1.0, 1e7 + 1.0, 6.0, 7.0]);
    }
    #[test]
    fn every_kernel_has_samples_within_the_parameters() {
        for def in crate::kernels::all() {
            assert!(!def.samples.is_empty() && !sample_plan(def).calls.is_empty(), "{}", def.name);
        }
    }
}
