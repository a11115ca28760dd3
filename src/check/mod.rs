//! Checks of a device: every kernel against its twin, and a few steps of training on both executors.
mod harness;
mod judge;
mod selftest;

pub use harness::{compare, sample_plan};
pub use judge::{Worst, judge};
pub use selftest::{Line, Training, row_counts, selftest};
