//! `mixture-of-eight`: a point of the plane given a label. The point comes from eight equal normals on a circle,
//! centres 7.5 (sin f, cos f), f = 0, 45, ..., 315 degrees, covariance I/2; the label is that of the component that
//! made it: 0 for components 0 to 3, 1 for 4 and 5, 2 for 6, 3 for 7 (Ardizzone et al. 2019).
//!
//! The prior of the point is the mixture, and the label is drawn from p(label | point), which gives the same joint
//! distribution as drawing the component first. The posterior of a label is the mixture of its components.
use std::sync::Arc;

use super::multivariate::NormalMixture;
use super::prior::Factor;
use super::simulator::{Simulator, Task, for_rows, known_prior};
use crate::math::{cos_2pi, exp_, sin_2pi};

pub(super) const TASK: Task = Task {
    name: "mixture-of-eight",
    about: "point of the plane given the label of the mixture component it came from; up to four modes",
    prior: || {
        let means = (0..COMPONENTS).flat_map(mixture_centre).collect();
        let deviation = std::f32::consts::FRAC_1_SQRT_2;
        let cholesky = vec![deviation, 0.0, 0.0, deviation];
        let mixture = NormalMixture { weights: vec![1.0; COMPONENTS], means, cholesky };
        known_prior(&["theta_1", "theta_2"], vec![Factor::Mixture(mixture)])
    },
    simulator: || Arc::new(MixtureOfEight),
};

const COMPONENTS: usize = 8;
const LABELS: usize = 4;
/// Label of each component.
pub const MIXTURE_LABELS: [usize; COMPONENTS] = [0, 0, 0, 0, 1, 1, 2, 3];
const RADIUS: f32 = 7.5;

/// Centre of a component (0 to 7).
pub fn mixture_centre(component: usize) -> [f32; 2] {
    let turns = component as f32 / COMPONENTS as f32;
    [RADIUS * sin_2pi(turns), RADIUS * cos_2pi(turns)]
}

struct MixtureOfEight;

impl Simulator for MixtureOfEight {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (2, LABELS)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        let centres: [_; COMPONENTS] = std::array::from_fn(mixture_centre);
        for_rows::<2, LABELS>(seed, step, row0, theta, x, |rng, point, x| {
            // Covariance I/2: the log density of a component is minus the squared distance.
            let distances = centres.map(|centre| {
                let [dx, dy] = [point[0] - centre[0], point[1] - centre[1]];
                dx * dx + dy * dy
            });
            let nearest = distances.iter().fold(f32::MAX, |least, d| least.min(*d));
            let mut weights = [0.0; LABELS];
            for (label, distance) in MIXTURE_LABELS.iter().zip(distances) {
                weights[*label] += exp_(nearest - distance);
            }
            let u = rng.uniform() * weights.iter().sum::<f32>();
            let (mut label, mut sum) = (0, 0.0);
            for weight in &weights[..LABELS - 1] {
                sum += weight;
                label += usize::from(u >= sum);
            }
            *x = [0.0; LABELS];
            x[label] = 1.0;
        });
    }

    fn wgsl(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/mixture_of_eight.wgsl").into())
    }
}
