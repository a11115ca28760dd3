//! The list of all row kernels: what checks and shader tests go through.
use crate::data::source;
use crate::flow::{actnorm, affine, base, householder, spline, split};
use crate::layers::{activation, dense};
use crate::runtime::kernel::KernelDef;

/// Every row kernel.
pub fn all() -> Vec<&'static KernelDef> {
    vec![
        &source::ONLINE,
        &source::GATHER,
        &source::CONDITION,
        &source::FINISH,
        &dense::DENSE,
        &activation::FORWARD,
        &activation::BACKWARD,
        &split::SPLIT,
        &actnorm::FORWARD,
        &actnorm::INVERSE,
        &actnorm::BACKWARD,
        &householder::APPLY,
        &householder::BACKWARD,
        &affine::FORWARD,
        &affine::INVERSE,
        &affine::BACKWARD,
        &spline::FORWARD,
        &spline::INVERSE,
        &spline::BACKWARD,
        &base::LOSS,
        &base::SAMPLE,
    ]
}
