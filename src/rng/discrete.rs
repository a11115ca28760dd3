//! Discrete draws; twins of `shaders/rng/discrete.wgsl`, the same words in the same order. Counts are whole
//! numbers in f32, exact to 2^24.
use super::Rng;
use super::continuous::TRIES;
use crate::math::{exp_, log_, log1p_};

/// Means from here on are drawn by rejection, smaller ones by inversion.
const LARGE: f32 = 10.0;
/// Inversion ends where a term is below what one uniform word resolves (2^-24); without that a remainder of
/// rounding would run on to the loop's bound.
const NEGLIGIBLE: f32 = 1.5e-8;

/// ln of the Poisson probability of the count k at this mean, in Loader's form (2000): the deviance
/// k ln(k/m) + m - k as a series where k is near m, and Stirling's series. Forms with ln k! lose all digits in f32.
fn poisson_log_pmf(k: f32, mean: f32) -> f32 {
    if k < 0.5 {
        return -mean;
    }
    let d = k - mean;
    let v = d / (k + mean);
    let z = v * v;
    let deviance = if v.abs() < 0.1 {
        d * v + 2.0 * k * v * z * (0.333_333_34 + z * (0.2 + z * (0.142_857_15 + z * 0.111_111_11)))
    } else {
        k * log_(k / mean) - d
    };
    let r = 1.0 / k;
    let stirling = r * (0.083_333_336 - r * r * (2.777_777_8e-3 - r * r * 7.936_508e-4));
    -deviance - stirling - 0.5 * log_(std::f32::consts::TAU * k)
}

/// The u-quantile of the Poisson distribution, mean < 10; 0 for mean <= 0 or NaN.
pub(super) fn poisson_of(u: f32, mean: f32) -> f32 {
    let mut u = u;
    let mean = if mean > 0.0 { mean } else { 0.0 };
    let mut p = exp_(-mean);
    let mut k = 0.0;
    for _ in 0..TRIES {
        if u <= p || (k > mean && p < NEGLIGIBLE) {
            break;
        }
        u -= p;
        k += 1.0;
        p *= mean / k;
    }
    k
}

/// The u-quantile of the binomial distribution, 0 <= p <= 1/2, n p < 10.
pub(super) fn binomial_of(u: f32, n: f32, p: f32) -> f32 {
    let mut u = u;
    let odds = p / (1.0 - p);
    let mut q = exp_(n * log1p_(-p));
    let mut k = 0.0;
    for _ in 0..TRIES {
        if u <= q || k >= n || (k > n * p && q < NEGLIGIBLE) {
            break;
        }
        u -= q;
        k += 1.0;
        q *= (n - k + 1.0) / k * odds;
    }
    k
}

impl Rng {
    /// True with probability p: U < p, one word. p <= 0 is never, p >= 1 always true.
    #[inline(always)]
    pub fn bernoulli(&mut self, p: f32) -> bool {
        self.uniform() < p
    }

    /// Poisson count, 0 for mean <= 0 or NaN. Inversion below a mean of 10 (one word), else PTRS of Hormann (1993),
    /// good to means of about 1e6.
    pub fn poisson(&mut self, mean: f32) -> f32 {
        if mean >= LARGE { self.poisson_rejection(mean) } else { poisson_of(self.uniform(), mean) }
    }

    fn poisson_rejection(&mut self, mean: f32) -> f32 {
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.02483 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let certain = 0.9277 - 3.6224 / (b - 2.0);
        for _ in 0..TRIES {
            let u = self.uniform() - 0.5;
            let v = self.uniform();
            let s = 0.5 - u.abs();
            let k = ((2.0 * a / s + b) * u + mean + 0.43).floor();
            if s >= 0.07 && v <= certain {
                return k;
            }
            let outside = k < 0.0 || (s < 0.013 && v > s);
            if !outside && log_(v * inverse_alpha / (a / (s * s) + b)) <= poisson_log_pmf(k, mean) {
                return k;
            }
        }
        mean.floor()
    }

    /// Successes in n trials (n whole, 0 to 1e6) of probability p; p <= 0 or NaN gives 0, p >= 1 gives n.
    /// Inversion below n min(p, 1 - p) = 10 (one word), else BTRS of Hormann (1993); p > 1/2 is mirrored.
    pub fn binomial(&mut self, n: f32, p: f32) -> f32 {
        let mirrored = p > 0.5;
        let p = if mirrored { 1.0 - p } else { p };
        let p = if p > 0.0 { p } else { 0.0 };
        let k =
            if n * p >= LARGE { self.binomial_rejection(n, p) } else { binomial_of(self.uniform(), n, p) };
        if mirrored { n - k } else { k }
    }

    fn binomial_rejection(&mut self, n: f32, p: f32) -> f32 {
        let mean = n * p;
        let rest = n - mean;
        let sd = (mean * (1.0 - p)).sqrt();
        let b = 1.15 + 2.53 * sd;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let alpha = (2.83 + 5.1 / b) * sd;
        let certain = 0.92 - 4.2 / b;
        // A binomial probability is, up to a factor, the product of the Poisson ones of successes and failures.
        let mode = ((n + 1.0) * p).floor();
        let at_mode = poisson_log_pmf(mode, mean) + poisson_log_pmf(n - mode, rest);
        for _ in 0..TRIES {
            let u = self.uniform() - 0.5;
            let v = self.uniform();
            let s = 0.5 - u.abs();
            let k = ((2.0 * a / s + b) * u + mean + 0.5).floor();
            if k >= 0.0 && k <= n {
                let sure = s >= 0.07 && v <= certain;
                if sure
                    || log_(v * alpha / (a / (s * s) + b))
                        <= poisson_log_pmf(k, mean) + poisson_log_pmf(n - k, rest) - at_mode
                {
                    return k;
                }
            }
        }
        mode
    }
}
