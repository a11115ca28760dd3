//! TARP, tests of accuracy with random points (Lemos et al. 2023): a joint calibration test that needs draws only.
use rayon::prelude::*;

use super::{draw_sets::DrawSets, sbc::among_ties};
use crate::rng::{Rng, streams};

/// For every data set, how many draws lie nearer to a random reference point than the truth does, `0..=draws`.
///
/// Parameters are scaled to [0, 1] by `low` and `high` (the range of prior draws, `(dim)` each; a range of zero leaves
/// that parameter out), and the reference is uniform in that box, drawn from `seed`. Uniform if the posterior is right.
pub fn tarp_ranks(sets: &DrawSets, low: &[f32], high: &[f32], seed: u64) -> Vec<u32> {
    let dim = sets.dim();
    let references: Vec<f64> = (0..sets.sets())
        .flat_map(|set| {
            let mut rng = Rng::new(seed, streams::TARP, 0, (sets.first() + set) as u32);
            (0..dim).map(|_| f64::from(rng.uniform())).collect::<Vec<_>>()
        })
        .collect();
    ranks_about(sets, low, high, &references, seed)
}

/// As [`tarp_ranks`], about given reference points `(sets, dim)` of the unit box; `seed` decides ties.
pub fn ranks_about(sets: &DrawSets, low: &[f32], high: &[f32], references: &[f64], seed: u64) -> Vec<u32> {
    let dim = sets.dim();
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

/// Smallest and largest value of every parameter over rows `(n, dim)`.
pub fn ranges(rows: &[f32], dim: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut low, mut high) = (vec![f32::INFINITY; dim], vec![f32::NEG_INFINITY; dim]);
    for row in rows.chunks_exact(dim) {
        for (i, &v) in row.iter().enumerate() {
            low[i] = low[i].min(v);
            high[i] = high[i].max(v);
        }
    }
    (low, high)
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
        let (low, high) = ranges(&truths, 2);
        tarp_ranks(&DrawSets::new(&truths, &draws, n_draws, 2).unwrap(), &low, &high, 11)
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
        let r = tarp_ranks(&sets, &[0.0, 5.0], &[1.0, 5.0], 1);
        assert!(r.iter().all(|&r| r <= 1));
    }
}
