//! Simultaneous bands for the ECDF of ranks (Säilynoja, Bürkner and Vehtari 2022, section 2.2).
//!
//! Under uniform ranks the number of ranks below a point z is Binomial(sets, z). Pointwise central intervals of level
//! `1 - gamma` are widened (gamma lowered) until the whole path stays inside with the wanted probability. That
//! probability is exact: a uniform sample is a Poisson process given its total, so the path's law is propagated by
//! convolutions over the grid with what lies outside the band cut off, and divided by the chance of the total
//! (Moscovich and Nadler 2017). The paper's binomial recursion gives the same number with more work.
use serde::Serialize;

use super::probability::{binomial_pmf, ln_factorials};
use crate::error::{Error, Result};

/// Most evaluation points of a band; more narrow no gap worth seeing.
const MAX_POINTS: usize = 100;

/// A simultaneous band for the ECDF of ranks that are uniform on `0..n_ranks`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EcdfBand {
    /// A rank below `cut[j]` counts at point j.
    cut: Vec<u32>,
    /// Share of ranks below each cut if uniform, ascending, in (0, 1).
    pub points: Vec<f64>,
    /// Lowest share allowed at each point.
    pub lower: Vec<f64>,
    /// Highest share allowed at each point.
    pub upper: Vec<f64>,
    /// Probability that uniform ranks leave the band somewhere; at most the level asked for.
    pub error_rate: f64,
}

/// How the ECDF of some ranks lies in its band.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EcdfTest {
    /// ECDF minus the uniform one at the points of the band.
    pub difference: Vec<f64>,
    /// The absolute difference at the point where it is largest compared to what the band allows.
    pub deviation: f64,
    /// What the band allows at that point and on that side.
    pub allowed: f64,
    /// The first over the second; above 1 the ranks are outside the band. NaN without ranks.
    pub ratio: f64,
}

impl EcdfTest {
    /// True if the ranks stay inside the band; NaN does not.
    pub fn inside(&self) -> bool {
        self.ratio <= 1.0
    }
}

impl EcdfBand {
    /// The band for `sets` ranks in `0..n_ranks` that uniform ranks leave with probability at most `error_rate`.
    pub fn new(sets: usize, n_ranks: usize, error_rate: f64) -> Result<Self> {
        if sets == 0
            || n_ranks < 2
            || u32::try_from(n_ranks).is_err()
            || !(error_rate > 0.0 && error_rate < 1.0)
        {
            return Err(Error::input(
                "ECDF band",
                "at least one set, at least two ranks, an error rate in (0, 1)",
                format!("{sets} sets, {n_ranks} ranks, error rate {error_rate}"),
                "Ask for more draws or sets",
            ));
        }
        let n_points = (n_ranks - 1).min(MAX_POINTS);
        let cut: Vec<u32> = (1..=n_points).map(|j| (j * n_ranks / (n_points + 1)) as u32).collect();
        let points: Vec<f64> = cut.iter().map(|&c| f64::from(c) / n_ranks as f64).collect();
        let ln_factorial = ln_factorials(sets);
        let cdfs: Vec<Vec<f64>> =
            points.iter().map(|&z| running_sum(binomial_pmf(sets, z, &ln_factorial))).collect();
        let steps = poisson_steps(sets, &points, &ln_factorial);
        // Bonferroni's level is always wide enough and one point's level never is, so the answer lies between.
        let (mut safe, mut bold) = (error_rate / n_points as f64, error_rate);
        let mut counts = bounds(&cdfs, safe);
        let mut leaves = 1.0 - stay_probability(sets, &counts, &steps, &ln_factorial);
        for _ in 0..20 {
            let gamma = (safe * bold).sqrt();
            let trial = bounds(&cdfs, gamma);
            let trial_leaves = 1.0 - stay_probability(sets, &trial, &steps, &ln_factorial);
            if trial_leaves <= error_rate {
                (safe, counts, leaves) = (gamma, trial, trial_leaves);
            } else {
                bold = gamma;
            }
        }
        let share = |k: &usize| *k as f64 / sets as f64;
        let lower = counts.iter().map(|(low, _)| share(low)).collect();
        let upper = counts.iter().map(|(_, high)| share(high)).collect();
        Ok(Self { cut, points, lower, upper, error_rate: leaves.max(0.0) })
    }

    /// Compares ranks with the band.
    pub fn test(&self, ranks: &[u32]) -> EcdfTest {
        let mut sorted = ranks.to_vec();
        sorted.sort_unstable();
        let mut test = EcdfTest { difference: Vec::new(), deviation: 0.0, allowed: f64::NAN, ratio: 0.0 };
        for (j, &z) in self.points.iter().enumerate() {
            let share = sorted.partition_point(|&r| r < self.cut[j]) as f64 / sorted.len() as f64;
            let difference = share - z;
            test.difference.push(difference);
            // Where the band reaches 0 or 1 no share can leave it on that side.
            let allowed = match difference > 0.0 {
                true if self.upper[j] < 1.0 => self.upper[j] - z,
                false if self.lower[j] > 0.0 => z - self.lower[j],
                _ => continue,
            };
            let ratio = difference.abs() / allowed;
            if ratio.is_nan() || ratio > test.ratio || test.allowed.is_nan() {
                (test.ratio, test.deviation, test.allowed) = (ratio, difference.abs(), allowed);
            }
        }
        // Equality of a share with its bound is inside; the subtraction of z may round either way.
        if (test.ratio - 1.0).abs() < 1e-9 {
            test.ratio = 1.0;
        }
        test
    }
}

fn running_sum(mut pmf: Vec<f64>) -> Vec<f64> {
    let mut sum = 0.0;
    for p in &mut pmf {
        sum += *p;
        *p = sum;
    }
    pmf
}

/// Central binomial intervals of level `1 - gamma`, as counts, ends included.
fn bounds(cdfs: &[Vec<f64>], gamma: f64) -> Vec<(usize, usize)> {
    let quantile = |cdf: &[f64], p: f64| cdf.partition_point(|&c| c < p).min(cdf.len() - 1);
    cdfs.iter().map(|cdf| (quantile(cdf, 0.5 * gamma), quantile(cdf, 1.0 - 0.5 * gamma))).collect()
}

/// For each gap of the grid, the last to 1 included: the first count and the probabilities of Poisson(sets * gap).
fn poisson_steps(sets: usize, points: &[f64], ln_factorial: &[f64]) -> Vec<(usize, Vec<f64>)> {
    let ends = points.iter().copied().chain([1.0]);
    let starts = [0.0].into_iter().chain(points.iter().copied());
    let step = |(start, end): (f64, f64)| {
        let mean = sets as f64 * (end - start);
        // Beyond 12 sd plus 40 counts nothing is left in f64 terms that could matter.
        let reach = 12.0 * mean.sqrt() + 40.0;
        let first = (mean - reach).max(0.0) as usize;
        let last = ((mean + reach) as usize).min(sets);
        let pmf = (first..=last).map(|k| (k as f64 * mean.ln() - mean - ln_factorial[k]).exp()).collect();
        (first, pmf)
    };
    starts.zip(ends).map(step).collect()
}

/// Probability that the counts of `sets` uniform points stay within `bounds` at every grid point.
fn stay_probability(
    sets: usize,
    bounds: &[(usize, usize)],
    steps: &[(usize, Vec<f64>)],
    ln_factorial: &[f64],
) -> f64 {
    let (mut first, mut law) = (0, vec![1.0]);
    for (&(low, high), (step_first, pmf)) in bounds.iter().chain([&(sets, sets)]).zip(steps) {
        let mut next = vec![0.0; high + 1 - low];
        for (i, p) in law.iter().enumerate() {
            let start = first + i + step_first;
            let skip = low.saturating_sub(start);
            let Some(pmf) = pmf.get(skip..) else { continue };
            if let Some(targets) = next.get_mut((start + skip).saturating_sub(low)..) {
                targets.iter_mut().zip(pmf).for_each(|(t, q)| *t += p * q);
            }
        }
        (first, law) = (low, next);
    }
    let n = sets as f64;
    law[0] / (n * n.ln() - n - ln_factorial[sets]).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, streams};

    fn uniform_ranks(sets: usize, n_ranks: usize, seed: u32) -> Vec<u32> {
        (0..sets)
            .map(|i| {
                ((u64::from(Rng::new(5, streams::TEST, seed, i as u32).next_u32()) * n_ranks as u64) >> 32)
                    as u32
            })
            .collect()
    }

    #[test]
    fn one_point_is_the_exact_binomial_interval() {
        // Two ranks, so one point at 1/2; 20 sets. P(X <= 4) = .0059, P(X <= 5) = .0207: at 5 % the band is 6..14.
        let band = EcdfBand::new(20, 2, 0.05).unwrap();
        assert_eq!((band.lower[0], band.upper[0]), (0.3, 0.7));
        assert!((band.error_rate - 0.041_389_465_332_031_25).abs() < 1e-12, "{}", band.error_rate);
    }

    #[test]
    fn uniform_ranks_leave_the_band_as_often_as_it_says() {
        for (sets, n_ranks, level) in [(300, 1001, 0.1), (50, 11, 0.1), (2000, 101, 0.1)] {
            let band = EcdfBand::new(sets, n_ranks, level).unwrap();
            assert!(band.error_rate <= level && band.error_rate > 0.5 * level, "{}", band.error_rate);
            let trials = 1000;
            let left =
                (0..trials).filter(|&s| band.test(&uniform_ranks(sets, n_ranks, s)).ratio > 1.0).count();
            let (want, sd) =
                (band.error_rate, (band.error_rate * (1.0 - band.error_rate) / f64::from(trials)).sqrt());
            let got = left as f64 / f64::from(trials);
            assert!((got - want).abs() <= 3.5 * sd, "{sets} sets: {got} for {want}");
        }
    }

    #[test]
    fn the_band_is_tighter_than_bonferroni_and_wider_than_one_point() {
        let band = EcdfBand::new(300, 1001, 0.05).unwrap();
        let middle = band.upper[50] - band.points[50];
        // sd of the share at 1/2 is .0289: one point at 5 % .057, 100 points by Bonferroni .100
        assert!(middle > 0.060 && middle < 0.095, "{middle}");
        // Both sides get half of gamma, so mirrored points have mirrored bounds.
        let band = EcdfBand::new(2000, 1001, 0.05).unwrap();
        for j in 0..100 {
            let skew = (band.upper[j] - band.points[j]) - (band.points[99 - j] - band.lower[99 - j]);
            assert!(skew.abs() < 1.6 / 2000.0, "{j}: {skew}");
        }
    }

    #[test]
    fn large_and_extreme_sizes_work() {
        let band = EcdfBand::new(10_000, 1001, 1e-4).unwrap();
        assert!(band.error_rate > 2e-5 && band.error_rate <= 1e-4, "{}", band.error_rate);
        assert!(EcdfBand::new(1, 2, 0.01).is_ok());
        assert!(EcdfBand::new(0, 2, 0.01).is_err() && EcdfBand::new(5, 1, 0.01).is_err());
        assert!(EcdfBand::new(5, 5, 0.0).is_err() && EcdfBand::new(5, 5, f64::NAN).is_err());
    }

    #[test]
    fn ranks_at_one_end_are_far_outside() {
        let band = EcdfBand::new(100, 101, 0.01).unwrap();
        assert!(band.test(&[0; 100]).ratio > 4.0 && band.test(&[100; 100]).ratio > 4.0);
        let even: Vec<u32> = (0..100).collect();
        assert!(band.test(&even).ratio < 0.3);
    }
}
