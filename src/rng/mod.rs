//! Random numbers: Philox counters, streams, and draws that are the same in Rust and WGSL up to rounding.
pub mod continuous;
pub mod discrete;
pub mod generator;
pub mod philox;
#[cfg(test)]
mod reference;
pub mod streams;
pub mod table;
#[cfg(test)]
mod tests;

pub use generator::Rng;
pub use philox::philox;

/// WGSL text of the generator and all draws; needs [`crate::math::WGSL`] before it.
pub const WGSL: &str = concat!(
    include_str!("../../shaders/rng/philox.wgsl"),
    include_str!("../../shaders/rng/continuous.wgsl"),
    include_str!("../../shaders/rng/discrete.wgsl"),
);
