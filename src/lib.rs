//! # Couplet: amortized Bayesian inference on any GPU
//!
//! Describe a simulator; Couplet trains a conditional normalizing flow on simulated pairs (theta, x) and then answers with the
//! posterior of any data set. A model is a prior, a simulator and a network ([`Model`]); [`Trainer`] trains it on a
//! GPU or the CPU; [`Posterior`] draws and evaluates densities. `docs/ARCHITECTURE.md` is the map of the code.
//!
//! ```no_run
//! use couplet::{Model, Trainer};
//! # fn main() -> couplet::error::Result<()> {
//! let (posterior, _) = Trainer::new(Model::builtin("two-moons")?).minutes(1.0).train()?;
//! let draws = posterior.sample(&[0.0, 0.0], 1_000, 1)?; // (1, 1000, 2), row-major
//! # Ok(()) }
//! ```
//!
//! The modules, in the order in which a batch meets them; imports go only upwards in this list.
pub mod error;
pub mod math;
pub mod runtime;
pub mod rng;
pub mod sim;
pub mod data;
pub mod layers;
pub mod summary;
pub mod flow;
pub mod optim;
pub mod kernels;
pub mod model;
pub mod check;
pub mod infer;
pub mod train;
pub mod diag;
pub mod report;
pub mod bench;
pub mod cli;

pub use infer::Posterior;
pub use model::{Model, Pairs};
pub use train::{Progress, Summary, Trainer};
