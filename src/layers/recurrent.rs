//! Recurrent cells over the items of a row: LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014, reset after the
//! product), in one direction or the other.
//!
//! One call walks all time steps; the products with the inputs have been formed before, for all items at once. An item that
//! does not count leaves the state as it is, and its output is 0. With s = sigmoid, `a = x W + b`, `b_t = h U + u`:
//!
//! - LSTM, gates i f g o: `c <- s(f) c + s(i) tanh(g)`, `h <- s(o) tanh(c)` of `a + h U`
//! - GRU, gates r z n: `n = tanh(a_n + s(r) b_n)`, `h <- (1 - s(z)) n + s(z) h`
use crate::args;
use crate::layers::conv::sum_items;
use crate::layers::pool::Items;
use crate::layers::recurrent_cpu::{backward_cpu, forward_cpu};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{Init, ParamTable, pad4};
use crate::runtime::plan::{GradJob, View};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;

args! {
    /// Arguments of `layers/recurrent_*`.
    pub struct RecurrentArgs {
        /// Slot `(batch, items, GATES H)`: products with the input; then gates; after backward their delta.
        pub gates: u32,
        /// Slot `(batch, items, 3 H)`, GRU only: products with the state; after backward their delta.
        pub inner: u32,
        /// Slot `(batch, items, H)`: outputs.
        pub h: u32,
        /// Slot `(batch, items, H)`, LSTM only: cell states.
        pub c: u32,
        /// Slot `(batch, H)`: the last state.
        pub last: u32,
        /// Gradient by the outputs; read only with `SEQUENCE`.
        pub d_h: u32,
        /// Gradient by the last state; read only with `LAST`.
        pub d_last: u32,
        /// Slot `(batch, 2 H)` for the gradient by the state on its way back.
        pub work: u32,
        /// Offset of U `(H, GATES H)`; for the way back of its transpose.
        pub weight: u32,
        /// Offset of u `(3 H)`, GRU only.
        pub bias: u32,
        /// Slot of the counts.
        pub count: u32,
        /// Items.
        pub items: u32,
        /// See [`crate::layers::pool::PoolArgs::shrink`].
        pub shrink: u32,
    }
}

/// The cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Gates i, f, g, o and a cell state.
    Lstm,
    /// Gates r, z, n.
    Gru,
}

impl Cell {
    /// Gates.
    pub fn gates(self) -> usize {
        if self == Self::Lstm { 4 } else { 3 }
    }
}

macro_rules! def {
    ($name:literal, $cpu:expr, $samples:expr) => {
        KernelDef {
            name: concat!("layers/", $name),
            source: include_str!(concat!("../../shaders/layers/", $name, ".wgsl")),
            args: || RecurrentArgs::wgsl() + &RecurrentArgs::wgsl_loader(),
            cpu: $cpu,
            flops,
            samples: $samples,
        }
    };
}
/// All time steps.
pub static FORWARD: KernelDef = def!(
    "recurrent_forward",
    forward_cpu,
    &[
        |r| sample(r, &FORWARD, Cell::Lstm, 5, 8, false),
        |r| sample(r, &FORWARD, Cell::Lstm, 3, 4, true),
        |r| sample(r, &FORWARD, Cell::Gru, 4, 8, true),
        |r| sample(r, &FORWARD, Cell::Gru, 1, 12, false),
    ]
);
/// All time steps the other way.
pub static BACKWARD: KernelDef = def!(
    "recurrent_backward",
    backward_cpu,
    &[
        |r| sample(r, &BACKWARD, Cell::Lstm, 5, 8, false),
        |r| sample(r, &BACKWARD, Cell::Lstm, 3, 4, true),
        |r| sample(r, &BACKWARD, Cell::Gru, 4, 8, true),
        |r| sample(r, &BACKWARD, Cell::Gru, 1, 12, false),
    ]
);

/// Of a row: the products with the state, and a dozen operations for each gate, over all time steps.
fn flops(c: &Call) -> u64 {
    let (h, gates) = (c.spec.get("H"), c.spec.get("GATES"));
    u64::from(c.args::<RecurrentArgs>().items) * (gates * h * (2 * h + 12)) as u64
}

fn sample(r: &mut Recorder, def: &'static KernelDef, cell: Cell, items: usize, h: usize, reverse: bool) {
    let layer = Recurrent { cell, reverse, h, weight: 8, bias: 4096 };
    let count = r.counts();
    let gates = r.slot(items * cell.gates() * h);
    let x = Items { slot: gates, width: cell.gates() * h, n: items, count, shrink: 1 };
    let trace = layer.trace(r, &x);
    let (d_h, d_last) = (r.slot(items * h), r.slot(h));
    let work = r.slot(2 * h);
    let args = layer.args(&trace, d_h, d_last, work, 8);
    r.call(def, layer.spec(true, !reverse || cell == Cell::Gru), args);
}

/// The parameters of a cell's products with its state.
#[derive(Clone, Copy, Debug)]
pub struct Recurrent {
    /// The cell.
    pub cell: Cell,
    /// Whether it begins at the last item.
    pub reverse: bool,
    /// Units, a multiple of 4.
    pub h: usize,
    weight: u32,
    bias: u32,
}

/// Slots of a layer's way forward.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    gates: Items,
    inner: Slot,
    cells: Slot,
    /// Outputs.
    pub h: Items,
    /// The last state, one item.
    pub last: Items,
}

impl Recurrent {
    /// Declares U `(h, gates h)` with sd `1/sqrt(h)`, and for GRU u `(3 h)`; `h` is rounded up to a multiple of 4.
    pub fn declare(table: &mut ParamTable, name: &str, cell: Cell, h: usize, reverse: bool) -> Self {
        let h = pad4(h);
        let sd = Init::Normal(1.0 / (h as f32).sqrt());
        let weight = table.matrix(format!("{name}.state_weight"), h, cell.gates() * h, sd);
        let bias = match cell {
            Cell::Lstm => 0,
            Cell::Gru => table.vector(format!("{name}.state_bias"), 3 * h, Init::Constant(0.0)),
        };
        Self { cell, reverse, h, weight, bias }
    }

    fn spec(&self, sequence: bool, last: bool) -> Spec {
        Spec::new(&[
            ("GATES", self.cell.gates()),
            ("H", self.h),
            ("REVERSE", self.reverse.into()),
            ("SEQUENCE", sequence.into()),
            ("LAST", last.into()),
        ])
    }
    fn trace(&self, r: &mut Recorder, gates: &Items) -> Trace {
        let n = gates.n;
        let h = gates.with(r.slot(n * self.h), self.h);
        let last = Items { slot: r.slot(self.h), width: self.h, n: 1, count: gates.count, shrink: 0 };
        let (inner, cells) = match self.cell {
            Cell::Lstm => (h.slot, r.slot(n * self.h)),
            Cell::Gru => (r.slot(n * 3 * self.h), h.slot),
        };
        Trace { gates: *gates, inner, cells, h, last }
    }
    fn args(&self, t: &Trace, d_h: Slot, d_last: Slot, work: Slot, weight: u32) -> RecurrentArgs {
        RecurrentArgs {
            gates: t.gates.slot.at,
            inner: t.inner.at,
            h: t.h.slot.at,
            c: t.cells.at,
            last: t.last.slot.at,
            d_h: d_h.at,
            d_last: d_last.at,
            work: work.at,
            weight,
            bias: self.bias,
            count: t.gates.count.at,
            items: t.gates.n as u32,
            shrink: t.gates.shrink as u32,
        }
    }

    /// Records the way forward from `gates`, the products with the inputs, which it replaces by the gates.
    pub fn forward(&self, r: &mut Recorder, gates: &Items) -> Trace {
        let t = self.trace(r, gates);
        let none = t.last.slot;
        r.call(&FORWARD, self.spec(false, false), self.args(&t, none, none, none, self.weight));
        t
    }

    /// Records the way back, given the gradients by outputs and last state where there are any: `gates` becomes delta. Files
    /// the gradients of its own parameters.
    pub fn backward(
        &self,
        r: &mut Recorder,
        table_len: usize,
        t: &Trace,
        d_h: Option<Slot>,
        d_last: Option<Slot>,
    ) {
        let work = r.slot(2 * self.h);
        let spec = self.spec(d_h.is_some(), d_last.is_some());
        let (dh, dl) = (d_h.unwrap_or(work), d_last.unwrap_or(work));
        let args = self.args(t, dh, dl, work, table_len as u32 + self.weight);
        r.call(&BACKWARD, spec, args);
        let (n, h, j) = (t.gates.n, self.h, self.cell.gates() * self.h);
        let delta = if self.cell == Cell::Lstm { t.gates.slot } else { t.inner };
        if self.cell == Cell::Gru {
            sum_items(r, delta, n, j, self.bias);
        }
        // The state that an item meets is the output of the one before it.
        let (of_h, of_delta) = if self.reverse { (1, 0) } else { (0, 1) };
        let one = n == 1;
        r.gradient(GradJob {
            x: Some(t.h.slot),
            delta,
            at: self.weight,
            k: h as u32,
            j: j as u32,
            items: [u32::from(!one), n as u32 - 1],
            x_view: View::dense(if one { 0 } else { of_h }, h),
            delta_view: View::dense(if one { 0 } else { of_delta }, j),
        });
    }
}
