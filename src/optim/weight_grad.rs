//! Weight gradients as products over the batch: `d_W = x^T delta`, `d_b = column sums of delta`.
//!
//! Layers leave inputs and deltas in slots; here they are multiplied in row order, so the bits do not depend on
//! how many threads there are. Twin of `shaders/optim/weight_grad.wgsl`, whose extra workgroup also ends the
//! step's bookkeeping.
use crate::layers::gemm::{Start, claim, gemm, gemm_and_claim};
use crate::runtime::memory::Shared;
use crate::runtime::plan::{GradJob, View};
use crate::runtime::step::GradPart;
use crate::runtime::tile::{Slot, Tile};
use multiversion::multiversion;
use std::ops::Range;

/// See [`crate::runtime::step::StepKernels::grad_cpu`].
pub fn part_cpu(
    acts: &Shared,
    pad: usize,
    rows: Range<usize>,
    part: &GradPart,
    out: &mut [f32],
    add: bool,
    claim: &[f32],
) {
    let (j, n) = (part.job.delta.width as usize, rows.len());
    let slot = |s: Slot| {
        let width = s.width as usize;
        // SAFETY: nobody writes the slots in this launch.
        unsafe { acts.slice(s.at as usize * 4 * pad + rows.start * width, n * width) }
    };
    let delta = slot(part.job.delta);
    match part.job.x {
        Some(x) => {
            let (k, start) = (x.width as usize, if add { Start::Add } else { Start::Zero });
            let input = &slot(x)[part.first..];
            gemm_and_claim(part.count, j, n, input, 1, k, delta, j, out, j, start, claim);
        }
        None => {
            if !add {
                out.fill(0.0);
            }
            for row in delta.chunks_exact(j) {
                out.iter_mut().zip(row).for_each(|(g, d)| *g += d);
            }
        }
    }
}

/// See [`crate::runtime::step::StepKernels::sum_cpu`].
pub fn sum_cpu(out: &mut [f32], a: &[f32], b: &[f32], claimed: &[f32]) {
    claim(claimed);
    out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = a + b);
}

/// See [`crate::runtime::step::StepKernels::items_cpu`].
pub fn items_cpu(tile: &Tile, job: &GradJob, out: &mut [f32]) {
    let (k, j, rows) = (job.k as usize, job.j as usize, tile.existing());
    let [outer, inner] = job.items.map(|n| n as usize);
    let (dv, xv) = (job.delta_view, job.x_view);
    let delta = tile.read(job.delta.at, job.delta.width as usize);
    let from = |v: View, width: u32, row: usize, o: usize| {
        row * width as usize + v.first as usize + o * v.outer as usize
    };
    // Items of consecutive rows that stand side by side are one product.
    let joined = |v: View, width: u32| outer == 1 && inner as u32 * v.inner == width && v.first == 0;
    let one = job.count() == 1;
    let all = (one && dv.first == 0 && xv.first == 0)
        || joined(dv, job.delta.width) && job.x.is_none_or(|x| joined(xv, x.width));
    let pieces = if all { 1 } else { rows * outer };
    for piece in 0..pieces {
        let (row, o) = (piece / outer.max(1), piece % outer.max(1));
        let (depth, d_step) = match (all, one) {
            (true, true) => (rows, job.delta.width as usize),
            (true, false) => (rows * inner, dv.inner as usize),
            _ => (inner, (dv.inner as usize).max(j)),
        };
        let d = &delta[if all { 0 } else { from(dv, job.delta.width, row, o) }..];
        match job.x {
            Some(slot) => {
                let x = tile.read(slot.at, slot.width as usize);
                let x = &x[if all { 0 } else { from(xv, slot.width, row, o) }..];
                let x_step = if all && one { slot.width as usize } else { xv.inner as usize };
                gemm(k, j, depth, x, 1, x_step, d, d_step, out, j, Start::Add);
            }
            None => {
                for i in 0..depth {
                    out.iter_mut().zip(&d[i * d_step..i * d_step + j]).for_each(|(g, d)| *g += d);
                }
            }
        }
    }
}

/// Sum of squares in sixteen interleaved sums.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn sum_of_squares(x: &[f32]) -> f64 {
    let mut sums = [0.0f64; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for c in chunks {
        for (s, v) in sums.iter_mut().zip(c) {
            *s += f64::from(*v) * f64::from(*v);
        }
    }
    rest.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() + sums.iter().sum::<f64>()
}
