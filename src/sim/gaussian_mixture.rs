//! `gaussian-mixture`: one draw of a wide or a narrow 2-D normal around theta, with equal probability.
use std::sync::Arc;

use super::marginal::{Bound, Marginal};
use super::simulator::{Simulator, Task, for_rows, same_prior};

pub(super) const TASK: Task = Task {
    name: "gaussian-mixture",
    about: "common mean of a wide and a narrow 2-D normal from one draw",
    prior: || {
        let marginal = Marginal::Uniform { lo: Bound::Const(-10.0), hi: Bound::Const(10.0) };
        same_prior(&["theta_1", "theta_2"], marginal)
    },
    simulator: || Arc::new(GaussianMixture),
};

struct GaussianMixture;

impl Simulator for GaussianMixture {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        for_rows::<2, 2>(seed, step, row0, theta, x, |rng, theta, x| {
            let sd = if rng.bernoulli(0.5) { 1.0 } else { 0.1 };
            for (x, t) in x.iter_mut().zip(theta) {
                *x = t + sd * rng.normal();
            }
        });
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/gaussian_mixture.wgsl").into())
    }
}
