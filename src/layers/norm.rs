//! Layer normalisation of items (Ba et al. 2016): `y = (x - m)/s g + b` with m and s of the item's columns.
//!
//! `s = sqrt(var + 1e-5)`. Both are formed again on the way back, from x.
use crate::args;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{Init, ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

/// Added to the variance.
const EPS: f32 = 1e-5;

args! {
    /// Arguments of `layers/norm_*`.
    pub struct NormArgs {
        /// Slot `(batch, items, WIDTH)`.
        pub x: u32,
        /// Slot `(batch, items, WIDTH)`: result; for the way back its gradient.
        pub y: u32,
        /// Offset of g `(N)`.
        pub gain: u32,
        /// Offset of b `(N)`.
        pub bias: u32,
        /// Gradient by x.
        pub d_x: u32,
        /// Slot `(batch, items, WIDTH)`: the items' shares of the gradient by g.
        pub d_gain: u32,
        /// Items.
        pub items: u32,
    }
}

/// `y = (x - m)/s g + b`
pub static FORWARD: KernelDef = KernelDef {
    name: "layers/norm_forward",
    source: include_str!("../../shaders/layers/norm_forward.wgsl"),
    args: || NormArgs::wgsl() + &NormArgs::wgsl_loader(),
    cpu: forward_cpu,
    flops: |c| 8 * values(c),
    samples: &[|r| sample(r, &FORWARD, 3, 8, false), |r| sample(r, &FORWARD, 2, 6, false)],
};
/// `d_x`, and each item's share of the gradient by g.
pub static BACKWARD: KernelDef = KernelDef {
    name: "layers/norm_backward",
    source: include_str!("../../shaders/layers/norm_backward.wgsl"),
    args: || NormArgs::wgsl() + &NormArgs::wgsl_loader(),
    cpu: backward_cpu,
    flops: |c| 16 * values(c),
    samples: &[|r| sample(r, &BACKWARD, 3, 8, false), |r| sample(r, &BACKWARD, 2, 6, true)],
};

/// Values of a row.
fn values(c: &Call) -> u64 {
    u64::from(c.args::<NormArgs>().items) * c.spec.get("N") as u64
}

fn sample(r: &mut Recorder, def: &'static KernelDef, items: usize, n: usize, add: bool) {
    let slots: Vec<Slot> = (0..4).map(|_| r.slot(items * pad4(n))).collect();
    let args = NormArgs {
        x: slots[0].at,
        y: slots[1].at,
        gain: 16,
        bias: 64,
        d_x: slots[2].at,
        d_gain: slots[3].at,
        items: items as u32,
    };
    r.call(def, spec(n, add), args);
}
fn spec(n: usize, add: bool) -> Spec {
    Spec::new(&[("N", n), ("WIDTH", pad4(n)), ("ADD", add.into())])
}

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    gain: u32,
    bias: u32,
    n: usize,
}

impl Norm {
    /// Declares g = 1 and b = 0 for items of `n` columns.
    pub fn declare(table: &mut ParamTable, name: &str, n: usize) -> Self {
        let gain = table.vector(format!("{name}.gain"), n, Init::Constant(1.0));
        let bias = table.vector(format!("{name}.bias"), n, Init::Constant(0.0));
        Self { gain, bias, n }
    }
    fn args(&self, x: Slot, y: Slot, d_x: Slot, d_gain: Slot) -> NormArgs {
        let items = x.width / pad4(self.n) as u32;
        NormArgs { x: x.at, y: y.at, gain: self.gain, bias: self.bias, d_x: d_x.at, d_gain: d_gain.at, items }
    }
    /// Records the forward kernel; the result.
    pub fn forward(&self, r: &mut Recorder, x: Slot) -> Slot {
        let y = r.slot(x.width as usize);
        r.call(&FORWARD, spec(self.n, false), self.args(x, y, y, y));
        y
    }
    /// Records the backward kernel and files the gradients of the parameters.
    pub fn backward(&self, r: &mut Recorder, x: Slot, d_y: Slot, (d_x, add): (Slot, bool)) {
        let d_gain = r.slot(x.width as usize);
        let args = self.args(x, d_y, d_x, d_gain);
        r.call(&BACKWARD, spec(self.n, add), args);
        let width = pad4(self.n);
        crate::layers::conv::sum_items(r, d_gain, args.items as usize, width, self.gain);
        crate::layers::conv::sum_items(r, d_y, args.items as usize, width, self.bias);
    }
}

/// (mean, 1/s)
fn moments(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = x.iter().sum::<f32>() / n;
    let var = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
    (mean, 1.0 / (var + EPS).sqrt())
}

fn forward_cpu(tile: &Tile, call: &Call) {
    let a: NormArgs = call.args();
    let (n, width) = (call.spec.get("N"), call.spec.get("WIDTH"));
    let all = a.items as usize * width;
    let (x, y) = (tile.read(a.x, all), tile.write(a.y, all));
    let (g, b) = (tile.param(a.gain, n), tile.param(a.bias, n));
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let (mean, inv) = moments(&x[..n]);
        for i in 0..n {
            y[i] = (x[i] - mean) * inv * g[i] + b[i];
        }
        y[n..].fill(0.0);
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let a: NormArgs = call.args();
    let (n, width) = (call.spec.get("N"), call.spec.get("WIDTH"));
    let all = a.items as usize * width;
    let (x, d_y, g) = (tile.read(a.x, all), tile.read(a.y, all), tile.param(a.gain, n));
    let (d_x, d_gain) = (tile.write(a.d_x, all), tile.write(a.d_gain, all));
    let add = call.spec.get("ADD") == 1;
    for (((x, d), d_x), d_g) in x
        .chunks_exact(width)
        .zip(d_y.chunks_exact(width))
        .zip(d_x.chunks_exact_mut(width))
        .zip(d_gain.chunks_exact_mut(width))
    {
        let (mean, inv) = moments(&x[..n]);
        let (mut sum, mut dot) = (0.0, 0.0);
        for i in 0..n {
            let z = (x[i] - mean) * inv;
            d_g[i] = d[i] * z;
            sum += d[i] * g[i];
            dot += d[i] * g[i] * z;
        }
        d_g[n..].fill(0.0);
        let (sum, dot) = (sum / n as f32, dot / n as f32);
        for i in 0..n {
            let z = (x[i] - mean) * inv;
            let v = inv * (d[i] * g[i] - sum - z * dot);
            d_x[i] = if add { d_x[i] + v } else { v };
        }
        if !add {
            d_x[n..].fill(0.0);
        }
    }
}
