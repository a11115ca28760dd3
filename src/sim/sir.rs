//! `sir`: an epidemic, S' = -beta S I/N, I' = beta S I/N - gamma I, N = 1e6, I = 1 at t = 0; ten binomial samples of
//! 1000 people at t = 0, 17, ..., 153, counts of infected.
//!
//! Solved for s = S/N and l = ln I, s' = -(beta/N) s e^l, l' = beta s - gamma; Runge-Kutta of fourth order, 170 steps
//! of 0.1 between observations.
use std::sync::Arc;

use multiversion::multiversion;

use super::marginal::Marginal;
use super::ode::{LANES, Lanes, blocks, lanes};
use super::prior::Factor;
use super::simulator::{Simulator, Task, known_prior};
use crate::math::{exp_, is_finite_bits};
use crate::rng::{Rng, streams};

pub(super) const TASK: Task = Task {
    name: "sir",
    about: "contact and recovery rates of an epidemic from ten binomial samples of the infected",
    prior: || {
        // ln 0.4 and ln 0.125.
        let contact = Factor::One(Marginal::LogNormal { mu: -0.916_290_7, sigma: 0.5 });
        let recovery = Factor::One(Marginal::LogNormal { mu: -2.079_441_5, sigma: 0.2 });
        known_prior(&["beta", "gamma"], vec![contact, recovery])
    },
    simulator: || Arc::new(Sir),
};

/// Observations.
pub(super) const TIMES: usize = 10;
/// Steps between observations.
const STEPS: usize = 170;
const STEP: f32 = 0.1;
/// 1/N: one in a million.
const PER_PERSON: f32 = 1e-6;
/// People sampled at each observation.
const SAMPLE: f32 = 1000.0;

/// ln I at the observation times, given beta and gamma.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub(super) fn solve(theta: &[Lanes; 2], log_infected: &mut [Lanes; TIMES]) {
    let [beta, gamma] = theta;
    let contact = lanes(|i| -beta[i] * PER_PERSON);
    let mut s = [1.0 - PER_PERSON; LANES];
    let mut l = [0.0; LANES];
    for (time, log_infected) in log_infected.iter_mut().enumerate() {
        // No steps before the first observation.
        for _ in 0..if time == 0 { 0 } else { STEPS } {
            let s1 = lanes(|i| contact[i] * s[i] * exp_(l[i]));
            let l1 = lanes(|i| beta[i] * s[i] - gamma[i]);
            let s2 = lanes(|i| contact[i] * (s[i] + 0.5 * STEP * s1[i]) * exp_(l[i] + 0.5 * STEP * l1[i]));
            let l2 = lanes(|i| beta[i] * (s[i] + 0.5 * STEP * s1[i]) - gamma[i]);
            let s3 = lanes(|i| contact[i] * (s[i] + 0.5 * STEP * s2[i]) * exp_(l[i] + 0.5 * STEP * l2[i]));
            let l3 = lanes(|i| beta[i] * (s[i] + 0.5 * STEP * s2[i]) - gamma[i]);
            let s4 = lanes(|i| contact[i] * (s[i] + STEP * s3[i]) * exp_(l[i] + STEP * l3[i]));
            let l4 = lanes(|i| beta[i] * (s[i] + STEP * s3[i]) - gamma[i]);
            s = lanes(|i| s[i] + STEP / 6.0 * (s1[i] + 2.0 * (s2[i] + s3[i]) + s4[i]));
            l = lanes(|i| l[i] + STEP / 6.0 * (l1[i] + 2.0 * (l2[i] + l3[i]) + l4[i]));
        }
        *log_infected = l;
    }
}

struct Sir;

impl Simulator for Sir {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (2, TIMES)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        let x = x.as_chunks_mut::<TIMES>().0;
        let mut log_infected = [[0.0; LANES]; TIMES];
        for (first, rows, theta) in blocks(theta) {
            solve(&theta, &mut log_infected);
            for (lane, x) in x[first..first + rows].iter_mut().enumerate() {
                let row = row0.wrapping_add((first + lane) as u32);
                let mut rng = Rng::new(seed, streams::SIMULATOR, step, row);
                for (x, log) in x.iter_mut().zip(&log_infected) {
                    let share = PER_PERSON * exp_(log[lane]);
                    let count = rng.binomial(SAMPLE, share.clamp(0.0, 1.0));
                    // A failed integration is handed on; the binomial makes a count of anything.
                    *x = if is_finite_bits(log[lane]) { count } else { log[lane] };
                }
            }
        }
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/sir.wgsl").into())
    }
}
