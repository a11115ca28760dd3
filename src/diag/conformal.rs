//! Conformal calibration of central intervals: coverage that is right on average whatever the network does.
//!
//! Normalised conformalised quantile regression (Romano, Patterson and Candès 2019), split form: over the data sets of a
//! check, the interval of level a misses the truth by `e = max(low - theta, theta - high) / sd` (negative inside); with q
//! the `ceil((n + 1) a)`-th smallest e, `[low - q sd, high + q sd]` holds the truth of a new simulated data set with
//! probability at least a. The promise is over data sets, not for each one, and only for data like the simulations.
use serde::{Deserialize, Serialize};

use super::{check::LEVELS, stream::Kept};

/// What the ends of each parameter's central intervals move by, in posterior sds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// Data sets behind it.
    pub sets: usize,
    /// By parameter, then by [`LEVELS`]; above 0 widens.
    pub widen: Vec<[f64; 4]>,
}

/// Which of `n` sorted misses, from 1, makes intervals of `percent` % cover at least so often: `ceil((n + 1) percent / 100)`.
fn place(n: usize, percent: usize) -> usize {
    ((n + 1) * percent).div_ceil(100).clamp(1, n)
}

impl Conformal {
    /// From the data sets of a check.
    pub fn fit(kept: &Kept) -> Self {
        let parameter = |p: usize| {
            let truths = kept.truths_of(p);
            let mut widen = [0.0; 4];
            for (l, q) in widen.iter_mut().enumerate() {
                let mut misses: Vec<f64> = kept.marginals[p]
                    .iter()
                    .zip(&truths)
                    .map(|(m, truth)| {
                        let miss = (m.ends[l][0] - truth).max(truth - m.ends[l][1]);
                        // A posterior without width cannot be widened; a huge number says so and stays finite.
                        (miss / m.sd.max(1e-30)).clamp(-1e30, 1e30)
                    })
                    .collect();
                misses.sort_unstable_by(f64::total_cmp);
                *q = misses[place(misses.len(), LEVELS[l]) - 1];
            }
            widen
        };
        Self { sets: kept.sets(), widen: (0..kept.dim()).map(parameter).collect() }
    }

    /// Calibrated ends of the central [`LEVELS`] of a parameter, given the network's own `ends` and its `sd`, kept inside
    /// `bounds`. Where narrowing would cross the ends, both are the middle.
    pub fn apply(&self, parameter: usize, ends: &[[f64; 2]; 4], sd: f64, bounds: [f64; 2]) -> [[f64; 2]; 4] {
        let mut calibrated = *ends;
        let mut inner: Option<[f64; 2]> = None;
        for (end, q) in calibrated.iter_mut().zip(self.widen.get(parameter).copied().unwrap_or_default()) {
            let (low, high) = (end[0] - q * sd, end[1] + q * sd);
            let middle = 0.5 * (end[0] + end[1]);
            *end = if low <= high { [low, high] } else { [middle, middle] };
            *end = end.map(|v| v.max(bounds[0]).min(bounds[1]));
            // Each level has its own correction; a wider one holds the narrower all the same.
            *end = inner.map_or(*end, |i| [end[0].min(i[0]), end[1].max(i[1])]);
            inner = Some(*end);
        }
        calibrated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::coverage::central;
    use crate::diag::stream::Stream;
    use crate::diag::tarp::Region;
    use crate::rng::{Rng, streams};

    const N: usize = 200;

    /// theta ~ N(0, 1), x = theta + e: truths and draws of a posterior whose sd is `width` times too large, shifted.
    fn toy(sets: u32, step: u32, width: f32, shift: f32) -> (Vec<f32>, Vec<f32>) {
        let (mut truths, mut draws) = (vec![], vec![]);
        for set in 0..sets {
            let mut rng = Rng::new(8, streams::TEST, step, set);
            let theta = rng.normal();
            let x = theta + rng.normal();
            truths.push(theta);
            draws.extend((0..N).map(|_| 0.5 * x + 0.5f32.sqrt() * (width * rng.normal() + shift)));
        }
        (truths, draws)
    }

    /// Coverage at each level, own and calibrated, on data sets that had no part in the calibration.
    fn coverage(width: f32, shift: f32) -> ([f64; 4], [f64; 4]) {
        let (truths, draws) = toy(1000, 0, width, shift);
        let mut stream = Stream::new(&truths, N, 1, Region::around(&[&truths, &draws], 1)).unwrap();
        stream.push(&draws).unwrap();
        let conformal = Conformal::fit(&stream.finish().unwrap());
        let (truths, mut draws) = toy(4000, 1, width, shift);
        let (mut own, mut calibrated) = ([0.0; 4], [0.0; 4]);
        for (truth, draws) in truths.iter().zip(draws.chunks_exact_mut(N)) {
            draws.sort_unstable_by(f32::total_cmp);
            let ends = LEVELS.map(|level| central(draws, level));
            let values: Vec<f64> = draws.iter().map(|v| f64::from(*v)).collect();
            let sd = crate::diag::contraction::mean_sd(&values).1;
            let after = conformal.apply(0, &ends, sd, [f64::NEG_INFINITY, f64::INFINITY]);
            let holds = |end: [f64; 2]| f64::from(u8::from((end[0]..=end[1]).contains(&f64::from(*truth))));
            for l in 0..4 {
                own[l] += holds(ends[l]) / 4000.0;
                calibrated[l] += holds(after[l]) / 4000.0;
            }
        }
        (own, calibrated)
    }

    #[test]
    fn the_place_is_that_of_split_conformal_prediction() {
        for (n, percent, want) in
            [(19, 50, 10), (20, 50, 11), (99, 90, 90), (100, 90, 91), (9, 99, 9), (1, 50, 1)]
        {
            assert_eq!(place(n, percent), want, "{n} sets, {percent} %");
        }
    }

    #[test]
    fn coverage_is_right_where_the_networks_own_is_not() {
        for (width, shift, low, high) in [(0.5, 0.0, 0.5, 0.68), (2.0, 0.0, 0.98, 1.0), (1.0, 1.0, 0.6, 0.8)]
        {
            let (own, calibrated) = coverage(width, shift);
            assert!((low..=high).contains(&own[2]), "90 % intervals of its own hold {}", own[2]);
            for (level, covered) in LEVELS.iter().zip(calibrated) {
                let want = *level as f64 / 100.0;
                // Three sds of both the calibration (1000 sets) and the test (4000).
                let slack = 3.0 * (want * (1.0 - want) * (1.0 / 1000.0 + 1.0 / 4000.0)).sqrt();
                assert!((covered - want).abs() <= slack + 0.002, "{level} %: {covered}");
            }
        }
        // Nothing to mend: nearly nothing changes.
        let (own, calibrated) = coverage(1.0, 0.0);
        assert!((own[2] - calibrated[2]).abs() < 0.03);
    }

    #[test]
    fn intervals_stay_in_the_support_and_never_cross() {
        let conformal = Conformal { sets: 9, widen: vec![[-5.0, 1.0, 2.0, 3.0]] };
        let out = conformal.apply(0, &[[0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.1, 0.9]], 0.1, [0.0, 1.0]);
        assert_eq!(out[0], [0.5, 0.5]);
        let nested = Conformal { sets: 9, widen: vec![[3.0, 0.0, 0.0, 0.0]] };
        let out_of_order =
            nested.apply(0, &[[0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.1, 0.9]], 0.1, [0.0, 1.0]);
        assert_eq!(out_of_order[1], out_of_order[0]);
        assert!((out[1][0] - 0.2).abs() < 1e-12 && out[3] == [0.0, 1.0]);
    }
}
