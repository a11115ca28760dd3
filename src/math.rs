//! Scalar device functions in f32: each has a twin of the same name and formula in `shaders/common/math.wgsl`.
//!
//! The functions end in `_` where WGSL has a builtin of that name. Builtins are too coarse on real GPUs (WGSL
//! allows `atan` 4096 ULP, `sin` 2^-11 absolute, `log` 2^-21 absolute near 1), so both sides use these
//! polynomials; only `exp_` is the builtin in WGSL. All are `a * b + c` without fused multiply-add and without
//! branches, so that a loop over a slice is vectorised. The coefficients of `exp_`, `log_` and `atan_` are those
//! of Cephes (Moshier), single precision; the others are interpolations in Chebyshev nodes.
//!
//! NaN goes in and comes out on the Rust side; WGSL compilers may assume that there is none, so kernels that
//! must see one look at [`is_finite_bits`].

#[path = "math/special.rs"]
mod special;
#[cfg(test)]
#[path = "math/tests.rs"]
mod tests;

pub use special::*;

/// WGSL text of these functions.
pub const WGSL: &str = include_str!("../shaders/common/math.wgsl");
/// WGSL text of the special functions (`erf_`, `lgamma_`, ...); needs [`WGSL`] before it.
pub const SPECIAL_WGSL: &str = include_str!("../shaders/common/special.wgsl");

/// 1.5 * 2^23: adding and subtracting it rounds |x| < 2^22 to the nearest whole number, ties to even.
const ROUND: f32 = 12_582_912.0;
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// pi = PI_HIGH + PI_LOW; the first part has few bits, so that `PI_HIGH - x` is exact for x in [pi/2, pi].
const PI_HIGH: f32 = 3.140_625;
const PI_LOW: f32 = 9.676_536e-4;

/// The larger of x and the constant `low`; NaN stays NaN (`f32::max` would drop it).
#[inline(always)]
fn at_least(x: f32, low: f32) -> f32 {
    if x < low { low } else { x }
}

/// The smaller of x and the constant `high`; NaN stays NaN.
#[inline(always)]
fn at_most(x: f32, high: f32) -> f32 {
    if x > high { high } else { x }
}

/// a b + c, rounded once where `FUSED`: on processors that do this in one instruction, loops over polynomials take half the time.
/// Elsewhere it would be a call of a routine, so whoever asks for it knows the processor ([`multiversion::target`]).
#[inline(always)]
fn madd<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// x = n ln 2 + r with |r| <= ln 2 / 2, x in [-87, 88]: (2^n, r).
#[inline(always)]
fn exp_split<const FUSED: bool>(x: f32) -> (f32, f32) {
    let t = madd::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let scale = f32::from_bits(t.to_bits().wrapping_sub(ROUND.to_bits() - 127) << 23);
    (scale, madd::<FUSED>(n, -LN2_LOW, madd::<FUSED>(n, -LN2_HIGH, x)))
}

/// e^r - 1 for |r| <= ln 2 / 2.
#[inline(always)]
fn expm1_poly<const FUSED: bool>(r: f32) -> f32 {
    let mut y = 1.987_569_1e-4;
    y = madd::<FUSED>(y, r, 1.398_199_9e-3);
    y = madd::<FUSED>(y, r, 8.333_452e-3);
    y = madd::<FUSED>(y, r, 4.166_579_6e-2);
    y = madd::<FUSED>(y, r, 1.666_666_5e-1);
    y = madd::<FUSED>(y, r, 0.5);
    madd::<FUSED>(y, r * r, r)
}

/// x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt 2): (f, e).
#[inline(always)]
fn log_split(x: f32) -> (f32, f32) {
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let e = ((bits as i32) >> 23) as f32;
    (f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0, e)
}

/// ln(1 + f) + e ln 2, f in [sqrt(1/2) - 1, sqrt 2 - 1].
#[inline(always)]
fn log_poly<const FUSED: bool>(f: f32, e: f32) -> f32 {
    let z = f * f;
    let mut y = 7.037_683_6e-2;
    y = madd::<FUSED>(y, f, -1.151_461e-1);
    y = madd::<FUSED>(y, f, 1.167_699_9e-1);
    y = madd::<FUSED>(y, f, -1.242_014_1e-1);
    y = madd::<FUSED>(y, f, 1.424_932_3e-1);
    y = madd::<FUSED>(y, f, -1.666_805_8e-1);
    y = madd::<FUSED>(y, f, 2.000_071_5e-1);
    y = madd::<FUSED>(y, f, -2.499_999_4e-1);
    y = madd::<FUSED>(y, f, 3.333_333e-1);
    y = madd::<FUSED>(-0.5, z, madd::<FUSED>(y * f, z, e * LN2_LOW));
    f + y + e * LN2_HIGH
}

/// The functions of this module for loops over slices: `FUSED` as processors allow, chosen with the rest of the loop's code. Same
/// accuracy, other bits.
pub mod loops {
    use super::*;

    /// [`exp_`]
    #[inline(always)]
    pub fn exp<const FUSED: bool>(x: f32) -> f32 {
        let (scale, r) = exp_split::<FUSED>(at_most(at_least(x, -87.0), 88.0));
        scale * (expm1_poly::<FUSED>(r) + 1.0)
    }

    /// [`expm1_`]
    #[inline(always)]
    pub fn expm1<const FUSED: bool>(x: f32) -> f32 {
        let (scale, r) = exp_split::<FUSED>(at_most(at_least(x, -87.0), 88.0));
        madd::<FUSED>(scale, expm1_poly::<FUSED>(r), scale - 1.0)
    }

    /// [`log_`]
    #[inline(always)]
    pub fn log<const FUSED: bool>(x: f32) -> f32 {
        let (f, e) = log_split(x);
        if x < f32::INFINITY { log_poly::<FUSED>(f, e) } else { x }
    }

    /// [`log1p_`]
    #[inline(always)]
    pub fn log1p<const FUSED: bool>(x: f32) -> f32 {
        let (f, e) = log_split(1.0 + x);
        let near = (x > -0.292_893_2) & (x < 0.414_213_5);
        let y = log_poly::<FUSED>(if near { x } else { f }, if near { 0.0 } else { e });
        if x < f32::INFINITY { y } else { x }
    }

    /// [`atan_`]
    #[inline(always)]
    pub fn atan<const FUSED: bool>(x: f32) -> f32 {
        let a = x.abs();
        let large = a > 2.414_213_6;
        let middle = a > 0.414_213_57;
        let base = if large { std::f32::consts::FRAC_PI_2 } else { std::f32::consts::FRAC_PI_4 };
        let base = if middle { base } else { 0.0 };
        let top = if large { -1.0 } else { a - 1.0 };
        let bottom = if large { a } else { a + 1.0 };
        let t = if middle { top } else { a } / if middle { bottom } else { 1.0 };
        let z = t * t;
        let mut y = 8.053_745e-2;
        y = madd::<FUSED>(y, z, -1.387_768_6e-1);
        y = madd::<FUSED>(y, z, 1.997_771_1e-1);
        y = madd::<FUSED>(y, z, -3.333_295e-1);
        (base + madd::<FUSED>(y * z, t, t)).copysign(x)
    }

    /// [`tanh_`]
    #[inline(always)]
    pub fn tanh<const FUSED: bool>(x: f32) -> f32 {
        let t = expm1::<FUSED>(2.0 * at_most(at_least(x, -10.0), 10.0));
        t / (t + 2.0)
    }

    /// [`sigmoid_`]
    #[inline(always)]
    pub fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
        1.0 / (1.0 + exp::<FUSED>(at_most(-x, 87.0)))
    }

    /// 1 / (1 + e^-x) as activations want it: within 1e-7 of the truth, in fewer steps than [`sigmoid`]. Relative to itself it is off by up
    /// to 4e-6 where x is near -87, its least.
    #[inline(always)]
    pub fn logistic<const FUSED: bool>(x: f32) -> f32 {
        let x = at_most(at_least(x, -87.0), 87.0);
        let t = madd::<FUSED>(x, -std::f32::consts::LOG2_E, ROUND);
        let n = t - ROUND;
        let scale = f32::from_bits(t.to_bits().wrapping_sub(ROUND.to_bits() - 127) << 23);
        let f = madd::<FUSED>(x, -std::f32::consts::LOG2_E, -n);
        // 2^f, |f| <= 1/2
        let mut y = 1.545_316_3e-4;
        y = madd::<FUSED>(y, f, 1.339_086_3e-3);
        y = madd::<FUSED>(y, f, 9.618_083e-3);
        y = madd::<FUSED>(y, f, 5.550_357e-2);
        y = madd::<FUSED>(y, f, 2.402_265e-1);
        y = madd::<FUSED>(y, f, 6.931_472e-1);
        y = madd::<FUSED>(y, f, 1.0);
        1.0 / madd::<FUSED>(y, scale, 1.0)
    }

    /// [`softplus_`]
    #[inline(always)]
    pub fn softplus<const FUSED: bool>(x: f32) -> f32 {
        at_least(x, 0.0) + log1p::<FUSED>(exp::<FUSED>(-x.abs()))
    }
}

/// e^x, x clamped to [-87, 88]: the result is finite, normal and positive.
#[inline(always)]
pub fn exp_(x: f32) -> f32 {
    loops::exp::<false>(x)
}

/// e^x - 1 without cancellation at 0; x clamped to [-87, 88].
#[inline(always)]
pub fn expm1_(x: f32) -> f32 {
    loops::expm1::<false>(x)
}

/// ln x for normal x > 0, accurate near 1. 0 and subnormals give about -88, negative x a finite number without
/// meaning, infinity itself.
#[inline(always)]
pub fn log_(x: f32) -> f32 {
    loops::log::<false>(x)
}

/// ln(1 + x), x > -1, accurate near 0. The polynomial takes x itself where 1 + x needs no scaling; the usual
/// correction of 1 + x would be optimised away by fast-math shader compilers.
#[inline(always)]
pub fn log1p_(x: f32) -> f32 {
    loops::log1p::<false>(x)
}

/// x^y = exp_(y ln x), x > 0 normal; the relative error grows as |y ln x| 1e-7. Clamped as [`exp_`].
#[inline(always)]
pub fn pow_(x: f32, y: f32) -> f32 {
    exp_(y * log_(x))
}

/// arctan x, in (-pi/2, pi/2) for all x.
#[inline(always)]
pub fn atan_(x: f32) -> f32 {
    loops::atan::<false>(x)
}

/// tanh x = (e^2x - 1) / (e^2x + 1), relative accuracy everywhere.
#[inline(always)]
pub fn tanh_(x: f32) -> f32 {
    loops::tanh::<false>(x)
}

/// 1 / (1 + e^-x), never exactly 0.
#[inline(always)]
pub fn sigmoid_(x: f32) -> f32 {
    loops::sigmoid::<false>(x)
}

/// ln(1 + e^x).
#[inline(always)]
pub fn softplus_(x: f32) -> f32 {
    loops::softplus::<false>(x)
}

/// ln sigmoid(x) = -softplus(-x).
#[inline(always)]
pub fn log_sigmoid_(x: f32) -> f32 {
    -softplus_(-x)
}

/// sin a for |a| <= pi/2.
#[inline(always)]
fn sin_poly(a: f32) -> f32 {
    let z = a * a;
    let mut y = -2.408_019e-8;
    y = y * z + 2.753_646_4e-6;
    y = y * z - 1.984_108_7e-4;
    y = y * z + 8.333_333e-3;
    y = y * z - 1.666_666_7e-1;
    y * z * a + a
}

/// sin(2 pi t), t in turns, |t| < 2^22; the reduction of t is exact.
#[inline(always)]
pub fn sin_2pi(t: f32) -> f32 {
    let r = t - ((t + ROUND) - ROUND);
    let a = r.abs();
    let folded = if a > 0.25 { 0.5 - a } else { a };
    sin_poly(std::f32::consts::TAU * folded).copysign(r)
}

/// cos(2 pi t), t in turns, |t| < 2^22.
#[inline(always)]
pub fn cos_2pi(t: f32) -> f32 {
    let r = t - ((t + ROUND) - ROUND);
    sin_poly(std::f32::consts::TAU * (0.25 - r.abs()))
}

/// sin x for |x| <= pi; outside, wrong by more than rounding. Near pi shader compilers may merge the two parts of pi:
/// then the error is 1e-7 absolute. [`sin_2pi`] is exact there on all sides.
#[inline(always)]
pub fn sin_(x: f32) -> f32 {
    let a = x.abs();
    let folded = if a > std::f32::consts::FRAC_PI_2 { (PI_HIGH - a) + PI_LOW } else { a };
    sin_poly(folded) * 1.0f32.copysign(x)
}

/// cos x for |x| <= pi; outside, wrong by more than rounding. Near pi/2 as [`sin_`] near pi.
#[inline(always)]
pub fn cos_(x: f32) -> f32 {
    sin_poly((0.5 * PI_HIGH - x.abs()) + 0.5 * PI_LOW)
}

/// tan x for |x| <= pi, as sin x / cos x.
#[inline(always)]
pub fn tan_(x: f32) -> f32 {
    sin_(x) / cos_(x)
}

/// Neither NaN nor infinite, from the exponent bits: compilers of shaders may fold `x != x` away.
#[inline(always)]
pub fn is_finite_bits(x: f32) -> bool {
    x.to_bits() & 0x7f80_0000 != 0x7f80_0000
}
