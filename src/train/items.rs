//! Steps on data sets of many items: a plan for each bucket of sizes, and which steps belong to which.
use crate::data::items::{bucket_of, buckets, row_width, size_of_step};
use crate::error::Result;
use crate::model::definition::Bad;
use crate::model::network::{Network, Rows};
use crate::model::ragged::{simulate_step, standardised};
use crate::runtime::exec::{Executor, PlanId};
use crate::runtime::plan::Plan;
use crate::runtime::state::StepArgs;
use crate::sim::{DataShape, Simulator};
use crate::summary::Summary;
use crate::train::session::CHUNK_ROWS;

/// Bytes of slots that a GPU holds at a time.
const CHUNK_BYTES: usize = 1 << 30;
/// Bytes of slots outside of sections that the host holds for each bucket.
const HOST_BYTES: usize = 64 << 20;

/// See the module's doc.
pub(super) struct ItemPlans {
    shape: DataShape,
    buckets: Vec<usize>,
    plans: Vec<PlanId>,
    /// Items of each row of the table; empty where all data sets of a step have the same size.
    sizes: Vec<u32>,
}

/// Rows of a plan for which memory is held; larger batches go in chunks.
pub(crate) fn rows_at_a_time(plan: &Plan, on_host: bool, batch: usize) -> usize {
    let (bytes, most) = match on_host {
        true => (plan.row_bytes() - plan.section_quads() as usize * 16, HOST_BYTES),
        false => (plan.row_bytes(), CHUNK_BYTES),
    };
    (most / bytes.max(1)).clamp(1, CHUNK_ROWS).min(batch)
}

impl ItemPlans {
    /// Prepares a plan for each bucket; `table`: the fixed rows of offline training.
    pub fn open(
        exec: &mut dyn Executor,
        network: &Network,
        summary: &Summary,
        source: Rows,
        batch: usize,
        on_host: bool,
        table: Option<&[f32]>,
    ) -> Result<Self> {
        let shape = summary.shape.data;
        let buckets = buckets(&shape);
        let mut plans = vec![];
        for &items in &buckets {
            let plan = network.items_plan(summary, source, items);
            let rows = rows_at_a_time(&plan, on_host, batch);
            plans.push(exec.prepare(plan, rows)?);
        }
        let mut s = Self { shape, buckets, plans, sizes: vec![] };
        if let Some(rows) = table {
            let (d, _) = network.dims();
            let width = row_width(d, shape.features(), shape.items().1);
            s.sizes = rows.chunks_exact(width).map(|row| row[d] as u32).collect();
            s.set_table(exec, rows)?;
        }
        Ok(s)
    }

    /// Gives all plans a table.
    pub fn set_table(&self, exec: &mut dyn Executor, rows: &[f32]) -> Result<()> {
        exec.set_table(self.plans[0], rows)?;
        self.plans[1..].iter().try_for_each(|&plan| exec.share_table(self.plans[0], plan))
    }

    /// The plans of the buckets.
    pub fn plans(&self) -> &[PlanId] {
        &self.plans
    }

    /// The bucket of a step. `index`: the step's rows of the table.
    pub fn bucket(&self, seed: u64, step: u32, index: Option<&[u32]>) -> usize {
        let (least, most) = self.shape.items();
        let n = match index {
            Some(rows) if !self.sizes.is_empty() => {
                rows.iter().map(|&i| self.sizes[i as usize]).max().unwrap_or(0) as usize
            }
            _ => size_of_step(seed, step, least, most),
        };
        bucket_of(&self.buckets, n)
    }

    /// Trains `n` steps from `first` on: one call for steps in a row that share a bucket.
    #[allow(clippy::too_many_arguments)] // what a step depends on
    pub fn advance(
        &self,
        exec: &mut dyn Executor,
        args: &StepArgs,
        batch: usize,
        seed: u64,
        first: u32,
        n: usize,
        index: Option<&[u32]>,
    ) -> Result<()> {
        let rows_of = |i: usize| index.map(|all| &all[i * batch..(i + 1) * batch]);
        let of: Vec<usize> = (0..n).map(|i| self.bucket(seed, first + i as u32, rows_of(i))).collect();
        let mut at = 0;
        while at < n {
            let same = of[at..].iter().take_while(|b| **b == of[at]).count();
            let (plan, step) = (self.plans[of[at]], first + at as u32);
            if let Some(all) = index {
                exec.set_index(plan, &all[at * batch..(at + same) * batch])?;
            }
            exec.train(plan, args, batch, same, step)?;
            at += same;
        }
        Ok(())
    }

    /// Gives all plans the rows of a pool.
    pub fn set_pool(&self, exec: &mut dyn Executor, d: usize, rows: &[f32]) -> Result<()> {
        let width = row_width(d, self.shape.features(), self.shape.items().1);
        let count = [(rows.len() / width) as u32];
        self.set_table(exec, rows)?;
        self.plans.iter().try_for_each(|&plan| exec.set_index(plan, &count))
    }

    /// Trains `n` steps from `first` on, each on data sets that are simulated here: those that the CPU would draw.
    #[allow(clippy::too_many_arguments)] // what a step depends on
    pub fn stream(
        &self,
        exec: &mut dyn Executor,
        network: &Network,
        simulator: &dyn Simulator,
        args: &StepArgs,
        batch: usize,
        seed: u64,
        first: u32,
        n: usize,
    ) -> Result<()> {
        let index: Vec<u32> = (0..batch as u32).collect();
        let host = network.host();
        for step in first..first + n as u32 {
            let pairs = simulate_step(&host.prior, simulator, &self.shape, seed, step, batch);
            let rows = standardised(host, &self.shape, &pairs, Bad::Kept).0;
            let plan = self.plans[self.bucket(seed, step, None)];
            exec.set_table(plan, &rows)?;
            exec.set_index(plan, &index)?;
            exec.train(plan, args, batch, 1, step)?;
        }
        Ok(())
    }
}
