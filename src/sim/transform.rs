//! Support transforms: an element-wise map from a parameter's open support `(lo, hi)` to the real line.
//!
//! | transform | u0 | ln du0/dt |
//! |---|---|---|
//! | identity | t | 0 |
//! | logit | ln (t-lo) - ln (hi-t) | ln (hi-lo) - ln (t-lo) - ln (hi-t) |
//! | probit | Phi^-1((t-lo)/(hi-lo)) | -ln (hi-lo) - ln phi(u0) |
//! | log | ln (t-lo) | -ln (t-lo) |
//!
//! The f32 functions have twins of the same name in `shaders/sim/transform.wgsl` and `probit.wgsl`. An end of the support is never
//! returned: in f32 the logistic function of 17 is 1, so values are clamped to the next float inside.
use super::prior::Factor;
use super::special::normal_tail_quantile;
use crate::math::{exp_, log_, normal_cdf, normal_icdf};

/// How a parameter is mapped to the real line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transform {
    /// Real parameters: unchanged.
    Identity,
    /// Bounded parameters: log odds of the position between the bounds.
    Logit,
    /// Bounded parameters: normal quantile of the position between the bounds; a uniform prior becomes N(0, 1).
    Probit,
    /// Positive parameters: logarithm.
    Log,
}

/// The transform of a factor's parameters when the user names none: bounded logit, positive log, real identity.
pub fn default_transform(factor: &Factor) -> Transform {
    let support = factor.support();
    match (support.lo, support.hi) {
        (Some(_), Some(_)) => Transform::Logit,
        (Some(_), None) => Transform::Log,
        _ => Transform::Identity,
    }
}

/// An open support with known ends, and the outermost floats inside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    /// Lower end; finite where the transform needs it.
    pub lo: f32,
    /// Upper end.
    pub hi: f32,
    /// Smallest value taken.
    pub first: f32,
    /// Largest value taken.
    pub last: f32,
}

impl Span {
    /// The support between two ends. The real line is not clamped; half a line ends at the largest finite float.
    pub fn new(lo: f32, hi: f32) -> Self {
        if lo == f32::NEG_INFINITY {
            return Self { lo, hi, first: lo, last: hi };
        }
        let last = if hi == f32::INFINITY { f32::MAX } else { sim_below(hi) };
        Self { lo, hi, first: sim_above(lo), last }
    }

    /// `t` if it is inside, else the nearest value inside; NaN stays NaN.
    pub fn clamp(&self, t: f32) -> f32 {
        sim_clamp(t, self.first, self.last)
    }
}

/// The next normal float above `x`, or 0: subnormals are left out, since GPUs may flush them to the bound itself.
pub(super) fn sim_above(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE {
        return f32::MIN_POSITIVE;
    }
    let next = x.next_up();
    if next.is_normal() { next } else { 0.0 }
}

/// The next normal float below `x`, or 0.
pub(super) fn sim_below(x: f32) -> f32 {
    -sim_above(-x)
}

/// `t` kept inside `[first, last]`; NaN stays NaN, so that a failed flow is seen and not hidden in a bound.
pub(super) fn sim_clamp(t: f32, first: f32, last: f32) -> f32 {
    let t = if t < first { first } else { t };
    if t > last { last } else { t }
}

/// Logarithm of a distance to an end; never of 0, which a GPU may make of a subnormal one.
fn sim_log_gap(gap: f32) -> f32 {
    log_(if gap < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { gap })
}

/// `ln ((t - lo)/(hi - t))`.
fn sim_logit(t: f32, lo: f32, hi: f32) -> f32 {
    sim_log_gap(t - lo) - sim_log_gap(hi - t)
}

/// `lo + (hi - lo)/(1 + e^-u)`, counted from the nearer end.
fn sim_logistic(u: f32, lo: f32, hi: f32) -> f32 {
    let e = exp_(-u.abs());
    let part = (hi - lo) * (e / (1.0 + e));
    if u < 0.0 { lo + part } else { hi - part }
}

/// `Phi^-1((t-lo)/(hi-lo))`, from the nearer end so that the upper tail is as exact as the lower one.
fn sim_probit(t: f32, lo: f32, hi: f32) -> f32 {
    let (below, above) = (t - lo, hi - t);
    if below < above { normal_icdf(below / (hi - lo)) } else { -normal_icdf(above / (hi - lo)) }
}

/// `lo + (hi - lo) Phi(u)`, counted from the nearer end.
fn sim_normal(u: f32, lo: f32, hi: f32) -> f32 {
    let part = (hi - lo) * normal_cdf(-u.abs());
    if u < 0.0 { lo + part } else { hi - part }
}

impl Transform {
    /// Name in model files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Logit => "logit",
            Self::Probit => "probit",
            Self::Log => "log",
        }
    }

    /// `(u0, ln du0/dt)` of `t` inside the open support.
    pub(super) fn forward(self, t: f32, span: &Span) -> (f32, f32) {
        let (lo, hi) = (span.lo, span.hi);
        match self {
            Self::Identity => (t, 0.0),
            Self::Logit => {
                let (below, above) = (sim_log_gap(t - lo), sim_log_gap(hi - t));
                (sim_logit(t, lo, hi), sim_log_gap(hi - lo) - below - above)
            }
            Self::Probit => {
                const LN_SQRT_2PI: f32 = 0.918_938_5;
                let u = sim_probit(t, lo, hi);
                (u, 0.5 * u * u + LN_SQRT_2PI - sim_log_gap(hi - lo))
            }
            Self::Log => {
                let u = sim_log_gap(t - lo);
                (u, -u)
            }
        }
    }

    /// The parameter at `u0`, inside the open support.
    pub(super) fn inverse(self, u0: f32, span: &Span) -> f32 {
        let (lo, hi) = (span.lo, span.hi);
        span.clamp(match self {
            Self::Identity => u0,
            Self::Logit => sim_logistic(u0, lo, hi),
            Self::Probit => sim_normal(u0, lo, hi),
            Self::Log => lo + exp_(u0),
        })
    }

    /// `ln du0/dt` in f64; minus infinity at the ends of the support, outside it and at NaN, so that a density made
    /// from it is 0 there.
    pub(super) fn log_jacobian(self, t: f64, lo: f64, hi: f64) -> f64 {
        if !(t > lo && t < hi) {
            return f64::NEG_INFINITY;
        }
        let width = hi - lo;
        match self {
            Self::Identity => 0.0,
            Self::Logit => width.ln() - (t - lo).ln() - (hi - t).ln(),
            Self::Probit => {
                let u = normal_tail_quantile((t - lo).min(hi - t) / width);
                0.5 * u * u + 0.5 * std::f64::consts::TAU.ln() - width.ln()
            }
            Self::Log => -(t - lo).ln(),
        }
    }
}
