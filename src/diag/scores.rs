//! Proper scores: one number for calibration and sharpness together, lower is better, in the parameter's unit.

/// Continuous ranked probability score of sorted draws: `mean |x_i - theta| - 1/(2 n^2) sum_ij |x_i - x_j|`
/// (Gneiting and Raftery 2007). Over sorted draws the double sum is `2 sum_i (2i - n - 1) x_(i)`, i = 1..n. No draws:
/// NaN.
pub fn crps(sorted: &[f32], truth: f64) -> f64 {
    let n = sorted.len() as f64;
    let (mut near, mut spread) = (0.0, 0.0);
    for (i, &x) in sorted.iter().enumerate() {
        let x = f64::from(x);
        near += (x - truth).abs();
        spread += (2.0 * (i + 1) as f64 - n - 1.0) * x;
    }
    near / n - spread / (n * n)
}

/// Score of the interval `[low, high]` of level `1 - a`:
/// `(high - low) + (2/a) (low - theta) 1(theta < low) + (2/a) (theta - high) 1(theta > high)`.
pub fn interval_score([low, high]: [f64; 2], level: f64, truth: f64) -> f64 {
    (high - low) + 2.0 / (1.0 - level) * ((low - truth).max(0.0) + (truth - high).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crps_is_the_double_sum() {
        let draws = [-1.0f32, 0.5, 0.75, 2.0, 7.0];
        for truth in [-3.0, 0.6, 9.0] {
            let n = draws.len() as f64;
            let near = draws.iter().map(|x| (f64::from(*x) - truth).abs()).sum::<f64>() / n;
            let pairs: f64 =
                draws.iter().flat_map(|a| draws.iter().map(move |b| f64::from((a - b).abs()))).sum();
            assert!((crps(&draws, truth) - (near - pairs / (2.0 * n * n))).abs() < 1e-12);
        }
        assert_eq!(crps(&[2.0], 5.0), 3.0);
        assert!(crps(&[], 0.0).is_nan());
    }

    #[test]
    fn interval_score_pays_for_width_and_for_misses() {
        assert_eq!(interval_score([1.0, 3.0], 0.9, 2.0), 2.0);
        assert!((interval_score([1.0, 3.0], 0.9, 0.5) - 12.0).abs() < 1e-9);
        assert!((interval_score([1.0, 3.0], 0.5, 4.0) - 6.0).abs() < 1e-12);
    }
}
