//! Inference: posterior draws and densities for observed data, and whether such data were seen in training.
pub mod ood;
pub mod posterior;
pub use posterior::Posterior;
