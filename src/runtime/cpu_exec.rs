//! The CPU executor: all row-local calls of a plan run on one tile of rows before the next tile, so a tile's
//! activations stay in cache through the whole step. Three fork-joins a training step: rows, gradients, update.
//!
//! Bits do not depend on the number of threads: rows are independent, gradient parts are fixed by the plan, and
//! partial sums are added in plan order.
use crate::error::{Error, Result};
use crate::runtime::cpu_plan::{Chunk, CpuPlan, PART_ROWS};
use crate::runtime::exec::{Executor, PlanId, Snapshot, StepLog, Weights};
use crate::runtime::memory::Shared;
use crate::runtime::params::ParamTable;
use crate::runtime::plan::{Plan, meta};
use crate::runtime::state::{RunArgs, State, StepArgs};
use crate::runtime::step::{Buffers, StepKernels};
use crate::runtime::team::{Leader, Team};
use crate::runtime::team_size::TeamSize;
use crate::runtime::tile::Slot;
use crate::runtime::tiling::Tiling;
use crate::runtime::tune::{Options, Pass, Tuned};
use std::sync::Arc;
use std::time::Instant;

/// Rows of a tile where there are few.
pub const SMALL_TILE: usize = crate::runtime::cpu_plan::SMALL_BLOCK;

/// Rows of a tile of a plan of vectors where a launch has so many rows.
pub fn tile_rows(rows: usize) -> usize {
    crate::runtime::cpu_plan::block_rows(rows)
}

/// Rows of a step that are taken to their gradients before the next: more would not stay in the caches that are shared.
pub const CHUNK: usize = 256;

/// Even chunks of a batch, in whole tiles.
fn chunk_rows(batch: usize, capacity: usize) -> usize {
    let most = CHUNK.min(capacity);
    batch.div_ceil(batch.div_ceil(most).max(1)).next_multiple_of(32).min(capacity)
}

/// See the module's doc.
pub struct CpuExec {
    params: Arc<ParamTable>,
    kernels: &'static StepKernels,
    buffers: Buffers,
    state: State,
    plans: Vec<CpuPlan>,
    /// Threads of a plan's training steps.
    sizes: Vec<TeamSize>,
    logs: Vec<StepLog>,
    /// (parameter, first storage row, rows) of each update part.
    update_parts: Vec<(usize, usize, usize)>,
}

impl CpuExec {
    /// Buffers for these parameters, all zero.
    pub fn new(params: Arc<ParamTable>, kernels: &'static StepKernels) -> Self {
        let n = params.len;
        let buffers = Buffers {
            params: Shared::new(2 * n),
            average: Shared::new(n),
            grad: Shared::new(n),
            first: Shared::new(n),
            second: Shared::new(n),
        };
        let mut update_parts = vec![];
        for (i, p) in params.entries.iter().enumerate() {
            for first in (0..p.stored_rows()).step_by(PART_ROWS) {
                update_parts.push((i, first, PART_ROWS.min(p.stored_rows() - first)));
            }
        }
        Self {
            params,
            kernels,
            buffers,
            state: State::new(0),
            plans: vec![],
            sizes: vec![],
            logs: vec![],
            update_parts,
        }
    }

    /// The gradient of the last step, storage layout.
    pub fn gradient(&mut self) -> &[f32] {
        self.buffers.grad.get_mut()
    }

    /// Runs calls `range` of a plan; for the initialisation of ActNorm, which looks between calls.
    pub fn run_calls(&mut self, plan: PlanId, run: &RunArgs, range: std::ops::Range<usize>) {
        // SAFETY: nobody writes parameters while rows run.
        let weights = unsafe { self.buffers.params.slice(0, self.buffers.params.len()) };
        let (p, state) = (&self.plans[plan.0], &self.state);
        Team::with(|team| p.rows(team, run, state, weights, range, None));
    }

    fn train_step(
        &mut self,
        team: &mut Leader<'_>,
        plan: PlanId,
        a: &StepArgs,
        batch: usize,
        first_step: u32,
    ) {
        let p = &self.plans[plan.0];
        let (mut loss, mut count, mut masked, mut square) = (0.0f64, 0.0f64, 0.0f32, 0.0f64);
        let chunk = chunk_rows(batch, p.capacity);
        for row0 in (0..batch).step_by(chunk) {
            let n = chunk.min(batch - row0);
            let run = RunArgs {
                rows: n as u32,
                pad: p.capacity as u32,
                row0: row0 as u32,
                batch: batch as u32,
                draws: 1,
                set0: 0,
                first_step,
                calls: p.plan.calls.len() as u32,
            };
            // SAFETY: the parameters are only read until `update`.
            let weights = unsafe { self.buffers.params.slice(0, self.buffers.params.len()) };
            let kernels = self.kernels;
            p.rows(team, &run, &self.state, weights, 0..p.plan.calls.len(), Some(kernels));
            // Of the sums so far: the last chunk's counts.
            let part = Chunk { rows: chunk, first: row0 == 0, last: row0 + n == batch };
            square = p.gradient(team, &run, kernels, weights, &self.buffers.grad, &part);
            // SAFETY: the rows' calls have ended.
            let start = p.start(p.plan.meta.at).unwrap_or(0);
            for m in unsafe { p.acts.slice(start, 4 * n) }.chunks_exact(4) {
                let weight = f64::from(m[meta::WEIGHT]);
                loss += weight * f64::from(m[meta::LOSS]);
                count += weight;
                masked += m[meta::MASKED];
            }
        }
        self.state.advance(a);
        let norm = square.sqrt() as f32;
        let ok = norm.is_finite() && loss.is_finite();
        let loss = if count > 0.0 { (loss / count) as f32 } else { f32::NAN };
        self.logs.push(StepLog { loss, masked, norm, skipped: if ok { 0.0 } else { 1.0 } });
        if !ok {
            return; // nothing is updated; the log says so
        }
        let scale = (a.clip / norm.max(1e-30)).min(1.0);
        let (buffers, table, state, kernels) = (&self.buffers, &self.params, &self.state, self.kernels);
        let parts = &self.update_parts;
        let at = |&(i, first, _): &(usize, usize, usize)| {
            let p = &table.entries[i];
            p.at + first * p.stride()
        };
        let share = |t, n| parts.partition_point(|part| at(part) < table.len * t / n);
        team.run(parts.len(), share, &|part| {
            let (i, first, rows) = parts[part];
            (kernels.update_cpu)(buffers, table.len, &table.entries[i], first, rows, scale, state, a);
        });
    }
}

impl Executor for CpuExec {
    fn prepare(&mut self, plan: Plan, rows: usize) -> Result<PlanId> {
        self.plans.push(CpuPlan::new(plan, rows));
        self.sizes.push(TeamSize::new(rayon::current_num_threads()));
        Ok(PlanId(self.plans.len() - 1))
    }
    fn capacity(&self, plan: PlanId) -> usize {
        self.plans[plan.0].capacity
    }
    fn tiling(&self, _: PlanId) -> Option<Tiling> {
        None
    }
    fn set_tiling(&mut self, _: PlanId, _: Tiling) -> Result<()> {
        Ok(())
    }
    fn tune(&mut self, _: PlanId, _: &Pass, _: &Options) -> Result<Tuned> {
        let hint = "Choose one that `couplet devices` lists with --device gpu:NAME";
        Err(Error::config("tuning", "expected a GPU, found the CPU, which has nothing to tune", hint))
    }
    fn set_table(&mut self, plan: PlanId, table: &[f32]) -> Result<()> {
        self.plans[plan.0].table = table.into();
        Ok(())
    }
    fn share_table(&mut self, from: PlanId, to: PlanId) -> Result<()> {
        self.plans[to.0].table = self.plans[from.0].table.clone();
        Ok(())
    }
    fn set_index(&mut self, plan: PlanId, index: &[u32]) -> Result<()> {
        let to = &mut self.plans[plan.0].index;
        to.clear();
        to.extend_from_slice(index);
        Ok(())
    }
    fn train(
        &mut self,
        plan: PlanId,
        step: &StepArgs,
        batch: usize,
        steps: usize,
        first_step: u32,
    ) -> Result<()> {
        self.logs.reserve(steps);
        Team::with(|team| {
            for _ in 0..steps {
                team.set_size(self.sizes[plan.0].threads());
                let begun = Instant::now();
                self.train_step(team, plan, step, batch, first_step);
                self.sizes[plan.0].took(begun.elapsed().as_secs_f64());
            }
        });
        Ok(())
    }
    fn run(&mut self, plan: PlanId, run: &RunArgs, weights: Weights) -> Result<()> {
        let p = &self.plans[plan.0];
        let n = self.params.len;
        // SAFETY: nobody writes parameters while rows run.
        let params = unsafe {
            match weights {
                Weights::Current => self.buffers.params.slice(0, 2 * n),
                Weights::Average => self.buffers.average.slice(0, n),
            }
        };
        let run = RunArgs { pad: p.capacity as u32, calls: p.plan.calls.len() as u32, ..*run };
        Team::with(|team| p.rows(team, &run, &self.state, params, 0..p.plan.calls.len(), None));
        Ok(())
    }
    fn read(&mut self, plan: PlanId, slot: Slot, rows: usize, width: usize) -> Result<Vec<f32>> {
        let p = &mut self.plans[plan.0];
        let Some(start) = p.start(slot.at) else {
            let hint = "Keep it outside of the plan's sections";
            return Err(Error::input("slot", "one that outlives its block", "a section's", hint));
        };
        let stride = slot.width as usize;
        let all = &p.acts.get_mut()[start..start + rows * stride];
        Ok(all.chunks_exact(stride).flat_map(|row| row[..width].iter().copied()).collect())
    }
    fn logs(&mut self) -> Result<Vec<StepLog>> {
        let empty = Vec::with_capacity(self.logs.len());
        Ok(std::mem::replace(&mut self.logs, empty))
    }
    fn snapshot(&mut self) -> Result<Snapshot> {
        let n = self.params.len;
        let b = &mut self.buffers;
        Ok(Snapshot {
            params: b.params.get_mut()[..n].to_vec(),
            average: b.average.get_mut().to_vec(),
            first: b.first.get_mut().to_vec(),
            second: b.second.get_mut().to_vec(),
            state: self.state,
        })
    }
    fn restore(&mut self, s: &Snapshot) -> Result<()> {
        let n = self.params.len;
        let b = &mut self.buffers;
        b.params.get_mut()[..n].copy_from_slice(&s.params);
        self.params.transpose_all(b.params.get_mut());
        b.average.get_mut().copy_from_slice(&s.average);
        b.first.get_mut().copy_from_slice(&s.first);
        b.second.get_mut().copy_from_slice(&s.second);
        self.state = s.state;
        self.logs.clear();
        Ok(())
    }
    fn set_seed(&mut self, seed: u64) -> Result<()> {
        self.state = State::new(seed);
        Ok(())
    }
}
