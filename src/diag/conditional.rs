//! Calibration given the data: ranks of the truth must not depend on the data set.
//!
//! Ranks that are uniform over all data sets may still be high for some and low for others: the prior itself is
//! calibrated on average. Given x, the rank under the right posterior is uniform whatever x is, so ranks and summaries of
//! the data are independent. Normal scores of the ranks are correlated with normal scores of each summary (van der
//! Waerden's test): the scores themselves show a centre that does not follow the data, those of the ranks' distances from the
//! middle a width that does not.
use serde::Serialize;

use super::probability::normal_quantile;

/// The strongest dependence that was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Dependence {
    /// Correlation of largest size between a summary and the normal score of a rank, or of its distance from the middle.
    pub correlation: f64,
    /// Size that is allowed.
    pub allowed: f64,
    /// The summary's index.
    pub summary: usize,
    /// True if it is the distance from the middle that depends on the data: the width is wrong for some data sets.
    pub width: bool,
}

impl Dependence {
    /// True if nothing beyond chance was found; NaN is not nothing.
    pub fn independent(&self) -> bool {
        self.correlation.abs() <= self.allowed
    }
}

/// Summary vectors of data sets.
#[derive(Clone, Copy, Debug)]
pub struct Summaries<'a> {
    /// `(sets, S)`, row-major.
    pub values: &'a [f32],
    /// S.
    pub width: usize,
}

/// Normal scores of every summary over the data sets, `(S, sets)`, each of mean 0 and length 1; one that does not vary is
/// all 0.
pub struct Scores {
    columns: Vec<Vec<f64>>,
}

impl Scores {
    /// Computed once, used for every parameter.
    pub fn new(summaries: Summaries) -> Self {
        let column = |j: usize| {
            let values: Vec<f32> =
                summaries.values.iter().skip(j).step_by(summaries.width.max(1)).copied().collect();
            unit(normal_scores(&values))
        };
        Self { columns: (0..summaries.width).map(column).collect() }
    }

    /// Looks for dependence between ranks in `0..=n_draws` and the summaries. A right posterior is accused with
    /// probability `error_rate` at most (Bonferroni over summaries; a correlation of n pairs is normal with sd
    /// `1/sqrt(n - 1)`).
    ///
    /// With `u = (rank + 1/2)/(n_draws + 1)` the scores are `Phi^-1(u)` and, for the width, `Phi^-1(|2u - 1|)`. Both are
    /// N(0, 1) under uniform ranks, so correlations are normal far out even with a summary that is 0 for most data sets;
    /// with a skewed score, such as |Phi^-1(u)|, they are not.
    pub fn dependence(&self, ranks: &[u32], n_draws: usize, error_rate: f64) -> Dependence {
        let step = 1.0 / (n_draws as f64 + 1.0);
        let score = |u: f64| normal_quantile(u.clamp(0.5 * step, 1.0 - 0.5 * step));
        let places: Vec<f64> = ranks.iter().map(|r| (f64::from(*r) + 0.5) * step).collect();
        let size = unit(places.iter().map(|u| score((2.0 * u - 1.0).abs())).collect());
        let place = unit(places.into_iter().map(score).collect());
        let tests = 2.0 * self.columns.len().max(1) as f64;
        let allowed = -normal_quantile(0.5 * error_rate / tests) / (ranks.len() as f64 - 1.0).max(1.0).sqrt();
        let mut worst = Dependence { correlation: 0.0, allowed, summary: 0, width: false };
        for (summary, column) in self.columns.iter().enumerate() {
            for (scores, width) in [(&place, false), (&size, true)] {
                let correlation: f64 = scores.iter().zip(column).map(|(a, b)| a * b).sum();
                if !(correlation.abs() <= worst.correlation.abs()) {
                    worst = Dependence { correlation, allowed, summary, width };
                }
            }
        }
        worst
    }
}

/// `Phi^-1((rank + 1/2) / n)`, equal values sharing their mean rank.
pub(super) fn normal_scores(values: &[f32]) -> Vec<f64> {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut scores = vec![0.0; n];
    let mut start = 0;
    while start < n {
        let mut end = start;
        while end < n && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let end = end.max(start + 1);
        let score = normal_quantile(0.5 * (start + end) as f64 / n as f64);
        order[start..end].iter().for_each(|&i| scores[i] = score);
        start = end;
    }
    scores
}

/// Mean 0 and length 1; all 0 where nothing varies.
fn unit(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter_mut().for_each(|v| *v -= mean);
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let factor = if length > 1e-9 { 1.0 / length } else { 0.0 };
    values.iter_mut().for_each(|v| *v *= factor);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, streams};

    /// theta ~ N(0, 1), x = theta + noise; ranks under a posterior with this gain and width, and x itself.
    fn toy(seed: u64, gain: f64, sd: impl Fn(f64) -> f64) -> (Vec<u32>, Vec<f32>) {
        let rows = (0..300).map(|set| {
            let mut rng = Rng::new(seed, streams::TEST, 0, set);
            let theta = f64::from(rng.normal());
            let x = theta + f64::from(rng.normal());
            let below = (0..200).filter(|_| gain * x + sd(x) * f64::from(rng.normal()) < theta).count();
            (below as u32, x as f32)
        });
        rows.unzip()
    }

    fn found(ranks: &[u32], x: &[f32]) -> Dependence {
        Scores::new(Summaries { values: x, width: 1 }).dependence(ranks, 200, 0.01)
    }

    #[test]
    fn the_right_posterior_is_independent_of_the_data() {
        let independent = (0..100).filter(|&seed| {
            let (ranks, x) = toy(seed, 0.5, |_| 0.5f64.sqrt());
            found(&ranks, &x).independent()
        });
        assert!(independent.count() >= 97);
    }

    #[test]
    fn the_prior_and_a_width_that_should_not_vary_are_seen() {
        let (ranks, x) = toy(1, 0.0, |_| 1.0);
        let prior = found(&ranks, &x);
        assert!(!prior.independent() && !prior.width && prior.correlation > 0.5, "{prior:?}");
        let (ranks, x) = toy(1, 0.5, |x| if x > 0.0 { 1.2 } else { 0.35 });
        let uneven = found(&ranks, &x);
        assert!(!uneven.independent() && uneven.width, "{uneven:?}");
    }

    /// A summary that is 0 for all but one or two of 200 data sets: the far tails of the scores decide.
    #[test]
    fn uniform_ranks_are_accused_of_following_a_sparse_summary_at_the_level_at_most() {
        let (sets, trials, level) = (200, 20_000, 0.002);
        for (ones, least) in [(1, 0), (2, 8)] {
            let x: Vec<f32> = (0..sets).map(|i| if i < ones { 1.0 } else { 0.0 }).collect();
            let scores = Scores::new(Summaries { values: &x, width: 1 });
            let accused = (0..trials).filter(|&trial| {
                let mut rng = Rng::new(5, streams::TEST, trial, ones);
                let ranks: Vec<u32> = (0..sets).map(|_| (rng.uniform() * 201.0) as u32).collect();
                !scores.dependence(&ranks, 200, level).independent()
            });
            // The level allows 40 with an sd of 6; scores that end at 1/201 bring fewer.
            let accused = accused.count();
            assert!((least..55).contains(&accused), "{ones}: {accused}");
        }
    }

    #[test]
    fn constant_and_odd_summaries_are_harmless() {
        let ranks: Vec<u32> = (0..50).collect();
        assert!(found(&ranks, &[1.0; 50]).independent());
        assert_eq!(normal_scores(&[3.0, 1.0, 3.0, 5.0])[0], normal_scores(&[3.0, 1.0, 3.0, 5.0])[2]);
        assert!(Scores::new(Summaries { values: &[], width: 0 }).dependence(&ranks, 50, 0.01).independent());
        normal_scores(&[f32::NAN, 1.0, f32::NAN]);
    }
}
