//! Pooling over the items of a row that count: mean, largest, sum; items past the row's count are left out.
//!
//! The count of row `r` is the first column of the slot `count`, divided by `shrink` and rounded up where strides have
//! thinned the items; `shrink` 0: all items count. Where no item counts the result is 0.
use crate::args;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

args! {
    /// Arguments of `layers/pool_*`.
    pub struct PoolArgs {
        /// Slot `(batch, items, WIDTH)`.
        pub x: u32,
        /// Slot `(batch, WIDTH)` or, for mean and largest, `(batch, 2 WIDTH)`.
        pub y: u32,
        /// Slot `(batch, 4)` of the counts.
        pub count: u32,
        /// Gradient by y, laid out like y.
        pub d_y: u32,
        /// Gradient by x, laid out like x.
        pub d_x: u32,
        /// Items.
        pub items: u32,
        /// Factor by which strides have thinned the items; 0: all items count.
        pub shrink: u32,
    }
}

/// What is formed of the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Mean.
    Mean,
    /// Largest.
    Max,
    /// Mean, then largest.
    Both,
    /// Sum.
    Sum,
}

impl Pool {
    /// Columns of the result for items of `width`.
    pub fn width(self, width: usize) -> usize {
        if self == Self::Both { 2 * width } else { width }
    }
}

/// The items of a slot and how many of them count.
#[derive(Clone, Copy, Debug)]
pub struct Items {
    /// Slot `(batch, items, width)`.
    pub slot: Slot,
    /// Columns of an item, in storage.
    pub width: usize,
    /// Items.
    pub n: usize,
    /// Slot of the counts.
    pub count: Slot,
    /// See [`PoolArgs::shrink`].
    pub shrink: usize,
}

impl Items {
    /// The same items with other values.
    pub fn with(&self, slot: Slot, width: usize) -> Self {
        Self { slot, width, ..*self }
    }
}

/// How many of `items` count, given the count of the row as it came in.
pub fn counting(count: f32, items: usize, shrink: usize) -> usize {
    if shrink == 0 { items } else { (count as usize).div_ceil(shrink).min(items) }
}

/// `y = pool(x)`
pub static FORWARD: KernelDef = KernelDef {
    name: "layers/pool_forward",
    source: include_str!("../../shaders/layers/pool_forward.wgsl"),
    args: || PoolArgs::wgsl() + &PoolArgs::wgsl_loader(),
    cpu: forward_cpu,
    flops: values,
    samples: &[
        |r| sample(r, &FORWARD, Pool::Mean, 5, 8, 1, false),
        |r| sample(r, &FORWARD, Pool::Both, 6, 12, 2, false),
        |r| sample(r, &FORWARD, Pool::Max, 1, 4, 1, false),
        |r| sample(r, &FORWARD, Pool::Sum, 4, 8, 0, false),
    ],
};
/// `d_x = [d_x +] d_y dy/dx`
pub static BACKWARD: KernelDef = KernelDef {
    name: "layers/pool_backward",
    source: include_str!("../../shaders/layers/pool_backward.wgsl"),
    args: || PoolArgs::wgsl() + &PoolArgs::wgsl_loader(),
    cpu: backward_cpu,
    flops: values,
    samples: &[
        |r| sample(r, &BACKWARD, Pool::Mean, 5, 8, 1, false),
        |r| sample(r, &BACKWARD, Pool::Both, 6, 12, 2, true),
        |r| sample(r, &BACKWARD, Pool::Max, 1, 4, 1, false),
        |r| sample(r, &BACKWARD, Pool::Sum, 4, 8, 0, true),
    ],
};

/// Values that a row pools: one operation each.
fn values(c: &Call) -> u64 {
    let forms = if c.spec.get("POOL") == Pool::Both as usize { 2 } else { 1 };
    forms * u64::from(c.args::<PoolArgs>().items) * c.spec.get("WIDTH") as u64
}

fn sample(
    r: &mut Recorder,
    def: &'static KernelDef,
    pool: Pool,
    items: usize,
    width: usize,
    shrink: usize,
    add: bool,
) {
    let (x, d_x, count) = (r.slot(items * width), r.slot(items * width), r.counts());
    let (y, d_y) = (r.slot(pool.width(width)), r.slot(pool.width(width)));
    let items = Items { slot: x, width, n: items, count, shrink };
    r.call(def, spec(width, pool, add), args(&items, y, d_y, d_x));
}

fn spec(width: usize, pool: Pool, add: bool) -> Spec {
    Spec::new(&[("WIDTH", width), ("POOL", pool as usize), ("ADD", add.into())])
}
fn args(x: &Items, y: Slot, d_y: Slot, d_x: Slot) -> PoolArgs {
    PoolArgs {
        x: x.slot.at,
        y: y.at,
        count: x.count.at,
        d_y: d_y.at,
        d_x: d_x.at,
        items: x.n as u32,
        shrink: x.shrink as u32,
    }
}

/// Records the forward kernel; the result.
pub fn forward(r: &mut Recorder, pool: Pool, x: &Items) -> Slot {
    let y = r.slot(pool.width(x.width));
    r.call(&FORWARD, spec(x.width, pool, false), args(x, y, y, x.slot));
    y
}
/// Records the backward kernel; `add`: to what is in `d_x`.
pub fn backward(r: &mut Recorder, pool: Pool, x: &Items, y: Slot, d_y: Slot, d_x: Slot, add: bool) {
    r.call(&BACKWARD, spec(x.width, pool, add), args(x, y, d_y, d_x));
}

fn kind(call: &Call) -> (bool, bool, bool) {
    let pool = call.spec.get("POOL");
    (pool == 0 || pool == 2, pool == 1 || pool == 2, pool == 3)
}

fn forward_cpu(tile: &Tile, call: &Call) {
    let a: PoolArgs = call.args();
    let (width, items) = (call.spec.get("WIDTH"), a.items as usize);
    let (mean, max, sum) = kind(call);
    let wide = if mean && max { 2 * width } else { width };
    let (x, count, y) = (tile.read(a.x, items * width), tile.read(a.count, 4), tile.write(a.y, wide));
    for r in 0..tile.rows {
        let n = counting(count[4 * r], items, a.shrink as usize);
        let row = &x[r * items * width..][..n * width];
        let (first, last) = y[r * wide..(r + 1) * wide].split_at_mut(if max && !mean { 0 } else { width });
        if mean || sum {
            first.fill(0.0);
            for item in row.chunks_exact(width) {
                first.iter_mut().zip(item).for_each(|(y, x)| *y += x);
            }
            if mean {
                let part = 1.0 / n.max(1) as f32;
                first.iter_mut().for_each(|y| *y *= part);
            }
        }
        if max {
            last.fill(0.0);
            for (i, item) in row.chunks_exact(width).enumerate() {
                if i == 0 {
                    last.copy_from_slice(item);
                }
                last.iter_mut().zip(item).for_each(|(y, &x)| *y = if x > *y { x } else { *y });
            }
        }
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let a: PoolArgs = call.args();
    let (width, items) = (call.spec.get("WIDTH"), a.items as usize);
    let (mean, max, sum) = kind(call);
    let wide = if mean && max { 2 * width } else { width };
    let count = tile.read(a.count, 4);
    let (x, y) = match max {
        true => (tile.read(a.x, items * width), tile.read(a.y, wide)),
        false => (&[][..], &[][..]),
    };
    let (d_y, d_x) = (tile.read(a.d_y, wide), tile.write(a.d_x, items * width));
    if call.spec.get("ADD") == 0 {
        d_x.fill(0.0);
    }
    for r in 0..tile.rows {
        let n = counting(count[4 * r], items, a.shrink as usize);
        let d_row = &mut d_x[r * items * width..][..n * width];
        let d_out = &d_y[r * wide..(r + 1) * wide];
        if mean || sum {
            let part = if sum { 1.0 } else { 1.0 / n.max(1) as f32 };
            for item in d_row.chunks_exact_mut(width) {
                item.iter_mut().zip(d_out).for_each(|(d, o)| *d += part * o);
            }
        }
        if max {
            let at = wide - width;
            let largest = &y[r * wide + at..(r + 1) * wide];
            // The first item that has the largest value gets it all.
            for c in 0..width {
                let found = (0..n).find(|i| x[(r * items + i) * width + c] == largest[c]);
                if let Some(i) = found {
                    d_row[i * width + c] += d_out[at + c];
                }
            }
        }
    }
}
