//! The ODE solvers against f64 integration in the populations themselves.
use super::super::ode::LANES;
use super::super::{lotka_volterra, sir};
use super::*;

/// Classical Runge-Kutta in f64: the state at times 0, interval, 2 interval, ...
pub(super) fn integrate<const T: usize>(
    slope: impl Fn([f64; 2]) -> [f64; 2],
    start: [f64; 2],
    interval: f64,
    steps: u32,
) -> [[f64; 2]; T] {
    let h = interval / f64::from(steps);
    let mut out = [start; T];
    let mut y = start;
    for out in out.iter_mut().skip(1) {
        for _ in 0..steps {
            let at = |k: [f64; 2], h: f64| slope([y[0] + h * k[0], y[1] + h * k[1]]);
            let k1 = slope(y);
            let k2 = at(k1, 0.5 * h);
            let k3 = at(k2, 0.5 * h);
            let k4 = at(k3, h);
            for i in 0..2 {
                y[i] += h / 6.0 * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i]);
            }
        }
        *out = y;
    }
    out
}

/// (X, Y) at the observation times.
pub(super) fn naive_lotka_volterra(theta: &[f64], steps: u32) -> [[f64; 2]; 10] {
    let [alpha, beta, gamma, delta] = *theta else { panic!("four parameters") };
    let slope = |[x, y]: [f64; 2]| [alpha * x - beta * x * y, delta * x * y - gamma * y];
    integrate(slope, [30.0, 1.0], 2.1, steps)
}

/// (S, I) at the observation times.
pub(super) fn naive_sir(theta: &[f64], steps: u32) -> [[f64; 2]; 10] {
    let [beta, gamma] = *theta else { panic!("two parameters") };
    let slope = |[s, i]: [f64; 2]| [-beta * s * i / 1e6, beta * s * i / 1e6 - gamma * i];
    integrate(slope, [1e6 - 1.0, 1.0], 17.0, steps)
}

/// Parameters of `LANES` rows by lane.
fn lanes_of<const D: usize>(rows: &[f32]) -> [[f32; LANES]; D] {
    std::array::from_fn(|d| std::array::from_fn(|i| rows[i * D + d]))
}

const ROWS: usize = 1024;

/// Differences of the logarithms of all observed values: 99 % below 2e-4, 99.9 % below 1e-3. They are about 7e-5 and
/// 4e-4 for lotka-volterra, where a few stiff draws need a shorter step than h = .025.
fn assert_quantiles(mut errors: Vec<f64>, values: usize) {
    assert_eq!(errors.len(), ROWS * values);
    errors.sort_by(f64::total_cmp);
    let n = errors.len();
    let (q99, q999) = (errors[n * 99 / 100], errors[n * 999 / 1000]);
    assert!(q99 <= 2e-4 && q999 <= 1e-3, "99 %: {q99:e}, 99.9 %: {q999:e}, largest {:e}", errors[n - 1]);
}

#[test]
fn lotka_volterra_solves_the_system_over_the_prior() {
    let theta = draws(&(lotka_volterra::TASK.prior)(), ROWS);
    let mut errors = Vec::new();
    for rows in theta.chunks_exact(4 * LANES) {
        let (mut log_x, mut log_y) = ([[f32::NAN; LANES]; 10], [[f32::NAN; LANES]; 10]);
        lotka_volterra::solve(&lanes_of(rows), &mut log_x, &mut log_y);
        for (lane, theta) in rows.chunks_exact(4).enumerate() {
            let exact = naive_lotka_volterra(&to_f64(theta), 1500);
            errors.extend(exact.iter().enumerate().flat_map(|(t, [x, y])| {
                [(f64::from(log_x[t][lane]) - x.ln()).abs(), (f64::from(log_y[t][lane]) - y.ln()).abs()]
            }));
        }
    }
    assert_quantiles(errors, 20);
}

#[test]
fn sir_solves_the_system_over_the_prior() {
    let theta = draws(&(sir::TASK.prior)(), ROWS);
    let mut errors = Vec::new();
    for rows in theta.chunks_exact(2 * LANES) {
        let mut log_infected = [[f32::NAN; LANES]; 10];
        sir::solve(&lanes_of(rows), &mut log_infected);
        for (lane, theta) in rows.chunks_exact(2).enumerate() {
            let exact = naive_sir(&to_f64(theta), 800);
            let log = log_infected.map(|times| f64::from(times[lane]));
            errors.extend(exact.iter().zip(log).map(|([_, infected], log)| (log - infected.ln()).abs()));
        }
    }
    assert_quantiles(errors, 10);
}
