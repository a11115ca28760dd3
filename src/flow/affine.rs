//! Affine transform inside a coupling: `v = u e^s + t`, log-determinant `sum s` (Dinh et al. 2017, section 3.2).
//!
//! `s = (2a/pi) atan(raw/a)`, a = 1.9, keeps each scale in `(e^-a, e^a)`, so no step can overflow. The conditioner's
//! output per row is `[raw (N) | t (N)]`, each part padded to 4.
use crate::args;
use crate::flow::lanes::{LANES, Lane, column};
use crate::math::loops::{atan, exp};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;
use multiversion::multiversion;
use multiversion::target::target_cfg_f;

/// Bound of the log scale.
pub const SOFT: f32 = 1.9;

args! {
    /// Arguments of a coupling transform (`flow/affine_*`, `flow/spline_*`).
    pub struct TransformArgs {
        /// Slot `(batch, N)`: input; the inverse writes it.
        pub u: u32,
        /// Slot of the conditioner's output; backward replaces it by its gradient.
        pub o: u32,
        /// Slot `(batch, N)`: output; the inverse reads it. Backward: its gradient, replaced by that of `u`.
        pub v: u32,
        /// Slot of the row metadata.
        pub row_meta: u32,
    }
}

macro_rules! pass {
    ($name:literal, $cpu:expr, $samples:expr) => {
        KernelDef {
            name: concat!("flow/affine_", $name),
            source: include_str!(concat!("../../shaders/flow/affine_", $name, ".wgsl")),
            args: || TransformArgs::wgsl() + &TransformArgs::wgsl_loader(),
            cpu: $cpu,
            flops: |c| 30 * c.spec.get("N") as u64,
            samples: $samples,
        }
    };
}
/// `v = u e^s + t`, adds `sum s` to the log-determinant.
pub static FORWARD: KernelDef = pass!(
    "forward",
    forward_cpu,
    &[|r| sample(r, 1, &FORWARD), |r| sample(r, 6, &FORWARD), |r| sample(r, 64, &FORWARD)]
);
/// `u = (v - t) e^-s`; leaves the log-determinant alone.
pub static INVERSE: KernelDef = pass!(
    "inverse",
    inverse_cpu,
    &[|r| sample(r, 1, &INVERSE), |r| sample(r, 6, &INVERSE), |r| sample(r, 64, &INVERSE)]
);
/// Gradients of the loss, in which the log-determinant stands with `-weight`.
pub static BACKWARD: KernelDef = pass!(
    "backward",
    backward_cpu,
    &[|r| sample(r, 1, &BACKWARD), |r| sample(r, 6, &BACKWARD), |r| sample(r, 64, &BACKWARD)]
);

fn sample(r: &mut Recorder, n: usize, def: &'static KernelDef) {
    let args =
        TransformArgs { u: r.slot(n).at, o: r.slot(outputs(n)).at, v: r.slot(n).at, row_meta: r.slot(4).at };
    r.call(def, spec(n), args);
}

/// Conditioner outputs for `n` coordinates.
pub fn outputs(n: usize) -> usize {
    2 * pad4(n)
}
/// The specialisation for `n` coordinates.
pub fn spec(n: usize) -> Spec {
    Spec::new(&[("N", n), ("WIDTH", pad4(n))])
}

#[inline(always)]
fn soft_clamp<const FUSED: bool>(raw: f32) -> f32 {
    2.0 * SOFT / std::f32::consts::PI * atan::<FUSED>(raw * (1.0 / SOFT))
}

/// Blocks of up to [`LANES`] of `rows` rows: the first, and how many.
#[inline(always)]
fn blocks(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).step_by(LANES).map(move |first| (first, LANES.min(rows - first)))
}

#[inline(always)]
fn set_column(x: &mut [f32], w: usize, i: usize, rows: usize, values: &Lane) {
    for (row, value) in x.chunks_exact_mut(w).zip(&values[..rows]) {
        row[i] = *value;
    }
}

/// 0 for what no coordinate stands behind: nothing may flow into it.
#[inline(always)]
fn clear_padding(x: &mut [f32], w: usize, n: usize) {
    if n < w {
        x.chunks_exact_mut(w).for_each(|row| row[n..].fill(0.0));
    }
}

fn forward_cpu(tile: &Tile, call: &Call) {
    let a: TransformArgs = call.args();
    let (n, w) = (call.spec.get("N"), call.spec.get("WIDTH"));
    forward_rows(
        n,
        w,
        tile.read(a.u, w),
        tile.read(a.o, 2 * w),
        tile.write(a.v, w),
        tile.write(a.row_meta, 4),
    );
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn forward_rows(n: usize, w: usize, u: &[f32], o: &[f32], v: &mut [f32], m: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    for (first, rows) in blocks(v.len() / w) {
        let (u, o) = (&u[first * w..], &o[first * 2 * w..]);
        let v = &mut v[first * w..][..rows * w];
        let mut logdet = [0.0; LANES];
        for i in 0..n {
            let (raw, t, u) =
                (column(o, 2 * w, 0, rows, i), column(o, 2 * w, 0, rows, w + i), column(u, w, 0, rows, i));
            let mut out = [0.0; LANES];
            for l in 0..LANES {
                let s = soft_clamp::<FUSED>(raw[l]);
                out[l] = u[l] * exp::<FUSED>(s) + t[l];
                logdet[l] += s;
            }
            set_column(v, w, i, rows, &out);
        }
        clear_padding(v, w, n);
        for (m, logdet) in m[4 * first..].as_chunks_mut::<4>().0.iter_mut().zip(&logdet[..rows]) {
            m[meta::LOGDET] += logdet;
        }
    }
}

fn inverse_cpu(tile: &Tile, call: &Call) {
    let a: TransformArgs = call.args();
    let (n, w) = (call.spec.get("N"), call.spec.get("WIDTH"));
    inverse_rows(n, w, tile.read(a.v, w), tile.read(a.o, 2 * w), tile.write(a.u, w));
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn inverse_rows(n: usize, w: usize, v: &[f32], o: &[f32], u: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    for (first, rows) in blocks(u.len() / w) {
        let (v, o) = (&v[first * w..], &o[first * 2 * w..]);
        let u = &mut u[first * w..][..rows * w];
        for i in 0..n {
            let (raw, t, v) =
                (column(o, 2 * w, 0, rows, i), column(o, 2 * w, 0, rows, w + i), column(v, w, 0, rows, i));
            let mut out = [0.0; LANES];
            for l in 0..LANES {
                out[l] = (v[l] - t[l]) * exp::<FUSED>(-soft_clamp::<FUSED>(raw[l]));
            }
            set_column(u, w, i, rows, &out);
        }
        clear_padding(u, w, n);
    }
}

fn backward_cpu(tile: &Tile, call: &Call) {
    let a: TransformArgs = call.args();
    let (n, w) = (call.spec.get("N"), call.spec.get("WIDTH"));
    backward_rows(
        n,
        w,
        tile.read(a.u, w),
        tile.write(a.o, 2 * w),
        tile.write(a.v, w),
        tile.read(a.row_meta, 4),
    );
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn backward_rows(n: usize, w: usize, u: &[f32], o: &mut [f32], d: &mut [f32], m: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    for (first, rows) in blocks(d.len() / w) {
        let (u, m) = (&u[first * w..], &m[4 * first..]);
        let (o, d) = (&mut o[first * 2 * w..][..rows * 2 * w], &mut d[first * w..][..rows * w]);
        let weight = column(m, 4, 0, rows, meta::WEIGHT);
        for i in 0..n {
            let (mut raw, u, v) =
                (column(o, 2 * w, 0, rows, i), column(u, w, 0, rows, i), column(d, w, 0, rows, i));
            let mut out = [0.0; LANES];
            for l in 0..LANES {
                let (scale, q) = (exp::<FUSED>(soft_clamp::<FUSED>(raw[l])), raw[l] * (1.0 / SOFT));
                raw[l] = (v[l] * u[l] * scale - weight[l]) * std::f32::consts::FRAC_2_PI / (1.0 + q * q);
                out[l] = v[l] * scale;
            }
            set_column(o, 2 * w, i, rows, &raw);
            set_column(o, 2 * w, w + i, rows, &v);
            set_column(d, w, i, rows, &out);
        }
        clear_padding(o, w, n);
        clear_padding(d, w, n);
    }
}
