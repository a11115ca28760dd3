//! `gaussian-linear` and `gaussian-linear-uniform`: x ~ N(theta, 0.1 I) in ten dimensions, under a normal prior
//! N(0, 0.1 I) or a uniform one on (-1, 1)^10. The posterior is a product of (truncated) normals.
use std::sync::Arc;

use super::marginal::{Bound, Marginal};
use super::simulator::{Simulator, Task, for_rows, same_prior};

const NAMES: &[&str; 10] = &[
    "theta_1", "theta_2", "theta_3", "theta_4", "theta_5", "theta_6", "theta_7", "theta_8", "theta_9",
    "theta_10",
];
/// sqrt 0.1: the standard deviation of the noise, and of the normal prior.
const SD: f32 = 0.316_227_77;

pub(super) const NORMAL: Task = Task {
    name: "gaussian-linear",
    about: "mean of a 10-D normal with known covariance, normal prior",
    prior: || same_prior(NAMES, Marginal::Normal { mean: 0.0, sd: SD }),
    simulator: || Arc::new(GaussianLinear { name: "gaussian-linear" }),
};
pub(super) const UNIFORM: Task = Task {
    name: "gaussian-linear-uniform",
    about: "mean of a 10-D normal with known covariance, uniform prior",
    prior: || same_prior(NAMES, Marginal::Uniform { lo: Bound::Const(-1.0), hi: Bound::Const(1.0) }),
    simulator: || Arc::new(GaussianLinear { name: "gaussian-linear-uniform" }),
};

struct GaussianLinear {
    name: &'static str,
}

impl Simulator for GaussianLinear {
    fn name(&self) -> &str {
        self.name
    }

    fn dims(&self) -> (usize, usize) {
        (10, 10)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        for_rows::<10, 10>(seed, step, row0, theta, x, |rng, theta, x| {
            for (x, t) in x.iter_mut().zip(theta) {
                *x = t + SD * rng.normal();
            }
        });
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/gaussian_linear.wgsl").into())
    }
}
