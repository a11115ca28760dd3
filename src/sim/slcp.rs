//! `slcp` (simple likelihood, complex posterior): four draws of a 2-D normal whose mean and covariance are the
//! parameters. Signs of t3 and t4 cannot be told from the data: the posterior has four modes.
use std::sync::Arc;

use super::marginal::{Bound, Marginal};
use super::simulator::{Simulator, Task, for_rows, same_prior};
use crate::math::tanh_;

pub(super) const TASK: Task = Task {
    name: "slcp",
    about: "mean and covariance of a 2-D normal from four draws; four modes",
    prior: || {
        let names = ["theta_1", "theta_2", "theta_3", "theta_4", "theta_5"];
        same_prior(&names, Marginal::Uniform { lo: Bound::Const(-3.0), hi: Bound::Const(3.0) })
    },
    simulator: || Arc::new(Slcp),
};

struct Slcp;

/// Added to both variances.
const RIDGE: f32 = 1e-6;

impl Simulator for Slcp {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (5, 8)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        for_rows::<5, 8>(seed, step, row0, theta, x, |rng, &[m1, m2, a, b, c], x| {
            // Covariance S = [[s1^2, rho s1 s2], [., s2^2]] + RIDGE I = L L' with s1 = a^2, s2 = b^2, rho = tanh c.
            let (s1, s2, rho) = (a * a, b * b, tanh_(c));
            let variance = s1 * s1 + RIDGE;
            let l11 = variance.sqrt();
            let l21 = rho * s1 * s2 / l11;
            // S22 - l21^2 without its cancellation at rho near 1.
            let rest = s1 * s1 * ((1.0 - rho) * (1.0 + rho)) + RIDGE;
            let l22 = (s2 * s2 * (rest / variance) + RIDGE).sqrt();
            for point in x.as_chunks_mut::<2>().0 {
                let z1 = rng.normal();
                let z2 = rng.normal();
                *point = [m1 + l11 * z1, m2 + l21 * z1 + l22 * z2];
            }
        });
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/slcp.wgsl").into())
    }
}
