//! `normal-mean`: x_i ~ N(mu, 1) for 5 to 1500 draws, mu ~ N(0, 1). The posterior is known, so it shows whether a
//! network's posterior sharpens with the number of draws as it should.
use std::sync::Arc;

use super::marginal::Marginal;
use super::simulator::{DataShape, Simulator, Task, for_items, same_prior};

pub(super) const TASK: Task = Task {
    name: "normal-mean",
    about: "mean of a normal distribution from 5 to 1500 draws; the posterior is known",
    prior: || same_prior(&["mu"], Marginal::Normal { mean: 0.0, sd: 1.0 }),
    simulator: || Arc::new(NormalMean),
};

/// Numbers of draws.
const FEWEST: usize = 5;
const MOST: usize = 1500;

/// Mean and standard deviation of mu given `draws`: N(sum x / (n + 1), 1 / (n + 1)).
pub fn normal_mean_posterior(draws: &[f32]) -> (f64, f64) {
    let precision = draws.len() as f64 + 1.0;
    (draws.iter().map(|&x| f64::from(x)).sum::<f64>() / precision, precision.recip().sqrt())
}

struct NormalMean;

impl Simulator for NormalMean {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (1, MOST)
    }

    fn shape(&self) -> DataShape {
        DataShape::Set { features: 1, min: FEWEST, max: MOST }
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, MOST, theta, x);
    }

    fn wgsl(&self) -> Option<String> {
        None
    }

    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        for_items::<1>(seed, step, row0, items, theta, x, |rng, &[mu], x| {
            x.fill_with(|| mu + rng.normal());
        });
    }

    fn wgsl_items(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/normal_mean.wgsl").into())
    }
}
