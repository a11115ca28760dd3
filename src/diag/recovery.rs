//! Recovery: how well a point estimate returns the parameters that made the data.
use serde::Serialize;

/// Agreement of estimates with truths over a test set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// `1 - SS_res / SS_tot`; NaN where the truths do not vary.
    pub r2: f64,
    /// Root mean squared error, in the unit of the parameter.
    pub rmse: f64,
    /// `rmse / (max truth - min truth)`; NaN where the truths do not vary.
    pub nrmse: f64,
}

/// Recovery of `truths` by `estimates`, one of each for every data set. Lengths that differ, or none, give NaN.
pub fn recovery(estimates: &[f64], truths: &[f64]) -> Recovery {
    let n = truths.len() as f64;
    if truths.is_empty() || truths.len() != estimates.len() {
        return Recovery { r2: f64::NAN, rmse: f64::NAN, nrmse: f64::NAN };
    }
    let mean = truths.iter().sum::<f64>() / n;
    let total: f64 = truths.iter().map(|t| (t - mean).powi(2)).sum();
    let residual: f64 = estimates.iter().zip(truths).map(|(e, t)| (e - t).powi(2)).sum();
    let (low, high) =
        truths.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &t| (l.min(t), h.max(t)));
    let rmse = (residual / n).sqrt();
    if high > low {
        Recovery { r2: 1.0 - residual / total, rmse, nrmse: rmse / (high - low) }
    } else {
        Recovery { r2: f64::NAN, rmse, nrmse: f64::NAN }
    }
}

/// Pearson correlation; 0 where either side does not vary, since nothing follows anything then.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len()) as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        aa += (x - mean_a).powi(2);
        bb += (y - mean_b).powi(2);
        ab += (x - mean_a) * (y - mean_b);
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // residuals .5 -.5 0 1: SS_res 1.5; truths 1 2 3 6: SS_tot 14, range 5
        let r = recovery(&[1.5, 1.5, 3.0, 7.0], &[1.0, 2.0, 3.0, 6.0]);
        assert!((r.r2 - (1.0 - 1.5 / 14.0)).abs() < 1e-12);
        assert!((r.rmse - 0.375f64.sqrt()).abs() < 1e-12);
        assert!((r.nrmse - 0.375f64.sqrt() / 5.0).abs() < 1e-12);
        assert!(recovery(&[4.0; 4], &[1.0, 2.0, 3.0, 6.0]).r2 < 0.0);
    }

    #[test]
    fn truths_that_do_not_vary_give_nan_not_infinity() {
        let r = recovery(&[1.0, 2.0], &[1.5, 1.5]);
        assert!(r.r2.is_nan() && r.nrmse.is_nan() && r.rmse == 0.5);
        assert!(recovery(&[], &[]).rmse.is_nan());
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
        assert!((correlation(&[1.0, 2.0, 3.0], &[-2.0, -4.0, -6.0]) + 1.0).abs() < 1e-12);
    }
}
