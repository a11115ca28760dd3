//! `lotka-volterra-ode`: predators and prey without noise, X' = a X - b X Y, Y' = -c Y + d b X Y from X = 10, Y = 5;
//! 500 observations of both at t = 15 i / 499 (Radev et al. 2020).
//!
//! Solved for p = ln X and q = ln Y, p' = a - b e^q, q' = -c + d b e^p: in f32 populations themselves would underflow
//! for one prior draw in five. Runge-Kutta of fourth order, 8 steps between observations.
use std::sync::Arc;

use multiversion::multiversion;

use super::marginal::Marginal;
use super::ode::{LANES, Lanes, blocks, lanes};
use super::prior::Prior;
use super::simulator::{DataShape, Simulator, Task, same_prior};
use crate::math::exp_;

pub(super) const TASK: Task = Task {
    name: "lotka-volterra-ode",
    about: "rates of a predator-prey system from 500 exact observations of both populations",
    prior,
    simulator: || Arc::new(LotkaVolterraOde),
};

/// Observations.
pub(super) const TIMES: usize = 500;
/// Steps between observations, and their length 15 / (499 * 8).
const STEPS: usize = 8;
const STEP: f32 = 0.003_757_515;
/// ln 10 and ln 5.
const LN_X0: f32 = std::f32::consts::LN_10;
const LN_Y0: f32 = 1.609_438;

/// WGSL text of the solver.
pub(super) const MATH: &str = include_str!("../../shaders/sim/lotka_volterra_ode_math.wgsl");

/// exp(U(-2, 2)) each.
pub(super) fn prior() -> Prior {
    same_prior(&["a", "b", "c", "d"], Marginal::LogUniform { lo: 0.135_335_28, hi: 7.389_056 })
}

/// `sum += change` with what rounding took from the last sum in `rest` (Kahan): logarithms reach -1000, and 4000
/// roundings of them would show when a population returns.
#[inline(always)]
fn add(sum: &mut Lanes, rest: &mut Lanes, change: Lanes) {
    let change = lanes(|i| change[i] - rest[i]);
    let next = lanes(|i| sum[i] + change[i]);
    *rest = lanes(|i| (next[i] - sum[i]) - change[i]);
    *sum = next;
}

/// The populations at the first `log.len()` observations, given a, b, c, d, as logarithms.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub(super) fn solve(theta: &[Lanes; 4], log: &mut [[Lanes; 2]]) {
    let [a, b, c, d] = theta;
    let gain = lanes(|i| d[i] * b[i]);
    let mut p = [LN_X0; LANES];
    let mut q = [LN_Y0; LANES];
    let (mut p_rest, mut q_rest) = ([0.0; LANES], [0.0; LANES]);
    for log in log {
        *log = [p, q];
        for _ in 0..STEPS {
            let p1 = lanes(|i| a[i] - b[i] * exp_(q[i]));
            let q1 = lanes(|i| gain[i] * exp_(p[i]) - c[i]);
            let p2 = lanes(|i| a[i] - b[i] * exp_(q[i] + 0.5 * STEP * q1[i]));
            let q2 = lanes(|i| gain[i] * exp_(p[i] + 0.5 * STEP * p1[i]) - c[i]);
            let p3 = lanes(|i| a[i] - b[i] * exp_(q[i] + 0.5 * STEP * q2[i]));
            let q3 = lanes(|i| gain[i] * exp_(p[i] + 0.5 * STEP * p2[i]) - c[i]);
            let p4 = lanes(|i| a[i] - b[i] * exp_(q[i] + STEP * q3[i]));
            let q4 = lanes(|i| gain[i] * exp_(p[i] + STEP * p3[i]) - c[i]);
            add(&mut p, &mut p_rest, lanes(|i| STEP / 6.0 * (p1[i] + 2.0 * (p2[i] + p3[i]) + p4[i])));
            add(&mut q, &mut q_rest, lanes(|i| STEP / 6.0 * (q1[i] + 2.0 * (q2[i] + q3[i]) + q4[i])));
        }
    }
}

struct LotkaVolterraOde;

impl Simulator for LotkaVolterraOde {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (4, 2 * TIMES)
    }

    fn shape(&self) -> DataShape {
        DataShape::Series { features: 2, min: TIMES, max: TIMES }
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, TIMES, theta, x);
    }

    fn wgsl(&self) -> Option<String> {
        None
    }

    /// Nothing is drawn.
    fn simulate_items(&self, _: u64, _: u32, _: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        let mut log = vec![[[0.0; LANES]; 2]; items];
        for (first, rows, theta) in blocks(theta) {
            solve(&theta, &mut log);
            for (lane, x) in
                x[2 * items * first..].chunks_exact_mut((2 * items).max(1)).take(rows).enumerate()
            {
                for (x, log) in x.as_chunks_mut::<2>().0.iter_mut().zip(&log) {
                    *x = log.map(|population| exp_(population[lane]));
                }
            }
        }
    }

    fn wgsl_items(&self) -> Option<String> {
        Some(MATH.to_owned() + include_str!("../../shaders/sim/lotka_volterra_ode.wgsl"))
    }
}
