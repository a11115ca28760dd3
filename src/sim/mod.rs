//! Priors with their support transforms, and simulators: built-in tasks and the user's closures.
mod bernoulli_glm;
mod gaussian_linear;
mod gaussian_mixture;
mod host;
mod lotka_volterra;
mod marginal;
mod multivariate;
mod ode;
mod prior;
mod prior_wgsl;
mod simulator;
mod sir;
mod slcp;
mod special;
#[cfg(test)]
mod tests;
mod transform;
mod two_moons;

pub use host::HostSimulator;
pub use marginal::{Bound, Marginal};
pub use multivariate::cholesky;
pub use prior::{Factor, Prior};
pub use simulator::{BUILTIN, DataShape, Simulator, TASKS, Task, builtin, task};
pub use transform::{Transform, default_transform};
