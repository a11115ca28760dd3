//! Squared maximum mean discrepancy (Gretton et al. 2012) with a Gaussian kernel.
use rayon::prelude::*;

use super::{
    points::count_points,
    simd::{LANES, sum_lanes, vectorised},
};
use crate::{
    error::{Error, Result},
    math::exp_,
};

/// Points handled together, a multiple of [`LANES`]; their coordinates stay in the first-level cache.
const BLOCK: usize = 512;

/// Unbiased MMD^2 between `reference` `(n, dim)` and `candidate` `(m, dim)`; may be slightly negative.
///
/// `k(x, y) = exp(-|x - y|^2 / (2 s^2))`, s the median pairwise distance of the reference; coordinates are used as
/// they are, without scaling. At least two points on either side; a reference whose median distance is 0 is an error.
pub fn mmd2(reference: &[f32], candidate: &[f32], dim: usize) -> Result<f64> {
    let n = count_points("MMD reference", reference, dim, 2)? as f64;
    let m = count_points("MMD candidate", candidate, dim, 2)? as f64;
    let bandwidth = median_distance(reference, dim)?;
    if bandwidth.is_nan() || bandwidth <= 0.0 {
        return Err(Error::input(
            "MMD reference",
            "points that differ (the kernel's width is their median distance)",
            "a median distance of 0",
            "Compare against a reference with spread",
        ));
    }
    let factor = (-0.5 / (bandwidth * bandwidth)) as f32;
    let (x, y) = (Columns::new(reference, dim), Columns::new(candidate, dim));
    let within_x = 2.0 * kernel_sum(reference, &x, factor, true) / (n * (n - 1.0));
    let within_y = 2.0 * kernel_sum(candidate, &y, factor, true) / (m * (m - 1.0));
    Ok(within_x + within_y - 2.0 * kernel_sum(reference, &y, factor, false) / (n * m))
}

/// Median Euclidean distance of all pairs of `points` `(n, dim)`, n >= 2.
///
/// Exact, without storing the n (n - 1)/2 distances: squares of non-negative floats order as their bits do, so two
/// passes count the upper and then the lower 16 bits.
pub fn median_distance(points: &[f32], dim: usize) -> Result<f64> {
    let n = count_points("points", points, dim, 2)?;
    let pairs = n * (n - 1) / 2;
    let columns = Columns::new(points, dim);
    let upper = bit_counts(points, &columns, |bits| Some(bits >> 16));
    let nth = |rank: usize| {
        let (high, before) = locate(&upper, rank);
        let lower = bit_counts(points, &columns, |bits| (bits >> 16 == high).then_some(bits & 0xffff));
        let (low, _) = locate(&lower, rank - before);
        f64::from(f32::from_bits(high << 16 | low)).sqrt()
    };
    let middle = nth(pairs / 2);
    Ok(if pairs.is_multiple_of(2) { 0.5 * (nth(pairs / 2 - 1) + middle) } else { middle })
}

/// The bin that holds the item of this rank, and how many items are in the bins before it.
fn locate(counts: &[u64], rank: usize) -> (u32, usize) {
    let mut before = 0;
    for (bin, &count) in counts.iter().enumerate() {
        if before + count as usize > rank {
            return (bin as u32, before);
        }
        before += count as usize;
    }
    (counts.len() as u32 - 1, before)
}

/// Counts `key(bits of squared distance)` over all pairs i < j.
fn bit_counts(points: &[f32], columns: &Columns, key: impl Fn(u32) -> Option<u32> + Sync) -> Vec<u64> {
    let dim = columns.dim;
    let rows = points.len() / dim;
    (0..rows)
        .into_par_iter()
        .with_min_len(rows / 16 + 1)
        .fold(
            || vec![0u64; 1 << 16],
            |mut counts, i| {
                let mut squares = [0.0; BLOCK];
                for block in (i + 1) / BLOCK..columns.blocks() {
                    squared_distances(&points[i * dim..][..dim], columns.block(block), &mut squares);
                    for square in &squares[columns.range(block, i + 1)] {
                        if let Some(bin) = key(square.to_bits()) {
                            counts[bin as usize] += 1;
                        }
                    }
                }
                counts
            },
        )
        .reduce(|| vec![0; 1 << 16], |a, b| a.iter().zip(&b).map(|(x, y)| x + y).collect())
}

/// Sum of the kernel over all pairs, or over i < j where `upper` is set. One partial sum per row, added in order.
fn kernel_sum(rows: &[f32], columns: &Columns, factor: f32, upper: bool) -> f64 {
    let dim = columns.dim;
    let row_sum = |(i, row): (usize, &[f32])| {
        let from = if upper { i + 1 } else { 0 };
        let mut squares = [0.0; BLOCK];
        let mut sum = 0.0;
        for block in from / BLOCK..columns.blocks() {
            squared_distances(row, columns.block(block), &mut squares);
            // Left-out points become infinitely far; the kernel is cut to exactly 0 there.
            let kept = columns.range(block, from);
            squares[..kept.start].fill(f32::INFINITY);
            squares[kept.end..].fill(f32::INFINITY);
            sum += f64::from(block_kernel(&squares, factor));
        }
        sum
    };
    let sums: Vec<f64> = rows.par_chunks_exact(dim).enumerate().map(row_sum).collect();
    sums.iter().sum()
}

/// Points by coordinate: blocks of `(dim, BLOCK)`, so that one point meets sixteen others in one instruction.
struct Columns {
    values: Vec<f32>,
    n: usize,
    dim: usize,
}

impl Columns {
    fn new(points: &[f32], dim: usize) -> Self {
        let n = points.len() / dim;
        let mut values = vec![0.0; n.div_ceil(BLOCK) * BLOCK * dim];
        for (i, point) in points.chunks_exact(dim).enumerate() {
            for (c, &v) in point.iter().enumerate() {
                values[(i / BLOCK * dim + c) * BLOCK + i % BLOCK] = v;
            }
        }
        Self { values, n, dim }
    }

    fn blocks(&self) -> usize {
        self.n.div_ceil(BLOCK)
    }

    fn block(&self, block: usize) -> &[f32] {
        &self.values[block * BLOCK * self.dim..][..BLOCK * self.dim]
    }

    /// Places in `block` of the points `from..n`.
    fn range(&self, block: usize, from: usize) -> std::ops::Range<usize> {
        let start = block * BLOCK;
        let end = (self.n - start).min(BLOCK);
        from.saturating_sub(start).min(end)..end
    }
}

vectorised! {
    fn squared_distances(point: &[f32], block: &[f32], squares: &mut [f32; BLOCK]) {
        squares.fill(0.0);
        for (&x, ys) in point.iter().zip(block.chunks_exact(BLOCK)) {
            for (square, &y) in squares.iter_mut().zip(ys) {
                *square += (x - y) * (x - y);
            }
        }
    }
}

vectorised! {
    fn block_kernel(squares: &[f32; BLOCK], factor: f32) -> f32 {
        let mut sums = [0.0; LANES];
        for chunk in squares.chunks_exact(LANES) {
            for (sum, &square) in sums.iter_mut().zip(chunk) {
                let k = exp_(square * factor);
                *sum += if square < f32::INFINITY { k } else { 0.0 };
            }
        }
        sum_lanes(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, streams};

    fn normals(n: usize, dim: usize, step: u32, shift: f32) -> Vec<f32> {
        (0..n as u32)
            .flat_map(|i| {
                let mut rng = Rng::new(1, streams::TEST, step, i);
                (0..dim).map(|_| rng.normal() + shift).collect::<Vec<_>>()
            })
            .collect()
    }

    fn distance(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>().sqrt()
    }

    fn naive(x: &[f32], y: &[f32], dim: usize) -> (f64, f64) {
        let (x, y): (Vec<_>, Vec<_>) = (x.chunks(dim).collect(), y.chunks(dim).collect());
        let mut all: Vec<f64> = Vec::new();
        for i in 0..x.len() {
            all.extend((0..i).map(|j| distance(x[i], x[j])));
        }
        let s = crate::diag::quantile::median(&mut all);
        let k = |a: &[f32], b: &[f32]| (-0.5 * (distance(a, b) / s).powi(2)).exp();
        let within = |p: &[&[f32]]| {
            let sum: f64 = (0..p.len())
                .flat_map(|i| (0..p.len()).map(move |j| (i, j)))
                .filter(|(i, j)| i != j)
                .map(|(i, j)| k(p[i], p[j]))
                .sum();
            sum / (p.len() * (p.len() - 1)) as f64
        };
        let cross: f64 = x.iter().flat_map(|a| y.iter().map(move |b| k(a, b))).sum();
        (s, within(&x) + within(&y) - 2.0 * cross / (x.len() * y.len()) as f64)
    }

    #[test]
    fn matches_the_naive_sum_at_every_remainder() {
        for (n, m, dim, shift) in [(2, 3, 1, 0.5), (17, 9, 3, 0.0), (512, 40, 2, 0.2), (515, 600, 10, 0.3)] {
            let (x, y) = (normals(n, dim, 1, 0.0), normals(m, dim, 2, shift));
            let (s, want) = naive(&x, &y, dim);
            let (got_s, got) = (median_distance(&x, dim).unwrap(), mmd2(&x, &y, dim).unwrap());
            assert!((got_s - s).abs() <= 1e-6 * s, "median {got_s} for {s}");
            assert!((got - want).abs() <= 1e-6, "({n}, {m}, {dim}): {got} for {want}");
        }
    }

    #[test]
    fn matches_numpy() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
        let bytes = std::fs::read(format!("{root}c2st_d2_mid.bin")).unwrap();
        let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let (x, y) = values.split_at(values.len() / 2);
        let text = std::fs::read_to_string(format!("{root}c2st.json")).unwrap();
        let want: serde_json::Value = serde_json::from_str(&text).unwrap();
        let want = &want["d2_mid"];
        let s = median_distance(x, 2).unwrap();
        assert!((s - want["median_distance"].as_f64().unwrap()).abs() <= 1e-6 * s);
        let got = mmd2(x, y, 2).unwrap();
        assert!((got - want["mmd2"].as_f64().unwrap()).abs() <= 1e-6, "{got}");
    }

    #[test]
    fn useless_input_is_an_error() {
        assert!(mmd2(&[1.0], &[1.0, 2.0], 1).is_err());
        assert!(mmd2(&[1.0, 1.0, 1.0], &[1.0, 2.0], 1).is_err());
        assert!(mmd2(&[1.0, f32::NAN], &[1.0, 2.0], 1).is_err());
        assert!(mmd2(&[1.0, 2.0, 3.0], &[1.0, 2.0], 2).is_err());
        assert!(mmd2(&[1.0, 2.0], &[1.0, 2.0], 0).is_err());
    }
}
