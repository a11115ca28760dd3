//! `sir-stochastic`: an epidemic among a thousand people in steps of a tenth of a day, infections
//! ~ Bin(S, 1 - exp(-0.1 beta (I + 1/2) / N)), recoveries ~ Bin(I, 1 - exp(-0.1 gamma)), both from the old state;
//! observed are (S, I, R) / N, beginning with one infected (Radev et al. 2020).
use std::sync::Arc;

use super::marginal::{Bound, Marginal};
use super::prior::Factor;
use super::simulator::{DataShape, Simulator, Task, for_items, known_prior};
use crate::math::expm1_;

pub(super) const TASK: Task = Task {
    name: "sir-stochastic",
    about: "contact and recovery rates of a small, random epidemic from its daily course",
    prior: || {
        let uniform = |lo, hi| Factor::One(Marginal::Uniform { lo, hi });
        let contact = uniform(Bound::Const(0.01), Bound::Const(1.0));
        known_prior(&["beta", "gamma"], vec![contact, uniform(Bound::Const(0.0), Bound::Param(0))])
    },
    simulator: || Arc::new(SirStochastic),
};

/// Lengths of the series.
const SHORTEST: usize = 200;
const LONGEST: usize = 500;
/// 1/N for a thousand people.
const PER_PERSON: f32 = 1e-3;
/// Minus the length of a step, and the same over N.
const STEP: f32 = -0.1;
const CONTACT_STEP: f32 = -1e-4;

struct SirStochastic;

impl Simulator for SirStochastic {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (2, 3 * LONGEST)
    }

    fn shape(&self) -> DataShape {
        DataShape::Series { features: 3, min: SHORTEST, max: LONGEST }
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, LONGEST, theta, x);
    }

    fn wgsl(&self) -> Option<String> {
        None
    }

    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        for_items::<2>(seed, step, row0, 3 * items, theta, x, |rng, &[beta, gamma], x| {
            let contact = CONTACT_STEP * beta;
            let recovery = -expm1_(STEP * gamma);
            let [mut s, mut i, mut r] = [999.0, 1.0, 0.0];
            for x in x.as_chunks_mut::<3>().0 {
                *x = [s * PER_PERSON, i * PER_PERSON, r * PER_PERSON];
                let infected = rng.binomial(s, -expm1_(contact * (i + 0.5)));
                let recovered = rng.binomial(i, recovery);
                s -= infected;
                i += infected - recovered;
                r += recovered;
            }
        });
    }

    fn wgsl_items(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/sir_stochastic.wgsl").into())
    }
}
