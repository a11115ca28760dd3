//! Multi-head attention (Vaswani et al. 2017): queries look at the keys that count.
//!
//! Per head of `E = W / heads` columns: `P = softmax(q k^T / sqrt(E))` over the keys of the row that count, `y = P v`. The
//! products that make q, k and v, and the one that mixes the heads, are dense layers outside.
use crate::args;
use crate::layers::attention_cpu::{backward_cpu, forward_cpu};
use crate::layers::pool::Items;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;

args! {
    /// Arguments of `layers/attention_*`.
    pub struct AttentionArgs {
        /// Slot `(batch, queries, WIDTH)`.
        pub q: u32,
        /// Slot `(batch, keys, WIDTH)`.
        pub k: u32,
        /// Slot `(batch, keys, WIDTH)`.
        pub v: u32,
        /// Slot `(batch, queries, WIDTH)`: result; for the way back its gradient.
        pub y: u32,
        /// Slot `(batch, HEADS, queries, keys padded to 4)`: P; after backward the gradient by the scores.
        pub p: u32,
        /// Gradient by q.
        pub d_q: u32,
        /// Gradient by k.
        pub d_k: u32,
        /// Gradient by v.
        pub d_v: u32,
        /// Slot of the counts.
        pub count: u32,
        /// Queries.
        pub queries: u32,
        /// Keys.
        pub keys: u32,
        /// See [`crate::layers::pool::PoolArgs::shrink`], of the keys.
        pub shrink: u32,
    }
}

/// `y = softmax(q k^T / sqrt(E)) v`
pub static FORWARD: KernelDef = KernelDef {
    name: "layers/attention_forward",
    source: include_str!("../../shaders/layers/attention_forward.wgsl"),
    args: || AttentionArgs::wgsl() + &AttentionArgs::wgsl_loader(),
    cpu: forward_cpu,
    flops: |c| flops(c, 2, 5),
    samples: &[
        |r| sample(r, &FORWARD, 3, 5, 8, 2, 1),
        |r| sample(r, &FORWARD, 4, 4, 4, 1, 2),
        |r| sample(r, &FORWARD, 1, 6, 16, 4, 0),
    ],
};
/// `d_q`, `d_k`, `d_v` from `d_y`; all written.
pub static BACKWARD: KernelDef = KernelDef {
    name: "layers/attention_backward",
    source: include_str!("../../shaders/layers/attention_backward.wgsl"),
    args: || AttentionArgs::wgsl() + &AttentionArgs::wgsl_loader(),
    cpu: backward_cpu,
    flops: |c| flops(c, 4, 4),
    samples: &[
        |r| sample(r, &BACKWARD, 3, 5, 8, 2, 1),
        |r| sample(r, &BACKWARD, 4, 4, 4, 1, 2),
        |r| sample(r, &BACKWARD, 1, 6, 16, 4, 0),
    ],
};

/// Of a row: so many products of queries by keys, and so many operations for each score of each head.
fn flops(c: &Call, products: u64, each: u64) -> u64 {
    let a: AttentionArgs = c.args();
    let scores = u64::from(a.queries) * u64::from(a.keys);
    scores * (2 * products * c.spec.get("WIDTH") as u64 + each * c.spec.get("HEADS") as u64)
}

fn sample(
    r: &mut Recorder,
    def: &'static KernelDef,
    queries: usize,
    keys: usize,
    width: usize,
    heads: usize,
    shrink: usize,
) {
    let count = r.counts();
    let mut value = |n: usize| Items { slot: r.slot(n * width), width, n, count, shrink };
    let (q, k, v, y) = (value(queries), value(keys), value(keys), value(queries));
    let (d_q, d_k, d_v) = (value(queries), value(keys), value(keys));
    let p = r.slot(heads * queries * pad4(keys));
    let args = args(&q, &k, &v, y.slot, p, [d_q.slot, d_k.slot, d_v.slot]);
    r.call(def, spec(width, heads), args);
}

fn spec(width: usize, heads: usize) -> Spec {
    Spec::new(&[("WIDTH", width), ("HEADS", heads), ("E", width / heads)])
}
fn args(q: &Items, k: &Items, v: &Items, y: Slot, p: Slot, d: [Slot; 3]) -> AttentionArgs {
    AttentionArgs {
        q: q.slot.at,
        k: k.slot.at,
        v: v.slot.at,
        y: y.at,
        p: p.at,
        d_q: d[0].at,
        d_k: d[1].at,
        d_v: d[2].at,
        count: k.count.at,
        queries: q.n as u32,
        keys: k.n as u32,
        shrink: k.shrink as u32,
    }
}

/// Records the forward kernel: (result, P). `heads` divides the width into multiples of 4.
pub fn forward(r: &mut Recorder, heads: usize, q: &Items, k: &Items, v: &Items) -> (Items, Slot) {
    assert!(q.width.is_multiple_of(4 * heads), "attention: {} columns for {heads} heads", q.width);
    let y = q.with(r.slot(q.n * q.width), q.width);
    let p = r.slot(heads * q.n * pad4(k.n));
    r.call(&FORWARD, spec(q.width, heads), args(q, k, v, y.slot, p, [y.slot; 3]));
    (y, p)
}
/// Records the backward kernel: the gradients by q, k and v are written to `d`.
#[allow(clippy::too_many_arguments)] // three values and their gradients
pub fn backward(
    r: &mut Recorder,
    heads: usize,
    q: &Items,
    k: &Items,
    v: &Items,
    d_y: Slot,
    p: Slot,
    d: [Slot; 3],
) {
    r.call(&BACKWARD, spec(q.width, heads), args(q, k, v, d_y, p, d));
}
