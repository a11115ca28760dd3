//! The list of all row kernels: what checks and shader tests go through.
use crate::data::{items, source};
use crate::flow::{actnorm, affine, base, householder, spline, split};
use crate::layers::{
    accumulate, activation, attention, columns, conv, dense, item_activation, norm, pool, recurrent, time,
};
use crate::runtime::kernel::KernelDef;

/// Every row kernel.
pub fn all() -> Vec<&'static KernelDef> {
    vec![
        &source::ONLINE,
        &source::GATHER,
        &source::CONDITION,
        &source::FINISH,
        &items::ONLINE,
        &items::GATHER,
        &items::POOL,
        &dense::DENSE,
        &activation::FORWARD,
        &activation::BACKWARD,
        &conv::FORWARD,
        &conv::BACKWARD,
        &item_activation::FORWARD,
        &item_activation::BACKWARD,
        &pool::FORWARD,
        &pool::BACKWARD,
        &columns::COLUMNS,
        &recurrent::FORWARD,
        &recurrent::BACKWARD,
        &attention::FORWARD,
        &attention::BACKWARD,
        &norm::FORWARD,
        &norm::BACKWARD,
        &accumulate::ACCUMULATE,
        &time::TIME,
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
