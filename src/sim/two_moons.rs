//! `two-moons`: a point on a noisy half circle, shifted by theta; the posterior is two crescents.
use std::f32::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

use super::marginal::{Bound, Marginal};
use super::simulator::{Simulator, Task, for_rows, same_prior};
use crate::math::{cos_2pi, sin_2pi};

pub(super) const TASK: Task = Task {
    name: "two-moons",
    about: "point on a noisy half circle; the posterior is two crescents",
    prior: || {
        let marginal = Marginal::Uniform { lo: Bound::Const(-1.0), hi: Bound::Const(1.0) };
        same_prior(&["theta_1", "theta_2"], marginal)
    },
    simulator: || Arc::new(TwoMoons),
};

struct TwoMoons;

impl Simulator for TwoMoons {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        for_rows::<2, 2>(seed, step, row0, theta, x, |rng, &[t1, t2], x| {
            // The angle in turns: U(-1/4, 1/4).
            let turns = 0.5 * rng.uniform() - 0.25;
            let radius = 0.1 + 0.01 * rng.normal();
            *x = [
                radius * cos_2pi(turns) + 0.25 - (t1 + t2).abs() * FRAC_1_SQRT_2,
                radius * sin_2pi(turns) + (t2 - t1) * FRAC_1_SQRT_2,
            ];
        });
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/two_moons.wgsl").into())
    }
}
