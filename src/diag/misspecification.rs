//! Do observed data sets look like simulated ones? A two-sample test on summary vectors by MMD (Gretton et al. 2012;
//! for amortized inference Schmitt et al. 2023).
use rayon::prelude::*;
use serde::Serialize;

use super::{mmd::median_distance, points::count_points};
use crate::error::{Error, Result};
use crate::rng::{Rng, streams};

/// Most points of either side: the kernel matrix of both is held.
pub const MOST: usize = 1500;

/// The result of [`mmd_test`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MmdTest {
    /// Unbiased squared MMD between the two sets.
    pub mmd2: f64,
    /// Its 95 % quantile if both came from one distribution.
    pub limit: f64,
    /// Share of relabelled sets with at least this MMD, the given one included.
    pub p: f64,
    /// Points used of the first set.
    pub n_reference: usize,
    /// Points used of the second.
    pub n_observed: usize,
}

/// Tests whether `reference` `(n, dim)` and `observed` `(m, dim)`, m >= 2, come from one distribution.
///
/// Gaussian kernel, its width the median distance of all points. The null distribution comes from `relabelled`
/// random splits of the pooled points into n and m, so the level is exact whatever the distribution; `seed` draws
/// them. Of more than 1500 points on a side, evenly spaced ones are used. Points that are all the same are an error.
pub fn mmd_test(
    reference: &[f32],
    observed: &[f32],
    dim: usize,
    relabelled: usize,
    seed: u64,
) -> Result<MmdTest> {
    let (n, m) = (
        count_points("MMD reference", reference, dim, 2)?,
        count_points("MMD observed data", observed, dim, 2)?,
    );
    let mut points = thinned(reference, n, dim);
    let n = points.len() / dim;
    points.extend(thinned(observed, m, dim));
    let m = points.len() / dim - n;
    let width = median_distance(&points, dim)?;
    if !(width > 0.0) {
        return Err(Error::input(
            "MMD reference",
            "points that differ (the kernel's width is their median distance)",
            "a median distance of 0",
            "Compare against simulations with spread",
        ));
    }
    let total = n + m;
    let factor = -0.5 / (width * width);
    let kernel: Vec<f32> = (0..total)
        .into_par_iter()
        .flat_map_iter(|i| {
            let a = &points[i * dim..][..dim];
            points.chunks_exact(dim).enumerate().map(move |(j, b)| {
                let square: f64 = a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum();
                if i == j { 0.0 } else { (factor * square).exp() as f32 }
            })
        })
        .collect();
    let rows: Vec<f64> =
        kernel.par_chunks_exact(total).map(|row| row.iter().map(|k| f64::from(*k)).sum()).collect();
    let all: f64 = rows.iter().sum();
    // Everything follows from the sum within the smaller side and the row sums of its points.
    let statistic = |chosen: &[u32]| {
        let within: f64 = chosen
            .iter()
            .map(|&i| {
                let row = &kernel[i as usize * total..][..total];
                chosen.iter().map(|&j| f64::from(row[j as usize])).sum::<f64>()
            })
            .sum();
        let cross = chosen.iter().map(|&i| rows[i as usize]).sum::<f64>() - within;
        let rest = all - 2.0 * cross - within;
        let pairs = |k: usize| k as f64 * (k as f64 - 1.0);
        let (k, l) = (chosen.len(), total - chosen.len());
        within / pairs(k) + rest / pairs(l) - 2.0 * cross / (k as f64 * l as f64)
    };
    let few = n.min(m);
    let given: Vec<u32> = if m <= n { (n as u32..total as u32).collect() } else { (0..n as u32).collect() };
    let mmd2 = statistic(&given);
    let mut null: Vec<f64> = (0..relabelled)
        .into_par_iter()
        .map(|round| {
            let mut rng = Rng::new(seed, streams::DIAGNOSTIC, 0, round as u32);
            let mut order: Vec<u32> = (0..total as u32).collect();
            for i in 0..few {
                let j = i + ((u64::from(rng.next_u32()) * (total - i) as u64) >> 32) as usize;
                order.swap(i, j);
            }
            order.truncate(few);
            order.sort_unstable();
            statistic(&order)
        })
        .collect();
    null.sort_unstable_by(f64::total_cmp);
    let beyond = null.iter().filter(|v| !(**v < mmd2)).count();
    let limit = null.get((0.95 * null.len() as f64) as usize).copied().unwrap_or(f64::NAN);
    let p = (1 + beyond) as f64 / (1 + relabelled) as f64;
    Ok(MmdTest { mmd2, limit, p, n_reference: n, n_observed: m })
}

fn thinned(points: &[f32], n: usize, dim: usize) -> Vec<f32> {
    let kept = n.min(MOST);
    (0..kept).flat_map(|i| points[i * n / kept * dim..][..dim].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::mmd::mmd2;

    fn normals(n: usize, dim: usize, step: u32, scale: f32) -> Vec<f32> {
        (0..n * dim).map(|i| scale * Rng::new(9, streams::TEST, step, i as u32).normal()).collect()
    }

    #[test]
    fn the_statistic_is_mmd_and_the_smaller_side_may_be_either() {
        let (x, y) = (normals(60, 2, 1, 1.0), normals(25, 2, 2, 1.5));
        let here = mmd_test(&x, &y, 2, 50, 1).unwrap();
        let there = mmd_test(&y, &x, 2, 50, 1).unwrap();
        assert!((here.mmd2 - there.mmd2).abs() < 1e-9);
        // The library's own MMD takes the reference's median distance as width; close enough to tell a wrong sum.
        let known = mmd2(&x, &y, 2).unwrap();
        assert!((here.mmd2 - known).abs() < 0.1 * known.abs().max(0.02), "{} {known}", here.mmd2);
        assert_eq!((here.n_reference, here.n_observed), (60, 25));
    }

    #[test]
    fn equal_distributions_pass_at_the_level_and_different_ones_fail() {
        let reference = normals(300, 3, 1, 1.0);
        let rejected = (0..100)
            .filter(|&s| mmd_test(&reference, &normals(40, 3, 10 + s, 1.0), 3, 99, 1).unwrap().p <= 0.05)
            .count();
        assert!((0..=12).contains(&rejected), "{rejected}");
        assert!(mmd_test(&reference, &normals(40, 3, 2, 2.0), 3, 199, 1).unwrap().p <= 0.01);
        let shifted: Vec<f32> = normals(40, 3, 3, 1.0).iter().map(|v| v + 1.0).collect();
        assert!(mmd_test(&reference, &shifted, 3, 199, 1).unwrap().p <= 0.01);
    }

    #[test]
    fn useless_input_is_an_error_and_much_of_it_is_thinned() {
        assert!(mmd_test(&[1.0; 10], &[1.0; 4], 1, 9, 1).is_err());
        assert!(mmd_test(&[1.0, 2.0], &[1.0], 1, 9, 1).is_err());
        let t = mmd_test(&normals(2 * MOST, 1, 1, 1.0), &normals(3, 1, 2, 1.0), 1, 9, 1).unwrap();
        assert_eq!((t.n_reference, t.n_observed), (MOST, 3));
    }
}
