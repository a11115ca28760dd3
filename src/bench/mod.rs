//! Comparisons with published results.
pub mod published;
pub mod record;
pub mod sbibm;
