//! Comparisons: with published results (`sbibm`, `bayesflow2020`), and of speed (everything else).
pub mod bayesflow2020;
pub mod ceiling;
pub mod counts;
pub mod lines;
pub mod machine;
pub mod published;
pub mod record;
pub mod sample;
pub mod sbibm;
pub mod simulate;
pub mod speed;
pub mod step;
pub mod table;
pub mod timing;
pub mod workload;
