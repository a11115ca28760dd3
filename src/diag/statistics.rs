//! What data sets of many items are compared by: a few statistics of each, the same whatever its size.
//!
//! Of each feature: mean, sd, quantiles 5, 25, 50, 75 and 95 %, and where items have an order the correlation of neighbours.
use super::contraction::mean_sd;
use super::quantile::quantile;
use crate::sim::DataShape;

/// Levels of the quantiles.
const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Items of a data set `(items, F)` up to the last that is not all NaN.
pub fn items_of(x: &[f32], features: usize) -> usize {
    x.iter().rposition(|v| !v.is_nan()).map_or(0, |at| at / features.max(1) + 1)
}

/// Statistics of a data set `(items, F)`, feature by feature; values that are NaN are left out, and a statistic of nothing
/// is 0.
pub fn statistics(shape: &DataShape, x: &[f32]) -> Vec<f32> {
    let f = shape.features().max(1);
    let ordered = matches!(shape, DataShape::Series { .. });
    let mut out = vec![];
    for feature in 0..f {
        let values: Vec<f32> = x.iter().skip(feature).step_by(f).copied().collect();
        let mut sorted: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let wide: Vec<f64> = sorted.iter().map(|v| f64::from(*v)).collect();
        let (mean, sd) = mean_sd(&wide);
        out.extend([mean, sd]);
        out.extend(LEVELS.map(|level| quantile(&sorted, level)));
        if ordered {
            out.push(neighbours(&values));
        }
    }
    out.into_iter().map(|v| if v.is_finite() { v as f32 } else { 0.0 }).collect()
}

/// Correlation of each value with the next, of those pairs that are there; 0 where values do not vary.
fn neighbours(values: &[f32]) -> f64 {
    let pairs =
        || values.windows(2).map(|w| (f64::from(w[0]), f64::from(w[1]))).filter(|(a, b)| !(a + b).is_nan());
    let n = pairs().count() as f64;
    let mean = pairs().fold((0.0, 0.0), |m, (a, b)| (m.0 + a / n, m.1 + b / n));
    let sums = pairs().fold([0.0; 3], |s, (a, b)| {
        let (a, b) = (a - mean.0, b - mean.1);
        [s[0] + a * b, s[1] + a * a, s[2] + b * b]
    });
    let scale = (sums[1] * sums[2]).sqrt();
    if scale > 0.0 { sums[0] / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_whatever_the_padding() {
        let nan = f32::NAN;
        let set = DataShape::Set { features: 2, min: 1, max: 6 };
        let x = [1.0, 10.0, 3.0, 10.0, 2.0, 10.0];
        let s = statistics(&set, &x);
        assert_eq!((s.len(), s[0], s[1], s[4], s[7], s[8]), (14, 2.0, 1.0, 2.0, 10.0, 0.0));
        let padded = [&x[..], &[nan; 6]].concat();
        assert_eq!((statistics(&set, &padded), items_of(&padded, 2)), (s, 3));
        assert_eq!((items_of(&[nan; 4], 2), items_of(&[nan, 1.0], 2)), (0, 1));
        assert!(statistics(&set, &[nan; 6]).iter().all(|v| *v == 0.0));
    }

    #[test]
    fn only_the_order_tells_a_series_from_another() {
        let series = DataShape::Series { features: 1, min: 1, max: 6 };
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 5.0, 2.0, 4.0, 3.0]);
        let (a, b) = (statistics(&series, &a), statistics(&series, &b));
        assert_eq!((a.len(), &a[..7]), (8, &b[..7]));
        // numpy.corrcoef([1, 5, 2, 4], [5, 2, 4, 3])[0, 1] = -7 / sqrt(50)
        assert!((a[7] - 1.0).abs() < 1e-6 && (b[7] + 7.0 / 50f32.sqrt()).abs() < 1e-6, "{a:?} {b:?}");
    }
}
