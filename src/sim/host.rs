//! A simulator that is a closure of the user's.
use rayon::prelude::*;

use super::Simulator;
use crate::rng::{Rng, streams};

/// Wraps `f(theta, rng, x)`, which fills one data vector `x` (C) from one parameter vector `theta` (D). Rows run on
/// rayon's threads; a row draws from its own generator, so results do not depend on how many threads there are.
///
/// ```
/// # use couplet::sim::{HostSimulator, Simulator};
/// let noisy = HostSimulator::new("noisy", 1, 1, |theta, rng, x| x[0] = theta[0] + 0.1 * rng.normal());
/// let mut x = [0.0; 2];
/// noisy.simulate(7, 0, 0, &[1.0, 2.0], &mut x);
/// ```
pub struct HostSimulator<F> {
    name: String,
    theta_dim: usize,
    x_dim: usize,
    f: F,
}

impl<F> HostSimulator<F>
where
    F: Fn(&[f32], &mut Rng, &mut [f32]) + Send + Sync,
{
    /// A simulator of `theta_dim` parameters (> 0) and `x_dim` data values (> 0).
    ///
    /// # Panics
    /// If a dimension is 0.
    pub fn new(name: impl Into<String>, theta_dim: usize, x_dim: usize, f: F) -> Self {
        assert!(theta_dim > 0 && x_dim > 0, "a simulator has at least one parameter and one data value");
        Self { name: name.into(), theta_dim, x_dim, f }
    }
}

impl<F> Simulator for HostSimulator<F>
where
    F: Fn(&[f32], &mut Rng, &mut [f32]) + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn dims(&self) -> (usize, usize) {
        (self.theta_dim, self.x_dim)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        let rows = theta.par_chunks_exact(self.theta_dim).zip(x.par_chunks_exact_mut(self.x_dim));
        rows.enumerate().for_each(|(i, (theta, x))| {
            let mut rng = Rng::new(seed, streams::SIMULATOR, step, row0.wrapping_add(i as u32));
            (self.f)(theta, &mut rng, x);
        });
    }

    fn wgsl(&self) -> Option<String> {
        None
    }
}
