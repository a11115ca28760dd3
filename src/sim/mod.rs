//! Priors with their support transforms, and simulators: built-in tasks and the user's closures.
mod bernoulli_glm;
mod gaussian_linear;
mod gaussian_mixture;
mod host;
mod levy_flight;
mod lotka_volterra;
mod lotka_volterra_ode;
mod lotka_volterra_ode_stats;
mod marginal;
mod mixture_of_eight;
mod multivariate;
mod mvn;
mod normal_mean;
mod ode;
mod prior;
mod prior_wgsl;
mod ricker;
mod simulator;
mod sir;
mod sir_stochastic;
mod slcp;
mod special;
#[cfg(test)]
mod tests;
mod transform;
mod two_moons;

pub use host::HostSimulator;
pub use marginal::{Bound, Marginal};
pub use mixture_of_eight::{MIXTURE_LABELS, mixture_centre};
pub use multivariate::{NormalMixture, cholesky};
pub use mvn::MvnExact;
pub use normal_mean::normal_mean_posterior;
pub use prior::{Factor, Prior};
pub use simulator::{BUILTIN, DataShape, Simulator, TASKS, Task, builtin, task};
pub use transform::{Transform, default_transform};
