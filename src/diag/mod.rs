//! Diagnostics: is a posterior right, how much does it say, and how far is it from a known one.
pub mod c2st;
mod c2st_net;
pub mod certificate;
pub mod check;
#[cfg(test)]
mod check_tests;
pub(crate) mod check_words;
pub mod conditional;
pub mod conformal;
pub mod contraction;
pub mod coverage;
pub mod draw_sets;
pub mod ecdf;
pub mod examine;
#[cfg(test)]
mod fixture_tests;
pub mod information;
mod judge;
pub mod local;
pub mod misspecification;
pub mod mmd;
mod points;
mod pool;
pub mod predictive;
pub mod prior_shift;
pub mod probability;
pub mod quantile;
pub mod recovery;
pub mod replicates;
pub mod sbc;
pub mod scores;
mod simd;
pub mod statistics;
pub mod stream;
pub mod tarp;
