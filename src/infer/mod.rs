//! Inference: posterior draws and densities for observed data.
pub mod posterior;
pub use posterior::Posterior;
