//! Each simulator against the moments of its definition, at fixed parameters.
use super::super::{BUILTIN, DataShape, HostSimulator, Simulator, TASKS, Task, builtin, task};
use super::ode::{naive_lotka_volterra, naive_sir};
use super::*;

pub(super) const N: usize = 40_000;

/// `N` data vectors at `theta`, in f64.
pub(super) fn simulate(name: &str, theta: &[f32]) -> Vec<Vec<f64>> {
    let simulator = builtin(name).expect("a built-in simulator");
    let (d, c) = simulator.dims();
    assert_eq!(d, theta.len());
    let mut x = vec![f32::NAN; N * c];
    simulator.simulate(5, 9, 0, &theta.repeat(N), &mut x);
    x.chunks_exact(c).map(to_f64).collect()
}

/// The mean of `f` over the draws, and its standard error.
pub(super) fn mean(x: &[Vec<f64>], f: impl Fn(&[f64]) -> f64) -> (f64, f64) {
    let n = x.len() as f64;
    let values: Vec<f64> = x.iter().map(|x| f(x)).collect();
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, (variance / n).sqrt())
}

/// The mean of `f` is `want` within 4.5 standard errors (and rounding). The error is estimated, but at least `least`:
/// rare events may not occur at all.
pub(super) fn assert_near(what: &str, x: &[Vec<f64>], want: f64, least: f64, f: impl Fn(&[f64]) -> f64) {
    let (got, error) = mean(x, f);
    let error = error.max(least);
    assert!((got - want).abs() <= 4.5 * error + 1e-6 * want.abs(), "{what}: {got} is not {want} +- {error}");
}

pub(super) fn assert_mean(what: &str, x: &[Vec<f64>], want: f64, f: impl Fn(&[f64]) -> f64) {
    assert_near(what, x, want, 0.0, f);
}

/// Means `m` and covariances `s(i, j)` of all components.
pub(super) fn assert_moments(what: &str, x: &[Vec<f64>], m: &[f64], s: impl Fn(usize, usize) -> f64) {
    let least = |i: usize, j: usize| (s(i, i) * s(j, j) / x.len() as f64).sqrt();
    for i in 0..m.len() {
        assert_near(&format!("{what}, mean {i}"), x, m[i], (s(i, i) / x.len() as f64).sqrt(), |x| x[i]);
        for j in 0..=i {
            let name = format!("{what}, covariance {i} {j}");
            assert_near(&name, x, s(i, j), least(i, j), |x| (x[i] - m[i]) * (x[j] - m[j]));
        }
    }
}

#[test]
fn gaussian_linear_has_variance_one_tenth() {
    for name in ["gaussian-linear", "gaussian-linear-uniform"] {
        let theta: [f32; 10] = std::array::from_fn(|i| 0.17 * i as f32 - 0.8);
        let x = simulate(name, &theta);
        assert_moments(name, &x, &to_f64(&theta), |i, j| if i == j { 0.1 } else { 0.0 });
    }
    let prior = to_f64(&draws(&(TASKS[0].prior)(), 4000));
    let variance = prior.iter().map(|t| t * t).sum::<f64>() / 40_000.0;
    assert!((variance - 0.1).abs() <= 4.0 * 0.1 * (2.0f64 / 40_000.0).sqrt(), "{variance}");
}

#[test]
fn slcp_draws_four_points_with_the_covariance_of_its_parameters() {
    for theta in [[0.7, -2.9, -1.2, -0.9, 0.6], [-1.0, 2.0, 2.5, 0.4, -2.8]] {
        let [t1, t2, t3, t4, t5] = theta.map(f64::from);
        let (s1, s2, rho) = (t3 * t3, t4 * t4, t5.tanh());
        let s = [[s1 * s1 + 1e-6, rho * s1 * s2], [rho * s1 * s2, s2 * s2 + 1e-6]];
        let x = simulate("slcp", &theta.map(|t| t as f32));
        let means = [t1, t2].repeat(4);
        assert_moments("slcp", &x, &means, |i, j| if i / 2 == j / 2 { s[i % 2][j % 2] } else { 0.0 });
    }
    // At t3 = t4 = 0 only the ridge is left.
    let x = simulate("slcp", &[1.0, 1.0, 0.0, 0.0, 1.0]);
    assert_mean("slcp ridge", &x, 1e-6, |x| (x[3] - 1.0).powi(2));
}

#[test]
fn bernoulli_glm_has_the_mean_of_v_times_spikes() {
    let theta: [f32; 10] = [-0.4, 0.9, -0.6, 0.3, 0.1, 0.5, -0.2, 0.05, 0.7, -0.35];
    // The design matrix, built from the stimulus that the WGSL text carries: 8 zeros, then the 100 values.
    let text = builtin("bernoulli-glm").and_then(|s| s.wgsl()).expect("runs on the device");
    let list = &text[text.find('(').expect("a list") + 1..text.find(')').expect("its end")];
    let padded: Vec<f64> = list.split(',').filter_map(|v| v.trim().parse().ok()).collect();
    assert_eq!(padded.len(), 108);
    let stimulus = &padded[8..];
    assert!((stimulus[0] - 0.496_714_15).abs() < 1e-7 && (stimulus[99] + 0.234_587_13).abs() < 1e-7);
    let design = |t: usize, k: usize| match k {
        0 => 1.0,
        _ if t + 1 < k => 0.0,
        _ => stimulus[t + 1 - k],
    };
    let rates: Vec<f64> = (0..100)
        .map(|t| {
            let psi: f64 = (0..10).map(|k| design(t, k) * f64::from(theta[k])).sum();
            1.0 / (1.0 + (-psi).exp())
        })
        .collect();
    let sum = |f: &dyn Fn(usize) -> f64| -> f64 { (0..100).map(f).sum() };
    let means: Vec<f64> = (0..10).map(|k| sum(&|t| design(t, k) * rates[t])).collect();
    let x = simulate("bernoulli-glm", &theta);
    assert_moments("bernoulli-glm", &x, &means, |i, j| {
        sum(&|t| design(t, i) * design(t, j) * rates[t] * (1.0 - rates[t]))
    });
}

#[test]
fn gaussian_mixture_draws_one_component_for_both_coordinates() {
    let x = simulate("gaussian-mixture", &[-7.0, 3.0]);
    assert_moments("gaussian-mixture", &x, &[-7.0, 3.0], |i, j| if i == j { 0.505 } else { 0.0 });
    // P(|z| < 0.1) = 0.0796557, P(|z| < 1) = 0.6826895.
    let want = 0.5 * (0.079_655_7f64.powi(2) + 0.682_689_5f64.powi(2));
    let near = |x: &[f64]| f64::from(u8::from((x[0] + 7.0).abs() < 0.1 && (x[1] - 3.0).abs() < 0.1));
    assert_mean("gaussian-mixture, both near", &x, want, near);
}

#[test]
fn two_moons_is_a_half_circle_of_radius_one_tenth() {
    for theta in [[0.4f32, -0.9], [-0.7, -0.2]] {
        let [t1, t2] = theta.map(f64::from);
        let centre = [0.25 - (t1 + t2).abs() / 2f64.sqrt(), (t2 - t1) / 2f64.sqrt()];
        let x = simulate("two-moons", &theta);
        let pi = std::f64::consts::PI;
        assert_mean("two-moons, first mean", &x, centre[0] + 0.1 * 2.0 / pi, |x| x[0]);
        assert_mean("two-moons, second mean", &x, centre[1], |x| x[1]);
        assert_mean("two-moons, second variance", &x, 0.5 * (0.01 + 1e-4), |x| (x[1] - centre[1]).powi(2));
        let radius = |x: &[f64]| (x[0] - centre[0]).hypot(x[1] - centre[1]);
        assert_mean("two-moons, radius", &x, 0.1, radius);
        assert_mean("two-moons, variance of the radius", &x, 1e-4, |x| (radius(x) - 0.1).powi(2));
        assert!(x.iter().all(|x| x[0] > centre[0] - 1e-6), "the half circle opens to the left");
    }
}

#[test]
fn sir_samples_a_thousand_people() {
    // The second epidemic is at its peak when it is first looked at: 6 in 10 are infected.
    for theta in [[0.35f32, 0.13], [1.0, 0.1]] {
        let shares = naive_sir(&to_f64(&theta), 800).map(|[_, infected]| infected / 1e6);
        let x = simulate("sir", &theta);
        assert_moments("sir", &x, &shares.map(|p| 1000.0 * p), |i, j| {
            if i == j { 1000.0 * shares[i] * (1.0 - shares[i]) } else { 0.0 }
        });
        assert!(x.iter().flatten().all(|&k| k.fract() == 0.0 && (0.0..=1000.0).contains(&k)), "counts");
    }
}

#[test]
fn lotka_volterra_observes_prey_then_predators_with_log_normal_noise() {
    let theta = [0.69f32, 0.055, 0.8, 0.04];
    let exact = naive_lotka_volterra(&to_f64(&theta), 1500);
    let logs: Vec<f64> = (0..20).map(|i| exact[i % 10][i / 10].ln()).collect();
    let x: Vec<Vec<f64>> =
        simulate("lotka-volterra", &theta).iter().map(|x| x.iter().map(|v| v.ln()).collect()).collect();
    assert_moments("lotka-volterra", &x, &logs, |i, j| if i == j { 0.01 } else { 0.0 });
}

#[test]
fn lotka_volterra_clamps_vanished_populations() {
    let x = simulate("lotka-volterra", &[0.1, 3.0, 0.05, 3.0]);
    let (got, error) = mean(&x, |x| x[9].ln());
    assert!((got - 1e-10f64.ln()).abs() <= 4.5 * error + 1e-5, "{got}");
}

#[test]
fn rows_do_not_depend_on_the_block_they_are_in() {
    let vectors = |task: &&Task| matches!((task.simulator)().shape(), DataShape::Vector { .. });
    for task in TASKS.iter().filter(vectors) {
        let (prior, simulator) = ((task.prior)(), (task.simulator)());
        let (d, c) = simulator.dims();
        assert_eq!((task.name, d), (simulator.name(), prior.dim()));
        let n = 77;
        let theta = draws(&prior, n);
        let (mut whole, mut parts) = (vec![f32::NAN; n * c], vec![f32::NAN; n * c]);
        simulator.simulate(3, 4, 1000, &theta, &mut whole);
        let mut first = 0;
        for rows in [1, 31, 2, 40, 3] {
            let (theta, x) =
                (&theta[first * d..(first + rows) * d], &mut parts[first * c..(first + rows) * c]);
            simulator.simulate(3, 4, 1000 + first as u32, theta, x);
            first += rows;
        }
        assert_eq!(whole, parts, "{}", task.name);
        assert!(whole.iter().all(|x| x.is_finite()), "{}", task.name);
        simulator.simulate(3, 5, 1000, &theta, &mut parts);
        // A label rarely leaves room for chance, and the statistics none.
        let exact = ["lotka-volterra-ode-stats", "mixture-of-eight"].contains(&task.name);
        assert_eq!(whole == parts, exact, "{}: another step has other noise", task.name);
        simulator.simulate(3, 4, 0, &[], &mut []);
    }
}

#[test]
fn names_are_unique_and_found() {
    assert_eq!(BUILTIN.len(), 18);
    for (i, name) in BUILTIN.iter().enumerate() {
        assert!(!BUILTIN[..i].contains(name));
        assert_eq!(builtin(name).expect("found").name(), *name);
        assert!(!task(name).expect("found").about.is_empty());
    }
    assert!(builtin("three-moons").is_none());
}

#[test]
fn a_closure_is_a_simulator_with_the_same_streams() {
    let closure = HostSimulator::new("mean", 10, 10, |theta, rng, x| {
        for (x, t) in x.iter_mut().zip(theta) {
            *x = t + 0.1f32.sqrt() * rng.normal();
        }
    });
    assert_eq!((closure.name(), closure.dims(), closure.wgsl()), ("mean", (10, 10), None));
    let theta = draws(&(TASKS[0].prior)(), 300);
    let (mut host, mut own) = (vec![f32::NAN; 3000], vec![f32::NAN; 3000]);
    closure.simulate(1, 2, 3, &theta, &mut host);
    (TASKS[0].simulator)().simulate(1, 2, 3, &theta, &mut own);
    for (h, o) in host.iter().zip(&own) {
        assert!((h - o).abs() <= 1e-6, "{h} is not {o}");
    }
}
