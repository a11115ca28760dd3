//! `ricker`: counts of a population with noisy growth, x_t ~ Poisson(rho N_t), N_{t+1} = r N_t exp(-N_t + e_t),
//! e_t ~ N(0, sigma^2), N_0 = 10; the first count is of N_0. A fourth parameter u does nothing (Radev et al. 2020).
//!
//! Kept as n = ln N: N falls to e^-215, where f32 would be 0 for ever.
use std::sync::Arc;

use super::marginal::{Bound, Marginal};
use super::prior::Factor;
use super::simulator::{DataShape, Simulator, Task, for_items, known_prior};
use crate::math::{exp_, log_};

pub(super) const TASK: Task = Task {
    name: "ricker",
    about: "growth, noise and sampling rate of a chaotic population from a series of counts",
    prior: || {
        let uniform = |lo, hi| Factor::One(Marginal::Uniform { lo: Bound::Const(lo), hi: Bound::Const(hi) });
        known_prior(
            &["r", "sigma", "rho", "u"],
            vec![uniform(1.0, 90.0), uniform(0.05, 0.7), uniform(0.0, 15.0), uniform(0.0, 1.0)],
        )
    },
    simulator: || Arc::new(Ricker),
};

/// Lengths of the series.
const SHORTEST: usize = 100;
const LONGEST: usize = 500;
/// ln 10.
const START: f32 = std::f32::consts::LN_10;

struct Ricker;

impl Simulator for Ricker {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (4, LONGEST)
    }

    fn shape(&self) -> DataShape {
        DataShape::Series { features: 1, min: SHORTEST, max: LONGEST }
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, LONGEST, theta, x);
    }

    fn wgsl(&self) -> Option<String> {
        None
    }

    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        for_items::<4>(seed, step, row0, items, theta, x, |rng, &[r, sigma, rho, _], x| {
            let growth = log_(r);
            let mut n = START;
            for x in x {
                let size = exp_(n);
                *x = rng.poisson(rho * size);
                n += growth - size + sigma * rng.normal();
            }
        });
    }

    fn wgsl_items(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/ricker.wgsl").into())
    }
}
