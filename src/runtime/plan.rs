//! A frozen list of kernel calls over slots, recorded once per shape and replayed by either executor.
use crate::runtime::kernel::Call;
use crate::runtime::params::ParamTable;
use crate::runtime::tile::Slot;
use std::sync::Arc;

/// A gradient that sums over the batch: a product `x^T delta`, or column sums of `delta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradJob {
    /// Layer input; none for column sums.
    pub x: Option<Slot>,
    /// Gradient of the layer's output.
    pub delta: Slot,
    /// Offset of the parameter.
    pub at: u32,
}

/// Columns of the row-metadata slot, 4 floats a row.
pub mod meta {
    /// Weight of the row in the loss: 1 / batch, or 0 for a row that is masked or past the end.
    pub const WEIGHT: usize = 0;
    /// Log-determinant so far, nats.
    pub const LOGDET: usize = 1;
    /// Negative log-density of the row in u space, nats (unweighted).
    pub const LOSS: usize = 2;
    /// 1 where the simulation was not finite and the row is masked.
    pub const MASKED: usize = 3;
}

/// See the module's doc.
#[derive(Clone)]
pub struct Plan {
    /// What it is for: `train`, `sample`, `log_prob`.
    pub name: String,
    /// Row-local calls, in order.
    pub calls: Vec<Call>,
    /// Weight gradients, merged into one launch; empty for inference.
    pub grads: Vec<GradJob>,
    /// Memory of all slots, in units of 4 floats per row.
    pub quads: u32,
    /// Small constants.
    pub consts: Vec<f32>,
    /// The parameters its offsets refer to.
    pub params: Arc<ParamTable>,
    /// Slot of the row metadata (see [`meta`]).
    pub meta: Slot,
}

impl Plan {
    /// Floating-point operations of the row-local part, per row.
    pub fn row_flops(&self) -> u64 {
        self.calls.iter().map(|c| (c.def.flops)(&c.spec)).sum()
    }
    /// Floating-point operations of the weight gradients, per row.
    pub fn grad_flops(&self) -> u64 {
        self.grads.iter().map(|g| 2 * u64::from(g.x.map_or(1, |x| x.width)) * u64::from(g.delta.width)).sum()
    }
    /// Bytes of slots per row.
    pub fn row_bytes(&self) -> usize {
        self.quads as usize * 16
    }
}
