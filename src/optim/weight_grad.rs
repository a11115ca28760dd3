//! Weight gradients as products over the batch: `d_W = x^T delta`, `d_b = column sums of delta`.
//!
//! Layers leave inputs and deltas in slots; here they are multiplied in row order, so the bits do not depend on
//! how many threads there are. Twin of `shaders/optim/weight_grad.wgsl`, whose extra workgroup also ends the
//! step's bookkeeping.
use crate::layers::gemm::{Start, gemm};
use crate::runtime::memory::Shared;
use crate::runtime::step::GradPart;

/// See [`crate::runtime::step::StepKernels::grad_cpu`].
pub fn part_cpu(acts: &Shared, pad: usize, rows: usize, grad: &Shared, part: &GradPart, add: bool) -> f64 {
    let j = part.job.delta.width as usize;
    // SAFETY: nobody writes the slots in this launch, and parts own disjoint pieces of the gradient.
    let (delta, out) = unsafe {
        let delta = acts.slice(part.job.delta.at as usize * 4 * pad, rows * j);
        (delta, grad.slice_mut(part.job.at as usize + part.first * j, part.count * j))
    };
    match part.job.x {
        Some(x) => {
            let k = x.width as usize;
            // SAFETY: as above.
            let input = unsafe { acts.slice(x.at as usize * 4 * pad, rows * k) };
            let start = if add { Start::Add } else { Start::Zero };
            gemm(part.count, j, rows, &input[part.first..], 1, k, delta, j, out, j, start);
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
    sum_of_squares(out)
}

fn sum_of_squares(x: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let chunks = x.chunks_exact(8);
    let rest = chunks.remainder();
    for c in chunks {
        for (s, v) in sums.iter_mut().zip(c) {
            *s += f64::from(*v) * f64::from(*v);
        }
    }
    rest.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() + sums.iter().sum::<f64>()
}
