//! Layers: differentiable maps with parameters, and the products they are made of.
pub mod accumulate;
pub mod activation;
pub mod attention;
mod attention_cpu;
pub mod columns;
pub mod conv;
mod conv_cpu;
pub mod dense;
pub mod gemm;
pub mod item_activation;
pub mod mlp;
mod simd;
pub mod norm;
pub mod pool;
pub mod recurrent;
mod recurrent_cpu;
pub mod time;
pub mod transpose;
