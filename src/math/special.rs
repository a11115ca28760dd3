//! Error function, normal distribution function and its inverse, log-gamma, digamma.
use super::{exp_, log_};

/// erf x for |x| <= 1.
#[inline(always)]
fn erf_poly(x: f32) -> f32 {
    let z = x * x;
    let mut y = 7.875_875e-5;
    y = y * z - 8.016_864e-4;
    y = y * z + 5.189_087_4e-3;
    y = y * z - 2.685_421_2e-2;
    y = y * z + 1.128_359_5e-1;
    y = y * z - 3.761_262_7e-1;
    (y * z + std::f32::consts::FRAC_2_SQRT_PI) * x
}

/// erfc a for a >= 1: exp(-a^2) times a polynomial in 1/(1 + a/2). The square is split, because its rounding
/// error would be the relative error of the result.
#[inline(always)]
fn erfc_tail(a: f32) -> f32 {
    let a = if a > 9.3 { 9.3 } else { a };
    let t = 1.0 / (1.0 + 0.5 * a);
    let mut y = 9.342_731e-2;
    y = y * t - 2.260_534_5e-1;
    y = y * t + 8.217_621_6e-2;
    y = y * t + 6.121_055_6e-2;
    y = y * t + 1.786_928e-1;
    y = y * t + 2.469_853_2e-1;
    y = y * t + 2.820_367_5e-1;
    y = y * t + 2.820_985_6e-1;
    let high = f32::from_bits(a.to_bits() & 0xffff_f000);
    exp_(-high * high) * exp_((high - a) * (high + a)) * (y * t)
}

/// erf x.
#[inline(always)]
pub fn erf_(x: f32) -> f32 {
    let a = x.abs();
    if a < 1.0 { erf_poly(x) } else { (1.0 - erfc_tail(a)).copysign(x) }
}

/// erfc x = 1 - erf x, relative accuracy up to x = 9.3, constant (2e-39 or 0) beyond.
#[inline(always)]
pub fn erfc_(x: f32) -> f32 {
    let a = x.abs();
    let tail = erfc_tail(a);
    if a < 1.0 {
        1.0 - erf_poly(x)
    } else if x < 0.0 {
        2.0 - tail
    } else {
        tail
    }
}

/// Distribution function of N(0, 1), relative accuracy down to x = -13.
#[inline(always)]
pub fn normal_cdf(x: f32) -> f32 {
    0.5 * erfc_(-x * std::f32::consts::FRAC_1_SQRT_2)
}

/// Inverse of [`normal_cdf`], p in (0, 1); 0 and 1 give about -13 and +13. Wichura, AS 241 (1988), PPND7.
#[inline(always)]
pub fn normal_icdf(p: f32) -> f32 {
    let q = p - 0.5;
    let s = 0.180625 - q * q;
    let top = ((59.109_375 * s + 159.291_13) * s + 50.434_27) * s + 3.387_132_7;
    let bottom = ((67.187_56 * s + 78.757_76) * s + 17.895_17) * s + 1.0;
    let middle = q * top / bottom;
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-log_(tail)).sqrt();
    let near = r - 1.6;
    let near = (((0.170_238_21 * near + 1.306_728_5) * near + 2.756_815_4) * near + 1.423_437_3)
        / ((0.120_211_33 * near + 0.737_001_6) * near + 1.0);
    let far = r - 5.0;
    let far = (((0.017_337_203 * far + 0.428_682_94) * far + 3.081_226_3) * far + 6.657_905)
        / ((0.012_258_203 * far + 0.241_978_9) * far + 1.0);
    let outer = if r <= 5.0 { near } else { far };
    if q.abs() <= 0.425 { middle } else { outer.copysign(q) }
}

/// ln Gamma(x), x > 0: polynomial on [0.5, 2.5] (exact zeros at 1 and 2), elsewhere Stirling's series after
/// shifting x < 4 up by 4.
#[inline(always)]
pub fn lgamma_(x: f32) -> f32 {
    let s = x - 1.5;
    let mut c = -8.936_767e-4;
    c = c * s + 1.416_268_9e-3;
    c = c * s + 8.756_212e-4;
    c = c * s - 1.360_952e-3;
    c = c * s - 2.186_201_5e-3;
    c = c * s + 3.533_986_2e-3;
    c = c * s - 2.826_967_7e-3;
    c = c * s + 4.839_463e-3;
    c = c * s - 9.492_599e-3;
    c = c * s + 1.690_264_5e-2;
    c = c * s - 3.130_421e-2;
    c = c * s + 6.290_466e-2;
    c = c * s - 1.459_599_4e-1;
    c = c * s + 4.831_290_2e-1;
    let near = (x - 1.0) * (x - 2.0) * c;
    let small = x < 4.0;
    let w = if small { x } else { 1.0 };
    let product = w * (w + 1.0) * (w + 2.0) * (w + 3.0);
    let y = if small { x + 4.0 } else { x };
    let shift = if small { log_(product) } else { 0.0 };
    let r = 1.0 / y;
    let series = (0.083_333_336 - r * r * (2.777_777_8e-3 - r * r * 7.936_508e-4)) * r;
    let far = (y - 0.5) * log_(y) - y + 0.918_938_5 + series - shift;
    if (0.5..=2.5).contains(&x) { near } else { far }
}

/// d/dx ln Gamma(x), x > 0; asymptotic series after shifting x < 6 up by 6.
#[inline(always)]
pub fn digamma_(x: f32) -> f32 {
    let small = x < 6.0;
    let w = if small { x } else { 1.0 };
    let sum = 1.0 / w
        + (1.0 / (w + 1.0) + (1.0 / (w + 2.0) + (1.0 / (w + 3.0) + (1.0 / (w + 4.0) + 1.0 / (w + 5.0)))));
    let y = if small { x + 6.0 } else { x };
    let r = 1.0 / y;
    let z = r * r;
    let series = 0.5 * r + z * (0.083_333_336 - z * (8.333_334e-3 - z * 3.968_254e-3));
    log_(y) - series - if small { sum } else { 0.0 }
}
