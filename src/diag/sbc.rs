//! Simulation-based calibration (Talts et al. 2018): the rank of the truth among the draws of the same data set.
use super::{draw_sets::DrawSets, probability::chi_square_tail};
use crate::{
    error::{Error, Result},
    rng::{Rng, streams},
};

/// Rank of every data set's truth among the first `n_draws` of its draws: the number of smaller draws, `0..=n_draws`.
///
/// Uniform if the posterior is right. Draws equal to the truth (possible where f32 rounds to the end of a support)
/// are put on either side at random, or ties would look like a bias; `seed` decides them.
pub fn ranks(sets: &DrawSets, parameter: usize, n_draws: usize, seed: u64) -> Vec<u32> {
    let rank = |set: usize| {
        let truth = sets.truth(set)[parameter];
        let (mut smaller, mut equal) = (0, 0);
        for draw in sets.column(set, parameter).take(n_draws) {
            smaller += u32::from(draw < truth);
            equal += u32::from(draw == truth);
        }
        smaller + among_ties(equal, seed, parameter, sets.first() + set)
    };
    (0..sets.sets()).map(rank).collect()
}

/// A uniform integer in `0..=equal`.
pub(super) fn among_ties(equal: u32, seed: u64, parameter: usize, set: usize) -> u32 {
    if equal == 0 {
        return 0;
    }
    let word = Rng::new(seed, streams::TARP, 1 + parameter as u32, set as u32).next_u32();
    ((u64::from(word) * (u64::from(equal) + 1)) >> 32) as u32
}

/// Counts of ranks in `bins` equal bins. The `n_ranks` possible ranks must divide into them, or bins would differ in size.
pub fn histogram(ranks: &[u32], n_ranks: usize, bins: usize) -> Result<Vec<u64>> {
    if bins == 0 || n_ranks == 0 || !n_ranks.is_multiple_of(bins) {
        return Err(Error::input(
            "SBC bins",
            format!("a divisor of the {n_ranks} possible ranks (draws + 1)"),
            bins.to_string(),
            "Use one draw fewer than a multiple of the number of bins, e.g. 999 draws for 20 bins",
        ));
    }
    let mut counts = vec![0; bins];
    for &rank in ranks {
        let bin = rank as usize / (n_ranks / bins);
        *counts.get_mut(bin).ok_or_else(|| {
            Error::input(
                "SBC ranks",
                format!("0..{n_ranks}"),
                rank.to_string(),
                "Count ranks among the same draws",
            )
        })? += 1;
    }
    Ok(counts)
}

/// Bins and draws for a histogram: about 20 data sets a bin, 5 to 50 bins, and as many of the `n_draws` as make
/// draws + 1 a multiple of the bins. Fewer draws than 5 bins need: as many bins as there are ranks.
pub fn bins_and_draws(sets: usize, n_draws: usize) -> (usize, usize) {
    let bins = (sets / 20).clamp(5, 50).min(n_draws + 1);
    (bins, (n_draws + 1) / bins * bins - 1)
}

/// Probability of a histogram at least this uneven if ranks are uniform, by Pearson's chi-square.
pub fn uniformity_p(histogram: &[u64]) -> f64 {
    let expected = histogram.iter().sum::<u64>() as f64 / histogram.len() as f64;
    let statistic: f64 = histogram.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
    chi_square_tail(statistic, histogram.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_smaller_draws_of_the_same_set() {
        let draws = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0];
        let sets = DrawSets::new(&[1.5, 9.0], &draws, 3, 1).unwrap();
        assert_eq!(ranks(&sets, 0, 3, 0), [2, 0]);
        assert_eq!(ranks(&sets, 0, 1, 0), [1, 0]);
    }

    #[test]
    fn ties_are_split_evenly() {
        let draws = vec![1.0; 4 * 4000];
        let truths = vec![1.0; 4000];
        let r = ranks(&DrawSets::new(&truths, &draws, 4, 1).unwrap(), 0, 4, 7);
        let counts = histogram(&r, 5, 5).unwrap();
        assert!(counts.iter().all(|&c| (700..900).contains(&c)), "{counts:?}");
        assert!(uniformity_p(&counts) > 1e-3);
    }

    #[test]
    fn bins_divide_the_ranks() {
        for (sets, n_draws) in [(300, 1000), (20, 1), (5000, 37), (100, 100), (1, 2)] {
            let (bins, used) = bins_and_draws(sets, n_draws);
            assert!(
                used <= n_draws && used >= 1 && (used + 1) % bins == 0,
                "{sets} {n_draws}: {bins} {used}"
            );
        }
        assert_eq!(bins_and_draws(400, 1000), (20, 999));
        assert!(
            histogram(&[0, 1], 7, 3).is_err()
                && histogram(&[0], 4, 0).is_err()
                && histogram(&[9], 4, 2).is_err()
        );
    }

    #[test]
    fn uniformity_p_has_known_values() {
        // scipy.stats.chisquare([12, 8, 10, 10]).pvalue, ([30, 5, 5, 0]).pvalue
        assert!((uniformity_p(&[12, 8, 10, 10]) - 0.849_467_033_391_825_5).abs() < 1e-9);
        assert!((uniformity_p(&[30, 5, 5, 0]) / 6.866_169_728_987_676e-12 - 1.0).abs() < 1e-6);
    }
}
