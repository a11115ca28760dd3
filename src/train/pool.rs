//! A pool of simulated data sets, from which steps take items: filled a part at a time, so that training can say how far it is and
//! be broken off.
use crate::data::items::row_width;
use crate::error::{Error, Result};
use crate::model::definition::{Bad, Pairs, pool_step};
use crate::model::network::Network;
use crate::model::ragged::{simulate, standardised};
use crate::sim::{DataShape, Simulator};
use crate::train::session::Session;

/// Data sets that are simulated at a time, for each thread.
const PART: usize = 128;

/// See the module's doc.
pub(super) struct Pool {
    /// Data sets in the end, and the rounds in which they come.
    size: u64,
    rounds: u64,
    /// Rows `u | n | items` so far.
    rows: Vec<f32>,
    /// Rounds that are complete, and data sets of the next that are simulated.
    complete: u64,
    begun: usize,
}

impl Pool {
    /// An empty pool of `size` data sets that come in `rounds` rounds.
    pub fn new(size: u64, rounds: u64) -> Self {
        Self { size, rounds, rows: vec![], complete: 0, begun: 0 }
    }
    /// The round of a step of `total`, which is 0 while nobody knows.
    fn round(&self, step: u64, total: u64) -> u64 {
        (step * self.rounds).checked_div(total).unwrap_or(0).min(self.rounds - 1)
    }
    /// Steps from `step` on that are in its round.
    pub fn steps_left(&self, step: u64, total: u64) -> u64 {
        let round = self.round(step, total);
        match round + 1 == self.rounds {
            true => u64::MAX,
            false => ((round + 1) * total).div_ceil(self.rounds).saturating_sub(step),
        }
    }
    /// Data sets of the rounds before round `k`.
    fn before(&self, k: u64) -> u64 {
        self.size * k / self.rounds
    }
    /// Data sets that are simulated, and those that the round of a step wants.
    pub fn state(&self, step: u64, total: u64) -> (u64, u64) {
        (self.before(self.complete) + self.begun as u64, self.before(self.round(step, total) + 1))
    }

    /// Simulates the next part of what the round of a step wants.
    fn fill_part(
        &mut self,
        network: &Network,
        simulator: &dyn Simulator,
        shape: &DataShape,
        seed: u64,
    ) -> Result<()> {
        let (host, most) = (network.host(), shape.items().1);
        let count = (self.before(self.complete + 1) - self.before(self.complete)) as usize;
        let width = row_width(network.dims().0, shape.features(), most);
        if self.begun == 0 {
            self.rows.reserve_exact(count * width);
        }
        let part = self.begun..count.min(self.begun + PART * rayon::current_num_threads());
        self.begun = part.end;
        let step = pool_step(self.complete as u32);
        let (theta, x) = simulate(&host.prior, simulator, shape, seed, step, part, Some(most));
        self.rows.extend(standardised(host, shape, &Pairs { theta, x }, Bad::LeftOut).0);
        if self.begun == count {
            (self.complete, self.begun) = (self.complete + 1, 0);
            if self.rows.is_empty() {
                let hint = "Narrow the prior, mend the simulator, or raise `train.pool`";
                return Err(Error::config("train.pool", "none of the simulations is finite", hint));
            }
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Simulates the next part of what a step wants to have in the pool; true if nothing was left to simulate.
    pub(super) fn fill_pool(&mut self, step: u64) -> Result<bool> {
        let (total, seed) = (self.counters.total, self.settings().seed);
        let (Some(pool), Some(items)) = (&mut self.pool, &self.items) else { return Ok(true) };
        let (done, wanted) = pool.state(step, total);
        if done >= wanted {
            return Ok(true);
        }
        pool.fill_part(&self.network, self.model.simulator()?.as_ref(), &self.model.shape()?, seed)?;
        if pool.state(step, total).0 >= wanted {
            items.set_pool(self.exec.as_mut(), self.network.dims().0, &pool.rows)?;
            if pool.complete == pool.rounds {
                pool.rows = vec![]; // the plans have them
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_share_the_steps_and_the_data_sets() {
        let mut pool = Pool::new(10, 3);
        let rounds: Vec<u64> = (0..7).map(|step| pool.round(step, 7)).collect();
        assert_eq!(rounds, [0, 0, 0, 1, 1, 2, 2]);
        for step in 0..5 {
            let next = step + pool.steps_left(step, 7);
            assert_eq!(pool.round(next, 7), pool.round(step, 7) + 1);
            assert_eq!(pool.round(next - 1, 7), pool.round(step, 7));
        }
        assert_eq!((pool.steps_left(5, 7), pool.steps_left(0, 0)), (u64::MAX, 0));
        assert_eq!((pool.state(0, 7), pool.state(3, 7), pool.state(6, 7)), ((0, 3), (0, 6), (0, 10)));
        (pool.complete, pool.begun) = (1, 2);
        assert_eq!(pool.state(3, 7), (5, 6));
    }
}
