//! Comparisons: with published results (`sbibm`, `bayesflow2020`), of diagnostics with known-bad posteriors (`power`), of
//! training sets of several sizes (`budget`), and of speed (everything else).
pub mod bayesflow2020;
pub mod budget;
pub mod ceiling;
pub mod counts;
pub mod kernels;
pub mod lines;
pub mod machine;
pub mod power;
mod power_model;
pub mod published;
pub mod ratios;
pub mod record;
pub mod sample;
pub mod sbibm;
mod sets;
pub mod simulate;
pub mod speed;
pub mod step;
pub mod summary;
pub mod table;
pub mod timing;
pub mod tune;
pub mod workload;
