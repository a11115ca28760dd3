//! Comparisons with published results.
pub mod published;
pub mod sbibm;
