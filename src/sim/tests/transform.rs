//! Support transforms: round trips, ends of the support, Jacobians against finite differences.
use super::super::transform::{Span, sim_above, sim_below};
use super::*;

const ALL: [Transform; 4] = [Transform::Identity, Transform::Logit, Transform::Probit, Transform::Log];

/// Standard normal distribution function by Simpson's rule.
fn normal_cdf(z: f64) -> f64 {
    let n = 2000;
    let step = z / f64::from(n);
    let density = |i: i32| (-0.5 * (step * f64::from(i)).powi(2)).exp() / std::f64::consts::TAU.sqrt();
    let inner: f64 = (1..n).map(|i| density(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    0.5 + (density(0) + inner + density(n)) * step / 3.0
}

/// The parameter at `u`, in f64 and from the definitions.
fn naive_inverse(transform: Transform, u: f64, lo: f64, hi: f64) -> f64 {
    match transform {
        Transform::Identity => u,
        Transform::Logit => lo + (hi - lo) / (1.0 + (-u).exp()),
        Transform::Probit => lo + (hi - lo) * normal_cdf(u),
        Transform::Log => lo + u.exp(),
    }
}

fn ends(transform: Transform) -> (f32, f32) {
    match transform {
        Transform::Identity => (f32::NEG_INFINITY, f32::INFINITY),
        Transform::Log => (0.0, f32::INFINITY),
        _ => (-0.75, 2.5),
    }
}

#[test]
fn inverse_is_the_definition_and_forward_undoes_it() {
    for transform in ALL {
        let (lo, hi) = ends(transform);
        let span = Span::new(lo, hi);
        // Beyond these values a step of f32 in t is a large part of what is left.
        let far = if transform == Transform::Probit { 4.0 } else { 6.0 };
        for i in -60..=60 {
            let u = far / 60.0 * i as f32;
            let t = transform.inverse(u, &span);
            let want = naive_inverse(transform, f64::from(u), f64::from(lo), f64::from(hi));
            assert!(
                (f64::from(t) - want).abs() <= 4e-7 * want.abs().max(1.0),
                "{transform:?} at {u}: {t} is not {want}"
            );
            // A step of f32 in t is worth du/dt steps in u.
            let (back, log_jacobian) = transform.forward(t, &span);
            let step = f64::from(t.abs().max(1e-30) * f32::EPSILON) * f64::from(log_jacobian).exp();
            let gap = f64::from((back - u).abs());
            assert!(gap <= 2e-6 + 1.5 * step, "{transform:?} at {u}: back at {back}, step {step:e}");
        }
    }
}

#[test]
fn log_jacobian_matches_finite_differences_of_the_definition() {
    let prior = |transform| match transform {
        Transform::Identity => default_prior(&[Marginal::Normal { mean: 0.0, sd: 1.0 }]),
        Transform::Log => default_prior(&[Marginal::Exponential { rate: 1.0 }]),
        _ => {
            let (lo, hi) = ends(transform);
            prior_of(&[Marginal::Uniform { lo: Bound::Const(lo), hi: Bound::Const(hi) }], &[transform])
                .unwrap()
        }
    };
    for transform in ALL {
        let prior = prior(transform);
        let (lo, hi) = ends(transform);
        let at = |u: f64| naive_inverse(transform, u, f64::from(lo), f64::from(hi));
        for i in -20..=20 {
            let u = 0.2 * f64::from(i);
            let t = at(u);
            let want = -((at(u + 1e-4) - at(u - 1e-4)) / 2e-4).ln();
            let got = prior.log_jacobian(&[t]);
            assert!((got - want).abs() <= 1e-6, "{transform:?} at {u}: {got} is not {want}");
            let mut u32 = [f32::NAN];
            let single = prior.to_unconstrained(&[t as f32], &mut u32);
            let exact = prior.log_jacobian(&[f64::from(t as f32)]);
            let tolerance = 3e-6 * (1.0 + exact.abs());
            assert!(
                (f64::from(single) - exact).abs() <= tolerance,
                "{transform:?} at {u}: {single} is not {exact}"
            );
        }
    }
}

#[test]
fn jacobians_of_all_priors_add_up_over_parameters() {
    // Triangular where bounds depend on parameters: the determinant is still the product of the diagonal.
    for prior in all_priors() {
        let dim = prior.dim();
        for theta in draws(&prior, 50).chunks_exact(dim) {
            let mut u = vec![f32::NAN; dim];
            let single = prior.to_unconstrained(theta, &mut u);
            let double = prior.log_jacobian(&to_f64(theta));
            assert!(
                (f64::from(single) - double).abs() <= 1e-4 * (1.0 + double.abs()),
                "{single} is not {double}"
            );
            let mut back = vec![f32::NAN; dim];
            prior.from_unconstrained(&u, &mut back);
            for ((t, b), name) in theta.iter().zip(&back).zip(&prior.names) {
                assert!((t - b).abs() <= 2e-6 * t.abs().max(1.0), "{name}: {t} came back as {b}");
            }
        }
    }
}

#[test]
fn the_way_back_never_leaves_the_open_support() {
    let far = [f32::NEG_INFINITY, -1e30, -200.0, -90.0, -17.0, 17.0, 90.0, 200.0, 1e30, f32::INFINITY];
    for prior in all_priors() {
        let dim = prior.dim();
        for &value in &far {
            let (u, mut theta, mut again) = (vec![value; dim], vec![f32::NAN; dim], vec![f32::NAN; dim]);
            prior.from_unconstrained(&u, &mut theta);
            for (t, transform) in theta.iter().zip(&prior.transforms) {
                assert!(*transform == Transform::Identity || t.is_finite(), "{value} gave {theta:?}");
            }
            // Real parameters may be anything; put them at 0 to look at the others.
            for (t, transform) in theta.iter_mut().zip(&prior.transforms) {
                *t = if *transform == Transform::Identity { 0.0 } else { *t };
            }
            let wide = to_f64(&theta);
            assert!(prior.log_jacobian(&wide) > f64::NEG_INFINITY, "{value} gave {theta:?}");
            prior.to_unconstrained(&theta, &mut again);
            assert!(again.iter().all(|u| u.is_finite()), "{theta:?} gave {again:?}");
        }
    }
    let prior = default_prior(&[Marginal::Uniform { lo: Bound::Const(-1.0), hi: Bound::Const(1.0) }]);
    let mut theta = [0.0];
    prior.from_unconstrained(&[20.0], &mut theta);
    assert_eq!(theta[0], 1.0f32.next_down());
    prior.from_unconstrained(&[-20.0], &mut theta);
    assert_eq!(theta[0], (-1.0f32).next_up());
}

#[test]
fn values_at_and_beyond_the_ends_map_to_finite_numbers_but_have_no_density() {
    for transform in [Transform::Logit, Transform::Probit] {
        let prior = dependent(transform);
        for theta in [[0.01, 0.0, 2.0], [1.0, 1.0, 1.0], [-5.0, -5.0, 9.0], [0.5, 0.5, 0.5]] {
            let mut u = [f32::NAN; 3];
            let log_jacobian = prior.to_unconstrained(&theta, &mut u);
            assert!(u.iter().all(|u| u.is_finite()) && log_jacobian.is_finite(), "{theta:?} gave {u:?}");
            assert_eq!(prior.log_jacobian(&to_f64(&theta)), f64::NEG_INFINITY, "{theta:?}");
        }
        let (mut outside, mut inside) = ([f32::NAN; 3], [f32::NAN; 3]);
        let far = prior.to_unconstrained(&[-5.0, -5.0, 9.0], &mut outside);
        let near = [0.01f32.next_up(), f32::MIN_POSITIVE, 2.0f32.next_down()];
        assert_eq!((far, outside), (prior.to_unconstrained(&near, &mut inside), inside), "{transform:?}");
    }
    assert_eq!(dependent(Transform::Logit).log_jacobian(&[0.5, f64::NAN, 1.0]), f64::NEG_INFINITY);
}

#[test]
fn nan_stays_nan_both_ways() {
    let prior = default_prior(MARGINALS);
    let mut out = vec![0.0; prior.dim()];
    prior.from_unconstrained(&vec![f32::NAN; prior.dim()], &mut out);
    assert!(out.iter().all(|t| t.is_nan()), "{out:?}");
}

#[test]
fn probit_makes_a_uniform_prior_standard_normal() {
    let marginal = Marginal::Uniform { lo: Bound::Const(2.0), hi: Bound::Const(5.0) };
    let prior = prior_of(&[marginal], &[Transform::Probit]).expect("a valid prior");
    let n = 20_000;
    let (mut sum, mut squares) = (0.0, 0.0);
    for theta in draws(&prior, n) {
        let mut u = [f32::NAN];
        prior.to_unconstrained(&[theta], &mut u);
        sum += f64::from(u[0]);
        squares += f64::from(u[0]).powi(2);
    }
    let (mean, variance) = (sum / n as f64, squares / n as f64);
    assert!(mean.abs() <= 4.0 / (n as f64).sqrt() && (variance - 1.0).abs() <= 4.0 * (2.0 / n as f64).sqrt());
}

#[test]
fn neighbours_are_the_next_normal_floats() {
    assert_eq!(sim_above(1.0), 1.0f32.next_up());
    assert_eq!(sim_above(-1.0), (-1.0f32).next_up());
    assert_eq!(sim_below(0.3), 0.3f32.next_down());
    assert_eq!(sim_above(0.0), f32::MIN_POSITIVE);
    assert_eq!(sim_below(0.0), -f32::MIN_POSITIVE);
    assert_eq!(sim_above(-f32::MIN_POSITIVE), 0.0);
    assert_eq!(sim_below(f32::MIN_POSITIVE), 0.0);
}

#[test]
fn defaults_follow_the_support() {
    let want = [Transform::Logit, Transform::Logit, Transform::Identity, Transform::Log, Transform::Log];
    for (marginal, want) in MARGINALS.iter().zip(want) {
        assert_eq!(default_transform(&Factor::One(*marginal)), want);
    }
    assert_eq!(default_transform(&Factor::One(MARGINALS[6])), Transform::Logit);
    assert_eq!(
        default_transform(&Factor::Multivariate { mean: vec![], cholesky: vec![] }),
        Transform::Identity
    );
}
