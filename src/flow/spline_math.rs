//! Monotone rational-quadratic spline on `[-B, B]` with K bins and identity tails (Durkan et al. 2019, section 3.1),
//! sixteen rows at a time: every step is a loop over lanes without branches, so it vectorises.
//!
//! Twin of `shaders/flow/spline_math.wgsl`. Raw parameters of one coordinate: K widths, K heights, K-1 interior
//! derivatives. All zero gives the identity.
use std::array::from_fn;

use crate::flow::lanes::{LANES, Lane};
use crate::math::loops::{exp, log, sigmoid, softplus};

/// Most bins.
pub const MAX_BINS: usize = 64;
/// Smallest width and height, as a share of `2B`.
pub const MIN_SHARE: f32 = 1e-3;
/// Smallest derivative.
pub const MIN_SLOPE: f32 = 1e-3;
/// `ln(exp(1 - MIN_SLOPE) - 1)`: added to raw derivatives so that 0 means slope 1.
pub const SLOPE_SHIFT: f32 = 0.539_742_4;

/// The bin a value falls into, per lane.
#[derive(Clone, Copy)]
pub struct Bin {
    /// Number of the bin.
    pub k: [u32; LANES],
    /// Left knot.
    pub x: Lane,
    /// Width.
    pub w: Lane,
    /// Lower knot.
    pub y: Lane,
    /// Height.
    pub h: Lane,
    /// Raw derivative parameter on the left and right, and whether it is fixed at 1 (the ends).
    pub d0: Lane,
    /// Derivative at the right knot.
    pub d1: Lane,
    /// Softmax share of the bin, widths.
    pub share_w: Lane,
    /// Softmax share of all bins before, widths.
    pub below_w: Lane,
    /// Softmax share of the bin, heights.
    pub share_h: Lane,
    /// Softmax share of all bins before, heights.
    pub below_h: Lane,
}

/// Softmax over `raw[0..k]`, in place of `out`.
#[inline(always)]
fn softmax<const FUSED: bool>(raw: &[Lane], out: &mut [Lane], k: usize) {
    let mut top = raw[0];
    for r in &raw[1..k] {
        top = from_fn(|l| top[l].max(r[l]));
    }
    let mut sum = [0.0; LANES];
    for (out, r) in out[..k].iter_mut().zip(raw) {
        // Hides from the compiler that this is a loop over bins, which it would take for the better one to vectorise.
        let r = std::hint::black_box(r);
        let e: Lane = from_fn(|l| exp::<FUSED>(r[l] - top[l]));
        *out = e;
        add(&mut sum, &e);
    }
    let inverse: Lane = sum.map(|sum| 1.0 / sum);
    for out in &mut out[..k] {
        let out = std::hint::black_box(out);
        let share: Lane = from_fn(|l| out[l] * inverse[l]);
        *out = share;
    }
}

/// `old = new` in the lanes where `here` has all bits. One array at a time: a loop over all of them is left scalar by the compiler.
#[inline(always)]
fn pick<T: Copy>(here: &[u32; LANES], old: &mut [T; LANES], new: &[T; LANES]) {
    for l in 0..LANES {
        old[l] = if here[l] != 0 { new[l] } else { old[l] };
    }
}

#[inline(always)]
fn add(sum: &mut Lane, x: &Lane) {
    for l in 0..LANES {
        sum[l] += x[l];
    }
}

/// Finds each lane's bin by the left knots (`by_height`: of heights, for the inverse).
#[inline(always)]
pub fn find<const FUSED: bool>(
    raw: &[Lane],
    k: usize,
    bound: f32,
    value: &Lane,
    by_height: bool,
    shares: &mut [Lane],
) -> Bin {
    let (sw, sh) = shares.split_at_mut(MAX_BINS);
    softmax::<FUSED>(raw, sw, k);
    softmax::<FUSED>(&raw[k..], sh, k);
    let zero = [0.0; LANES];
    let mut bin = Bin {
        k: [0; LANES],
        x: zero,
        w: zero,
        y: zero,
        h: zero,
        d0: zero,
        d1: zero,
        share_w: zero,
        below_w: zero,
        share_h: zero,
        below_h: zero,
    };
    let range = 2.0 * bound;
    let free = 1.0 - MIN_SHARE * k as f32;
    let sizes = |share: &Lane| -> Lane { from_fn(|l| range * (MIN_SHARE + free * share[l])) };
    let (mut x, mut y, mut below_w, mut below_h) = ([-bound; LANES], [-bound; LANES], zero, zero);
    for i in 0..k {
        // raw derivative on the left of bin i is parameter 2k + i - 1, on the right 2k + i
        let left = &raw[if i > 0 { 2 * k + i - 1 } else { 0 }];
        let right = &raw[if i + 1 < k { 2 * k + i } else { 0 }];
        let (w, h) = (sizes(&sw[i]), sizes(&sh[i]));
        let knot = if by_height { y } else { x };
        let here = from_fn(|l| if (i == 0) | (value[l] >= knot[l]) { u32::MAX } else { 0 });
        pick(&here, &mut bin.k, &[i as u32; LANES]);
        pick(&here, &mut bin.x, &x);
        pick(&here, &mut bin.w, &w);
        pick(&here, &mut bin.y, &y);
        pick(&here, &mut bin.h, &h);
        pick(&here, &mut bin.d0, left);
        pick(&here, &mut bin.d1, right);
        pick(&here, &mut bin.share_w, &sw[i]);
        pick(&here, &mut bin.below_w, &below_w);
        pick(&here, &mut bin.share_h, &sh[i]);
        pick(&here, &mut bin.below_h, &below_h);
        add(&mut x, &w);
        add(&mut y, &h);
        add(&mut below_w, &sw[i]);
        add(&mut below_h, &sh[i]);
    }
    for l in 0..LANES {
        let (first, last) = (bin.k[l] == 0, bin.k[l] as usize == k - 1);
        let (a, b) = (
            MIN_SLOPE + softplus::<FUSED>(bin.d0[l] + SLOPE_SHIFT),
            MIN_SLOPE + softplus::<FUSED>(bin.d1[l] + SLOPE_SHIFT),
        );
        bin.d0[l] = if first { 1.0 } else { a };
        bin.d1[l] = if last { 1.0 } else { b };
    }
    bin
}

/// `(y, ln dy/dx)`; identity outside `[-bound, bound]`.
#[inline(always)]
pub fn forward<const FUSED: bool>(
    raw: &[Lane],
    k: usize,
    bound: f32,
    x: &Lane,
    shares: &mut [Lane],
) -> (Lane, Lane) {
    let bin = find::<FUSED>(raw, k, bound, x, false, shares);
    let (mut y, mut logdet) = (*x, [0.0; LANES]);
    for l in 0..LANES {
        let inside = x[l] >= -bound && x[l] <= bound;
        let s = bin.h[l] / bin.w[l];
        let xi = ((x[l] - bin.x[l]) / bin.w[l]).clamp(0.0, 1.0);
        let t = xi * (1.0 - xi);
        let den = s + (bin.d1[l] + bin.d0[l] - 2.0 * s) * t;
        let q = bin.d1[l] * xi * xi + 2.0 * s * t + bin.d0[l] * (1.0 - xi) * (1.0 - xi);
        let r = (s * xi * xi + bin.d0[l] * t) / den;
        y[l] = if inside { bin.y[l] + bin.h[l] * r } else { x[l] };
        let r = s / den;
        logdet[l] = if inside { log::<FUSED>(r * r * q) } else { 0.0 };
    }
    (y, logdet)
}

/// `x` with `forward(x) = y`.
#[inline(always)]
pub fn inverse<const FUSED: bool>(raw: &[Lane], k: usize, bound: f32, y: &Lane, shares: &mut [Lane]) -> Lane {
    let bin = find::<FUSED>(raw, k, bound, y, true, shares);
    let mut x = *y;
    for l in 0..LANES {
        let inside = y[l] >= -bound && y[l] <= bound;
        let s = bin.h[l] / bin.w[l];
        let e = (y[l] - bin.y[l]).clamp(0.0, bin.h[l]);
        let a_sum = bin.d1[l] + bin.d0[l] - 2.0 * s;
        let a = e * a_sum + bin.h[l] * (s - bin.d0[l]);
        let b = bin.h[l] * bin.d0[l] - e * a_sum;
        let c = -s * e;
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let under = -b - root;
        let xi = if under < 0.0 { (2.0 * c / under).clamp(0.0, 1.0) } else { 0.0 };
        x[l] = if inside { bin.x[l] + xi * bin.w[l] } else { y[l] };
    }
    x
}

/// Replaces `raw` by the gradient of `d_y y + d_logdet logdet` with respect to it; returns d_x.
#[inline(always)]
pub fn backward<const FUSED: bool>(
    raw: &mut [Lane],
    k: usize,
    bound: f32,
    x: &Lane,
    d_y: &Lane,
    d_logdet: &Lane,
    shares: &mut [Lane],
) -> Lane {
    let bin = find::<FUSED>(raw, k, bound, x, false, shares);
    let zero = [0.0; LANES];
    let (mut d_x, mut g_w, mut g_x, mut g_h, mut g_y, mut g_d0, mut g_d1) =
        (*d_y, zero, zero, zero, zero, zero, zero);
    for l in 0..LANES {
        let inside = x[l] >= -bound && x[l] <= bound;
        let (w, h, d0, d1) = (bin.w[l], bin.h[l], bin.d0[l], bin.d1[l]);
        let s = h / w;
        let xi = ((x[l] - bin.x[l]) / w).clamp(0.0, 1.0);
        let t = xi * (1.0 - xi);
        let (sum, up) = (d1 + d0 - 2.0 * s, 1.0 - xi);
        let den = s + sum * t;
        let q = d1 * xi * xi + 2.0 * s * t + d0 * up * up;
        let r = (s * xi * xi + d0 * t) / den;
        let (gy, gl) = (d_y[l], d_logdet[l]);
        let g_num = gy * h / den;
        let g_den = -(gy * h * r + 2.0 * gl) / den;
        let g_q = gl / q;
        let g_s = g_num * xi * xi + g_den * (1.0 - 2.0 * t) + g_q * 2.0 * t + 2.0 * gl / s;
        let g_xi = g_num * (2.0 * s * xi + d0 * (1.0 - 2.0 * xi))
            + g_den * sum * (1.0 - 2.0 * xi)
            + g_q * (2.0 * d1 * xi + 2.0 * s * (1.0 - 2.0 * xi) - 2.0 * d0 * up);
        let on = if inside { 1.0 } else { 0.0 };
        d_x[l] = if inside { g_xi / w } else { gy };
        g_x[l] = -on * g_xi / w;
        g_w[l] = -on * (g_s * s + g_xi * xi) / w;
        g_h[l] = on * (gy * r + g_s / w);
        g_y[l] = on * gy;
        // derivative of MIN + softplus(raw + shift) is the sigmoid; recovered from raw below
        g_d0[l] = if bin.k[l] == 0 { 0.0 } else { on * (g_num * t + g_den * t + g_q * up * up) };
        g_d1[l] = if bin.k[l] as usize == k - 1 { 0.0 } else { on * (g_den * t + g_q * xi * xi) };
    }
    let scale = 2.0 * bound * (1.0 - MIN_SHARE * k as f32);
    let (sw, sh) = shares.split_at_mut(MAX_BINS);
    let (mut mean_w, mut mean_h) = (zero, zero);
    for l in 0..LANES {
        mean_w[l] = g_x[l] * bin.below_w[l] + g_w[l] * bin.share_w[l];
        mean_h[l] = g_y[l] * bin.below_h[l] + g_h[l] * bin.share_h[l];
    }
    for i in 0..k {
        for l in 0..LANES {
            let at = bin.k[l] as usize;
            let part = |before: f32, here: f32| {
                if i < at {
                    before
                } else if i == at {
                    here
                } else {
                    0.0
                }
            };
            raw[i][l] = scale * sw[i][l] * (part(g_x[l], g_w[l]) - mean_w[l]);
            raw[k + i][l] = scale * sh[i][l] * (part(g_y[l], g_h[l]) - mean_h[l]);
        }
    }
    for i in 0..k - 1 {
        for l in 0..LANES {
            let at = bin.k[l] as usize;
            let g = (if i + 1 == at { g_d0[l] } else { 0.0 }) + (if i == at { g_d1[l] } else { 0.0 });
            raw[2 * k + i][l] = g * sigmoid::<FUSED>(raw[2 * k + i][l] + SLOPE_SHIFT);
        }
    }
    d_x
}
