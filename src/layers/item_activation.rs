//! Activations of items, with optional dropout and residual connection; items that do not count become zero, so that the
//! windows and sums of later layers see the same whatever stands behind the last item.
//!
//! forward: `a = act(p) m [+ r]`, backward: `delta = d_a act'(p) m`, written over `p`; both 0 for items that do not count.
use crate::args;
use crate::layers::activation::{Activation, backward_values, forward_values};
use crate::layers::pool::{Items, counting};
use crate::rng::{philox, streams};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

args! {
    /// Arguments of `layers/item_activation_*`.
    pub struct ItemActivationArgs {
        /// Slot `(batch, items, WIDTH)`: pre-activation; after backward, delta.
        pub pre: u32,
        /// Slot `(batch, items, WIDTH)`: activation (forward writes), or its gradient (backward reads).
        pub post: u32,
        /// Slot `(batch, items, WIDTH)` added to the activation; read only with `RESIDUAL`.
        pub residual: u32,
        /// Slot of the counts.
        pub count: u32,
        /// Items.
        pub items: u32,
        /// See [`crate::layers::pool::PoolArgs::shrink`].
        pub shrink: u32,
        /// Dropout rate; used only with `DROPOUT`.
        pub rate: f32,
        /// Number of the layer, part of the dropout counter.
        pub layer: u32,
    }
}

/// `post = act(pre) m [+ residual]`
pub static FORWARD: KernelDef = KernelDef {
    name: "layers/item_activation_forward",
    source: include_str!("../../shaders/layers/item_activation_forward.wgsl"),
    args: || ItemActivationArgs::wgsl() + &ItemActivationArgs::wgsl_loader(),
    cpu: forward_cpu,
    flops: |c| 12 * values(c),
    samples: &[
        |r| sample(r, &FORWARD, 5, 4, 1, false, false),
        |r| sample(r, &FORWARD, 4, 12, 2, true, true),
        |r| sample(r, &FORWARD, 3, 8, 0, true, false),
    ],
};
/// `pre = d_post act'(pre) m`
pub static BACKWARD: KernelDef = KernelDef {
    name: "layers/item_activation_backward",
    source: include_str!("../../shaders/layers/item_activation_backward.wgsl"),
    args: || ItemActivationArgs::wgsl() + &ItemActivationArgs::wgsl_loader(),
    cpu: backward_cpu,
    flops: |c| 15 * values(c),
    samples: &[
        |r| sample(r, &BACKWARD, 5, 4, 1, false, false),
        |r| sample(r, &BACKWARD, 4, 12, 2, false, true),
        |r| sample(r, &BACKWARD, 3, 8, 0, false, false),
    ],
};

/// Activations of a row.
fn values(c: &Call) -> u64 {
    u64::from(c.args::<ItemActivationArgs>().items) * c.spec.get("WIDTH") as u64
}

fn sample(
    r: &mut Recorder,
    def: &'static KernelDef,
    items: usize,
    width: usize,
    shrink: usize,
    residual: bool,
    dropout: bool,
) {
    for act in Activation::ALL {
        let (pre, post, res) = (r.slot(items * width), r.slot(items * width), r.slot(items * width));
        let pre = Items { slot: pre, width, n: items, count: r.counts(), shrink };
        let dropout = dropout.then_some((0.3, act.number() as u32));
        let residual = residual.then_some(res);
        r.call(
            def,
            spec(width, act, residual.is_some(), dropout.is_some()),
            args(&pre, post, residual, dropout),
        );
    }
}

fn spec(width: usize, act: Activation, residual: bool, dropout: bool) -> Spec {
    Spec::new(&[
        ("WIDTH", width),
        ("ACT", act.number()),
        ("RESIDUAL", residual.into()),
        ("DROPOUT", dropout.into()),
    ])
}
fn args(pre: &Items, post: Slot, residual: Option<Slot>, dropout: Option<(f32, u32)>) -> ItemActivationArgs {
    let (rate, layer) = dropout.unwrap_or_default();
    ItemActivationArgs {
        pre: pre.slot.at,
        post: post.at,
        residual: residual.unwrap_or(pre.slot).at,
        count: pre.count.at,
        items: pre.n as u32,
        shrink: pre.shrink as u32,
        rate,
        layer,
    }
}

/// Records the forward kernel. `dropout`: rate and layer number.
pub fn forward(
    r: &mut Recorder,
    act: Activation,
    pre: &Items,
    post: Slot,
    residual: Option<Slot>,
    dropout: Option<(f32, u32)>,
) {
    let spec = spec(pre.width, act, residual.is_some(), dropout.is_some());
    r.call(&FORWARD, spec, args(pre, post, residual, dropout));
}
/// Records the backward kernel: `pre` becomes delta.
pub fn backward(r: &mut Recorder, act: Activation, pre: &Items, d_post: Slot, dropout: Option<(f32, u32)>) {
    r.call(&BACKWARD, spec(pre.width, act, false, dropout.is_some()), args(pre, d_post, None, dropout));
}

fn forward_cpu(tile: &Tile, call: &Call) {
    let a: ItemActivationArgs = call.args();
    let width = call.spec.get("WIDTH");
    let all = a.items as usize * width;
    let (pre, post, count) = (tile.read(a.pre, all), tile.write(a.post, all), tile.read(a.count, 4));
    for r in 0..tile.rows {
        let n = counting(count[4 * r], a.items as usize, a.shrink as usize) * width;
        let (post, rest) = post[r * all..(r + 1) * all].split_at_mut(n);
        rest.fill(0.0);
        forward_values(call.spec.get("ACT"), post, &pre[r * all..r * all + n]);
        if call.spec.get("DROPOUT") == 1 {
            apply_mask(tile, &a, r, post);
        }
        if call.spec.get("RESIDUAL") == 1 {
            let residual = &tile.read(a.residual, all)[r * all..r * all + n];
            post.iter_mut().zip(residual).for_each(|(y, r)| *y += r);
        }
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let a: ItemActivationArgs = call.args();
    let width = call.spec.get("WIDTH");
    let all = a.items as usize * width;
    let (pre, d_post, count) = (tile.write(a.pre, all), tile.read(a.post, all), tile.read(a.count, 4));
    for r in 0..tile.rows {
        let n = counting(count[4 * r], a.items as usize, a.shrink as usize) * width;
        let (pre, rest) = pre[r * all..(r + 1) * all].split_at_mut(n);
        rest.fill(0.0);
        backward_values(call.spec.get("ACT"), pre, &d_post[r * all..r * all + n]);
        if call.spec.get("DROPOUT") == 1 {
            apply_mask(tile, &a, r, pre);
        }
    }
}

/// Multiplies the values of row `r` by the mask; one Philox block serves four of them.
fn apply_mask(tile: &Tile, a: &ItemActivationArgs, r: usize, values: &mut [f32]) {
    let key = [tile.state.seed_lo, tile.state.seed_hi];
    let keep = 1.0 / (1.0 - a.rate);
    for (q, quad) in values.chunks_exact_mut(4).enumerate() {
        let counter = [tile.batch_row(r), q as u32 | (a.layer << 20), tile.state.step, streams::ITEM_DROPOUT];
        for (x, bits) in quad.iter_mut().zip(philox::philox(counter, key)) {
            let uniform = ((bits >> 9) as f32 + 0.5) / 8_388_608.0;
            *x = if uniform < a.rate { 0.0 } else { *x * keep };
        }
    }
}
