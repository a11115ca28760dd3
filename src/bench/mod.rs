//! Comparisons: with published results (`sbibm`), and of speed (everything else).
pub mod ceiling;
pub mod counts;
pub mod kernels;
pub mod lines;
pub mod machine;
pub mod published;
pub mod ratios;
pub mod record;
pub mod sample;
pub mod sbibm;
pub mod simulate;
pub mod speed;
pub mod step;
pub mod summary;
pub mod table;
pub mod timing;
pub mod workload;
