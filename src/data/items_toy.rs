//! A small simulator of sets, for the samples of `data/online_items`: items normal about the first parameter.
use crate::data::items::{ItemSource, Slots, online};
use crate::data::source::Host;
use crate::data::standardise::{DataTransform, Standardiser};
use crate::rng::{Rng, streams};
use crate::runtime::recorder::Recorder;
use crate::sim::{DataShape, Factor, Marginal, Prior, Simulator, Transform};
use std::sync::Arc;

struct Toy;

impl Simulator for Toy {
    fn name(&self) -> &str {
        "toy"
    }
    fn dims(&self) -> (usize, usize) {
        (1, 8)
    }
    fn shape(&self) -> DataShape {
        DataShape::Set { features: 2, min: 2, max: 4 }
    }
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, 4, theta, x);
    }
    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        for (r, (theta, x)) in theta.iter().zip(x.chunks_exact_mut(items * 2)).enumerate() {
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
    for (var i = 0u; i < items; i += 1u) {
        for (var f = 0u; f < 2u; f += 1u) { put_item(at + i * stride + f, (*theta)[0] + rng_normal(r)); }
    }
}
"
            .into(),
        )
    }
}

pub(super) fn online_sample(r: &mut Recorder) {
    let factor = Factor::One(Marginal::Normal { mean: 0.0, sd: 1.0 });
    let prior = Prior::new(vec!["mu".into()], vec![factor], vec![Transform::Identity]);
    let prior = prior.expect("a plain prior is valid");
    let standardiser = Standardiser {
        u_mean: vec![0.1],
        u_sd: vec![0.9],
        transform: DataTransform::Log1p,
        x_center: vec![0.0; 2],
        x_inv_scale: vec![1.0; 2],
        x_mean: vec![0.2, -0.1],
        x_sd: vec![1.2, 1.4],
    };
    let host = Arc::new(Host { prior, simulator: Some(Arc::new(Toy)), standardiser });
    let slots = Slots { u: r.slot(1), x: r.slot(4 * 4), meta: r.slot(4), count: r.slot(4) };
    let source = ItemSource { d: 1, features: 2, items: 4, least: 2, most: 4, ..ItemSource::default() };
    online(r, &host, &source, slots, [1.0, 2.0]);
}
