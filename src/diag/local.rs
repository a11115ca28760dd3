//! A local check: draws for one data set against draws of its known posterior, parameter by parameter.
use serde::Serialize;

use super::{contraction::mean_sd, points::count_points};
use crate::error::{Error, Result};

/// How the draws of a parameter differ from the reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Local {
    /// Name of the parameter.
    pub name: String,
    /// Mean of the draws minus the reference's, in units of the reference's sd.
    pub shift: f64,
    /// Sd of the draws over the reference's.
    pub spread: f64,
    /// Kolmogorov-Smirnov distance.
    pub distance: f64,
    /// Probability of such a distance between draws of one distribution.
    pub p: f64,
}

/// Compares `draws` `(n, D)` with `reference` `(m, D)`, D the number of names.
pub fn local(names: &[String], draws: &[f32], reference: &[f32]) -> Result<Vec<Local>> {
    let dim = names.len();
    count_points("draws", draws, dim, 2)?;
    count_points("reference", reference, dim, 2)?;
    names
        .iter()
        .enumerate()
        .map(|(p, name)| {
            let (own, known) = (sorted(draws, dim, p), sorted(reference, dim, p));
            let ((mean, sd), (known_mean, known_sd)) = (mean_sd(&own), mean_sd(&known));
            if !(known_sd > 0.0) {
                return Err(Error::input(
                    format!("reference of {name}"),
                    "draws that differ",
                    "one value in all of them",
                    "Compare against a posterior with spread",
                ));
            }
            let distance = distance(&own, &known);
            Ok(Local {
                name: name.clone(),
                shift: (mean - known_mean) / known_sd,
                spread: sd / known_sd,
                distance,
                p: kolmogorov_tail(distance, own.len(), known.len()),
            })
        })
        .collect()
}

fn sorted(rows: &[f32], dim: usize, p: usize) -> Vec<f64> {
    let mut column: Vec<f64> = rows.iter().skip(p).step_by(dim).map(|v| f64::from(*v)).collect();
    column.sort_unstable_by(f64::total_cmp);
    column
}

/// Largest gap between the ECDFs of two sorted lists.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut worst) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        let at = a[i].min(b[j]);
        i += a[i..].iter().take_while(|v| **v <= at).count();
        j += b[j..].iter().take_while(|v| **v <= at).count();
        worst = worst.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    worst
}

/// `P(D >= distance)` of the two-sample statistic: Kolmogorov's series with Stephens' correction for finite sizes.
fn kolmogorov_tail(distance: f64, n: usize, m: usize) -> f64 {
    let root = (n as f64 * m as f64 / (n + m) as f64).sqrt();
    let x = (root + 0.12 + 0.11 / root) * distance;
    let term = |k: i32| (if k % 2 == 1 { 2.0 } else { -2.0 }) * (-2.0 * f64::from(k * k) * x * x).exp();
    if x < 0.2 { 1.0 } else { (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, streams};

    #[test]
    fn distance_and_p_have_known_values() {
        // scipy.stats.ks_2samp(..., method="asymp") differs by Stephens' correction; exact: D = .5
        assert!((distance(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]) - 0.5).abs() < 1e-12);
        assert_eq!(distance(&[1.0, 1.0], &[1.0]), 0.0);
        // 2 exp(-2 x^2) and smaller terms, x = 1.36 + .12 .0608 + ... = 1.3676
        assert!((kolmogorov_tail(1.36 / 500f64.sqrt(), 1000, 1000) - 0.0475).abs() < 5e-4);
        assert_eq!(kolmogorov_tail(0.0, 100, 100), 1.0);
    }

    #[test]
    fn shift_and_spread_are_found_in_their_units() {
        let at = |i: u32| Rng::new(3, streams::TEST, 0, i).normal();
        let reference: Vec<f32> = (0..4000).map(|i| 3.0 * at(i)).collect();
        let draws: Vec<f32> = (4000..8000).map(|i| 1.5 + 1.5 * at(i)).collect();
        let r = &local(&["a".into()], &draws, &reference).unwrap()[0];
        assert!((r.shift - 0.5).abs() < 0.06 && (r.spread - 0.5).abs() < 0.03 && r.p < 1e-6, "{r:?}");
        let same: Vec<f32> = (8000..12000).map(|i| 3.0 * at(i)).collect();
        assert!(local(&["a".into()], &same, &reference).unwrap()[0].p > 0.01);
        assert!(local(&["a".into()], &same, &[1.0; 50]).is_err());
    }
}
