//! `levy-flight`: two-choice decisions as a diffusion with heavy-tailed noise between 0 and a. From x = a zr,
//! x += v dt + dt^(1/alpha) S / sqrt 2 with S symmetric alpha-stable, dt = 1 ms, until x leaves (0, a) or 5000 steps are
//! made; the response time is steps dt + t0, negative where x ends at or below 0. An item is one trial under each of two
//! conditions, which differ in drift only (Radev et al. 2020).
//!
//! Some 430 steps a trial: lanes of trials walk in lockstep and take up the next trial when theirs ends. Trial k of a
//! row (item k / 2, condition k % 2) draws from block 4096 k of the row's words on, so who walks beside it plays no part.
use std::sync::Arc;

use multiversion::multiversion;

use super::marginal::{Bound, Marginal};
use super::ode::{LANES, Lanes};
use super::prior::Factor;
use super::simulator::{DataShape, Simulator, Task, known_prior};
use crate::math::exp_;
use crate::rng::continuous::alpha_stable_of;
use crate::rng::philox::{open_unit, philox_lanes};
use crate::rng::streams;

pub(super) const TASK: Task = Task {
    name: "levy-flight",
    about: "drifts, bias, threshold, delay and noise tail of decisions from signed response times",
    prior: || {
        let uniform = |lo, hi| Factor::One(Marginal::Uniform { lo: Bound::Const(lo), hi: Bound::Const(hi) });
        known_prior(
            &["v1", "v2", "zr", "a", "t0", "alpha"],
            vec![
                uniform(0.0, 6.0),
                uniform(-6.0, 0.0),
                uniform(0.3, 0.7),
                uniform(0.6, 3.0),
                uniform(0.3, 1.0),
                uniform(1.0, 2.0),
            ],
        )
    },
    simulator: || Arc::new(LevyFlight),
};

/// Numbers of items.
const FEWEST: usize = 100;
const MOST: usize = 1000;
/// Conditions: trials of an item.
const CONDITIONS: usize = 2;
/// Step in seconds, and its logarithm.
const STEP: f32 = 0.001;
const LN_STEP: f32 = -6.907_755_4;
/// Most steps.
const TIMEOUT: f32 = 5000.0;
/// Blocks of random words kept for a trial; 2500 are used at most.
const TRIAL_BLOCKS: u32 = 4096;
/// Blocks between two looks at which trials have ended; a block holds the words of two steps.
const STRIDE: usize = 8;

/// Trials on their way.
struct Walk {
    x: Lanes,
    steps: Lanes,
    height: Lanes,
    drift: Lanes,
    scale: Lanes,
    alpha: Lanes,
    row: [u32; LANES],
    block: [u32; LANES],
}

impl Walk {
    fn open(&self, lane: usize) -> bool {
        self.x[lane] > 0.0 && self.x[lane] < self.height[lane] && self.steps[lane] < TIMEOUT
    }
}

/// `STRIDE` blocks of steps; trials that have ended stand still.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn advance(walk: &mut Walk, step: u32, key: [u32; 2]) {
    for _ in 0..STRIDE {
        let words = philox_lanes([walk.row, walk.block, [step; LANES], [streams::SIMULATOR; LANES]], key);
        for pair in words.as_chunks::<2>().0 {
            for i in 0..LANES {
                let h = 0.5 * (open_unit(pair[0][i]) - 0.5);
                let w = -crate::math::log_(open_unit(pair[1][i]));
                let jump = walk.drift[i] + walk.scale[i] * alpha_stable_of(walk.alpha[i], h, w);
                let open = (walk.x[i] > 0.0) & (walk.x[i] < walk.height[i]) & (walk.steps[i] < TIMEOUT);
                walk.x[i] += if open { jump } else { 0.0 };
                walk.steps[i] += if open { 1.0 } else { 0.0 };
            }
        }
        for block in &mut walk.block {
            *block = block.wrapping_add(1);
        }
    }
}

struct LevyFlight;

impl Simulator for LevyFlight {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (6, CONDITIONS * MOST)
    }

    fn shape(&self) -> DataShape {
        DataShape::Set { features: CONDITIONS, min: FEWEST, max: MOST }
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, MOST, theta, x);
    }

    fn wgsl(&self) -> Option<String> {
        None
    }

    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        let trials = CONDITIONS * items;
        let theta = theta.as_chunks::<6>().0;
        let total = theta.len() * trials;
        let key = [seed as u32, (seed >> 32) as u32];
        let none = [0.0; LANES];
        let mut walk = Walk {
            x: none,
            steps: none,
            height: none,
            drift: none,
            scale: none,
            alpha: [2.0; LANES],
            row: [0; LANES],
            block: [0; LANES],
        };
        // The trial of each lane; lanes without one have x = 0, which is not open.
        let mut trial: [Option<usize>; LANES] = [None; LANES];
        let mut next = 0;
        loop {
            for lane in 0..LANES {
                if walk.open(lane) {
                    continue;
                }
                if let Some(done) = trial[lane] {
                    let time = walk.steps[lane] * STEP + theta[done / trials][4];
                    x[done] = if walk.x[lane] > 0.0 { time } else { -time };
                }
                trial[lane] = (next < total).then_some(next);
                let Some(at) = trial[lane] else { continue };
                next += 1;
                let (row, k) = (at / trials, at % trials);
                let [v1, v2, zr, a, _, alpha] = theta[row];
                walk.x[lane] = zr * a;
                walk.steps[lane] = 0.0;
                walk.height[lane] = a;
                walk.drift[lane] = if k % CONDITIONS == 0 { v1 } else { v2 } * STEP;
                walk.scale[lane] = exp_(LN_STEP / alpha) * std::f32::consts::FRAC_1_SQRT_2;
                walk.alpha[lane] = alpha;
                walk.row[lane] = row0.wrapping_add(row as u32);
                walk.block[lane] = (k as u32).wrapping_mul(TRIAL_BLOCKS);
            }
            if trial.iter().all(Option::is_none) {
                return;
            }
            advance(&mut walk, step, key);
        }
    }

    fn wgsl_items(&self) -> Option<String> {
        Some(include_str!("../../shaders/sim/levy_flight.wgsl").into())
    }
}
