//! Each function against f64 over a dense grid. A tolerance is absolute + relative of the reference.
use super::*;
use statrs::function::{erf as reference_erf, gamma as reference_gamma};

/// A few roundings of f32 (one is 6e-8).
const FEW: f64 = 2.5e-7;
/// erfc: the exponential of a product and a polynomial.
const TAIL: f64 = 1.0e-6;
/// AS 241's PPND7 has 1e-7; the rest is rounding of its argument.
const QUANTILE: f64 = 1.0e-6;

/// Keeps 0/0 out of the comparison.
const TINY: f64 = 1e-60;

/// Worst |f - reference| / (absolute + relative |reference|) over `n` points from lo to hi; NaN is infinitely bad.
fn worst(
    f: impl Fn(f32) -> f32,
    reference: impl Fn(f64) -> f64,
    points: impl Iterator<Item = f32>,
    absolute: f64,
    relative: f64,
) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for x in points {
        let (got, want) = (f64::from(f(x)), reference(f64::from(x)));
        let ratio = (got - want).abs() / (TINY + absolute + relative * want.abs());
        let ratio = if ratio.is_nan() { f64::INFINITY } else { ratio };
        if ratio > worst.0 {
            worst = (ratio, x);
        }
    }
    worst
}
fn linear(lo: f32, hi: f32) -> impl Iterator<Item = f32> {
    const N: u32 = 100_000;
    (0..=N).map(move |i| (lo + (hi - lo) * (i as f32 / N as f32)).clamp(lo, hi))
}
/// Equal steps of the exponent, lo > 0; with `sign` -1 for negative points.
fn geometric(lo: f32, hi: f32, sign: f32) -> impl Iterator<Item = f32> {
    linear(lo.ln(), hi.ln()).map(move |l| sign * l.exp().clamp(lo, hi))
}
fn both(lo: f32, hi: f32) -> impl Iterator<Item = f32> {
    geometric(lo, hi, 1.0).chain(geometric(lo, hi, -1.0)).chain([0.0])
}
#[track_caller]
fn check(
    f: impl Fn(f32) -> f32,
    reference: impl Fn(f64) -> f64,
    points: impl Iterator<Item = f32>,
    absolute: f64,
    relative: f64,
) {
    let (ratio, at) = worst(f, reference, points, absolute, relative);
    assert!(ratio <= 1.0, "error is {ratio:.3} tolerances at {at:e}");
}

#[test]
fn exp_and_expm1() {
    check(exp_, f64::exp, linear(-87.0, 88.0), 0.0, FEW);
    check(expm1_, f64::exp_m1, linear(-87.0, 88.0), 0.0, FEW);
    check(expm1_, f64::exp_m1, both(1e-30, 1.0), 0.0, FEW);
    assert_eq!((exp_(-1e9), exp_(1e9)), (exp_(-87.0), exp_(88.0)));
    assert!(exp_(f32::NAN).is_nan() && expm1_(f32::NAN).is_nan());
}

#[test]
fn log_and_log1p() {
    check(log_, f64::ln, geometric(1.2e-38, 3.4e38, 1.0), 0.0, FEW);
    check(log_, f64::ln, linear(0.5, 2.0), 0.0, FEW);
    check(log_, f64::ln, (0..1000u32).map(|i| f32::from_bits(1.0f32.to_bits() - 500 + i)), 0.0, FEW);
    check(log1p_, f64::ln_1p, geometric(1e-35, 3e38, 1.0).chain(geometric(1e-35, 0.999_999, -1.0)), 0.0, FEW);
    check(log1p_, f64::ln_1p, linear(-0.9999, 2.0), 0.0, FEW);
    assert!(log_(f32::NAN).is_nan() && log1p_(f32::NAN).is_nan());
    assert_eq!(log_(f32::INFINITY), f32::INFINITY);
    assert!(log_(0.0) < -87.0 && log_(0.0) > -89.0);
}

#[test]
fn loops_with_fused_operations_are_as_good() {
    use loops::*;
    check(exp::<true>, f64::exp, linear(-87.0, 88.0), 0.0, FEW);
    check(expm1::<true>, f64::exp_m1, both(1e-30, 1.0).chain(linear(-87.0, 88.0)), 0.0, FEW);
    check(log::<true>, f64::ln, geometric(1.2e-38, 3.4e38, 1.0).chain(linear(0.5, 2.0)), 0.0, FEW);
    check(log1p::<true>, f64::ln_1p, geometric(1e-35, 3e38, 1.0).chain(linear(-0.9999, 2.0)), 0.0, FEW);
    check(atan::<true>, f64::atan, both(1e-30, 1e30).chain(linear(-5.0, 5.0)), 0.0, FEW);
    check(tanh::<true>, f64::tanh, both(1e-30, 50.0), 0.0, 2.0 * FEW);
    let logistic_f64 = |x: f64| 1.0 / (1.0 + (-x).exp());
    check(sigmoid::<true>, logistic_f64, linear(-87.0, 87.0), 0.0, 2.0 * FEW);
    check(softplus::<true>, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), linear(-80.0, 80.0), 0.0, 2.0 * FEW);
    for f in [logistic::<false>, logistic::<true>] {
        check(f, logistic_f64, linear(-87.0, 87.0), 0.0, 4e-6);
        check(f, logistic_f64, linear(-20.0, 87.0), 1e-7, 0.0);
        assert_eq!((f(-1e9), f(1e9), f(f32::INFINITY)), (f(-87.0), 1.0, 1.0));
        assert!(f(f32::NAN).is_nan());
    }
}

#[test]
fn pow_is_as_good_as_its_logarithm() {
    for y in [-3.0f32, -0.5, 0.01, 0.5, 2.0] {
        let tolerance = |x: f64| 3.0 * FEW * (1.0 + (f64::from(y) * x.ln()).abs());
        for x in geometric(1e-8, 1e8, 1.0) {
            let want = f64::from(x).powf(f64::from(y));
            let error = (f64::from(pow_(x, y)) / want - 1.0).abs();
            assert!(error <= tolerance(f64::from(x)), "pow_({x}, {y}) is off by {error:e}");
        }
    }
}

#[test]
fn atan_and_tanh() {
    check(atan_, f64::atan, both(1e-30, 1e30), 0.0, FEW);
    check(atan_, f64::atan, linear(-5.0, 5.0), 0.0, FEW);
    check(tanh_, f64::tanh, both(1e-30, 30.0), 0.0, FEW);
    check(tanh_, f64::tanh, linear(-10.0, 10.0), 0.0, 1.2 * FEW);
    assert!(atan_(f32::NAN).is_nan() && tanh_(f32::NAN).is_nan());
    assert_eq!((tanh_(1e30), tanh_(-1e30)), (1.0, -1.0));
}

#[test]
fn sigmoid_and_softplus() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    check(sigmoid_, sigmoid, linear(-87.0, 87.0), 0.0, FEW);
    check(softplus_, softplus, linear(-87.0, 200.0), 0.0, FEW);
    check(log_sigmoid_, |x| -softplus(-x), linear(-200.0, 87.0), 0.0, FEW);
    assert!(sigmoid_(f32::NAN).is_nan() && softplus_(f32::NAN).is_nan() && log_sigmoid_(f32::NAN).is_nan());
    assert!(sigmoid_(-1e30) > 0.0 && sigmoid_(1e30) == 1.0 && softplus_(1e30) == 1e30);
}

#[test]
fn circle_functions() {
    use std::f64::consts::TAU;
    let pi = std::f32::consts::PI;
    check(sin_2pi, |t| (TAU * t).sin(), linear(-0.499, 0.499), 0.0, FEW);
    check(cos_2pi, |t| (TAU * t).cos(), linear(-0.249, 0.249), 0.0, 2.0 * FEW);
    let fraction = |t: f64| t - t.round();
    check(sin_2pi, |t| (TAU * fraction(t)).sin(), linear(-3000.0, 3000.0), 1e-7, FEW);
    check(cos_2pi, |t| (TAU * fraction(t)).cos(), linear(-3000.0, 3000.0), 1e-7, FEW);
    check(sin_, f64::sin, linear(-pi, pi), 1e-9, FEW);
    check(cos_, f64::cos, linear(-pi, pi), 1e-7, FEW);
    check(cos_, f64::cos, linear(1.5, 1.64), 1e-10, FEW);
    check(tan_, f64::tan, linear(-1.57, 1.57), 0.0, 2.0 * FEW);
    check(tan_, f64::tan, linear(1.58, pi), 1e-9, 3.0 * FEW);
    assert_eq!((sin_2pi(3.0), sin_2pi(0.5), cos_2pi(0.25), cos_2pi(-12.75)), (0.0, 0.0, 0.0, 0.0));
    assert!(sin_2pi(f32::NAN).is_nan() && cos_2pi(f32::NAN).is_nan() && sin_(f32::NAN).is_nan());
}

#[test]
fn error_function_and_normal() {
    check(erf_, reference_erf::erf, both(1e-30, 6.0), 0.0, FEW);
    check(erf_, reference_erf::erf, linear(-6.0, 6.0), 0.0, FEW);
    check(erfc_, reference_erf::erfc, linear(-6.0, 9.3), 0.0, TAIL);
    let cdf = |x: f64| 0.5 * reference_erf::erfc(-x / std::f64::consts::SQRT_2);
    // Rounding of x / sqrt 2 alone moves the tail by x^2 6e-8.
    check(normal_cdf, cdf, linear(-4.0, 9.0), 0.0, 2.0 * TAIL);
    check(normal_cdf, cdf, linear(-13.0, -4.0), 0.0, 13.0 * 13.0 * 1.2e-7);
    // statrs is coarse in the tail: Newton steps in ln cdf repair it.
    let icdf = |p: f64| {
        let mut x = -std::f64::consts::SQRT_2 * reference_erf::erfc_inv(2.0 * p);
        for _ in 0..4 {
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            x -= (cdf(x).ln() - p.ln()) * cdf(x) / density;
        }
        x
    };
    check(normal_icdf, icdf, geometric(1e-37, 0.5, 1.0), 1e-9, QUANTILE);
    check(normal_icdf, icdf, linear(0.0001, 0.9999), 1e-9, QUANTILE);
    check(normal_icdf, icdf, geometric(6e-8, 0.5, 1.0).map(|q| 1.0 - q), 1e-9, QUANTILE);
    assert!(normal_cdf(f32::NAN).is_nan() && normal_icdf(f32::NAN).is_nan() && erf_(f32::NAN).is_nan());
}

#[test]
fn gamma_functions() {
    check(lgamma_, reference_gamma::ln_gamma, linear(0.5, 2.5), 1e-9, 2.0 * FEW);
    check(lgamma_, reference_gamma::ln_gamma, geometric(1e-30, 1e6, 1.0), 1.5e-6, 2.0 * FEW);
    check(digamma_, reference_gamma::digamma, geometric(1e-30, 1e6, 1.0), 1e-6, 2.0 * FEW);
    assert_eq!((lgamma_(1.0), lgamma_(2.0)), (0.0, 0.0));
}

#[test]
fn finite_by_bits() {
    for x in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(!is_finite_bits(x));
    }
    for x in [0.0, -0.0, 1e-45, f32::MAX, f32::MIN, 1.0] {
        assert!(is_finite_bits(x));
    }
}

/// The checker itself: a wrong value and NaN must be seen.
#[test]
fn check_sees_errors() {
    assert!(worst(|x| x * (1.0 + 1e-6), |x| x, linear(1.0, 2.0), 0.0, FEW).0 > 1.0);
    let broken = |x: f32| if x > 1.5 { f32::NAN } else { x };
    assert!(worst(broken, |x| x, linear(1.0, 2.0), 0.0, FEW).0 == f64::INFINITY);
}
