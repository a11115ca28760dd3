//! Comparisons with published results.
pub mod bayesflow2020;
pub mod published;
pub mod record;
pub mod sbibm;
