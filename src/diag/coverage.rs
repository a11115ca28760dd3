//! Coverage of credible intervals and the calibration error.
use rayon::prelude::*;
use serde::Serialize;

use super::{
    draw_sets::DrawSets,
    quantile::{median, quantile},
};

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

/// Coverage of the central intervals of 1..=100 % of `parameter`; their ends are type-7 quantiles of the draws.
pub fn calibration(sets: &DrawSets, parameter: usize) -> Calibration {
    let n = sets.sets();
    let counts = (0..n)
        .into_par_iter()
        .fold(
            || vec![0u32; 100],
            |mut counts, set| {
                let sorted = sets.sorted_column(set, parameter);
                let truth = f64::from(sets.truth(set)[parameter]);
                for (i, count) in counts.iter_mut().enumerate() {
                    let tail = 0.5 * (99 - i) as f64 / 100.0;
                    let inside = quantile(&sorted, tail) < truth && truth < quantile(&sorted, 1.0 - tail);
                    *count += u32::from(inside);
                }
                counts
            },
        )
        .reduce(|| vec![0u32; 100], |a, b| a.iter().zip(&b).map(|(x, y)| x + y).collect());
    let covered: Vec<f64> = counts.iter().map(|&c| f64::from(c) / n as f64).collect();
    let mut errors: Vec<f64> =
        covered.iter().enumerate().map(|(i, hat)| ((i + 1) as f64 / 100.0 - hat).abs()).collect();
    let mean_error = errors.iter().sum::<f64>() / 100.0;
    Calibration { covered, median_error: median(&mut errors), mean_error }
}

/// HPD level of every truth: the share of its data set's draws with a larger log q; uniform on (0, 1) if calibrated.
///
/// `log_q_truth` is `(sets)`, `log_q_draws` `(sets, n_draws)`, both nats of the same density. The credible region of
/// level `a` holds the truth where the returned value is below `a`.
pub fn hpd_levels(log_q_truth: &[f32], log_q_draws: &[f32], n_draws: usize) -> Vec<f64> {
    let share = |(truth, draws): (&f32, &[f32])| {
        draws.iter().filter(|q| *q > truth).count() as f64 / draws.len() as f64
    };
    log_q_truth.iter().zip(log_q_draws.chunks_exact(n_draws.max(1))).map(share).collect()
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
    fn hpd_level_is_the_share_of_denser_draws() {
        assert_eq!(hpd_levels(&[0.0, -1.0], &[1.0, -1.0, 0.0, 2.0, -3.0, -2.0, -1.0, -4.0], 4), [0.5, 0.0]);
    }
}
