//! Workload Wd: training on sets. 64 sets of N x 2 normal items, a summary network 64 wide (by default a DeepSet of 2
//! modules) to 32 summaries, 6 affine blocks with conditioners of 2 x 128, D = 6. Its peer is `benches/peers/jax_items.py`.
use std::sync::Arc;

use crate::rng::{Rng, streams};
use crate::sim::{DataShape, Simulator};

/// Items of a set where nobody says otherwise.
pub const ITEMS: usize = 256;
const FEATURES: usize = 2;
/// Name of the simulator in the model file.
pub(super) const NAME: &str = "normal-items";

/// The model file of Wd with a summary network of this kind, without its size.
pub(super) fn model_file(summary: &str) -> String {
    let data = if ordered(summary) { "series" } else { "set" };
    format!(
        r#"
simulator.custom = "{NAME}"
[[parameter]]
names = ["a", "b", "c", "d", "e", "f"]
prior = "normal(0, 1)"
[data]
kind = "{data}"
[summary]
kind = "{summary}"
width = 64
outputs = 32
activation = "relu"
[flow]
blocks = 6
transform = "affine"
hidden = [128, 128]
activation = "relu"
linear_skip = false
dropout = 0.0
permutation = "reversal"
actnorm = false
[train]
weight_decay = 0.0
lr = 5e-4
clip = 1.5
steps = 1000000
"#
    )
}

fn ordered(summary: &str) -> bool {
    !matches!(summary, "deep-set" | "set-transformer")
}

/// The simulator of Wd.
pub(super) fn simulator(summary: &str, items: usize) -> Arc<dyn Simulator> {
    Arc::new(NormalItems { items, ordered: ordered(summary) })
}

/// Items of 2 values: means are the first two parameters, log-sds .3 of the next two.
struct NormalItems {
    items: usize,
    ordered: bool,
}

impl Simulator for NormalItems {
    fn name(&self) -> &str {
        NAME
    }

    fn dims(&self) -> (usize, usize) {
        (6, FEATURES * self.items)
    }

    fn shape(&self) -> DataShape {
        let (features, min, max) = (FEATURES, self.items, self.items);
        match self.ordered {
            true => DataShape::Series { features, min, max },
            false => DataShape::Set { features, min, max },
        }
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        let rows = theta.as_chunks::<6>().0.iter().zip(x.chunks_exact_mut(FEATURES * self.items));
        for (r, (theta, x)) in rows.enumerate() {
            let mut rng = Rng::new(seed, streams::SIMULATOR, step, row0.wrapping_add(r as u32));
            let sd = [theta[2], theta[3]].map(|s| crate::math::exp_(0.3 * s));
            x.iter_mut().enumerate().for_each(|(i, x)| {
                *x = theta[i % FEATURES] + sd[i % FEATURES] * rng.normal();
            });
        }
    }

    fn wgsl(&self) -> Option<String> {
        None
    }

    fn wgsl_items(&self) -> Option<String> {
        Some(
            "fn simulate_items(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>, at: u32, stride: u32, items: u32) {
    for (var i = 0u; i < items; i += 1u) {
        for (var f = 0u; f < 2u; f += 1u) {
            put_item(at + i * stride + f, (*theta)[f] + exp_(0.3 * (*theta)[f + 2u]) * rng_normal(r));
        }
    }
}
"
            .into(),
        )
    }
}
