//! Comparisons: with published results, and of the diagnostics with known-bad posteriors.
pub mod budget;
pub mod power;
mod power_model;
pub mod published;
pub mod record;
pub mod sbibm;
