//! `lotka-volterra-ode-stats`: the system of `lotka-volterra-ode`, summarised by hand. Nine numbers: the means of X
//! and Y, ln(1 + variance) of both, the autocorrelations of X at lags 6 and 13, then of Y, and the correlation of X
//! and Y. Variances divide by n; an autocorrelation is Pearson's of the series without its last and without its first
//! values, and 0 where one of them does not vary.
use std::sync::Arc;

use multiversion::multiversion;

use super::lotka_volterra_ode::{MATH, TIMES, prior, solve};
use super::ode::{LANES, Lanes, blocks, lanes};
use super::simulator::{Simulator, Task};
use crate::math::{exp_, log1p_};

pub(super) const TASK: Task = Task {
    name: "lotka-volterra-ode-stats",
    about: "rates of a predator-prey system from nine statistics made by hand",
    prior,
    simulator: || Arc::new(LotkaVolterraOdeStats),
};

/// Statistics.
const STATS: usize = 9;
/// Lags of the autocorrelations.
const LAGS: [usize; 2] = [6, 13];

/// Mean over time.
#[inline(always)]
fn mean(x: &[Lanes]) -> Lanes {
    let sum = x.iter().fold([0.0; LANES], |sum, x| lanes(|i| sum[i] + x[i]));
    lanes(|i| sum[i] / x.len() as f32)
}

/// Mean of (x - mean x)(y - mean y).
#[inline(always)]
fn covariance(x: &[Lanes], y: &[Lanes]) -> Lanes {
    let (mx, my) = (mean(x), mean(y));
    let sum =
        x.iter().zip(y).fold([0.0; LANES], |sum, (x, y)| lanes(|i| sum[i] + (x[i] - mx[i]) * (y[i] - my[i])));
    lanes(|i| sum[i] / x.len() as f32)
}

/// Pearson correlation; 0 where a side does not vary.
#[inline(always)]
fn correlation(x: &[Lanes], y: &[Lanes]) -> Lanes {
    let (xx, yy, xy) = (covariance(x, x), covariance(y, y), covariance(x, y));
    lanes(|i| {
        let scale = xx[i].sqrt() * yy[i].sqrt();
        if scale > 0.0 { xy[i] / scale } else { 0.0 }
    })
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn statistics(x: &mut [Lanes], y: &mut [Lanes], log: &[[Lanes; 2]], stats: &mut [Lanes; STATS]) {
    for ((x, y), [p, q]) in x.iter_mut().zip(y.iter_mut()).zip(log) {
        *x = lanes(|i| exp_(p[i]));
        *y = lanes(|i| exp_(q[i]));
    }
    let (var_x, var_y) = (covariance(x, x), covariance(y, y));
    let auto = |x: &[Lanes], lag: usize| correlation(&x[..TIMES - lag], &x[lag..]);
    *stats = [
        mean(x),
        mean(y),
        lanes(|i| log1p_(var_x[i])),
        lanes(|i| log1p_(var_y[i])),
        auto(x, LAGS[0]),
        auto(x, LAGS[1]),
        auto(y, LAGS[0]),
        auto(y, LAGS[1]),
        correlation(x, y),
    ];
}

struct LotkaVolterraOdeStats;

impl Simulator for LotkaVolterraOdeStats {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (4, STATS)
    }

    /// Nothing is drawn.
    fn simulate(&self, _: u64, _: u32, _: u32, theta: &[f32], x: &mut [f32]) {
        let mut log = vec![[[0.0; LANES]; 2]; TIMES];
        let (mut prey, mut predators) = (vec![[0.0; LANES]; TIMES], vec![[0.0; LANES]; TIMES]);
        let mut stats = [[0.0; LANES]; STATS];
        let x = x.as_chunks_mut::<STATS>().0;
        for (first, rows, theta) in blocks(theta) {
            solve(&theta, &mut log);
            statistics(&mut prey, &mut predators, &log, &mut stats);
            for (lane, x) in x[first..first + rows].iter_mut().enumerate() {
                *x = stats.map(|statistic| statistic[lane]);
            }
        }
    }

    fn wgsl(&self) -> Option<String> {
        Some(MATH.to_owned() + include_str!("../../shaders/sim/lotka_volterra_ode_stats.wgsl"))
    }
}
