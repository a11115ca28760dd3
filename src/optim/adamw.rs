//! AdamW with decoupled decay on matrices (Loshchilov and Hutter 2019, algorithm 2), after a global-norm clip.
//!
//! `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`, `w -= lr (m/c1 / (sqrt(v/c2) + eps) + decay w)`, `c = 1 - b^t`.
//! The same pass writes each matrix's transposed image and the moving average `a = e a + (1-e) w`.
use crate::runtime::memory::Shared;
use crate::runtime::params::Param;
use crate::runtime::state::{State, StepArgs};
use crate::runtime::step::Buffers;
use multiversion::multiversion;

/// See [`crate::runtime::step::StepKernels::update_cpu`].
#[allow(clippy::too_many_arguments)] // the launch's own arguments
pub fn update_cpu(
    b: &Buffers,
    table_len: usize,
    p: &Param,
    first: usize,
    count: usize,
    scale: f32,
    s: &State,
    a: &StepArgs,
) {
    let cols = p.stride();
    let (at, n) = (p.at + first * cols, count * cols);
    let decay = if p.matrix { a.decay } else { 0.0 };
    // SAFETY: the executor hands out disjoint rows of the parameters.
    unsafe {
        let w = b.params.slice_mut(at, n);
        let rates = Rates { scale, decay, lr: s.lr, c1: s.correction1, c2: s.correction2, ema: s.ema };
        step(
            w,
            b.average.slice_mut(at, n),
            b.first.slice_mut(at, n),
            b.second.slice_mut(at, n),
            b.grad.slice(at, n),
            &rates,
            a,
        );
        if p.matrix {
            transpose(w, cols, &b.params, table_len + p.at + first, p.stored_rows());
        }
    }
}

/// Writes rows `w (n, cols)` as columns: element (r, c) goes to `to[at + c rows + r]`. Squares of 4 x 4, which stay in registers;
/// all sizes are multiples of 4.
///
/// # Safety
/// Nobody else touches these elements of `to`.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
unsafe fn transpose(w: &[f32], cols: usize, to: &Shared, at: usize, rows: usize) {
    for (r, band) in w.chunks_exact(4 * cols).enumerate() {
        let row = |i: usize| band[i * cols..(i + 1) * cols].as_chunks::<4>().0;
        let columns = row(0).iter().zip(row(1)).zip(row(2)).zip(row(3));
        for (q, (((a, b), c), d)) in columns.enumerate() {
            for i in 0..4 {
                // SAFETY: as the caller promises.
                let four = unsafe { to.slice_mut(at + (4 * q + i) * rows + 4 * r, 4) };
                four.copy_from_slice(&[a[i], b[i], c[i], d[i]]);
            }
        }
    }
}

struct Rates {
    scale: f32,
    decay: f32,
    lr: f32,
    c1: f32,
    c2: f32,
    ema: f32,
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn step(
    w: &mut [f32],
    average: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
    g: &[f32],
    r: &Rates,
    a: &StepArgs,
) {
    let n = w.len();
    let (average, m, v, g) = (&mut average[..n], &mut m[..n], &mut v[..n], &g[..n]);
    let (inv1, inv2) = (1.0 / r.c1, 1.0 / r.c2);
    for i in 0..n {
        let d = g[i] * r.scale;
        m[i] = a.beta1 * m[i] + (1.0 - a.beta1) * d;
        v[i] = a.beta2 * v[i] + (1.0 - a.beta2) * d * d;
        w[i] -= r.lr * (m[i] * inv1 / ((v[i] * inv2).sqrt() + a.eps) + r.decay * w[i]);
        average[i] = r.ema * average[i] + (1.0 - r.ema) * w[i];
    }
}
