//! Files in and out: observed data, offline training sets, draws, summaries. Everything read is untrusted.
pub mod atomic;
pub mod bundle;
pub mod cmdstan;
pub mod csv_table;
pub mod draws;
pub mod items;
mod items_toy;
pub mod known;
pub mod npy;
pub mod npz;
pub mod observed;
pub mod observed_sets;
pub mod problem;
pub mod source;
pub mod standardise;
pub mod summary;

#[cfg(test)]
mod mutate;
