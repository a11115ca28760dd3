//! Composes layers and remembers how to go back: each step forward leaves a closure that records its backward kernels.
//!
//! Only the wiring is automatic: which slot holds the gradient by which value, and whether a kernel writes it or adds to
//! it. The kernels themselves are written by hand, forward and backward.
use crate::layers::activation::Activation;
use crate::layers::conv::{ItemDense, ItemShape};
use crate::layers::norm::Norm;
use crate::layers::pool::{self, Items, Pool};
use crate::layers::recurrent::Recurrent;
use crate::layers::{accumulate, attention, columns, item_activation, time};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;
use std::collections::{HashMap, HashSet};

type Back = Box<dyn FnOnce(&mut Recorder, &mut Gradients)>;

/// See the module's doc.
pub struct Tape {
    backs: Vec<Back>,
    /// Values that want no gradient.
    fixed: HashSet<u32>,
    /// Dropout rate while training; 0 otherwise.
    dropout: f32,
    layer: u32,
}

/// Slots of the gradients by values.
pub struct Gradients {
    /// Floats of all parameters.
    pub table_len: usize,
    slots: HashMap<u32, Slot>,
    free: Vec<Slot>,
}

impl Gradients {
    /// The gradient by a value, where anything has written it.
    pub fn of(&self, value: &Items) -> Option<Slot> {
        self.slots.get(&value.slot.at).copied()
    }
    /// Where a kernel puts its share of the gradient by a value, and whether it adds.
    pub fn target(&mut self, r: &mut Recorder, value: &Items) -> (Slot, bool) {
        if let Some(slot) = self.of(value) {
            return (slot, true);
        }
        let known = self.free.iter().position(|s| s.width == value.slot.width);
        let slot = known.map_or_else(|| r.slot(value.slot.width as usize), |at| self.free.swap_remove(at));
        self.slots.insert(value.slot.at, slot);
        (slot, false)
    }
    /// Says that a slot is the gradient by a value.
    pub fn set(&mut self, value: &Items, slot: Slot) {
        self.slots.insert(value.slot.at, slot);
    }
    /// Gives back a slot that no gradient job reads.
    pub fn recycle(&mut self, slot: Slot) {
        self.free.push(slot);
    }
}

impl Tape {
    /// Nothing recorded. `dropout`: the rate after each activation.
    pub fn new(dropout: f32) -> Self {
        Self { backs: vec![], fixed: HashSet::new(), dropout, layer: 0 }
    }
    /// Declares a value as data: nobody wants its gradient.
    pub fn fix(&mut self, value: &Items) {
        self.fixed.insert(value.slot.at);
    }
    /// Whether a value is data.
    pub fn is_fixed(&self, value: &Items) -> bool {
        self.fixed.contains(&value.slot.at)
    }
    /// Leaves a step back.
    pub fn push(&mut self, back: impl FnOnce(&mut Recorder, &mut Gradients) + 'static) {
        self.backs.push(Box::new(back));
    }
    /// Records the way back from the gradient `d` by `value`.
    pub fn backward(self, r: &mut Recorder, table_len: usize, value: &Items, d: Slot) {
        let mut gradients = Gradients { table_len, slots: HashMap::new(), free: vec![] };
        gradients.set(value, d);
        for back in self.backs.into_iter().rev() {
            back(r, &mut gradients);
        }
    }

    /// Rate and number of the next layer with dropout.
    pub fn next_dropout(&mut self) -> Option<(f32, u32)> {
        self.layer += 1;
        (self.dropout > 0.0).then_some((self.dropout, self.layer - 1))
    }

    /// `y = x * W + b`, or `+ row` in place of the bias: a value of one item.
    pub fn product(
        &mut self,
        r: &mut Recorder,
        layer: &ItemDense,
        shape: ItemShape,
        x: &Items,
        row: Option<Items>,
    ) -> Items {
        let width = crate::runtime::params::pad4(layer.cols);
        let n = shape.out_items();
        let y = Items {
            slot: r.slot(n * width),
            width,
            n,
            count: x.count,
            shrink: x.shrink * shape.stride[0] * shape.stride[1],
        };
        layer.forward(r, &shape, x.slot, y.slot, row.map(|v| v.slot));
        let (layer, x, fixed) = (*layer, *x, self.is_fixed(x));
        self.push(move |r, g| {
            let Some(delta) = g.of(&y) else { return };
            let d_x = (!fixed).then(|| g.target(r, &x));
            layer.backward(r, g.table_len, &shape, x.slot, delta, d_x);
            if let Some(v) = row {
                let sums = pool::forward(r, Pool::Sum, &Items { shrink: 0, ..y.with(delta, y.width) });
                g.set(&v, sums);
            }
        });
        y
    }

    /// The same matrix on every item.
    pub fn dense(&mut self, r: &mut Recorder, layer: &ItemDense, x: &Items) -> Items {
        self.product(r, layer, ItemShape::dense(x.n), x, None)
    }

    /// `y = act(x) [+ residual]`; x may not be used again.
    pub fn activate(
        &mut self,
        r: &mut Recorder,
        act: Activation,
        x: &Items,
        residual: Option<Items>,
    ) -> Items {
        let y = x.with(r.slot(x.slot.width as usize), x.width);
        let dropout = self.next_dropout();
        item_activation::forward(r, act, x, y.slot, residual.map(|v| v.slot), dropout);
        let x = *x;
        self.push(move |r, g| {
            let Some(d) = g.of(&y) else { return };
            item_activation::backward(r, act, &x, d, dropout);
            g.set(&x, x.slot);
            match residual {
                // The first share of the residual's gradient is this one as it stands.
                Some(v) if g.of(&v).is_none() => g.set(&v, d),
                Some(_) => unreachable!("a residual value is used by its own layer only"),
                None => g.recycle(d),
            }
        });
        y
    }

    /// A recurrent cell on the products with its inputs, which may not be used again: (outputs, last state).
    pub fn recurrent(&mut self, r: &mut Recorder, layer: &Recurrent, gates: &Items) -> (Items, Items) {
        let t = layer.forward(r, gates);
        let (layer, gates) = (*layer, *gates);
        self.push(move |r, g| {
            let (d_h, d_last) = (g.of(&t.h), g.of(&t.last));
            if d_h.is_some() || d_last.is_some() {
                layer.backward(r, g.table_len, &t, d_h, d_last);
                g.set(&gates, gates.slot);
            }
        });
        (t.h, t.last)
    }

    /// Queries look at keys.
    pub fn attention(&mut self, r: &mut Recorder, heads: usize, q: &Items, k: &Items, v: &Items) -> Items {
        let (y, p) = attention::forward(r, heads, q, k, v);
        let (q, k, v) = (*q, *k, *v);
        self.push(move |r, g| {
            let Some(d) = g.of(&y) else { return };
            let mut fresh = |value: &Items| {
                let (slot, add) = g.target(r, value);
                assert!(!add, "queries, keys and values are used once");
                slot
            };
            let to = [fresh(&q), fresh(&k), fresh(&v)];
            attention::backward(r, heads, &q, &k, &v, d, p, to);
            g.recycle(d);
        });
        y
    }

    /// Layer normalisation of every item.
    pub fn norm(&mut self, r: &mut Recorder, layer: &Norm, x: &Items) -> Items {
        let y = x.with(layer.forward(r, x.slot), x.width);
        let (layer, x) = (*layer, *x);
        self.push(move |r, g| {
            let Some(d) = g.of(&y) else { return };
            let to = g.target(r, &x);
            layer.backward(r, x.slot, d, to);
        });
        y
    }

    /// `y = a + b`, values of the same shape.
    pub fn sum(&mut self, r: &mut Recorder, a: &Items, b: &Items) -> Items {
        let y = a.with(r.slot(a.slot.width as usize), a.width);
        accumulate::record(r, a.slot, y.slot, false);
        accumulate::record(r, b.slot, y.slot, true);
        let (a, b) = (*a, *b);
        self.push(move |r, g| {
            let Some(d) = g.of(&y) else { return };
            for value in [a, b] {
                let (slot, add) = g.target(r, &value);
                accumulate::record(r, d, slot, add);
            }
            g.recycle(d);
        });
        y
    }

    /// A vector of parameters as `n` items of every row.
    pub fn parameter(&mut self, r: &mut Recorder, vector: u32, n: usize, width: usize, count: Slot) -> Items {
        let y = Items { slot: r.slot(n * width), width, n, count, shrink: 0 };
        accumulate::parameter(r, vector, y.slot);
        self.push(move |r, g| {
            if let Some(d) = g.of(&y) {
                r.sum_gradient(d, vector);
            }
        });
        y
    }

    /// Embedding of the items' times, data.
    pub fn time(&mut self, r: &mut Recorder, stamps: bool, x: &Items, width: usize) -> Items {
        let y = x.with(r.slot(x.n * width), width);
        time::record(r, stamps, (x.slot, x.width), (y.slot, width), x.n);
        self.fix(&y);
        y
    }

    /// A value of one item.
    pub fn pool(&mut self, r: &mut Recorder, kind: Pool, x: &Items) -> Items {
        let slot = pool::forward(r, kind, x);
        let y = Items { slot, width: kind.width(x.width), n: 1, count: x.count, shrink: 0 };
        let (x, fixed) = (*x, self.is_fixed(x));
        if fixed {
            self.fix(&y);
        }
        self.push(move |r, g| {
            let Some(d) = g.of(&y).filter(|_| !fixed) else { return };
            let (d_x, add) = g.target(r, &x);
            pool::backward(r, kind, &x, y.slot, d, d_x, add);
        });
        y
    }

    /// Columns of several values of one item side by side, in `to`; (value, first column, columns).
    pub fn join(&mut self, r: &mut Recorder, parts: &[(Items, usize, usize)], to: Slot) -> Items {
        let mut at = 0;
        let mut places = vec![];
        for (i, (value, from, n)) in parts.iter().enumerate() {
            columns::record(r, (value.slot, *from), (to, at), *n, i == 0);
            if !self.is_fixed(value) {
                places.push((*value, at, *from, *n));
            }
            at += n;
        }
        let y = Items { slot: to, width: to.width as usize, n: 1, count: parts[0].0.count, shrink: 0 };
        self.push(move |r, g| {
            let Some(d) = g.of(&y) else { return };
            for (value, at, from, n) in places {
                let (slot, add) = g.target(r, &value);
                assert!(!add, "a joined value is used once");
                columns::record(r, (d, at), (slot, from), n, true);
            }
        });
        y
    }
}
