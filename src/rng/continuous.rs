//! Continuous draws; twins of `shaders/rng/continuous.wgsl`, the same words in the same order.
use super::Rng;
use crate::math::{cos_2pi, exp_, log_, log1p_, sigmoid_, sin_2pi};

/// Bound on the tries of a rejection loop. A try fails with probability < 0.1 for gamma and < 0.4 for counts,
/// so it is never reached; it keeps a GPU from hanging on NaN parameters.
pub(super) const TRIES: u32 = 64;
/// Smallest positive normal f32: gamma draws are not below.
const SMALLEST: f32 = f32::MIN_POSITIVE;

impl Rng {
    /// N(0, 1) by Box and Muller (1958): sqrt(-2 ln U1) cos(2 pi U2), two words; |z| <= 5.8.
    #[inline(always)]
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * log_(self.uniform())).sqrt();
        radius * cos_2pi(self.uniform())
    }

    /// Exponential of mean 1: -ln U, one word; in (6e-8, 16.7).
    #[inline(always)]
    pub fn exponential(&mut self) -> f32 {
        -log_(self.uniform())
    }

    /// A gamma draw as (g, l) with the value g e^l, l <= 0, so that tiny shapes do not underflow.
    /// Marsaglia and Tsang (2000); shape < 1 as Gamma(shape + 1) U^(1/shape).
    fn gamma_parts(&mut self, shape: f32) -> (f32, f32) {
        let boosted = shape < 1.0;
        let d = if boosted { shape + 1.0 } else { shape } - 1.0 / 3.0;
        let c = 1.0 / (3.0 * d.sqrt());
        let mut g = d;
        for _ in 0..TRIES {
            let x = self.normal();
            let u = self.uniform();
            let w = c * x;
            if w > -1.0 {
                // ln of the acceptance probability, x^2/2 + d (1 - v + ln v) with v = (1 + w)^3, without its
                // cancelling large terms.
                let squeeze = u < 1.0 - 0.0331 * (x * x) * (x * x);
                if squeeze || log_(u) < d * (3.0 * (log1p_(w) - w + 0.5 * w * w) - w * w * w) {
                    g = d * (1.0 + w) * (1.0 + w) * (1.0 + w);
                    break;
                }
            }
        }
        let l = if boosted { log_(self.uniform()) / shape } else { 0.0 };
        (g, l)
    }

    /// Gamma of this shape > 0 and scale 1; never 0 (at least 1.2e-38, reached for shapes below about 0.2).
    pub fn gamma(&mut self, shape: f32) -> f32 {
        let (g, l) = self.gamma_parts(shape);
        (g * exp_(l)).max(SMALLEST)
    }

    /// Beta(a, b), a, b > 0: Ga / (Ga + Gb) in logarithms; in (0, 1], 1 by rounding only.
    pub fn beta(&mut self, a: f32, b: f32) -> f32 {
        let (ga, la) = self.gamma_parts(a);
        let (gb, lb) = self.gamma_parts(b);
        sigmoid_(log_(ga / gb) + (la - lb))
    }

    /// Student's t with nu > 0 degrees of freedom: Z / sqrt(2 Gamma(nu/2) / nu).
    pub fn student_t(&mut self, nu: f32) -> f32 {
        let z = self.normal();
        let (g, l) = self.gamma_parts(0.5 * nu);
        z * (0.5 * nu / g).sqrt() * exp_((-0.5 * l).min(80.0))
    }

    /// Symmetric alpha-stable draw, alpha in (0, 2], scale 1 (variance 2 at alpha = 2, Cauchy at 1): two words,
    /// see [`alpha_stable_of`].
    #[inline(always)]
    pub fn alpha_stable(&mut self, alpha: f32) -> f32 {
        let h = 0.5 * (self.uniform() - 0.5);
        let w = self.exponential();
        alpha_stable_of(alpha, h, w)
    }
}

/// Chambers, Mallows and Stuck (1976) without branches, so that lanes vectorise:
/// S = sin(alpha U) / cos(U)^(1/alpha) [cos((1 - alpha) U) / W]^((1 - alpha)/alpha)
/// with U = 2 pi h, h uniform in (-1/4, 1/4) turns, W exponential. It is tan U at alpha = 1 and 2 sin U sqrt W at
/// alpha = 2; powers are taken in logarithms, |S| <= 1.7e38.
#[inline(always)]
pub fn alpha_stable_of(alpha: f32, h: f32, w: f32) -> f32 {
    let inverse = 1.0 / alpha;
    let rest = 1.0 - alpha;
    let power = (log_(cos_2pi(rest * h)) - log_(w)) * rest * inverse - log_(cos_2pi(h)) * inverse;
    sin_2pi(alpha * h) * exp_(power)
}
