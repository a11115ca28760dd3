//! The check as a stream: data sets come in blocks, and what is kept of each does not grow with its draws.
//!
//! 2000 data sets of 10 parameters take about 2 MB here whatever the number of draws; the block that is being judged is
//! the caller's. Whatever is drawn at random goes by the number of the data set, so block sizes do not change a verdict.
use rayon::prelude::*;

use super::{
    check::LEVELS,
    contraction::Moments,
    coverage::{central, narrowest},
    draw_sets::DrawSets,
    pool::Pool,
    sbc,
    scores::{crps, interval_score},
    tarp::{Region, tarp_ranks},
};
use crate::error::{Error, Result};

/// Seed of ties and reference points: the same draws always get the same verdict.
pub(super) const SEED: u64 = 0;
/// Level of the interval whose score is kept.
const SCORED: f64 = 0.9;
/// Its place in [`LEVELS`].
const SCORED_AT: usize = 2;

/// What is kept of one data set's draws of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marginal {
    /// Rank of the truth among all draws, `0..=draws`.
    pub rank: u32,
    /// Rank among as many draws as divide into the bins of the histogram.
    pub short_rank: u32,
    /// Least percentage whose central interval holds the truth; 101 if none does.
    pub narrowest: u8,
    /// Posterior mean.
    pub mean: f64,
    /// Posterior sd with `1/(n - 1)`.
    pub sd: f64,
    /// Ends of the central [`LEVELS`].
    pub ends: [[f64; 2]; 4],
    /// Continuous ranked probability score.
    pub crps: f64,
    /// Score of the 90 % interval.
    pub interval_score: f64,
}

/// What is kept of all data sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// True parameters, `(sets, D)`.
    pub truths: Vec<f32>,
    /// Draws per data set.
    pub n_draws: usize,
    /// Bins of the rank histogram and the draws it uses.
    pub histogram: (usize, usize),
    /// By parameter, then by data set.
    pub marginals: Vec<Vec<Marginal>>,
    /// TARP ranks, `(sets)`.
    pub tarp: Vec<u32>,
}

impl Kept {
    /// Number of parameters.
    pub fn dim(&self) -> usize {
        self.marginals.len()
    }

    /// Number of data sets.
    pub fn sets(&self) -> usize {
        self.truths.len() / self.dim().max(1)
    }

    /// All truths of a parameter.
    pub fn truths_of(&self, parameter: usize) -> Vec<f64> {
        self.truths.iter().skip(parameter).step_by(self.dim()).map(|&v| f64::from(v)).collect()
    }

    /// Posterior means and sds of a parameter.
    pub fn moments(&self, parameter: usize) -> Moments {
        let (mean, sd) = self.marginals[parameter].iter().map(|m| (m.mean, m.sd)).unzip();
        Moments { mean, sd }
    }

    /// Ranks of a parameter among all draws.
    pub fn ranks(&self, parameter: usize) -> Vec<u32> {
        self.marginals[parameter].iter().map(|m| m.rank).collect()
    }
}

/// Takes data sets in blocks; [`Stream::finish`] hands over what was kept.
#[derive(Clone, Debug)]
pub struct Stream {
    kept: Kept,
    within: Region,
    pub(super) pool: Pool,
    /// Means `(sets, D)` of the draws read as if they were laid out (draws, sets, D).
    turned: Vec<f64>,
    done: usize,
}

impl Stream {
    /// For data sets made by `truths` `(sets, dim)`, with `n_draws` draws each. `within`: the box of TARP's reference points,
    /// which must treat a truth as it treats its data set's draws ([`Region`]).
    pub fn new(truths: &[f32], n_draws: usize, dim: usize, within: Region) -> Result<Self> {
        // One draw that is the truth itself: the rules for truths are those of `DrawSets`.
        let sets = DrawSets::new(truths, truths, 1, dim)?.sets();
        within.of_dim(dim)?;
        Ok(Self {
            kept: Kept {
                truths: truths.to_vec(),
                n_draws,
                histogram: sbc::bins_and_draws(sets, n_draws),
                marginals: vec![Vec::with_capacity(sets); dim],
                tarp: Vec::with_capacity(sets),
            },
            within,
            pool: Pool::new(sets, n_draws, dim),
            turned: vec![0.0; sets * dim],
            done: 0,
        })
    }

    /// Takes the draws of the next data sets, `(k, n_draws, dim)`; too many, or a value that is not finite, is an error.
    pub fn push(&mut self, draws: &[f32]) -> Result<()> {
        let (dim, n) = (self.kept.dim(), self.kept.n_draws);
        if draws.is_empty() {
            return Ok(());
        }
        let count = draws.len() / (n * dim).max(1);
        let left = self.kept.sets() - self.done;
        if count > left {
            return Err(Error::input(
                "posterior draws",
                format!("{left} more data sets"),
                count.to_string(),
                "Pass as many as there are truths",
            ));
        }
        let truths = &self.kept.truths[self.done * dim..(self.done + count) * dim];
        let block = DrawSets::new(truths, draws, n, dim)?.numbered_from(self.done);
        for p in 0..dim {
            let used = self.kept.histogram.1;
            let (ranks, short) = (sbc::ranks(&block, p, n, SEED), sbc::ranks(&block, p, used, SEED));
            let one = |set: usize| marginal(&block, set, p, ranks[set], short[set]);
            let marginals: Vec<Marginal> = (0..count).into_par_iter().map(one).collect();
            self.kept.marginals[p].extend(marginals);
        }
        self.kept.tarp.extend(tarp_ranks(&block, &self.within, SEED));
        self.pool.push(&block);
        let sets = self.turned.len() / dim;
        for (row, draw) in draws.chunks_exact(dim).enumerate() {
            let set = (self.done * n + row) % sets;
            draw.iter().zip(&mut self.turned[set * dim..]).for_each(|(v, sum)| *sum += f64::from(*v));
        }
        self.done += count;
        Ok(())
    }

    /// Means of a parameter under the turned reading, up to a factor.
    pub(super) fn turned_means(&self, parameter: usize) -> Vec<f64> {
        self.turned.iter().skip(parameter).step_by(self.kept.dim()).copied().collect()
    }

    /// What was kept; an error while data sets are missing.
    pub(super) fn kept(&self) -> Result<&Kept> {
        if self.done == self.kept.sets() {
            return Ok(&self.kept);
        }
        Err(Error::input(
            "posterior draws",
            format!("draws of {} data sets", self.kept.sets()),
            format!("{} of them", self.done),
            "Pass the draws of all data sets",
        ))
    }

    /// What was kept, by value.
    pub fn finish(self) -> Result<Kept> {
        self.kept()?;
        Ok(self.kept)
    }
}

fn marginal(block: &DrawSets, set: usize, p: usize, rank: u32, short_rank: u32) -> Marginal {
    let sorted = block.sorted_column(set, p);
    let truth = f64::from(block.truth(set)[p]);
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let squares: f64 = sorted.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
    let ends = LEVELS.map(|level| central(&sorted, level));
    Marginal {
        rank,
        short_rank,
        narrowest: narrowest(&sorted, truth),
        mean,
        sd: (squares / (n - 1.0).max(1.0)).sqrt(),
        ends,
        crps: crps(&sorted, truth),
        interval_score: interval_score(ends[SCORED_AT], SCORED, truth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{contraction::moments, coverage::calibration};
    use crate::rng::{Rng, streams};

    fn rows(n: usize) -> Vec<f32> {
        (0..n).map(|i| (Rng::new(4, streams::TEST, 0, i as u32).normal() * 4.0).round() / 4.0).collect()
    }

    #[test]
    fn blocks_of_any_size_give_what_one_piece_gives() {
        let (sets, n, dim) = (60, 40, 3);
        let (truths, draws) = (rows(sets * dim), rows(sets * n * dim));
        let run = |sizes: &[usize]| {
            let mut stream = Stream::new(&truths, n, dim, Region::around(&[&truths, &draws], dim)).unwrap();
            let mut first = 0;
            for size in sizes {
                stream.push(&draws[first * n * dim..(first + size) * n * dim]).unwrap();
                first += size;
            }
            stream.finish().unwrap()
        };
        let whole = run(&[60]);
        assert_eq!(whole, run(&[1, 0, 22, 37]));
        // The kept numbers are those of the functions that see all draws.
        let all = DrawSets::new(&truths, &draws, n, dim).unwrap();
        for p in 0..dim {
            let (kept, direct) = (whole.moments(p), moments(&all, p));
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-9);
            assert!(close(&kept.mean, &direct.mean) && close(&kept.sd, &direct.sd));
            assert_eq!(whole.ranks(p), sbc::ranks(&all, p, n, SEED));
            let levels = whole.marginals[p].iter().map(|m| m.narrowest);
            assert_eq!(super::super::coverage::Calibration::from_levels(levels), calibration(&all, p));
        }
    }

    #[test]
    fn too_few_and_too_many_are_errors() {
        let unit = |dim: usize| Region::around(&[&vec![0.0; dim], &vec![1.0; dim]], dim);
        let mut stream = Stream::new(&[0.0; 4], 2, 2, unit(2)).unwrap();
        assert!(stream.push(&[0.0; 12]).unwrap_err().to_string().contains("2 more data sets"));
        assert!(stream.push(&[0.0; 5]).is_err());
        stream.push(&[0.0; 4]).unwrap();
        assert!(stream.finish().unwrap_err().to_string().contains("1 of them"));
        assert!(Stream::new(&[f32::NAN], 2, 1, unit(1)).is_err() && Stream::new(&[], 2, 1, unit(1)).is_err());
        assert!(
            Stream::new(&[0.0; 4], 2, 2, unit(1)).is_err()
                && Stream::new(&[0.0; 4], 2, 2, Region::around(&[], 2)).is_err()
        );
    }
}
