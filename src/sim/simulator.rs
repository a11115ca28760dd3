//! What a simulator is, and the list of those that are built in.
use std::sync::Arc;

use super::marginal::Marginal;
use super::prior::{Factor, Prior};
use super::transform::default_transform;
use super::{
    bernoulli_glm, gaussian_linear, gaussian_mixture, levy_flight, lotka_volterra, lotka_volterra_ode,
    lotka_volterra_ode_stats, mixture_of_eight, mvn, normal_mean, ricker, sir, sir_stochastic, slcp,
    two_moons,
};
use crate::rng::{Rng, streams};

/// Shape of the data of one data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataShape {
    /// A vector.
    Vector {
        /// Values C.
        features: usize,
    },
    /// Exchangeable items (rows of observations).
    Set {
        /// Values of an item F.
        features: usize,
        /// Fewest items.
        min: usize,
        /// Most items.
        max: usize,
    },
    /// Items in order.
    Series {
        /// Values of an item F.
        features: usize,
        /// Fewest items.
        min: usize,
        /// Most items.
        max: usize,
    },
    /// A grid, item-major: row by row, channels last.
    Field {
        /// Rows of the grid.
        height: usize,
        /// Columns of the grid.
        width: usize,
        /// Values of a grid point F.
        channels: usize,
    },
}

impl DataShape {
    /// Values of an item F; of a vector 1, whose items are its values.
    pub fn features(&self) -> usize {
        match *self {
            Self::Vector { .. } => 1,
            Self::Set { features, .. } | Self::Series { features, .. } => features,
            Self::Field { channels, .. } => channels,
        }
    }
    /// (fewest, most) items of a data set.
    pub fn items(&self) -> (usize, usize) {
        match *self {
            Self::Vector { features } => (features, features),
            Self::Set { min, max, .. } | Self::Series { min, max, .. } => (min, max),
            Self::Field { height, width, .. } => (height * width, height * width),
        }
    }
    /// Values of the largest data set.
    pub fn values(&self) -> usize {
        self.items().1 * self.features()
    }
    /// Whether data sets are fixed vectors.
    pub fn is_vector(&self) -> bool {
        matches!(self, Self::Vector { .. })
    }
}

/// Draws data x (C) given parameters theta (D).
///
/// Simulations may fail: NaN and infinities are handed back as they are, and masked in training.
pub trait Simulator: Send + Sync {
    /// Name, e.g. `two-moons`.
    fn name(&self) -> &str;
    /// Parameters D and data values C of a row; for data sets of any size, the values of the largest one.
    fn dims(&self) -> (usize, usize);
    /// Fills `x` (rows, C) from `theta` (rows, D). Row `i` draws from `Rng::new(seed, SIMULATOR, step, row0 + i)` and
    /// from nothing else, so that any split into blocks gives the same data.
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]);
    /// WGSL text: `const SIM_C: u32` and `fn simulate(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>,
    /// x: ptr<function, array<f32, SIM_C>>)`, which draws in the same order. It needs `SIM_D` from the prior's text,
    /// `common/math.wgsl` and `rng/*.wgsl`. `None` if the simulator runs on the host only.
    fn wgsl(&self) -> Option<String>;
    /// Shape of the data; `dims().1` is the number of values of the largest data set.
    fn shape(&self) -> DataShape {
        DataShape::Vector { features: self.dims().1 }
    }
    /// Simulates data sets of `items` items each, `x` (rows, items F) item by item, with the generators of
    /// [`Simulator::simulate`]. Simulators of vectors and fields ignore `items`.
    fn simulate_items(&self, seed: u64, step: u32, row0: u32, items: usize, theta: &[f32], x: &mut [f32]) {
        let _ = items;
        self.simulate(seed, step, row0, theta, x);
    }
    /// WGSL text of `fn simulate_items(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>, at: u32,
    /// stride: u32, items: u32)`, which stores feature f of item i by `put_item(at + i * stride + f, value)`; the caller
    /// defines `put_item`. Needs what [`Simulator::wgsl`] needs. `None` if data sets are simulated on the host only.
    fn wgsl_items(&self) -> Option<String> {
        None
    }
    /// Whether a GPU can simulate: there is WGSL text for this shape of data.
    fn has_wgsl(&self) -> bool {
        if self.shape().is_vector() { self.wgsl().is_some() } else { self.wgsl_items().is_some() }
    }
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

/// The built-in models: eight tasks of the benchmark of Lueckmann et al. 2021 (arXiv 2101.04653, "sbibm"), then those of
/// Radev et al. 2020 ("BayesFlow", arXiv 2003.06281) and a normal mean.
pub const TASKS: &[Task] = &[
    gaussian_linear::NORMAL,
    gaussian_linear::UNIFORM,
    slcp::TASK,
    bernoulli_glm::TASK,
    gaussian_mixture::TASK,
    two_moons::TASK,
    sir::TASK,
    lotka_volterra::TASK,
    mvn::FIVE,
    mvn::FIFTY,
    mvn::FIVE_HUNDRED,
    mixture_of_eight::TASK,
    ricker::TASK,
    levy_flight::TASK,
    sir_stochastic::TASK,
    lotka_volterra_ode::TASK,
    lotka_volterra_ode_stats::TASK,
    normal_mean::TASK,
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

/// Calls `f` for every row with its generator; `width` is the length of a row of `x`.
pub(super) fn for_items<const D: usize>(
    seed: u64,
    step: u32,
    row0: u32,
    width: usize,
    theta: &[f32],
    x: &mut [f32],
    f: impl Fn(&mut Rng, &[f32; D], &mut [f32]),
) {
    if width == 0 {
        return;
    }
    for (i, (theta, x)) in theta.as_chunks::<D>().0.iter().zip(x.chunks_exact_mut(width)).enumerate() {
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
