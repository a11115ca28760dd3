//! AdamW with decoupled decay on matrices (Loshchilov and Hutter 2019, algorithm 2), after a global-norm clip.
//!
//! `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`, `w -= lr (m/c1 / (sqrt(v/c2) + eps) + decay w)`, `c = 1 - b^t`.
//! The same pass writes each matrix's transposed image and the moving average `a = e a + (1-e) w`.
use crate::layers::transpose::transpose;
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
            let rows = p.stored_rows();
            let to = b.params.address(table_len + p.at, cols * rows);
            transpose(w, cols, (count, cols), to.add(first), rows);
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
