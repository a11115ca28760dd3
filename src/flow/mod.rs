//! The flow: a chain of blocks, each ActNorm -> permutation -> two-way coupling, down to the base density.
pub mod actnorm;
pub mod affine;
pub mod base;
pub mod chain;
pub mod householder;
pub mod lanes;
pub mod spline;
pub mod spline_math;
pub mod split;

pub use chain::{Flow, FlowShape, Permutation, TransformKind};
