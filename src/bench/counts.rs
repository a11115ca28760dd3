//! What a plan costs, by counting: FLOPs and bytes of every call, of the gradients and of the update.
//!
//! Each operand of a call counts once, whether a cache holds it or not: slots by row, parameters by tile of rows. The bytes
//! of the calls are those their CPU twins ask for; a GPU kernel touches the same.
use crate::runtime::cpu_exec::SMALL_TILE;
use crate::runtime::memory::Shared;
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, State};
use crate::runtime::tile::{Tile, watch};

/// Bytes that the update moves for a parameter: value, gradient, two moments and average are read; value, transposed
/// image, moments and average are written.
const UPDATE_BYTES: u64 = 40;

/// What one call costs.
#[derive(Clone, Debug, PartialEq)]
pub struct CallCount {
    /// The kernel.
    pub kernel: &'static str,
    /// Its specialisation, `K 128 J 128 ...`.
    pub shape: String,
    /// Floating-point operations of a row.
    pub flops: u64,
    /// Bytes of slots read and written for a row.
    pub slot_bytes: u64,
    /// Bytes of parameters read for a tile of rows.
    pub param_bytes: u64,
}

/// Totals of a plan for a number of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Floating-point operations, gradients included.
    pub flops: u64,
    /// Bytes of slots that calls read and write.
    pub slot_bytes: u64,
    /// Bytes of parameters that calls read.
    pub param_bytes: u64,
    /// Bytes that gradients read and write.
    pub grad_bytes: u64,
    /// Bytes that the update reads and writes.
    pub update_bytes: u64,
}

impl Totals {
    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.slot_bytes + self.param_bytes + self.grad_bytes + self.update_bytes
    }
}

/// Counts every call of a plan by running it once on a tile whose data are zeros. `row_floats`: floats of a data row.
pub fn calls(plan: &Plan, row_floats: usize) -> Vec<CallCount> {
    let rows = SMALL_TILE as u32;
    let run = RunArgs { rows, pad: rows, batch: rows, draws: 1, ..RunArgs::default() };
    let state = State::new(1);
    let acts = Shared::new(plan.quads as usize * 4 * SMALL_TILE);
    let params = vec![0.0; 2 * plan.params.len];
    let table = vec![0.0; row_floats.max(1) * SMALL_TILE];
    let index = [0; SMALL_TILE];
    let tile = Tile {
        row0: 0,
        rows: SMALL_TILE,
        run: &run,
        state: &state,
        acts: &acts,
        wide: None,
        params: &params,
        consts: &plan.consts,
        table: &table,
        index: &index,
    };
    plan.calls
        .iter()
        .map(|call| {
            let touched = watch(|| (call.def.cpu)(&tile, call));
            CallCount {
                kernel: call.def.name,
                shape: shape(&call.spec.numbers),
                flops: (call.def.flops)(&call.spec),
                slot_bytes: (4 * (touched.read + touched.written) / SMALL_TILE) as u64,
                param_bytes: 4 * touched.params as u64,
            }
        })
        .collect()
}

fn shape(numbers: &[(&'static str, u32)]) -> String {
    let words: Vec<String> = numbers.iter().map(|(name, n)| format!("{name} {n}")).collect();
    words.join(" ")
}

/// Totals for `rows` rows in tiles of `tile`.
pub fn totals(plan: &Plan, calls: &[CallCount], rows: usize, tile: usize) -> Totals {
    let (n, tiles) = (rows as u64, rows.div_ceil(tile) as u64);
    let sum = |f: fn(&CallCount) -> u64| calls.iter().map(f).sum::<u64>();
    let grad_bytes = plan.grads.iter().map(|g| {
        let (k, j) = (g.x.map_or(0, |x| u64::from(x.width)), u64::from(g.delta.width));
        4 * (n * (k + j) + k.max(1) * j)
    });
    Totals {
        flops: n * (sum(|c| c.flops) + plan.grad_flops()),
        slot_bytes: n * sum(|c| c.slot_bytes),
        param_bytes: tiles * sum(|c| c.param_bytes),
        grad_bytes: grad_bytes.sum(),
        update_bytes: if plan.grads.is_empty() { 0 } else { UPDATE_BYTES * plan.params.len as u64 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::workload::Workload;
    use crate::runtime::Device;

    #[test]
    fn a_dense_call_moves_its_operands() {
        let w = Workload::find("w").unwrap().resized(Some(1), Some(64)).unwrap().open().unwrap();
        let plan = w.train_plan(&Device::Cpu).unwrap();
        let calls = calls(&plan, 4);
        assert_eq!(calls.len(), plan.calls.len());
        let hidden = calls.iter().find(|c| c.shape.starts_with("K 64 J 64 BIAS 1")).unwrap();
        // 64 read and 64 written a row; 64 x 64 weights and 64 biases a tile
        let expected = (2 * 64 * 64, 4 * 128, 4 * (64 * 64 + 64));
        assert_eq!((hidden.flops, hidden.slot_bytes, hidden.param_bytes), expected);
        let t = totals(&plan, &calls, 32, 16);
        assert_eq!(t.flops, 32 * (plan.row_flops() + plan.grad_flops()));
        assert_eq!(t.slot_bytes, 32 * calls.iter().map(|c| c.slot_bytes).sum::<u64>());
        assert_eq!(t.param_bytes, 2 * calls.iter().map(|c| c.param_bytes).sum::<u64>());
        assert_eq!(t.update_bytes, 40 * plan.params.len as u64);
        assert_eq!(t.bytes(), t.slot_bytes + t.param_bytes + t.grad_bytes + t.update_bytes);
    }

    #[test]
    fn inference_updates_nothing() {
        let w = Workload::find("w").unwrap().resized(Some(1), Some(16)).unwrap().open().unwrap();
        let plan = w.network.sample_plan().plan;
        let t = totals(&plan, &calls(&plan, 2), 17, 8);
        assert!(t.grad_bytes == 0 && t.update_bytes == 0 && t.flops > 0 && t.slot_bytes > 0);
    }
}
