//! Out-of-distribution scores: is a data set like those the network was trained on?
//!
//! Training keeps what is needed of the summaries of simulated data: mean, whitening, a sample, and the scores of
//! simulations that had no part in them. Scores of new data are compared with those, so p-values are exact for
//! simulated data whatever their distribution. Two scores see different things: the Mahalanobis distance what is far out,
//! the distance to near simulations what lies in a gap.
use crate::error::Result;
use crate::model::weights::{Tensor, Weights};
use rayon::prelude::*;

/// Simulations that training hands over at most: half are the reference, half give the null scores.
pub const ROWS: usize = 4000;
/// Fewest simulations that can call anything outside: half of them must be more than `2 /` [`OUTSIDE`].
pub const FEWEST: usize = 500;
/// Simulations kept as a sample, and values in it at most.
const SAMPLE: usize = 1000;
const SAMPLE_VALUES: usize = 200_000;
/// Which nearest neighbour counts.
const NEIGHBOUR: usize = 3;
/// Widest summary whose covariance is used; wider ones are scaled value by value.
const MOST_COVARIANCE: usize = 512;
/// Ridge of the covariance, as a share of its diagonal.
const RIDGE: f64 = 1e-3;
/// A data set with a smaller p-value counts as outside.
pub const OUTSIDE: f64 = 0.01;

/// What training keeps of the summaries of simulated data.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    width: usize,
    /// Mean, `(S)`.
    mean: Vec<f32>,
    /// Lower triangular `W`, `(S, S)` row-major: `W (s - mean)` has unit covariance. Of width 1 when only scales are kept.
    whiten: Vec<f32>,
    /// Whitened sample, `(n, S)`.
    sample: Vec<f32>,
    /// Sorted Mahalanobis distances of held-out simulations.
    far: Vec<f32>,
    /// Sorted distances to the third nearest simulation of the sample, of the same simulations.
    near: Vec<f32>,
}

/// How a data set compares with simulated ones.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Familiarity {
    /// Mahalanobis distance of the summary from the mean of simulated ones.
    pub distance: f64,
    /// Distance to the third nearest simulation in the same units.
    pub neighbour: f64,
    /// Probability that a simulated data set is as unusual, by the worse of both (Bonferroni); in (0, 1].
    pub p: f64,
    /// True if it lies half as far again as any held-out simulation.
    pub far: bool,
}

impl Familiarity {
    /// True if a simulated data set is rarely as unusual.
    pub fn outside(&self) -> bool {
        !(self.p >= OUTSIDE)
    }
}

impl Reference {
    /// From summaries of simulated data `(n, width)`; none if there are fewer than 500.
    pub fn fit(summaries: &[f32], width: usize) -> Option<Self> {
        let n = (summaries.len() / width.max(1)).min(ROWS);
        if width == 0 || n < FEWEST {
            return None;
        }
        let (own, held_out) = summaries[..n * width].split_at(n / 2 * width);
        let rows = (own.len() / width) as f64;
        let mut mean = vec![0.0f64; width];
        for row in own.chunks_exact(width) {
            row.iter().zip(&mut mean).for_each(|(v, m)| *m += f64::from(*v) / rows);
        }
        let whiten = if width <= MOST_COVARIANCE { inverse_cholesky(own, &mean) } else { scales(own, &mean) };
        let mut reference = Self {
            width,
            mean: mean.iter().map(|m| *m as f32).collect(),
            whiten,
            sample: vec![],
            far: vec![],
            near: vec![],
        };
        let kept = SAMPLE.min(SAMPLE_VALUES / width).max(50) * width;
        reference.sample =
            own[..kept.min(own.len())].chunks_exact(width).flat_map(|row| reference.whitened(row)).collect();
        let scores: Vec<(f64, f64)> =
            held_out.par_chunks_exact(width).map(|row| reference.distances(row)).collect();
        let sorted = |mut values: Vec<f32>| {
            values.sort_unstable_by(f32::total_cmp);
            values
        };
        reference.far = sorted(scores.iter().map(|s| s.0 as f32).collect());
        reference.near = sorted(scores.iter().map(|s| s.1 as f32).collect());
        Some(reference)
    }

    /// Length of a summary.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Distances of the held-out simulations, sorted: what [`Familiarity::distance`] of familiar data looks like.
    pub fn null_distances(&self) -> &[f32] {
        &self.far
    }

    /// `W (s - mean)`: simulated summaries have mean 0 and unit covariance.
    pub fn whitened(&self, summary: &[f32]) -> Vec<f32> {
        let centred: Vec<f64> =
            summary.iter().zip(&self.mean).map(|(s, m)| f64::from(*s) - f64::from(*m)).collect();
        if self.whiten.len() == self.width && self.width > 1 {
            return centred.iter().zip(&self.whiten).map(|(c, w)| (c * f64::from(*w)) as f32).collect();
        }
        let row = |i: usize| {
            let weights = &self.whiten[i * self.width..][..=i];
            weights.iter().zip(&centred).map(|(w, c)| f64::from(*w) * c).sum::<f64>() as f32
        };
        (0..self.width).map(row).collect()
    }

    /// Both distances of a summary.
    fn distances(&self, summary: &[f32]) -> (f64, f64) {
        let own = self.whitened(summary);
        let far = own.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let mut nearest = [f64::INFINITY; NEIGHBOUR];
        for other in self.sample.chunks_exact(self.width) {
            let square: f64 = own.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            if square < nearest[NEIGHBOUR - 1] {
                nearest[NEIGHBOUR - 1] = square;
                nearest.sort_unstable_by(f64::total_cmp);
            }
        }
        (far, nearest[NEIGHBOUR - 1].sqrt())
    }

    /// Scores every summary of `(sets, S)`.
    pub fn familiarity(&self, summaries: &[f32]) -> Vec<Familiarity> {
        summaries
            .par_chunks_exact(self.width)
            .map(|summary| {
                let (distance, neighbour) = self.distances(summary);
                let p = tail(&self.far, distance).min(tail(&self.near, neighbour));
                let farthest = f64::from(self.far.last().copied().unwrap_or(f32::MAX));
                Familiarity { distance, neighbour, p: (2.0 * p).min(1.0), far: !(distance <= 1.5 * farthest) }
            })
            .collect()
    }

    /// Adds the reference to a run's weights, under names that begin with `ood.`.
    pub fn insert(&self, weights: &mut Weights) {
        let rows = |values: &Vec<f32>| [values.len() / self.width, self.width];
        weights.insert("ood.mean", &[self.width], self.mean.clone());
        weights.insert("ood.whiten", &rows(&self.whiten), self.whiten.clone());
        weights.insert("ood.sample", &rows(&self.sample), self.sample.clone());
        weights.insert("ood.far", &[self.far.len()], self.far.clone());
        weights.insert("ood.near", &[self.near.len()], self.near.clone());
    }

    /// The reference in a run's weights; none where training left none.
    ///
    /// # Errors
    /// If parts of it are missing or misshapen.
    pub fn find(weights: &Weights) -> Result<Option<Self>> {
        let Some(Tensor { shape, values: mean }) = weights.tensors.get("ood.mean").cloned() else {
            return Ok(None);
        };
        let width = mean.len().max(1);
        let rows = |name: &str| {
            let n = weights.tensors.get(name).map_or(0, |t| t.values.len() / width);
            weights.expect(name, &[n, width]).map(|t| t.values.clone())
        };
        weights.expect("ood.mean", &[shape.iter().product()])?;
        let whiten = rows("ood.whiten")?;
        let sorted = |name: &str| {
            let n = weights.tensors.get(name).map_or(0, |t| t.values.len());
            let mut values = weights.expect(name, &[n])?.values.clone();
            values.sort_unstable_by(f32::total_cmp);
            Ok::<_, crate::error::Error>(values)
        };
        let (sample, far, near) = (rows("ood.sample")?, sorted("ood.far")?, sorted("ood.near")?);
        let n = if whiten.len() == width { 1 } else { width };
        weights.expect("ood.whiten", &[n, width])?;
        Ok(Some(Self { width, mean, whiten, sample, far, near }))
    }

    /// Writes the reference into a weights file that is already there.
    pub fn store(&self, path: &std::path::Path) -> Result<()> {
        let mut weights = Weights::load(path)?;
        self.insert(&mut weights);
        weights.save_atomic(path)
    }
}

/// `(1 + #{null >= score}) / (n + 1)`.
fn tail(null: &[f32], score: f64) -> f64 {
    let below = null.partition_point(|v| f64::from(*v) < score);
    (1 + null.len() - below) as f64 / (1 + null.len()) as f64
}

/// Inverse of the lower Cholesky factor of the covariance of rows about `mean`, `(S, S)`.
fn inverse_cholesky(rows: &[f32], mean: &[f64]) -> Vec<f32> {
    let s = mean.len();
    let n = (rows.len() / s) as f64;
    let covariance: Vec<f64> = (0..s)
        .into_par_iter()
        .flat_map_iter(|i| {
            let entry = move |j: usize| {
                let product = |row: &[f32]| (f64::from(row[i]) - mean[i]) * (f64::from(row[j]) - mean[j]);
                let sum: f64 = if j <= i { rows.chunks_exact(s).map(product).sum() } else { 0.0 };
                // A value that never varies gets a small spread: whatever differs from it is far.
                if i == j { sum / n * (1.0 + RIDGE) + 1e-6 } else { sum / n }
            };
            (0..s).map(entry)
        })
        .collect();
    let mut l = vec![0.0f64; s * s];
    for i in 0..s {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * s + k] * l[j * s + k]).sum();
            let left = covariance[i * s + j] - dot;
            l[i * s + j] = if i == j { left.max(1e-9).sqrt() } else { left / l[j * s + j] };
        }
    }
    // Column by column of L W = I.
    let mut w = vec![0.0f64; s * s];
    for j in 0..s {
        for i in j..s {
            let dot: f64 = (j..i).map(|k| l[i * s + k] * w[k * s + j]).sum();
            w[i * s + j] = (if i == j { 1.0 } else { 0.0 } - dot) / l[i * s + i];
        }
    }
    w.iter().map(|v| *v as f32).collect()
}

/// `1 / sd` of every value about `mean`, `(S)`.
fn scales(rows: &[f32], mean: &[f64]) -> Vec<f32> {
    let s = mean.len();
    let n = (rows.len() / s) as f64;
    let scale = |j: usize| {
        let square: f64 = rows.iter().skip(j).step_by(s).map(|v| (f64::from(*v) - mean[j]).powi(2)).sum();
        (1.0 / (square / n + 1e-6).sqrt()) as f32
    };
    (0..s).map(scale).collect()
}

#[cfg(test)]
mod tests;
