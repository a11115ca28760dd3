//! The mean of a normal with known spread: mu ~ N(0, 1), x_i ~ N(mu, 1), i = 1..N. Posterior: N(sum x / (N + 1), 1 / (N + 1)).
use couplet::rng::{Rng, streams};
use couplet::sim::{DataShape, Simulator};

/// Data sets of `min` to `max` items.
pub struct NormalMean {
    pub min: usize,
    pub max: usize,
}

impl Simulator for NormalMean {
    fn name(&self) -> &str {
        "normal-mean"
    }
    fn dims(&self) -> (usize, usize) {
        (1, self.max)
    }
    fn shape(&self) -> DataShape {
        DataShape::Set { features: 1, min: self.min, max: self.max }
    }
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, self.max, theta, x);
    }
    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        for (r, (theta, x)) in theta.iter().zip(x.chunks_exact_mut(items)).enumerate() {
            let mut rng = Rng::new(seed, streams::SIMULATOR, step, row0.wrapping_add(r as u32));
            x.iter_mut().for_each(|x| *x = theta + rng.normal());
        }
    }
    fn wgsl(&self) -> Option<String> {
        None
    }
    fn wgsl_items(&self) -> Option<String> {
        Some(
            "fn simulate_items(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>, at: u32, stride: u32, items: u32) {
    for (var i = 0u; i < items; i += 1u) { put_item(at + i * stride, (*theta)[0] + rng_normal(r)); }
}
"
            .into(),
        )
    }
}

/// The model file of a small network on it.
pub fn text(rest: &str) -> String {
    format!(
        "[simulator]\ncustom = 'normal-mean'\n[data]\nkind = 'set'\n[[parameter]]\nname = 'mu'\nprior = 'normal(0, 1)'\n{rest}"
    )
}
