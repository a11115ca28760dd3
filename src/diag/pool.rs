//! Do the data sets get different posteriors at all? A thinned pool of all draws against the draws of some sets.
use super::{contraction::mean_sd, draw_sets::DrawSets};

/// Draws in the pool, about.
const POOL: usize = 10_000;
/// Data sets that are compared with it.
const COMPARED: usize = 64;
/// Draws kept of each of them.
const KEPT: usize = 4096;

/// Collects what [`Pool::distance`] needs while data sets pass by; its size does not grow with their number.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Every `step`-th draw of all: an odd step, so that no place within a data set is favoured.
    step: usize,
    /// Every `every`-th data set is compared.
    every: usize,
    pooled: Vec<Vec<f32>>,
    columns: Vec<Vec<Vec<f32>>>,
}

impl Pool {
    /// For `sets` data sets of `n_draws` draws of `dim` parameters.
    pub fn new(sets: usize, n_draws: usize, dim: usize) -> Self {
        Self {
            step: (sets * n_draws / POOL).max(1) | 1,
            every: sets.div_ceil(COMPARED).max(1),
            pooled: vec![vec![]; dim],
            columns: vec![vec![]; dim],
        }
    }

    /// Takes the next data sets.
    pub fn push(&mut self, block: &DrawSets) {
        let (dim, n) = (block.dim(), block.n_draws());
        let row0 = block.first() * n;
        for row in (row0.next_multiple_of(self.step)..row0 + block.sets() * n).step_by(self.step) {
            for (p, pooled) in self.pooled.iter_mut().enumerate() {
                pooled.push(block.all_draws()[(row - row0) * dim + p]);
            }
        }
        for set in (0..block.sets()).filter(|set| (block.first() + set).is_multiple_of(self.every)) {
            for (p, columns) in self.columns.iter_mut().enumerate() {
                let mut column: Vec<f32> = block.column(set, p).step_by(n.div_ceil(KEPT)).collect();
                column.sort_unstable_by(f32::total_cmp);
                columns.push(column);
            }
        }
    }

    /// Mean Kolmogorov-Smirnov distance between the draws of one data set and those of all, over at most 64 data sets.
    /// About `0.87 / sqrt(draws)` where every data set gets the same posterior.
    ///
    /// Contraction alone cannot tell this: a posterior with two modes may be informative and as wide as the prior.
    pub fn distance(&self, parameter: usize) -> f64 {
        let mut pool = self.pooled[parameter].clone();
        pool.sort_unstable_by(f32::total_cmp);
        let size = pool.len() as f64;
        let distances: Vec<f64> = self.columns[parameter]
            .iter()
            .map(|column| {
                let n = column.len() as f64;
                let gap = |(i, v): (usize, &f32)| {
                    let below = pool.partition_point(|p| p < v) as f64 / size;
                    let up_to = pool.partition_point(|p| p <= v) as f64 / size;
                    ((i + 1) as f64 / n - up_to).max(below - i as f64 / n)
                };
                column.iter().enumerate().map(gap).fold(0.0, f64::max)
            })
            .collect();
        mean_sd(&distances).0
    }

    /// What [`Pool::distance`] gives, up to noise, where all posteriors are the same.
    pub fn distance_if_same(&self) -> f64 {
        let n = self.columns.iter().flatten().map(Vec::len).max().unwrap_or(1);
        0.87 / (n as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, streams};

    fn distance(differ: f32, blocks: &[usize]) -> (f64, f64) {
        let (sets, n) = (200, 400);
        let draws: Vec<f32> = (0..sets * n)
            .map(|row| differ * ((row / n) % 2) as f32 + Rng::new(1, streams::TEST, 0, row as u32).normal())
            .collect();
        let truths = vec![0.0; sets];
        let mut pool = Pool::new(sets, n, 1);
        let mut first = 0;
        for &size in blocks {
            let block = &draws[first * n..(first + size) * n];
            pool.push(&DrawSets::new(&truths[..size], block, n, 1).unwrap().numbered_from(first));
            first += size;
        }
        (pool.distance(0), pool.distance_if_same())
    }

    #[test]
    fn equal_posteriors_are_near_the_pool_and_different_ones_are_not_however_they_come() {
        let (same, expected) = distance(0.0, &[200]);
        assert!(same < 1.2 * expected, "{same} {expected}");
        // Half at 0 and half at 1: each is .19 from the even mixture.
        assert!(distance(1.0, &[200]).0 > 0.18);
        assert_eq!(distance(1.0, &[200]), distance(1.0, &[1, 63, 136]));
    }
}
