//! A frozen list of kernel calls over slots, recorded once per shape and replayed by either executor.
use crate::runtime::kernel::Call;
use crate::runtime::params::ParamTable;
use crate::runtime::tile::Slot;
use std::ops::Range;
use std::sync::Arc;

/// Where the items of a row stand in its slot, floats: item `(o, i)` begins at `first + o outer + i inner`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Place of the first item.
    pub first: u32,
    /// Distance of outer items.
    pub outer: u32,
    /// Distance of inner items.
    pub inner: u32,
}

impl View {
    /// Items side by side, `width` floats apart, from item `first` on.
    pub fn dense(first: usize, width: usize) -> Self {
        Self { first: (first * width) as u32, outer: 0, inner: width as u32 }
    }
}

/// A gradient that sums over the batch and over the items of each row: a product `x^T delta`, or column sums of `delta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradJob {
    /// Layer input; none for column sums.
    pub x: Option<Slot>,
    /// Gradient of the layer's output.
    pub delta: Slot,
    /// Offset of the parameter.
    pub at: u32,
    /// Columns of an input item, rows of the gradient; 1 for column sums.
    pub k: u32,
    /// Columns of an item of delta and of the gradient.
    pub j: u32,
    /// Items of a row: outer, inner.
    pub items: [u32; 2],
    /// Items of the input.
    pub x_view: View,
    /// Items of delta.
    pub delta_view: View,
}

impl GradJob {
    /// The job over rows without items.
    pub fn rows(x: Option<Slot>, delta: Slot, at: u32) -> Self {
        let (k, j) = (x.map_or(1, |x| x.width), delta.width);
        let (x_view, delta_view) = (View::default(), View::default());
        Self { x, delta, at, k, j, items: [1, 1], x_view, delta_view }
    }
    /// Items of a row.
    pub fn count(&self) -> usize {
        (self.items[0] * self.items[1]) as usize
    }
    /// Floats of the gradient that it forms.
    pub fn floats(&self) -> usize {
        (if self.x.is_some() { self.k * self.j } else { self.j }) as usize
    }
}

/// Calls that work on items, many floats a row: the CPU executor runs them on few rows at a time, and keeps their slots
/// for the rows at hand only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Its calls.
    pub calls: Range<usize>,
    /// Its slots, units of 4 floats per row.
    pub quads: Range<u32>,
    /// Whether it wants many rows at a time after all (recurrences, whose products are over rows).
    pub coarse: bool,
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
    /// Parts that work on items, in order.
    pub sections: Vec<Section>,
    /// Slots whose first column is a number of items.
    pub counts: Vec<Slot>,
}

impl Plan {
    /// Floating-point operations of the row-local part, per row.
    pub fn row_flops(&self) -> u64 {
        self.calls.iter().map(|c| (c.def.flops)(c)).sum()
    }
    /// Floating-point operations of the weight gradients, per row.
    pub fn grad_flops(&self) -> u64 {
        self.grads.iter().map(|g| 2 * g.floats() as u64 * g.count() as u64).sum()
    }
    /// Quads of a row that the sections hold.
    pub fn section_quads(&self) -> u32 {
        self.sections.iter().map(|s| s.quads.end - s.quads.start).sum()
    }
    /// Whether a job reads the slots of a section.
    pub fn on_items(&self, job: &GradJob) -> bool {
        let inside = |s: Slot| self.sections.iter().any(|x| x.quads.contains(&s.at));
        inside(job.delta) || job.x.is_some_and(inside)
    }
    /// Bytes of slots per row.
    pub fn row_bytes(&self) -> usize {
        self.quads as usize * 16
    }
}
