//! ActNorm and a fixed permutation in one kernel.
//!
//! `v_i = e^{l_s} u_s + b_s` with `s = permutation(i)`, log-determinant `sum l` (Kingma and Dhariwal 2018, section 3.1).
//! A vector of D parameters lives in two slots, the halves of the coupling that follows: `a` holds the first
//! `floor(D/2)` coordinates and `b` the rest.
use crate::args;
use crate::math::exp_;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

/// A D-vector per row, as the two halves of a coupling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Halves {
    /// The first `floor(D/2)` coordinates.
    pub a: Slot,
    /// The others.
    pub b: Slot,
    /// D.
    pub dim: usize,
}

impl Halves {
    /// New slots for a vector of `dim` coordinates.
    pub fn new(r: &mut Recorder, dim: usize) -> Self {
        Self { a: r.slot(dim / 2), b: r.slot(dim - dim / 2), dim }
    }
    /// Coordinates in `a`.
    pub fn first(&self) -> usize {
        self.dim / 2
    }
    /// Coordinates in `b`.
    pub fn second(&self) -> usize {
        self.dim - self.dim / 2
    }
}

/// Widths in storage of the two halves of `dim` coordinates.
pub fn widths(dim: usize) -> (usize, usize) {
    (pad4((dim / 2).max(1)), pad4((dim - dim / 2).max(1)))
}

args! {
    /// Arguments of `flow/actnorm_*`.
    pub struct ActnormArgs {
        /// Slot, first half of the input (forward), or of what the inverse writes.
        pub u_a: u32,
        /// Slot, second half.
        pub u_b: u32,
        /// Slot, first half of the output (forward), or of what the inverse reads.
        pub v_a: u32,
        /// Slot, second half.
        pub v_b: u32,
        /// Offset of the log scale `l (D)`.
        pub log_scale: u32,
        /// Offset of the shift `b (D)`.
        pub shift: u32,
        /// Constants: the permutation `(D)` for forward, its inverse for inverse and backward.
        pub order: u32,
        /// Slot of the row metadata.
        pub row_meta: u32,
        /// Backward: slot of d_u, first half.
        pub d_a: u32,
        /// Backward: slot of d_u, second half.
        pub d_b: u32,
        /// Backward: slot `(batch, D)` of each row's part of the log scale's gradient.
        pub d_log_scale: u32,
        /// Backward: slot `(batch, D)` of each row's part of the shift's gradient.
        pub d_shift: u32,
    }
}

macro_rules! pass {
    ($name:literal, $cpu:expr, $samples:expr) => {
        KernelDef {
            name: concat!("flow/actnorm_", $name),
            source: include_str!(concat!("../../shaders/flow/actnorm_", $name, ".wgsl")),
            args: || ActnormArgs::wgsl() + &ActnormArgs::wgsl_loader(),
            cpu: $cpu,
            flops: |c| 6 * c.spec.get("DIM") as u64,
            samples: $samples,
        }
    };
}
/// `v = P(e^l u + b)`, adds `sum l` to the log-determinant.
pub static FORWARD: KernelDef = pass!(
    "forward",
    forward_cpu,
    &[|r| sample(r, 1, &FORWARD), |r| sample(r, 2, &FORWARD), |r| sample(r, 11, &FORWARD)]
);
/// `u = e^{-l} (P^-1 v - b)`; leaves the log-determinant alone.
pub static INVERSE: KernelDef = pass!(
    "inverse",
    inverse_cpu,
    &[|r| sample(r, 1, &INVERSE), |r| sample(r, 2, &INVERSE), |r| sample(r, 11, &INVERSE)]
);
/// Reads d_v from the `v` slots and u from the `u` slots; writes d_u and each row's parameter gradients.
pub static BACKWARD: KernelDef = pass!(
    "backward",
    backward_cpu,
    &[|r| sample(r, 1, &BACKWARD), |r| sample(r, 2, &BACKWARD), |r| sample(r, 11, &BACKWARD)]
);

fn sample(r: &mut Recorder, dim: usize, def: &'static KernelDef) {
    let (u, v, d) = (Halves::new(r, dim), Halves::new(r, dim), Halves::new(r, dim));
    let order: Vec<f32> = (0..dim).map(|i| ((i * 3 + 1) % dim) as f32).collect();
    let args = ActnormArgs {
        u_a: u.a.at,
        u_b: u.b.at,
        v_a: v.a.at,
        v_b: v.b.at,
        log_scale: 4,
        shift: 24,
        order: r.constants(&order),
        row_meta: r.slot(4).at,
        d_a: d.a.at,
        d_b: d.b.at,
        d_log_scale: r.slot(dim).at,
        d_shift: r.slot(dim).at,
    };
    r.call(def, spec(dim), args);
}

/// The specialisation for D = `dim`.
pub fn spec(dim: usize) -> Spec {
    let (a, b) = widths(dim);
    Spec::new(&[("DIM", dim), ("FIRST", dim / 2), ("WIDTH_A", a), ("WIDTH_B", b), ("WIDTH", pad4(dim))])
}

/// Element `i` of a row split into halves.
#[inline(always)]
pub fn get(a: &[f32], b: &[f32], first: usize, i: usize) -> f32 {
    if i < first { a[i] } else { b[i - first] }
}
/// The same, to write.
#[inline(always)]
pub fn get_mut<'a>(a: &'a mut [f32], b: &'a mut [f32], first: usize, i: usize) -> &'a mut f32 {
    if i < first { &mut a[i] } else { &mut b[i - first] }
}

fn forward_cpu(tile: &Tile, call: &Call) {
    let x: ActnormArgs = call.args();
    let (dim, first) = (call.spec.get("DIM"), call.spec.get("FIRST"));
    let (wa, wb) = (call.spec.get("WIDTH_A"), call.spec.get("WIDTH_B"));
    let (ua, ub) = (tile.read(x.u_a, wa), tile.read(x.u_b, wb));
    let (va, vb) = (tile.write(x.v_a, wa), tile.write(x.v_b, wb));
    let m = tile.write(x.row_meta, 4);
    let (l, b) = (tile.param(x.log_scale, dim), tile.param(x.shift, dim));
    let order = &tile.consts[x.order as usize..][..dim];
    let logdet: f32 = l.iter().sum();
    va.fill(0.0);
    vb.fill(0.0);
    for i in 0..dim {
        let s = order[i] as usize;
        let scale = exp_(l[s]);
        for r in 0..tile.rows {
            let u = get(&ua[r * wa..], &ub[r * wb..], first, s);
            *get_mut(&mut va[r * wa..], &mut vb[r * wb..], first, i) = scale * u + b[s];
        }
    }
    for r in 0..tile.rows {
        m[4 * r + meta::LOGDET] += logdet;
    }
}

fn inverse_cpu(tile: &Tile, call: &Call) {
    let x: ActnormArgs = call.args();
    let (dim, first) = (call.spec.get("DIM"), call.spec.get("FIRST"));
    let (wa, wb) = (call.spec.get("WIDTH_A"), call.spec.get("WIDTH_B"));
    let (va, vb) = (tile.read(x.v_a, wa), tile.read(x.v_b, wb));
    let (ua, ub) = (tile.write(x.u_a, wa), tile.write(x.u_b, wb));
    let (l, b) = (tile.param(x.log_scale, dim), tile.param(x.shift, dim));
    let order = &tile.consts[x.order as usize..][..dim];
    ua.fill(0.0);
    ub.fill(0.0);
    for s in 0..dim {
        let i = order[s] as usize;
        let scale = exp_(-l[s]);
        for r in 0..tile.rows {
            let v = get(&va[r * wa..], &vb[r * wb..], first, i);
            *get_mut(&mut ua[r * wa..], &mut ub[r * wb..], first, s) = (v - b[s]) * scale;
        }
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let x: ActnormArgs = call.args();
    let (dim, first, width) = (call.spec.get("DIM"), call.spec.get("FIRST"), call.spec.get("WIDTH"));
    let (wa, wb) = (call.spec.get("WIDTH_A"), call.spec.get("WIDTH_B"));
    let (ua, ub) = (tile.read(x.u_a, wa), tile.read(x.u_b, wb));
    let (va, vb) = (tile.read(x.v_a, wa), tile.read(x.v_b, wb));
    let (da, db) = (tile.write(x.d_a, wa), tile.write(x.d_b, wb));
    let (dl, ds) = (tile.write(x.d_log_scale, width), tile.write(x.d_shift, width));
    let m = tile.read(x.row_meta, 4);
    let l = tile.param(x.log_scale, dim);
    let order = &tile.consts[x.order as usize..][..dim];
    for buffer in [&mut *da, &mut *db, &mut *dl, &mut *ds] {
        buffer.fill(0.0);
    }
    for s in 0..dim {
        let i = order[s] as usize;
        let scale = exp_(l[s]);
        for r in 0..tile.rows {
            let d_v = get(&va[r * wa..], &vb[r * wb..], first, i);
            let u = get(&ua[r * wa..], &ub[r * wb..], first, s);
            *get_mut(&mut da[r * wa..], &mut db[r * wb..], first, s) = d_v * scale;
            // the loss holds -weight * sum l
            dl[r * width + s] = d_v * scale * u - m[4 * r + meta::WEIGHT];
            ds[r * width + s] = d_v;
        }
    }
}
