//! Coverage of credible intervals and the calibration error.
use rayon::prelude::*;
use serde::Serialize;

use super::{
    draw_sets::DrawSets,
    quantile::{median, quantile},
    sbc::among_ties,
};

/// Stands for HPD where a parameter's number tells ties apart; no model has so many parameters.
const HPD_TIES: usize = 1 << 20;

/// Observed against nominal coverage of one parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Share of data sets whose truth lies strictly inside the central interval of 1, 2, ..., 100 %.
    pub covered: Vec<f64>,
    /// `Err_cal`, the median of `|alpha - alpha_hat|` over the 100 levels.
    pub median_error: f64,
    /// Expected calibration error, the mean of the same.
    pub mean_error: f64,
}

impl Calibration {
    /// Observed coverage of the central interval of `percent` % (1..=100); NaN outside.
    pub fn at(&self, percent: usize) -> f64 {
        percent.checked_sub(1).and_then(|i| self.covered.get(i)).copied().unwrap_or(f64::NAN)
    }
}

impl Calibration {
    /// From the [`narrowest`] interval of every data set.
    pub fn from_levels(levels: impl Iterator<Item = u8> + Clone) -> Self {
        let n = levels.clone().count() as f64;
        let mut reached = [0u32; 102];
        levels.for_each(|level| reached[usize::from(level).min(101)] += 1);
        let mut inside = 0;
        let covered: Vec<f64> = (1..=100)
            .map(|level| {
                inside += reached[level];
                f64::from(inside) / n
            })
            .collect();
        let mut errors: Vec<f64> =
            covered.iter().enumerate().map(|(i, hat)| ((i + 1) as f64 / 100.0 - hat).abs()).collect();
        let mean_error = errors.iter().sum::<f64>() / 100.0;
        Self { covered, median_error: median(&mut errors), mean_error }
    }
}

/// Ends of the central interval of `percent` % of sorted draws: type-7 quantiles.
pub fn central(sorted: &[f32], percent: usize) -> [f64; 2] {
    let tail = 0.5 * (100 - percent.min(100)) as f64 / 100.0;
    [quantile(sorted, tail), quantile(sorted, 1.0 - tail)]
}

/// The least of 1, 2, ..., 100 % whose central interval of the sorted draws holds `truth` strictly inside; 101 if none
/// does. Central intervals are nested, so this one number says which of them cover.
pub fn narrowest(sorted: &[f32], truth: f64) -> u8 {
    let inside = |percent: usize| {
        let [low, high] = central(sorted, percent);
        low < truth && truth < high
    };
    let (mut outside, mut within) = (0, 101);
    while within - outside > 1 {
        let middle = (outside + within) / 2;
        if inside(middle) {
            within = middle;
        } else {
            outside = middle;
        }
    }
    within as u8
}

/// Coverage of the central intervals of 1..=100 % of `parameter`.
pub fn calibration(sets: &DrawSets, parameter: usize) -> Calibration {
    let level = |set| narrowest(&sets.sorted_column(set, parameter), f64::from(sets.truth(set)[parameter]));
    let levels: Vec<u8> = (0..sets.sets()).into_par_iter().map(level).collect();
    Calibration::from_levels(levels.iter().copied())
}

/// HPD rank of every truth: how many of its data set's draws have a larger log q, `0..=n_draws`; uniform if calibrated.
///
/// `log_q_truth` is `(sets)`, `log_q_draws` `(sets, n_draws)`, both nats of the same density. The rank over `n_draws` is
/// the level of the highest-density region on whose edge the truth lies. Equal densities (a flat posterior) are put on
/// either side at random by `seed`; `first` is the number of the first set in the whole list.
pub fn hpd_ranks(
    log_q_truth: &[f32],
    log_q_draws: &[f32],
    n_draws: usize,
    first: usize,
    seed: u64,
) -> Vec<u32> {
    let rank = |(set, (truth, draws)): (usize, (&f32, &[f32]))| {
        let denser = draws.iter().filter(|q| *q > truth).count() as u32;
        let equal = draws.iter().filter(|q| *q == truth).count() as u32;
        denser + among_ties(equal, seed, HPD_TIES, first + set)
    };
    log_q_truth.iter().zip(log_q_draws.chunks_exact(n_draws.max(1))).enumerate().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 data sets with draws 0..=100 and truths spread evenly: truth i + .25 is inside the central interval of
    /// level a where |i + .25 - 50| < 50 a.
    fn even() -> (Vec<f32>, Vec<f32>) {
        let truths: Vec<f32> = (0..100).map(|i| i as f32 + 0.25).collect();
        let draws: Vec<f32> = (0..100).flat_map(|_| (0..=100).rev().map(|v| v as f32)).collect();
        (truths, draws)
    }

    #[test]
    fn even_truths_are_covered_at_every_level() {
        let (truths, draws) = even();
        let c = calibration(&DrawSets::new(&truths, &draws, 101, 1).unwrap(), 0);
        for percent in 1..=100 {
            let want =
                (0..100).filter(|i| (*i as f64 - 49.75).abs() < 0.5 * percent as f64).count() as f64 / 100.0;
            assert!((c.at(percent) - want).abs() < 1e-12, "{percent} %: {} for {want}", c.at(percent));
        }
        assert!(c.median_error <= 0.01 && c.mean_error <= 0.01);
        assert!(c.at(0).is_nan() && c.at(101).is_nan());
    }

    #[test]
    fn half_and_double_widths_are_seen() {
        let (truths, draws) = even();
        for (scale, percent, want) in [(0.5, 90, 0.45), (2.0, 25, 0.5)] {
            let scaled: Vec<f32> = draws.iter().map(|v| 50.0 + scale * (v - 50.0)).collect();
            let c = calibration(&DrawSets::new(&truths, &scaled, 101, 1).unwrap(), 0);
            assert!((c.at(percent) - want).abs() <= 0.011, "{scale}: {}", c.at(percent));
            assert!(c.median_error > 0.2);
        }
    }

    #[test]
    fn an_edge_is_outside() {
        let c = calibration(&DrawSets::new(&[0.0, 1.0], &[0.0, 1.0, 0.0, 1.0], 2, 1).unwrap(), 0);
        assert_eq!(c.at(100), 0.0);
    }

    #[test]
    fn hpd_rank_counts_the_denser_draws_and_splits_ties() {
        let ranks = hpd_ranks(&[0.5, -0.5], &[1.0, -1.0, 0.0, 2.0, -3.0, -2.0, -1.0, -4.0], 4, 0, 1);
        assert_eq!(ranks, [2, 0]);
        let flat = hpd_ranks(&[0.0; 500], &[0.0; 500], 1, 0, 1);
        let above = flat.iter().filter(|r| **r == 1).count();
        assert!((200..300).contains(&above), "{above}");
        // A list in two pieces gets the ties of the whole.
        let pieces =
            [hpd_ranks(&[0.0; 200], &[0.0; 200], 1, 0, 1), hpd_ranks(&[0.0; 300], &[0.0; 300], 1, 200, 1)];
        assert_eq!(pieces.concat(), flat);
    }
}
