//! Layers: differentiable maps with parameters, and the products they are made of.
pub mod activation;
pub mod dense;
pub mod gemm;
pub mod mlp;
mod simd;
