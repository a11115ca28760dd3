//! Sample quantiles.

/// The `level`-quantile of draws sorted in ascending order, type 7 of Hyndman and Fan (1996), numpy's and R's default.
///
/// `h = (n - 1) level`, linear between the draws around `h`. `level` is clamped to [0, 1]. No draws: NaN.
pub fn quantile(sorted: &[f32], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let h = last as f64 * level.clamp(0.0, 1.0);
    let below = (h.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let (a, b) = (f64::from(sorted[below]), f64::from(sorted[above]));
    a + (h - below as f64) * (b - a)
}

/// The median of `values`, which are reordered. No values: NaN.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_numpy() {
        // numpy.quantile([1, 2, 4, 8, 16], q)
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (level, want) in [(0.0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.6, 5.6), (0.95, 14.4), (1.0, 16.0)] {
            let got = quantile(&sorted, level);
            assert!((got - want).abs() < 1e-12, "{level}: {got} for {want}");
        }
    }

    #[test]
    fn edge_cases_are_defined() {
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[3.0], 0.9), 3.0);
        assert_eq!(quantile(&[1.0, 2.0], 7.0), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(median(&mut []).is_nan());
    }
}
