//! `mvn-5`, `mvn-50`, `mvn-500`: the mean of a normal distribution from one draw, x = mu + G' e / sqrt D with e ~ N(0, I),
//! mu ~ N(0, I). G is a fixed D x D matrix of standard normals, so the covariance of x is G'G / D; its small eigenvalues
//! make the posterior narrow in some directions and wide in others. The posterior is normal and known.
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use multiversion::multiversion;

use super::marginal::Marginal;
use super::multivariate::cholesky;
use super::prior::{Factor, Prior};
use super::simulator::{Simulator, Task};
use super::transform::Transform;
use crate::rng::{Rng, streams};

macro_rules! task {
    ($task:ident, $d:literal, $about:literal) => {
        pub(super) const $task: Task = Task {
            name: concat!("mvn-", $d),
            about: $about,
            prior: || prior($d),
            simulator: || Arc::new(Mvn { name: concat!("mvn-", $d), d: $d, g: matrix($d) }),
        };
    };
}
task!(FIVE, 5, "mean of a normal distribution in 5 dimensions from one draw; the posterior is known");
task!(FIFTY, 50, "mean of a normal distribution in 50 dimensions from one draw; the posterior is known");
task!(
    FIVE_HUNDRED,
    500,
    "mean of a normal distribution in 500 dimensions from one draw; the posterior is known"
);

fn prior(d: usize) -> Prior {
    let names = (1..=d).map(|i| format!("mu_{i}")).collect();
    let factors = vec![Factor::One(Marginal::Normal { mean: 0.0, sd: 1.0 }); d];
    Prior::new(names, factors, vec![Transform::Identity; d]).expect("independent normals make a prior")
}

/// G, `(d, d)` row-major: row j is row j of stream MATRIX at step d, seed 0. Made once for each size.
fn matrix(d: usize) -> Arc<[f32]> {
    static KNOWN: [OnceLock<Arc<[f32]>>; 3] = [const { OnceLock::new() }; 3];
    let make = || {
        let row = |j| {
            let mut rng = Rng::new(0, streams::MATRIX, d as u32, j as u32);
            (0..d).map(move |_| rng.normal())
        };
        (0..d).flat_map(row).collect()
    };
    match [5, 50, 500].iter().position(|&size| size == d) {
        Some(i) => KNOWN[i].get_or_init(make).clone(),
        None => make(),
    }
}

struct Mvn {
    name: &'static str,
    d: usize,
    g: Arc<[f32]>,
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn add_noise(g: &[f32], scale: f32, rng: &mut Rng, x: &mut [f32]) {
    for row in g.chunks_exact(x.len()) {
        let e = rng.normal();
        for (x, g) in x.iter_mut().zip(row) {
            *x += scale * g * e;
        }
    }
}

fn scale(d: usize) -> f32 {
    1.0 / (d as f32).sqrt()
}

impl Simulator for Mvn {
    fn name(&self) -> &str {
        self.name
    }

    fn dims(&self) -> (usize, usize) {
        (self.d, self.d)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        x.copy_from_slice(theta);
        for (i, x) in x.chunks_exact_mut(self.d).enumerate() {
            let mut rng = Rng::new(seed, streams::SIMULATOR, step, row0.wrapping_add(i as u32));
            add_noise(&self.g, scale(self.d), &mut rng, x);
        }
    }

    fn wgsl(&self) -> Option<String> {
        let mut text = format!("const SIM_C: u32 = {}u;\n", self.d);
        let _ = writeln!(text, "const MVN_STREAM: u32 = {}u;", streams::MATRIX);
        let _ = writeln!(text, "const MVN_SCALE: f32 = {:?}f;\n", scale(self.d));
        Some(text + include_str!("../../shaders/sim/mvn.wgsl"))
    }
}

/// Exact densities of `mvn-D`, in f64.
pub struct MvnExact {
    d: usize,
    /// Lower Cholesky factors `(d, d)` of the covariance of x given mu, and of x.
    likelihood: Vec<f64>,
    evidence: Vec<f64>,
}

impl MvnExact {
    /// For dimension `d`, with the matrix of the simulator.
    pub fn new(d: usize) -> Self {
        let g: Vec<f64> = matrix(d).iter().map(|&g| f64::from(g)).collect();
        let mut covariance = vec![0.0; d * d];
        for row in g.chunks_exact(d) {
            for (i, to) in covariance.chunks_exact_mut(d).enumerate() {
                for (to, value) in to.iter_mut().zip(row) {
                    *to += row[i] * value / d as f64;
                }
            }
        }
        let mut sum = covariance.clone();
        sum.iter_mut().step_by(d + 1).for_each(|v| *v += 1.0);
        let factor = |matrix: &[f64]| cholesky(matrix, d).expect("G'G is positive definite");
        Self { d, likelihood: factor(&covariance), evidence: factor(&sum) }
    }

    /// Log density of the posterior in nats, ln p(mu | x) = ln p(mu) + ln p(x | mu) - ln p(x); `mu` and `x` are `(d)`.
    pub fn log_posterior(&self, mu: &[f32], x: &[f32]) -> f64 {
        let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|&v| f64::from(v)).collect() };
        let (mu, x) = (wide(mu), wide(x));
        let noise: Vec<f64> = x.iter().zip(&mu).map(|(x, m)| x - m).collect();
        let constant = 0.5 * self.d as f64 * std::f64::consts::TAU.ln();
        let prior = -0.5 * mu.iter().map(|m| m * m).sum::<f64>() - constant;
        prior + log_normal(&self.likelihood, &noise) - log_normal(&self.evidence, &x)
    }
}

/// ln N(v; 0, L L').
fn log_normal(lower: &[f64], v: &[f64]) -> f64 {
    let d = v.len();
    let mut z = vec![0.0; d];
    let mut sum = -0.5 * d as f64 * std::f64::consts::TAU.ln();
    for i in 0..d {
        let row = &lower[i * d..=i * d + i];
        let dot: f64 = row.iter().zip(&z[..i]).map(|(l, z)| l * z).sum();
        z[i] = (v[i] - dot) / row[i];
        sum -= 0.5 * z[i] * z[i] + row[i].ln();
    }
    sum
}
