//! Learnable orthogonal permutation: a product of Householder reflections, log-determinant 0.
//!
//! `x <- x - 2 v (v.x) / (v.v)` for v = v_1 ... v_M (Tomczak and Welling 2016). A reflection is its own inverse,
//! so the way back recomputes what it needs.
use crate::args;
use crate::flow::actnorm::{Halves, get, get_mut, widths};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;

args! {
    /// Arguments of `flow/householder_*`.
    pub struct HouseholderArgs {
        /// Slot, first half of the input.
        pub x_a: u32,
        /// Slot, second half.
        pub x_b: u32,
        /// Slot, first half of the output; backward: of the gradient, changed in place.
        pub y_a: u32,
        /// Slot, second half.
        pub y_b: u32,
        /// Offset of the vectors `(M, D)`, rows padded to 4.
        pub vectors: u32,
        /// Backward: slot `(batch, M x D)` of each row's part of the vectors' gradient.
        pub d_vectors: u32,
        /// Scratch slot `(batch, D)`.
        pub work: u32,
        /// Scratch slot `(batch, D)`.
        pub d_work: u32,
    }
}

macro_rules! pass {
    ($name:literal, $cpu:expr, $samples:expr) => {
        KernelDef {
            name: concat!("flow/householder_", $name),
            source: include_str!(concat!("../../shaders/flow/householder_", $name, ".wgsl")),
            args: || HouseholderArgs::wgsl() + &HouseholderArgs::wgsl_loader(),
            cpu: $cpu,
            flops: |c| 6 * (c.spec.get("DIM") * c.spec.get("COUNT")) as u64,
            samples: $samples,
        }
    };
}
/// `y = H_M ... H_1 x`, or the inverse order with `REVERSED`.
pub static APPLY: KernelDef =
    pass!("apply", apply_cpu, &[|r| sample(r, 3, 2, &APPLY), |r| sample(r, 10, 4, &APPLY)]);
/// Gradient in the `y` slots becomes that of `x`; `x` slots hold the layer's output (the last value).
pub static BACKWARD: KernelDef =
    pass!("backward", backward_cpu, &[|r| sample(r, 3, 2, &BACKWARD), |r| sample(r, 10, 4, &BACKWARD)]);

fn sample(r: &mut Recorder, dim: usize, count: usize, def: &'static KernelDef) {
    let (x, y) = (Halves::new(r, dim), Halves::new(r, dim));
    let args = HouseholderArgs {
        x_a: x.a.at,
        x_b: x.b.at,
        y_a: y.a.at,
        y_b: y.b.at,
        vectors: 4,
        d_vectors: r.slot(count * pad4(dim)).at,
        work: r.slot(dim).at,
        d_work: r.slot(dim).at,
    };
    for reversed in [false, true] {
        r.call(def, spec(dim, count, reversed), args);
    }
}

/// The specialisation; `reversed` applies the reflections last to first.
pub fn spec(dim: usize, count: usize, reversed: bool) -> Spec {
    let (a, b) = widths(dim);
    Spec::new(&[
        ("DIM", dim),
        ("FIRST", dim / 2),
        ("WIDTH_A", a),
        ("WIDTH_B", b),
        ("WIDTH", pad4(dim)),
        ("COUNT", count),
        ("REVERSED", reversed.into()),
    ])
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
/// `x -= 2 v (v.x) / (v.v)`
fn reflect(x: &mut [f32], v: &[f32]) {
    let c = 2.0 * dot(v, x) / dot(v, v).max(1e-20);
    x.iter_mut().zip(v).for_each(|(x, v)| *x -= c * v);
}

fn apply_cpu(tile: &Tile, call: &Call) {
    let a: HouseholderArgs = call.args();
    let (dim, first, width) = (call.spec.get("DIM"), call.spec.get("FIRST"), call.spec.get("WIDTH"));
    let (wa, wb) = (call.spec.get("WIDTH_A"), call.spec.get("WIDTH_B"));
    let count = call.spec.get("COUNT");
    let (xa, xb) = (tile.read(a.x_a, wa), tile.read(a.x_b, wb));
    let (ya, yb) = (tile.write(a.y_a, wa), tile.write(a.y_b, wb));
    let work = tile.write(a.work, width);
    let vectors = tile.param(a.vectors, count * width);
    ya.fill(0.0);
    yb.fill(0.0);
    for r in 0..tile.rows {
        let x = &mut work[r * width..][..dim];
        (0..dim).for_each(|i| x[i] = get(&xa[r * wa..], &xb[r * wb..], first, i));
        for m in 0..count {
            let m = if call.spec.get("REVERSED") == 1 { count - 1 - m } else { m };
            reflect(x, &vectors[m * width..][..dim]);
        }
        (0..dim).for_each(|i| *get_mut(&mut ya[r * wa..], &mut yb[r * wb..], first, i) = x[i]);
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let a: HouseholderArgs = call.args();
    let (dim, first, width) = (call.spec.get("DIM"), call.spec.get("FIRST"), call.spec.get("WIDTH"));
    let (wa, wb) = (call.spec.get("WIDTH_A"), call.spec.get("WIDTH_B"));
    let count = call.spec.get("COUNT");
    let (xa, xb) = (tile.read(a.x_a, wa), tile.read(a.x_b, wb));
    let (ya, yb) = (tile.write(a.y_a, wa), tile.write(a.y_b, wb));
    let (work, d_work) = (tile.write(a.work, width), tile.write(a.d_work, width));
    let d_vectors = tile.write(a.d_vectors, count * width);
    let vectors = tile.param(a.vectors, count * width);
    d_vectors.fill(0.0);
    for r in 0..tile.rows {
        let (x, g) = (&mut work[r * width..][..dim], &mut d_work[r * width..][..dim]);
        for i in 0..dim {
            x[i] = get(&xa[r * wa..], &xb[r * wb..], first, i);
            g[i] = get(&ya[r * wa..], &yb[r * wb..], first, i);
        }
        for m in 0..count {
            let m = if call.spec.get("REVERSED") == 1 { m } else { count - 1 - m };
            let v = &vectors[m * width..][..dim];
            reflect(x, v); // back to this reflection's input
            let n = dot(v, v).max(1e-20);
            let (c, s, gv) = (2.0 / n, dot(v, x), dot(v, g));
            let d_v = &mut d_vectors[(r * count + m) * width..][..dim];
            for i in 0..dim {
                d_v[i] = c * (2.0 * s * gv / n * v[i] - gv * x[i] - s * g[i]);
                g[i] -= c * gv * v[i];
            }
        }
        (0..dim).for_each(|i| *get_mut(&mut ya[r * wa..], &mut yb[r * wb..], first, i) = g[i]);
    }
}
