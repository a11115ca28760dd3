//! A model: prior, simulator, network and training, from a file or by name.
pub mod config;
pub mod definition;
mod first_weights;
pub mod moments;
pub mod network;
pub mod ragged;
pub mod suggest;
pub mod summaries;
pub mod weights;

pub use config::Config;
pub use definition::{Model, Pairs};
