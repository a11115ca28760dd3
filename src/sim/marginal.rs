//! One-dimensional priors: supports, draws and log densities.
use super::special::ln_gamma;
use crate::error::{Error, Result};
use crate::rng::Rng;

const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// An end of a uniform prior: a number, or the value of an earlier parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A finite number.
    Const(f32),
    /// The value of parameter `i`, which must come earlier: `gamma ~ U(0, beta)`.
    Param(usize),
}

impl Bound {
    /// The bound's value, given the parameters drawn so far.
    pub(super) fn at(self, theta: &[f32]) -> f32 {
        match self {
            Self::Const(value) => value,
            Self::Param(i) => theta[i],
        }
    }

    fn at_f64(self, theta: &[f64]) -> f64 {
        match self {
            Self::Const(value) => f64::from(value),
            Self::Param(i) => theta[i],
        }
    }
}

/// The prior of one parameter. Parameters are finite; scales, shapes and rates are > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Marginal {
    /// Uniform on `(lo, hi)`.
    Uniform {
        /// Lower end.
        lo: Bound,
        /// Upper end, above the lower one whatever the parameters it refers to.
        hi: Bound,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation, > 0.
        sd: f32,
    },
    /// `exp` of a normal.
    LogNormal {
        /// Mean of the logarithm.
        mu: f32,
        /// Standard deviation of the logarithm, > 0.
        sigma: f32,
    },
    /// `exp` of a uniform on `(ln lo, ln hi)`: density `1 / (t ln(hi/lo))` on `(lo, hi)`.
    LogUniform {
        /// Lower end, > 0.
        lo: f32,
        /// Upper end, above the lower one.
        hi: f32,
    },
    /// Gamma, density proportional to `t^(shape-1) e^(-rate t)`.
    Gamma {
        /// Shape, > 0.
        shape: f32,
        /// Rate (1/scale), > 0.
        rate: f32,
    },
    /// Beta on `(0, 1)`, density proportional to `t^(a-1) (1-t)^(b-1)`.
    Beta {
        /// First shape, > 0.
        a: f32,
        /// Second shape, > 0.
        b: f32,
    },
    /// Exponential, mean `1/rate`.
    Exponential {
        /// Rate, > 0.
        rate: f32,
    },
    /// Absolute value of a normal with mean 0.
    HalfNormal {
        /// Standard deviation of that normal, > 0.
        sd: f32,
    },
}

/// Numbers of a marginal with their keys.
type Numbers<'a> = &'a [(&'static str, f32)];

/// The interval a parameter lives in; an end is `None` where it is infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Support {
    pub lo: Option<Bound>,
    pub hi: Option<Bound>,
}

impl Marginal {
    /// The support, ends excluded.
    pub(super) fn support(&self) -> Support {
        let zero = Some(Bound::Const(0.0));
        match *self {
            Self::Uniform { lo, hi } => Support { lo: Some(lo), hi: Some(hi) },
            Self::LogUniform { lo, hi } => Support { lo: Some(Bound::Const(lo)), hi: Some(Bound::Const(hi)) },
            Self::Beta { .. } => Support { lo: zero, hi: Some(Bound::Const(1.0)) },
            Self::Normal { .. } => Support { lo: None, hi: None },
            _ => Support { lo: zero, hi: None },
        }
    }

    /// Checks the numbers of parameter `name`; bounds that refer to parameters are checked by the prior.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let (centre, positive): (Numbers, Numbers) = match *self {
            Self::Uniform { lo, hi } => return check_uniform(name, lo, hi),
            Self::Normal { mean, sd } => (&[("mean", mean)], &[("sd", sd)]),
            Self::LogNormal { mu, sigma } => (&[("mu", mu)], &[("sigma", sigma)]),
            Self::LogUniform { lo, hi } => {
                check_uniform(name, Bound::Const(lo), Bound::Const(hi))?;
                (&[], &[("lo", lo), ("hi", hi)])
            }
            Self::Gamma { shape, rate } => (&[], &[("shape", shape), ("rate", rate)]),
            Self::Beta { a, b } => (&[], &[("a", a), ("b", b)]),
            Self::Exponential { rate } => (&[], &[("rate", rate)]),
            Self::HalfNormal { sd } => (&[], &[("sd", sd)]),
        };
        for &(key, value) in centre {
            if !value.is_finite() {
                return Err(number(name, key, "a finite number", value));
            }
        }
        for &(key, value) in positive {
            if !(value.is_normal() && value > 0.0) {
                return Err(number(name, key, "a finite number above 0 (and not subnormal)", value));
            }
        }
        Ok(())
    }

    /// One draw, not yet clamped to the open support. `theta` holds the parameters drawn so far.
    pub(super) fn draw(&self, rng: &mut Rng, theta: &[f32]) -> f32 {
        match *self {
            Self::Uniform { lo, hi } => {
                let (lo, hi) = (lo.at(theta), hi.at(theta));
                lo + (hi - lo) * rng.uniform()
            }
            Self::Normal { mean, sd } => mean + sd * rng.normal(),
            Self::LogNormal { mu, sigma } => crate::math::exp_(mu + sigma * rng.normal()),
            Self::LogUniform { lo, hi } => {
                let lo = crate::math::log_(lo);
                crate::math::exp_(lo + (crate::math::log_(hi) - lo) * rng.uniform())
            }
            Self::Gamma { shape, rate } => rng.gamma(shape) / rate,
            Self::Beta { a, b } => rng.beta(a, b),
            Self::Exponential { rate } => rng.exponential() / rate,
            Self::HalfNormal { sd } => sd * rng.normal().abs(),
        }
    }

    /// Log density in nats at `t`, given the earlier parameters; minus infinity outside the support and at NaN.
    pub(super) fn log_prob(&self, t: f64, theta: &[f64]) -> f64 {
        let value = match *self {
            Self::Uniform { lo, hi } => {
                let (lo, hi) = (lo.at_f64(theta), hi.at_f64(theta));
                if t >= lo && t <= hi { -(hi - lo).ln() } else { f64::NEG_INFINITY }
            }
            Self::Normal { mean, sd } => normal(t, mean, sd),
            Self::LogNormal { mu, sigma } if t > 0.0 => normal(t.ln(), mu, sigma) - t.ln(),
            Self::LogUniform { lo, hi } if t >= f64::from(lo) && t <= f64::from(hi) => {
                -t.ln() - (f64::from(hi).ln() - f64::from(lo).ln()).ln()
            }
            Self::Gamma { shape, rate } if t > 0.0 => {
                let (shape, rate) = (f64::from(shape), f64::from(rate));
                shape * rate.ln() + (shape - 1.0) * t.ln() - rate * t - ln_gamma(shape)
            }
            Self::Beta { a, b } if t > 0.0 && t < 1.0 => {
                let (a, b) = (f64::from(a), f64::from(b));
                (a - 1.0) * t.ln() + (b - 1.0) * (-t).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)
            }
            Self::Exponential { rate } if t >= 0.0 => f64::from(rate).ln() - f64::from(rate) * t,
            Self::HalfNormal { sd } if t >= 0.0 => std::f64::consts::LN_2 + normal(t, 0.0, sd),
            _ => f64::NEG_INFINITY,
        };
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    }
}

/// `ln N(t; mean, sd^2)`.
fn normal(t: f64, mean: f32, sd: f32) -> f64 {
    let z = (t - f64::from(mean)) / f64::from(sd);
    -0.5 * z * z - f64::from(sd).ln() - LN_SQRT_2PI
}

fn check_uniform(name: &str, lo: Bound, hi: Bound) -> Result<()> {
    for (key, bound) in [("lo", lo), ("hi", hi)] {
        if let Bound::Const(value) = bound
            && !value.is_finite()
        {
            return Err(number(name, key, "a finite number", value));
        }
    }
    if let (Bound::Const(lo), Bound::Const(hi)) = (lo, hi)
        && !(lo < hi && (hi - lo).is_finite())
    {
        return Err(Error::config(
            format!("prior of `{name}`"),
            format!("expected lo < hi, found lo = {lo} and hi = {hi}"),
            "Give an interval of finite, positive width",
        ));
    }
    Ok(())
}

fn number(name: &str, key: &str, expected: &str, found: f32) -> Error {
    Error::config(
        format!("prior of `{name}`"),
        format!("expected `{key}` to be {expected}, found {found}"),
        "Change it",
    )
}
