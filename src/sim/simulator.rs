//! What a simulator is, and the list of those that are built in.
use std::sync::Arc;

use super::marginal::Marginal;
use super::prior::{Factor, Prior};
use super::transform::default_transform;
use super::{bernoulli_glm, gaussian_linear, gaussian_mixture, lotka_volterra, sir, slcp, two_moons};
use crate::rng::{Rng, streams};

/// Draws data x (C) given parameters theta (D).
///
/// Simulations may fail: NaN and infinities are handed back as they are, and masked in training.
pub trait Simulator: Send + Sync {
    /// Name, e.g. `two-moons`.
    fn name(&self) -> &str;
    /// Parameters D and data values C of a row.
    fn dims(&self) -> (usize, usize);
    /// Fills `x` (rows, C) from `theta` (rows, D). Row `i` draws from `Rng::new(seed, SIMULATOR, step, row0 + i)` and
    /// from nothing else, so that any split into blocks gives the same data.
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]);
    /// WGSL text: `const SIM_C: u32` and `fn simulate(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>,
    /// x: ptr<function, array<f32, SIM_C>>)`, which draws in the same order. It needs `SIM_D` from the prior's text,
    /// `common/math.wgsl` and `rng/*.wgsl`. `None` if the simulator runs on the host only.
    fn wgsl(&self) -> Option<String>;
}

/// A built-in model: prior and simulator.
#[derive(Clone, Copy)]
pub struct Task {
    /// Name in `couplet train NAME`.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// Parameters with priors and default support transforms.
    pub prior: fn() -> Prior,
    /// The simulator.
    pub simulator: fn() -> Arc<dyn Simulator>,
}

/// The built-in models: eight tasks of the benchmark of Lueckmann et al. 2021 (arXiv 2101.04653, "sbibm").
pub const TASKS: &[Task] = &[
    gaussian_linear::NORMAL,
    gaussian_linear::UNIFORM,
    slcp::TASK,
    bernoulli_glm::TASK,
    gaussian_mixture::TASK,
    two_moons::TASK,
    sir::TASK,
    lotka_volterra::TASK,
];

/// Names of [`TASKS`], in order.
pub const BUILTIN: &[&str] = &{
    let mut names = [""; TASKS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = TASKS[i].name;
        i += 1;
    }
    names
};

/// The built-in model of this name.
pub fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

/// The simulator of the built-in model of this name.
pub fn builtin(name: &str) -> Option<Arc<dyn Simulator>> {
    task(name).map(|task| (task.simulator)())
}

/// Calls `f` for every row with its generator.
pub(super) fn for_rows<const D: usize, const C: usize>(
    seed: u64,
    step: u32,
    row0: u32,
    theta: &[f32],
    x: &mut [f32],
    f: impl Fn(&mut Rng, &[f32; D], &mut [f32; C]),
) {
    let rows = theta.as_chunks::<D>().0.iter().zip(x.as_chunks_mut::<C>().0);
    for (i, (theta, x)) in rows.enumerate() {
        let mut rng = Rng::new(seed, streams::SIMULATOR, step, row0.wrapping_add(i as u32));
        f(&mut rng, theta, x);
    }
}

/// A built-in prior: one factor after the other, default transforms.
pub(super) fn known_prior(names: &[&str], factors: Vec<Factor>) -> Prior {
    let transforms = factors.iter().flat_map(|f| vec![default_transform(f); f.dim()]).collect();
    let names = names.iter().map(|&name| name.into()).collect();
    Prior::new(names, factors, transforms).expect("built-in priors are valid")
}

/// A built-in prior of independent parameters with the same marginal.
pub(super) fn same_prior(names: &[&str], marginal: Marginal) -> Prior {
    known_prior(names, vec![Factor::One(marginal); names.len()])
}
