//! What the machine could do: matrix products alone, and memory alone. A measurement is a share of these.
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::timing::Spread;
use crate::layers::gemm::{Start, gemm};

/// Shapes `(m, k, n)` of the products: that of a conditioner's hidden layer at batch 256, and larger ones.
pub const SHAPES: [(usize, usize, usize); 3] = [(256, 128, 128), (256, 256, 256), (512, 512, 512)];
/// Floats of each of the three arrays of a thread: 16 MiB, beyond its share of the caches.
const ARRAY: usize = 4 << 20;

/// Ceilings of the CPU, all threads together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Matrix products with operands in cache, GFLOP/s; the best of the shapes.
    pub gemm_gflops: f64,
    /// `a = b + s c` over arrays in memory, GB/s: two arrays read, one written.
    pub bandwidth_gbs: f64,
}

/// GFLOP/s of products of one shape: every thread multiplies matrices of its own for `seconds`.
pub fn gemm_gflops((m, k, n): (usize, usize, usize), seconds: f64) -> f64 {
    let rates = rayon::broadcast(|_| {
        let (a, b) = (vec![0.5f32; m * k], vec![0.25f32; k * n]);
        let mut c = vec![0.0f32; m * n];
        let mut product = || gemm(m, n, k, black_box(&a), k, 1, black_box(&b), n, &mut c, n, Start::Zero);
        product();
        // The median of short stretches, as the steps it is compared with: what a busy machine takes from one, it takes
        // from the other too.
        let (all, mut times) = (Instant::now(), vec![]);
        while times.is_empty() || all.elapsed().as_secs_f64() < seconds {
            let begun = Instant::now();
            let mut n = 0u32;
            while begun.elapsed() < Duration::from_millis(5) {
                product();
                n += 1;
            }
            times.push(begun.elapsed().as_secs_f64() / f64::from(n));
        }
        black_box(&c);
        (2 * m * k * n) as f64 / Spread::of(times).median * 1e-9
    });
    rates.iter().sum()
}

/// The best GFLOP/s of all [`SHAPES`], each for `seconds`.
pub fn best_gemm_gflops(seconds: f64) -> f64 {
    SHAPES.iter().map(|&shape| gemm_gflops(shape, seconds)).fold(0.0, f64::max)
}

/// GB/s of `a = b + s c`, all threads together.
pub fn bandwidth_gbs(seconds: f64) -> f64 {
    let rates = rayon::broadcast(|_| {
        let (b, c) = (vec![0.5f32; ARRAY], vec![0.25f32; ARRAY]);
        let mut a = vec![0.0f32; ARRAY];
        let (all, mut times) = (Instant::now(), vec![]);
        while times.is_empty() || all.elapsed().as_secs_f64() < seconds {
            let begun = Instant::now();
            let s = black_box(3.0f32);
            for ((a, b), c) in a.iter_mut().zip(&b).zip(&c) {
                *a = *b + s * *c;
            }
            black_box(&a);
            times.push(begun.elapsed().as_secs_f64());
        }
        (3 * 4 * ARRAY) as f64 / Spread::of(times).median * 1e-9
    });
    rates.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_of_this_world() {
        let gflops = gemm_gflops(SHAPES[0], 0.02);
        assert!(gflops > 0.01 && gflops < 1e5, "{gflops}");
        let bandwidth = bandwidth_gbs(0.0);
        assert!(bandwidth > 0.01 && bandwidth < 1e5, "{bandwidth}");
    }
}
