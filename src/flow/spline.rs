//! Rational-quadratic spline transform inside a coupling (see [`crate::flow::spline_math`]).
//!
//! The conditioner's output per row is, for each of the N coordinates, `[K widths | K heights | K-1 derivatives]`
//! padded to a multiple of 4.
use crate::flow::affine::TransformArgs;
use crate::flow::lanes::{LANES, Lane, column};
use crate::flow::spline_math::{MAX_BINS, backward, forward, inverse};
use crate::layers::transpose::transpose;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;
use multiversion::multiversion;
use multiversion::target::target_cfg_f;

macro_rules! pass {
    ($name:literal, $cpu:expr, $samples:expr) => {
        KernelDef {
            name: concat!("flow/spline_", $name),
            source: include_str!(concat!("../../shaders/flow/spline_", $name, ".wgsl")),
            args: || TransformArgs::wgsl() + &TransformArgs::wgsl_loader(),
            cpu: $cpu,
            flops: |c| 60 * (c.spec.get("N") * c.spec.get("BINS")) as u64,
            samples: $samples,
        }
    };
}
/// `v = spline(u)`, adds the log-derivatives to the log-determinant.
pub static FORWARD: KernelDef =
    pass!("forward", forward_cpu, &[|r| sample(r, 1, 10, &FORWARD), |r| sample(r, 5, 4, &FORWARD)]);
/// `u = spline^-1(v)`; leaves the log-determinant alone.
pub static INVERSE: KernelDef =
    pass!("inverse", inverse_cpu, &[|r| sample(r, 1, 10, &INVERSE), |r| sample(r, 5, 4, &INVERSE)]);
/// Gradients of the loss, in which the log-determinant stands with `-weight`.
pub static BACKWARD: KernelDef =
    pass!("backward", backward_cpu, &[|r| sample(r, 1, 10, &BACKWARD), |r| sample(r, 5, 4, &BACKWARD)]);

fn sample(r: &mut Recorder, n: usize, bins: usize, def: &'static KernelDef) {
    let args = TransformArgs {
        u: r.slot(n).at,
        o: r.slot(outputs(n, bins)).at,
        v: r.slot(n).at,
        row_meta: r.slot(4).at,
    };
    // a bound below the samples' range, so that tails are exercised too
    r.call(def, spec(n, bins, 0.75), args);
}

/// Conditioner outputs for `n` coordinates.
pub fn outputs(n: usize, bins: usize) -> usize {
    n * pad4(3 * bins - 1)
}
/// The specialisation for `n` coordinates, `bins` bins on `[-bound, bound]`.
pub fn spec(n: usize, bins: usize, bound: f32) -> Spec {
    Spec::new(&[
        ("N", n),
        ("WIDTH", pad4(n)),
        ("BINS", bins),
        ("STRIDE", pad4(3 * bins - 1)),
        ("BOUND_BITS", bound.to_bits() as usize),
    ])
}

struct Shape {
    n: usize,
    width: usize,
    bins: usize,
    stride: usize,
    bound: f32,
}
fn shape(call: &Call) -> Shape {
    let s = &call.spec;
    Shape {
        n: s.get("N"),
        width: s.get("WIDTH"),
        bins: s.get("BINS"),
        stride: s.get("STRIDE"),
        bound: f32::from_bits(s.get("BOUND_BITS") as u32),
    }
}

/// Raw parameters of coordinate `c` of up to 16 rows, row by row into lanes; absent rows repeat the last one.
#[inline(always)]
fn load(s: &Shape, o: &[f32], row: usize, rows: usize, c: usize, raw: &mut [Lane]) {
    let o = &o[(row * s.n + c) * s.stride..];
    if rows - row >= LANES {
        let to = raw[..s.stride].as_flattened_mut().as_mut_ptr();
        // SAFETY: `to` has LANES elements for each of the columns.
        return unsafe { transpose(o, s.n * s.stride, (LANES, s.stride), to, LANES) };
    }
    for l in 0..LANES {
        let from = &o[l.min(rows - row - 1) * s.n * s.stride..][..s.stride];
        for (raw, &x) in raw.iter_mut().zip(from) {
            raw[l] = x;
        }
    }
}
/// The way back: the raw parameters' gradients to their rows, and 0 to the padding.
#[inline(always)]
fn store(s: &Shape, o: &mut [f32], row: usize, rows: usize, c: usize, raw: &mut [Lane]) {
    let o = &mut o[(row * s.n + c) * s.stride..];
    raw[3 * s.bins - 1..s.stride].fill([0.0; LANES]);
    if rows - row >= LANES {
        let (from, step) = (raw[..s.stride].as_flattened(), s.n * s.stride);
        assert!(o.len() >= (LANES - 1) * step + s.stride);
        // SAFETY: the slice is long enough.
        return unsafe { transpose(from, LANES, (s.stride, LANES), o.as_mut_ptr(), step) };
    }
    for l in 0..rows - row {
        let to = &mut o[l * s.n * s.stride..][..s.stride];
        for (to, raw) in to.iter_mut().zip(&*raw) {
            *to = raw[l];
        }
    }
}

fn forward_cpu(tile: &Tile, call: &Call) {
    let a: TransformArgs = call.args();
    let s = shape(call);
    let o = tile.read(a.o, s.n * s.stride);
    forward_rows(
        &s,
        tile.rows,
        tile.read(a.u, s.width),
        o,
        tile.write(a.v, s.width),
        tile.write(a.row_meta, 4),
    );
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn forward_rows(s: &Shape, rows: usize, u: &[f32], o: &[f32], v: &mut [f32], m: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    let (mut raw, mut shares) = ([[0.0; LANES]; 3 * MAX_BINS], [[0.0; LANES]; 2 * MAX_BINS]);
    for row in (0..rows).step_by(LANES) {
        for c in 0..s.n {
            load(s, o, row, rows, c, &mut raw);
            let x = column(u, s.width, row, rows, c);
            let (y, logdet) = forward::<FUSED>(&raw, s.bins, s.bound, &x, &mut shares);
            for l in 0..LANES.min(rows - row) {
                v[(row + l) * s.width + c] = y[l];
                m[4 * (row + l) + meta::LOGDET] += logdet[l];
            }
        }
        for l in 0..LANES.min(rows - row) {
            v[(row + l) * s.width + s.n..(row + l + 1) * s.width].fill(0.0);
        }
    }
}

fn inverse_cpu(tile: &Tile, call: &Call) {
    let a: TransformArgs = call.args();
    let s = shape(call);
    inverse_rows(
        &s,
        tile.rows,
        tile.read(a.v, s.width),
        tile.read(a.o, s.n * s.stride),
        tile.write(a.u, s.width),
    );
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn inverse_rows(s: &Shape, rows: usize, v: &[f32], o: &[f32], u: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    let (mut raw, mut shares) = ([[0.0; LANES]; 3 * MAX_BINS], [[0.0; LANES]; 2 * MAX_BINS]);
    for row in (0..rows).step_by(LANES) {
        for c in 0..s.n {
            load(s, o, row, rows, c, &mut raw);
            let y = column(v, s.width, row, rows, c);
            let x = inverse::<FUSED>(&raw, s.bins, s.bound, &y, &mut shares);
            for l in 0..LANES.min(rows - row) {
                u[(row + l) * s.width + c] = x[l];
            }
        }
        for l in 0..LANES.min(rows - row) {
            u[(row + l) * s.width + s.n..(row + l + 1) * s.width].fill(0.0);
        }
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let a: TransformArgs = call.args();
    let s = shape(call);
    let o = tile.write(a.o, s.n * s.stride);
    backward_rows(
        &s,
        tile.rows,
        tile.read(a.u, s.width),
        o,
        tile.write(a.v, s.width),
        tile.read(a.row_meta, 4),
    );
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn backward_rows(s: &Shape, rows: usize, u: &[f32], o: &mut [f32], d: &mut [f32], m: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    let (mut raw, mut shares) = ([[0.0; LANES]; 3 * MAX_BINS], [[0.0; LANES]; 2 * MAX_BINS]);
    for row in (0..rows).step_by(LANES) {
        let present = LANES.min(rows - row);
        let weight = column(m, 4, row, rows, meta::WEIGHT);
        let d_logdet = weight.map(|w| -w);
        for c in 0..s.n {
            load(s, o, row, rows, c, &mut raw);
            let x = column(u, s.width, row, rows, c);
            let d_y = column(d, s.width, row, rows, c);
            let d_x = backward::<FUSED>(&mut raw, s.bins, s.bound, &x, &d_y, &d_logdet, &mut shares);
            for l in 0..present {
                d[(row + l) * s.width + c] = d_x[l];
            }
            store(s, o, row, rows, c, &mut raw);
        }
        for l in 0..present {
            d[(row + l) * s.width + s.n..(row + l + 1) * s.width].fill(0.0);
        }
    }
}
