//! TARP, tests of accuracy with random points (Lemos et al. 2023): a joint calibration test that needs draws only.
use rayon::prelude::*;

use super::{draw_sets::DrawSets, sbc::among_ties};
use crate::error::{Error, Result};
use crate::rng::{Rng, streams};

/// The box in which TARP's reference points lie, and which scales parameters to [0, 1].
///
/// Ranks are uniform and independent if truth and draws of a data set can change places without changing the box. So it is
/// made of prior draws that are not the truths, or of all truths and all draws together. The range of the truths alone will
/// not do: no truth lies outside of it, but draws do, which tells them apart, the more so the fewer data sets and the more
/// parameters there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Region {
    /// The smallest box around rows `(n, dim)`, given in parts; a parameter that is the same in all of them is left out of
    /// distances.
    pub fn around(rows: &[&[f32]], dim: usize) -> Self {
        let (mut low, mut high) = (vec![f32::INFINITY; dim], vec![f32::NEG_INFINITY; dim]);
        for row in rows.iter().flat_map(|part| part.chunks_exact(dim.max(1))) {
            for (i, &v) in row.iter().enumerate() {
                low[i] = low[i].min(v);
                high[i] = high[i].max(v);
            }
        }
        Self { low, high }
    }

    /// An error unless it has `dim` sides with ends.
    pub(super) fn of_dim(&self, dim: usize) -> Result<()> {
        let ends = self.low.iter().zip(&self.high).filter(|(l, h)| l <= h && l.is_finite() && h.is_finite());
        if self.low.len() == dim && ends.count() == dim {
            return Ok(());
        }
        Err(Error::input(
            "TARP's box",
            format!("finite ranges of {dim} parameters"),
            format!("{self:?}"),
            "Make it of finite rows, of as many parameters as the truths have",
        ))
    }
}

/// For every data set, how many draws lie nearer to a random reference point than the truth does, `0..=draws`.
///
/// Parameters are scaled to [0, 1] by the box `within`, and the reference is uniform in it, drawn from `seed`. Uniform if the
/// posterior is right.
pub fn tarp_ranks(sets: &DrawSets, within: &Region, seed: u64) -> Vec<u32> {
    let dim = sets.dim();
    let references: Vec<f64> = (0..sets.sets())
        .flat_map(|set| {
            let mut rng = Rng::new(seed, streams::TARP, 0, (sets.first() + set) as u32);
            (0..dim).map(|_| f64::from(rng.uniform())).collect::<Vec<_>>()
        })
        .collect();
    ranks_about(sets, within, &references, seed)
}

/// As [`tarp_ranks`], about given reference points `(sets, dim)` of the unit box; `seed` decides ties.
pub fn ranks_about(sets: &DrawSets, within: &Region, references: &[f64], seed: u64) -> Vec<u32> {
    let (dim, Region { low, high }) = (sets.dim(), within);
    let scale: Vec<f64> = low
        .iter()
        .zip(high)
        .map(|(l, h)| if h > l { 1.0 / (f64::from(*h) - f64::from(*l)) } else { 0.0 })
        .collect();
    let rank = |set: usize| {
        let reference = &references[set * dim..][..dim];
        let distance = |theta: &[f32]| -> f64 {
            (0..dim)
                .map(|i| ((f64::from(theta[i]) - f64::from(low[i])) * scale[i] - reference[i]).powi(2))
                .sum()
        };
        let limit = distance(sets.truth(set));
        let (mut nearer, mut equal) = (0, 0);
        for draw in sets.draws(set).chunks_exact(dim) {
            let d = distance(draw);
            nearer += u32::from(d < limit);
            equal += u32::from(d == limit);
        }
        nearer + among_ties(equal, seed, dim, sets.first() + set)
    };
    (0..sets.sets()).into_par_iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::ecdf::EcdfBand;

    /// Conjugate toy: theta ~ N(0, I), x = theta + N(0, I); posterior N(x/2, I/2), its sd multiplied by `width`.
    fn ranks_of(width: f32, correlated: bool) -> Vec<u32> {
        let (n, n_draws) = (300, 200);
        let (mut truths, mut draws) = (Vec::new(), Vec::new());
        for set in 0..n {
            let mut rng = Rng::new(3, streams::TEST, 0, set);
            let theta = [rng.normal(), rng.normal()];
            truths.extend(theta);
            let x = [theta[0] + rng.normal(), theta[1] + rng.normal()];
            for _ in 0..n_draws {
                let e = rng.normal();
                let f = if correlated { e } else { rng.normal() };
                draws
                    .extend([0.5 * x[0] + width * 0.5f32.sqrt() * e, 0.5 * x[1] + width * 0.5f32.sqrt() * f]);
            }
        }
        let within = Region::around(&[&truths, &draws], 2);
        tarp_ranks(&DrawSets::new(&truths, &draws, n_draws, 2).unwrap(), &within, 11)
    }

    #[test]
    fn passes_the_right_posterior_and_sees_wrong_widths_and_wrong_correlation() {
        let band = EcdfBand::new(300, 201, 0.001).unwrap();
        assert!(band.test(&ranks_of(1.0, false)).ratio <= 1.0);
        assert!(band.test(&ranks_of(0.5, false)).ratio > 1.0);
        assert!(band.test(&ranks_of(2.0, false)).ratio > 1.0);
        // Right margins, wrong joint: nothing that looks at one parameter at a time can see this.
        assert!(band.test(&ranks_of(1.0, true)).ratio > 1.0);
    }

    #[test]
    fn a_parameter_without_range_is_left_out() {
        let sets = DrawSets::new(&[0.0, 5.0, 1.0, 5.0], &[0.1, 5.0, 0.9, 5.0], 1, 2).unwrap();
        let r = tarp_ranks(&sets, &Region::around(&[&[0.0, 5.0, 1.0, 5.0]], 2), 1);
        assert!(r.iter().all(|&r| r <= 1));
    }

    /// 20 parameters of a skewed prior that is also the posterior, 30 data sets, 200 seeds. The range of the truths accuses
    /// such a posterior far too often.
    #[test]
    fn a_right_posterior_is_uniform_in_boxes_that_know_no_truth_from_a_draw() {
        let (dim, n, n_draws) = (20, 30, 40);
        let rows = |seed: u64, step: u32, n: usize| -> Vec<f32> {
            let value = |i: usize| Rng::new(seed, streams::TEST, step, i as u32).normal().exp();
            (0..n * dim).map(value).collect()
        };
        let band = EcdfBand::new(n, n_draws + 1, 0.05).unwrap();
        let (mut accused, mut means) = ([0; 3], [0.0; 3]);
        for seed in 0..200 {
            let (truths, draws) = (rows(seed, 0, n), rows(seed, 1, n * n_draws));
            let sets = DrawSets::new(&truths, &draws, n_draws, dim).unwrap();
            let boxes: [&[&[f32]]; 3] = [&[&rows(seed, 2, 500)], &[&truths, &draws], &[&truths]];
            let boxes = boxes.map(|rows| Region::around(rows, dim));
            for (i, within) in boxes.iter().enumerate() {
                let ranks = tarp_ranks(&sets, within, seed);
                accused[i] += u32::from(!band.test(&ranks).inside());
                means[i] += ranks.iter().map(|r| f64::from(*r)).sum::<f64>() / (200 * n * n_draws) as f64;
            }
        }
        // 10 are expected, with an sd of 3; the mean has an sd of .004.
        for (accused, mean) in accused.iter().zip(means).take(2) {
            assert!(
                (1..20).contains(accused) && (mean - 0.5).abs() < 0.016,
                "{accused} accused, mean {mean}"
            );
        }
        assert!(accused[2] > 40 && means[2] < 0.42, "{accused:?} {means:?}");
    }
}
