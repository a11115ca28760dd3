//! Posterior predictive check with an exact reference: ranks of a fresh replicate among replicates of the posterior.
//!
//! A data set x came from theta. A fresh data set from the same theta and one from a posterior draw have the same law
//! given x if the posterior is right. So the distance to x of the fresh one ranks uniformly among the distances of the
//! posterior's replicates. (The rank of x itself would not: the posterior has seen it.)
use super::sbc::among_ties;

/// Stands for this check where a parameter's number tells ties apart.
const TIES: usize = (1 << 20) + 1;
/// Distances that differ by less, relatively, are equal: discrete data tie, and sums round.
const TIED: f64 = 1e-9;

/// Squared Euclidean distance of summary vectors.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
}

/// How many of the `replicates` `(n, S)` lie nearer to `observed` `(S)` than `fresh` `(S)` does, `0..=n`. Ties (discrete
/// data) are put on either side at random by `seed` and the number of the set.
pub fn predictive_rank(observed: &[f32], fresh: &[f32], replicates: &[f32], set: usize, seed: u64) -> u32 {
    let limit = distance(observed, fresh);
    let (mut nearer, mut equal) = (0, 0);
    for replicate in replicates.chunks_exact(observed.len().max(1)) {
        let d = distance(observed, replicate);
        nearer += u32::from(d < limit);
        equal += u32::from(d == limit);
    }
    nearer + among_ties(equal, seed, TIES, set)
}

/// Share of the n replicates and the observation that lie at least as far from their centre as the observation: a small one
/// says that the posterior's own simulations do not look like the data. `#{T(row) >= T(obs)} / (n + 1)` over all n + 1
/// rows, the observation among them, with T the sum over the values of the squared distance from the mean, each in units of
/// the sd. Mean and sd are over all n + 1 rows as well: if only the replicates had a say in them, they would lie nearer to
/// their centre than a further row of the same law. So where the observation is such a row, `P(p <= a) <= a` for every a,
/// whatever the law and the number of values; and as the posterior has seen the observation, p is nearer to 1/2 still.
pub fn predictive_p(observed: &[f32], replicates: &[f32]) -> f64 {
    let width = observed.len().max(1);
    let rows = || std::iter::once(observed).chain(replicates.chunks_exact(width));
    let n = 1.0 + (replicates.len() / width) as f64;
    let (mut mean, mut variance) = (vec![0.0; width], vec![0.0; width]);
    for row in rows() {
        row.iter().zip(&mut mean).for_each(|(v, m)| *m += f64::from(*v) / n);
    }
    for row in rows() {
        for j in 0..row.len() {
            variance[j] += (f64::from(row[j]) - mean[j]).powi(2) / n;
        }
    }
    let t = |row: &[f32]| -> f64 {
        let term = |j: usize| {
            let gap = (f64::from(row[j]) - mean[j]).powi(2);
            if gap == 0.0 { 0.0 } else { gap / variance[j] }
        };
        (0..row.len()).map(term).sum()
    };
    let limit = t(observed) * (1.0 - TIED);
    // NaN is not below anything: what cannot be compared is no evidence.
    rows().filter(|row| !(t(row) < limit)).count() as f64 / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::ecdf::EcdfBand;
    use crate::rng::{Rng, streams};

    #[test]
    fn counts_the_nearer_replicates() {
        // distances to (0, 0): fresh 2; replicates 1, 4, 2.25, .5
        let replicates = [1.0, 0.0, 0.0, 2.0, 1.5, 0.0, 0.5, 0.5];
        assert_eq!(predictive_rank(&[0.0, 0.0], &[1.0, 1.0], &replicates, 0, 1), 2);
    }

    /// theta ~ N(0, 1), x = theta + .5 N(0, 1); posterior draws N(.8 x, .2) with sd and mean changed.
    fn ranks(width: f32, shift: f32) -> Vec<u32> {
        (0..500)
            .map(|set| {
                let mut rng = Rng::new(2, streams::TEST, 0, set);
                let theta = rng.normal();
                let (x, fresh) = (theta + 0.5 * rng.normal(), theta + 0.5 * rng.normal());
                let sd = 0.2f32.sqrt();
                let replicates: Vec<f32> = (0..50)
                    .map(|_| 0.8 * x + sd * (width * rng.normal() + shift) + 0.5 * rng.normal())
                    .collect();
                predictive_rank(&[x], &[fresh], &replicates, set as usize, 1)
            })
            .collect()
    }

    #[test]
    fn the_right_posterior_is_uniform_and_a_wrong_one_is_not() {
        let band = EcdfBand::new(500, 51, 0.01).unwrap();
        assert!(band.test(&ranks(1.0, 0.0)).inside());
        assert!(!band.test(&ranks(3.0, 0.0)).inside());
        assert!(!band.test(&ranks(1.0, 3.0)).inside());
    }

    #[test]
    fn data_far_from_their_replicates_have_a_small_p() {
        let replicates: Vec<f32> = (0..200).map(|i| Rng::new(3, streams::TEST, 1, i).normal()).collect();
        assert!(predictive_p(&[0.1, -0.3], &replicates) > 0.5);
        assert!(predictive_p(&[5.0, 5.0], &replicates) < 0.02);
        assert!(predictive_p(&[f32::NAN, 0.0], &replicates) > 0.9, "NaN is no evidence");
        assert_eq!(predictive_p(&[1.0], &[1.0, 1.0]), 1.0);
    }
    /// Each of n + 1 rows of one law in turn as the observation: p takes every value 1/(n + 1), ..., 1 once, and with ties
    /// no share of small values is above its level.
    #[test]
    fn rows_of_one_law_have_uniform_p() {
        let p_of = |rows: &[f32], width: usize| -> Vec<f64> {
            let one = |i: usize| {
                let others = [&rows[..i * width], &rows[(i + 1) * width..]].concat();
                predictive_p(&rows[i * width..][..width], &others)
            };
            let mut p: Vec<f64> = (0..rows.len() / width).map(one).collect();
            p.sort_unstable_by(f64::total_cmp);
            p
        };
        let (n, width) = (60, 200);
        let many: Vec<f32> =
            (0..n * width).map(|i| Rng::new(4, streams::TEST, 2, i as u32).normal()).collect();
        for (i, p) in p_of(&many, width).into_iter().enumerate() {
            assert!((p - (i + 1) as f64 / n as f64).abs() < 1e-12, "{i}: {p}");
        }
        let rare =
            |i: usize| if Rng::new(4, streams::TEST, 3, i as u32).uniform() < 0.005 { 1.0 } else { 0.0 };
        let counts: Vec<f32> = (0..n * width).map(rare).collect();
        for (i, p) in p_of(&counts, width).into_iter().enumerate() {
            assert!(p >= (i + 1) as f64 / n as f64 - 1e-12, "{i}: {p}");
        }
    }
}
