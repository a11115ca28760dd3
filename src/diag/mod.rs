//! Diagnostics: is a posterior right, how much does it say, and how far is it from a known one.
pub mod c2st;
mod c2st_net;
pub mod check;
#[cfg(test)]
mod check_tests;
mod check_words;
pub mod contraction;
pub mod coverage;
pub mod draw_sets;
pub mod ecdf;
pub mod mmd;
mod points;
pub mod probability;
pub mod quantile;
pub mod recovery;
pub mod sbc;
mod simd;
pub mod tarp;
