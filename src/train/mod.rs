//! Training: online or on a fixed table, with schedules, validation, checkpoints and exact resume.
pub mod checkpoint;
pub(crate) mod items;
pub mod offline;
mod pool;
pub mod run;
mod session;
pub mod trainer;
mod tune;
mod watch;

pub use run::{Progress, Summary};
pub use trainer::Trainer;
