//! What a plan costs, by counting: FLOPs and bytes of every call, of the gradients and of the update.
//!
//! Each operand of a call counts once, whether a cache holds it or not: slots by row, parameters by tile of rows. The bytes
//! of the calls are those their CPU twins ask for; a GPU kernel touches the same. What a simulator computes is not counted.
use crate::runtime::cpu_exec::{CHUNK, SMALL_TILE, tile_rows};
use crate::runtime::cpu_plan::CpuPlan;
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, State};
use crate::runtime::tile::{Touched, watch};
use crate::runtime::tiling::Tiling;

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
    /// Rows of a tile on the CPU, where the plan and not the batch decides.
    pub tile: Option<usize>,
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

/// Counts every call of a plan by running it once on a block of rows that are all `row` of its table.
pub fn calls(plan: &Plan, row: &[f32]) -> Vec<CallCount> {
    let mut cpu = CpuPlan::new(plan.clone(), SMALL_TILE);
    let rows = cpu.block_rows(1);
    let n = rows as u32;
    let run = RunArgs { rows: n, pad: SMALL_TILE as u32, batch: n, draws: 1, ..RunArgs::default() };
    cpu.table = row.repeat(SMALL_TILE).into();
    // A row of the table, and a number of rows of a pool.
    cpu.index = vec![1; SMALL_TILE];
    let params = vec![0.0; 2 * plan.params.len];
    let mut touched = vec![(0, Touched::default()); plan.calls.len()];
    cpu.first_block(&run, &State::new(1), &params, |i, tile| {
        let call = &plan.calls[i];
        let more = watch(|| (call.def.cpu)(tile, call));
        let (tiles, t) = &mut touched[i];
        *tiles += 1;
        t.read += more.read;
        t.written += more.written;
        t.params += more.params;
    });
    let count = |(i, (tiles, t)): (usize, (usize, Touched))| {
        let call = &plan.calls[i];
        CallCount {
            kernel: call.def.name,
            shape: shape(&call.spec.numbers),
            flops: (call.def.flops)(call),
            slot_bytes: (4 * (t.read + t.written) / rows) as u64,
            param_bytes: (4 * t.params / tiles) as u64,
            tile: cpu.tile_rows(i),
        }
    };
    touched.into_iter().enumerate().map(count).collect()
}

fn shape(numbers: &[(&'static str, u32)]) -> String {
    let words: Vec<String> = numbers.iter().map(|(name, n)| format!("{name} {n}")).collect();
    words.join(" ")
}

/// Totals for `rows` rows, on a GPU with this tiling of its row launch, on the CPU without one.
pub fn totals(plan: &Plan, calls: &[CallCount], rows: usize, tiling: Option<Tiling>) -> Totals {
    let n = rows as u64;
    // A step goes in chunks.
    let at_once = if plan.grads.is_empty() { rows } else { rows.min(CHUNK) };
    let tiles = |c: &CallCount| {
        let tile = tiling.map_or_else(|| c.tile.unwrap_or_else(|| tile_rows(at_once)), |t| t.rows);
        rows.div_ceil(tile) as u64
    };
    let sum = |f: fn(&CallCount) -> u64| calls.iter().map(f).sum::<u64>();
    let grad_bytes = plan.grads.iter().map(|g| {
        let (k, j) = (if g.x.is_some() { u64::from(g.k) } else { 0 }, u64::from(g.j));
        4 * (n * g.count() as u64 * (k + j) + k.max(1) * j)
    });
    Totals {
        flops: n * (sum(|c| c.flops) + plan.grad_flops()),
        slot_bytes: n * sum(|c| c.slot_bytes),
        param_bytes: calls.iter().map(|c| tiles(c) * c.param_bytes).sum(),
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
        let calls = calls(&plan, &[0.0; 4]);
        assert_eq!(calls.len(), plan.calls.len());
        let hidden = calls.iter().find(|c| c.shape.starts_with("K 64 J 64 BIAS 1")).unwrap();
        // 64 read and 64 written a row; 64 x 64 weights and 64 biases a tile
        let expected = (2 * 64 * 64, 4 * 128, 4 * (64 * 64 + 64));
        assert_eq!((hidden.flops, hidden.slot_bytes, hidden.param_bytes), expected);
        let tiling = Tiling { rows: 16, threads: 64 };
        let t = totals(&plan, &calls, 32, Some(tiling));
        assert_eq!(t.flops, 32 * (plan.row_flops() + plan.grad_flops()));
        assert_eq!(t.slot_bytes, 32 * calls.iter().map(|c| c.slot_bytes).sum::<u64>());
        assert_eq!(t.param_bytes, 2 * calls.iter().map(|c| c.param_bytes).sum::<u64>());
        assert_eq!(t.update_bytes, 40 * plan.params.len as u64);
        assert_eq!(t.bytes(), t.slot_bytes + t.param_bytes + t.grad_bytes + t.update_bytes);
    }

    #[test]
    fn every_item_counts() {
        let of = |items| {
            let w = Workload::find("wd").unwrap().sized(items).unwrap().open().unwrap();
            let plan = w.train_plan(&Device::Cpu).unwrap();
            let calls = calls(&plan, &w.row());
            let flops = plan.row_flops();
            assert_eq!(flops, calls.iter().map(|c| c.flops).sum::<u64>());
            let t = totals(&plan, &calls, 64, None);
            assert_eq!(t.flops, 64 * (flops + plan.grad_flops()));
            (calls, t)
        };
        let ((few, _), (many, t)) = (of(100), of(400));
        let first = |calls: &[CallCount]| {
            let i = calls.iter().position(|c| c.shape.starts_with("P 4 J 64")).unwrap();
            let (product, act) = (&calls[i], &calls[i + 1]);
            (product.flops, product.slot_bytes, product.param_bytes, act.kernel, act.flops)
        };
        // 2 columns, stored as 4, to 64, and a row's 64 that come on top of each item's
        let act = "layers/item_activation_forward";
        let expected = |n: u64| (2 * 4 * 64 * n, 4 * ((4 + 64) * n + 64), 4 * 4 * 64, act, 12 * 64 * n);
        assert_eq!((first(&few), first(&many)), (expected(100), expected(400)));
        // what costs by the item: nearly all of it
        let sum = |calls: &[CallCount]| calls.iter().map(|c| c.flops).sum::<u64>() as f64;
        assert!((3.5..4.0).contains(&(sum(&many) / sum(&few))), "{}", sum(&many) / sum(&few));
        assert!(many.iter().any(|c| c.tile.is_some_and(|t| t < 16)));
        assert!(t.slot_bytes > t.grad_bytes && t.grad_bytes > 0);
    }

    #[test]
    fn inference_updates_nothing() {
        let w = Workload::find("w").unwrap().resized(Some(1), Some(16)).unwrap().open().unwrap();
        let plan = w.network.sample_plan().plan;
        let t = totals(&plan, &calls(&plan, &[0.0; 2]), 17, None);
        assert!(t.grad_bytes == 0 && t.update_bytes == 0 && t.flops > 0 && t.slot_bytes > 0);
    }
}
