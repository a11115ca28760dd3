//! Affine transform inside a coupling: `v = u e^s + t`, log-determinant `sum s` (Dinh et al. 2017, section 3.2).
//!
//! `s = (2a/pi) atan(raw/a)`, a = 1.9, keeps each scale in `(e^-a, e^a)`, so no step can overflow. The conditioner's
//! output per row is `[raw (N) | t (N)]`, each part padded to 4.
use crate::args;
use crate::math::{atan_, exp_};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;
use multiversion::multiversion;

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
fn soft_clamp(raw: f32) -> f32 {
    2.0 * SOFT / std::f32::consts::PI * atan_(raw / SOFT)
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
    for (r, v) in v.chunks_exact_mut(w).enumerate() {
        let (u, o) = (&u[r * w..][..w], &o[r * 2 * w..][..2 * w]);
        let mut logdet = 0.0;
        for i in 0..n {
            let s = soft_clamp(o[i]);
            v[i] = u[i] * exp_(s) + o[w + i];
            logdet += s;
        }
        v[n..].fill(0.0);
        m[4 * r + meta::LOGDET] += logdet;
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
    for (r, u) in u.chunks_exact_mut(w).enumerate() {
        let (v, o) = (&v[r * w..][..w], &o[r * 2 * w..][..2 * w]);
        for i in 0..n {
            u[i] = (v[i] - o[w + i]) * exp_(-soft_clamp(o[i]));
        }
        u[n..].fill(0.0);
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
    for (r, d) in d.chunks_exact_mut(w).enumerate() {
        let u = &u[r * w..][..w];
        let (raw, t) = o[r * 2 * w..][..2 * w].split_at_mut(w);
        let d_logdet = -m[4 * r + meta::WEIGHT];
        for i in 0..n {
            let (scale, q) = (exp_(soft_clamp(raw[i])), raw[i] / SOFT);
            raw[i] = (d[i] * u[i] * scale + d_logdet) * std::f32::consts::FRAC_2_PI / (1.0 + q * q);
            t[i] = d[i];
            d[i] *= scale;
        }
        // Padding has no coordinate: nothing may flow into it.
        raw[n..].fill(0.0);
        t[n..].fill(0.0);
        d[n..].fill(0.0);
    }
}
