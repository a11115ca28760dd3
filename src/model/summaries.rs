//! Summaries of stored data sets: a plan for each size that occurs, prepared when it is first needed.
use crate::data::items::{bucket_of, buckets, row_width};
use crate::error::Result;
use crate::model::network::Network;
use crate::runtime::exec::{Executor, PlanId, Weights};
use crate::runtime::plan::Plan;
use crate::runtime::state::RunArgs;
use crate::runtime::tile::Slot;
use crate::summary::Summary;

/// Bytes of slots that are held at a time.
const CHUNK_BYTES: usize = 256 << 20;
/// Data sets summarised at a time.
const CHUNK_ROWS: usize = 512;

/// What is formed of data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What the summary network finds, before its last layers.
    Findings,
    /// What the flow sees.
    Condition,
}

/// See the module's doc.
pub struct Summaries {
    stage: Stage,
    buckets: Vec<usize>,
    plans: Vec<Option<(PlanId, Slot)>>,
}

/// Data sets of a plan for which memory is held.
pub fn rows_at_a_time(plan: &Plan) -> usize {
    (CHUNK_BYTES / plan.row_bytes().max(1)).clamp(1, CHUNK_ROWS)
}

impl Summaries {
    /// Nothing prepared yet.
    pub fn new(summary: &Summary, stage: Stage) -> Self {
        let buckets = buckets(&summary.shape.data);
        Self { stage, plans: vec![None; buckets.len()], buckets }
    }

    /// The stage's result for data sets in rows `n | items`: `(rows, columns)`, with the averaged weights.
    pub fn of(&mut self, exec: &mut dyn Executor, network: &Network, table: &[f32]) -> Result<Vec<f32>> {
        let Some(summary) = &network.summary else { return Ok(vec![]) };
        let data = &summary.shape.data;
        let (width, c) = (row_width(0, data.features(), data.items().1), self.columns(network, summary));
        let mut out = vec![0.0; table.len() / width * c];
        for b in 0..self.buckets.len() {
            let mine: Vec<usize> = table
                .chunks_exact(width)
                .enumerate()
                .filter(|(_, row)| bucket_of(&self.buckets, row[0] as usize) == b)
                .map(|(i, _)| i)
                .collect();
            if mine.is_empty() {
                continue;
            }
            let (id, slot) = match self.plans[b] {
                Some(known) => known,
                None => {
                    let p = network.summary_plan(summary, self.buckets[b], self.stage);
                    let rows = rows_at_a_time(&p.plan);
                    let id = exec.prepare(p.plan, rows)?;
                    *self.plans[b].insert((id, p.result))
                }
            };
            for rows in mine.chunks(exec.capacity(id)) {
                let part: Vec<f32> =
                    rows.iter().flat_map(|i| table[i * width..(i + 1) * width].iter().copied()).collect();
                exec.set_table(id, &part)?;
                let n = rows.len() as u32;
                let run = RunArgs { rows: n, batch: n, draws: 1, ..RunArgs::default() };
                exec.run(id, &run, Weights::Average)?;
                let values = exec.read(id, slot, rows.len(), c)?;
                for (i, v) in rows.iter().zip(values.chunks_exact(c)) {
                    out[i * c..(i + 1) * c].copy_from_slice(v);
                }
            }
        }
        Ok(out)
    }

    fn columns(&self, network: &Network, summary: &Summary) -> usize {
        match self.stage {
            Stage::Findings => summary.found(),
            Stage::Condition => network.dims().1,
        }
    }

    /// Rows `(u, result)` of rows `u | n | items`.
    pub fn rows(&mut self, exec: &mut dyn Executor, network: &Network, table: &[f32]) -> Result<Vec<f32>> {
        let Some(summary) = &network.summary else { return Ok(table.to_vec()) };
        let (data, d, c) = (&summary.shape.data, network.dims().0, self.columns(network, summary));
        let width = row_width(d, data.features(), data.items().1);
        let items: Vec<f32> = table.chunks_exact(width).flat_map(|row| row[d..].iter().copied()).collect();
        let results = self.of(exec, network, &items)?;
        let pairs = table.chunks_exact(width).zip(results.chunks_exact(c));
        Ok(pairs.flat_map(|(row, h)| row[..d].iter().chain(h).copied()).collect())
    }
}
