//! Information in nats: does the posterior know more than the prior, and does it know it from its own data set?
use serde::Serialize;

use super::contraction::mean_sd;

/// Fewest nats a posterior may lose through a random partner before one says that it uses the data.
const LEAST: f64 = 0.02;

/// Log densities of the true parameters, averaged over data sets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Information {
    /// `mean ln q(theta | x) - ln p(theta)`: what the posterior knows beyond the prior, nats. The right posterior has
    /// the mutual information of parameters and data; every other one has less.
    pub gain: f64,
    /// Its standard error.
    pub gain_error: f64,
    /// `mean ln q(theta_i | x_i) - ln q(theta_i | x_j)`, j another data set: what is lost with the wrong data. 0 where
    /// the data are not used.
    pub own: f64,
    /// Its standard error.
    pub own_error: f64,
    /// Share of truths that cannot be under the posterior: they lie outside the support of its prior.
    pub impossible: f64,
}

/// Difference of log densities, nats, beyond which it counts as this: one data set must not decide the mean alone. The
/// densities themselves have no bounds: with many parameters, or parameters of large scale, right ones lie far below.
pub const FLOOR: f64 = -1e3;

/// `log_q`, `log_q_other` (the data set of another pair) and `log_prior` of each truth, nats, `(sets)` each.
pub fn information(log_q: &[f32], log_q_other: &[f32], log_prior: &[f64]) -> Information {
    let gains: Vec<f64> = log_q.iter().zip(log_prior).map(|(q, p)| (f64::from(*q) - p).max(FLOOR)).collect();
    let loss = |(own, other): (&f32, &f32)| {
        let difference = f64::from(*own) - f64::from(*other);
        // Impossible with either data set: neither serves better.
        if difference.is_nan() { 0.0 } else { difference.clamp(FLOOR, -FLOOR) }
    };
    let losses: Vec<f64> = log_q.iter().zip(log_q_other).map(loss).collect();
    let (gain, gain_sd) = mean_sd(&gains);
    let (own, own_sd) = mean_sd(&losses);
    let root = (log_q.len() as f64).sqrt();
    let impossible = log_q.iter().filter(|q| **q == f32::NEG_INFINITY).count() as f64 / log_q.len() as f64;
    Information { gain, gain_error: gain_sd / root, own, own_error: own_sd / root, impossible }
}

impl Information {
    /// True if the truths are less likely under the posterior than under the prior, beyond three standard errors.
    pub fn worse_than_prior(&self) -> bool {
        self.gain + 3.0 * self.gain_error < -LEAST
    }

    /// True if a random partner's data set serves as well as its own, within three standard errors.
    pub fn ignores_data(&self) -> bool {
        !(self.own > LEAST.max(3.0 * self.own_error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_errors_are_those_of_the_differences() {
        let i = information(&[1.0, 3.0], &[-1.0, 0.0], &[-1.0, 1.0]);
        assert_eq!((i.gain, i.own), (2.0, 2.5));
        assert!(i.gain_error.abs() < 1e-12 && (i.own_error - 0.5).abs() < 1e-12);
        assert!(!i.worse_than_prior() && !i.ignores_data());
        let spread = information(&[1.0, 3.0], &[-1.0, 0.0], &[0.0, 0.0]);
        assert!(spread.gain == 2.0 && (spread.gain_error - 1.0).abs() < 1e-12);
    }

    /// Many parameters of large scale: all log densities lie near -5000, and the posterior gains 50 nats by its data.
    #[test]
    fn densities_of_any_size_are_compared() {
        let i = information(&[-5000.0; 50], &[-5300.0; 50], &[-5050.0; 50]);
        assert_eq!((i.gain, i.own), (50.0, 300.0));
        // One impossible truth counts as a thousand nats, whichever data set it is impossible with.
        let mut q = [-5000.0; 50];
        q[7] = f32::NEG_INFINITY;
        let lost = information(&q, &[-5300.0; 50], &[-5050.0; 50]);
        assert!((lost.gain - (49.0 * 50.0 - 1e3) / 50.0).abs() < 1e-9);
        assert!((lost.own - (49.0 * 300.0 - 1e3) / 50.0).abs() < 1e-9);
        assert_eq!(information(&q, &q, &[-5050.0; 50]).own, 0.0);
    }

    #[test]
    fn unused_data_and_lost_truths_are_seen() {
        assert!(information(&[0.0; 50], &[0.0; 50], &[0.0; 50]).ignores_data());
        let lost = information(&[f32::NEG_INFINITY; 50], &[0.0; 50], &[0.0; 50]);
        assert!(lost.worse_than_prior() && lost.gain == FLOOR && lost.impossible == 1.0);
        assert!(information(&[f32::NAN; 3], &[0.0; 3], &[0.0; 3]).ignores_data());
    }
}
