//! The command line: arguments, one file per command, exit codes. The only place that prints.
mod args;
mod bench;
mod check;
mod devices;
mod familiar;
mod interrupt;
mod models;
mod new;
mod number;
mod plan;
mod progress;
mod run;
mod sample;
mod selftest;
mod simulate;
mod targets;
mod train;
mod tune;

pub use run::run;
