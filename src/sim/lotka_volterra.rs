//! `lotka-volterra`: predators and prey, X' = alpha X - beta X Y, Y' = -gamma Y + delta X Y from X = 30, Y = 1; ten
//! noisy observations of each, at t = 0, 2.1, ..., 18.9.
//!
//! Solved for a = ln X and b = ln Y, a' = alpha - beta e^b, b' = -gamma + delta e^a, which f32 resolves however small
//! a population gets; Runge-Kutta of fourth order, 84 steps of 0.025 between observations.
use std::sync::Arc;

use multiversion::multiversion;

use super::marginal::Marginal;
use super::ode::{LANES, Lanes, blocks, lanes};
use super::prior::Factor;
use super::simulator::{Simulator, Task, known_prior};
use crate::math::exp_;
use crate::rng::{Rng, streams};

pub(super) const TASK: Task = Task {
    name: "lotka-volterra",
    about: "rates of a predator-prey system from ten noisy observations of each population",
    prior: || {
        let rate = Factor::One(Marginal::LogNormal { mu: -0.125, sigma: 0.5 });
        let coupling = Factor::One(Marginal::LogNormal { mu: -3.0, sigma: 0.5 });
        known_prior(
            &["alpha", "beta", "gamma", "delta"],
            vec![rate.clone(), coupling.clone(), rate, coupling],
        )
    },
    simulator: || Arc::new(LotkaVolterra),
};

/// Observations of each population.
pub(super) const TIMES: usize = 10;
/// Steps between observations.
const STEPS: usize = 84;
const STEP: f32 = 0.025;
/// ln 30; ln Y is 0.
const LN_X0: f32 = 3.401_197_4;
/// Observed populations are at least 1e-10 and at most 1e4; these are the logarithms.
const LN_MIN: f32 = -23.025_85;
const LN_MAX: f32 = 9.210_34;
/// Standard deviation of the logarithm of the observations.
const NOISE: f32 = 0.1;

/// ln X and ln Y at the observation times, given alpha, beta, gamma, delta.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub(super) fn solve(theta: &[Lanes; 4], log_x: &mut [Lanes; TIMES], log_y: &mut [Lanes; TIMES]) {
    let [alpha, beta, gamma, delta] = theta;
    let mut a = [LN_X0; LANES];
    let mut b = [0.0; LANES];
    for (time, (log_x, log_y)) in log_x.iter_mut().zip(log_y).enumerate() {
        // No steps before the first observation.
        for _ in 0..if time == 0 { 0 } else { STEPS } {
            let a1 = lanes(|i| alpha[i] - beta[i] * exp_(b[i]));
            let b1 = lanes(|i| delta[i] * exp_(a[i]) - gamma[i]);
            let a2 = lanes(|i| alpha[i] - beta[i] * exp_(b[i] + 0.5 * STEP * b1[i]));
            let b2 = lanes(|i| delta[i] * exp_(a[i] + 0.5 * STEP * a1[i]) - gamma[i]);
            let a3 = lanes(|i| alpha[i] - beta[i] * exp_(b[i] + 0.5 * STEP * b2[i]));
            let b3 = lanes(|i| delta[i] * exp_(a[i] + 0.5 * STEP * a2[i]) - gamma[i]);
            let a4 = lanes(|i| alpha[i] - beta[i] * exp_(b[i] + STEP * b3[i]));
            let b4 = lanes(|i| delta[i] * exp_(a[i] + STEP * a3[i]) - gamma[i]);
            a = lanes(|i| a[i] + STEP / 6.0 * (a1[i] + 2.0 * (a2[i] + a3[i]) + a4[i]));
            b = lanes(|i| b[i] + STEP / 6.0 * (b1[i] + 2.0 * (b2[i] + b3[i]) + b4[i]));
        }
        (*log_x, *log_y) = (a, b);
    }
}

struct LotkaVolterra;

impl Simulator for LotkaVolterra {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (4, 2 * TIMES)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        let x = x.as_chunks_mut::<{ 2 * TIMES }>().0;
        let mut logs = [[[0.0; LANES]; TIMES]; 2];
        for (first, rows, theta) in blocks(theta) {
            let [log_x, log_y] = &mut logs;
            solve(&theta, log_x, log_y);
            for (lane, x) in x[first..first + rows].iter_mut().enumerate() {
                let row = row0.wrapping_add((first + lane) as u32);
                let mut rng = Rng::new(seed, streams::SIMULATOR, step, row);
                for (x, log) in x.iter_mut().zip(logs.as_flattened()) {
                    *x = exp_(log[lane].clamp(LN_MIN, LN_MAX) + NOISE * rng.normal());
                }
            }
        }
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/lotka_volterra.wgsl").into())
    }
}
