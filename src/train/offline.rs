//! A fixed table: split into training and validation rows, shuffled anew each epoch.
//!
//! Every order is a function of (seed, epoch), so a resumed run sees the same batches.
use crate::error::Result;
use crate::infer::Posterior;
use crate::model::Pairs;
use crate::rng::{Rng, streams};

/// A split table of standardised rows.
pub struct Split {
    /// Training rows `(n, D + C)`.
    pub train: Vec<f32>,
    /// Validation rows.
    pub validation: Vec<f32>,
    /// Number of training rows.
    pub n: usize,
    /// Number of validation rows.
    pub n_validation: usize,
}

/// Splits the numbers of `total` rows at random (stream SPLIT) into those for validation and those to train on; `share` goes to
/// validation, at least one row to each side.
fn sides(total: usize, share: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut validation = shuffled(total, seed, streams::SPLIT, 0);
    let n = ((total as f64 * share).round() as usize).clamp(1, total.saturating_sub(1).max(1));
    let train = validation.split_off(n.min(total));
    (validation, train)
}

/// The pairs of a fixed table that training validates on: it never saw their gradients, but chose its best weights by them.
///
/// # Errors
/// A model with neither dataset nor simulator, and whatever reading the table reports.
pub fn held_out(posterior: &Posterior) -> Result<Pairs> {
    let (model, train) = (posterior.model(), &posterior.model().config.train);
    let pairs = model.table(train.seed, train.simulations.map(|n| n as usize))?;
    let (d, c) = (model.theta_dim(), model.x_dim()?);
    let sound: Vec<usize> = (0..pairs.theta.len() / d).filter(|&i| posterior.takes(&pairs, i)).collect();
    let (validation, _) = sides(sound.len(), train.validation, train.seed);
    let rows = |values: &[f32], width: usize| -> Vec<f32> {
        validation
            .iter()
            .flat_map(|&i| values[sound[i as usize] * width..][..width].iter().copied())
            .collect()
    };
    Ok(Pairs { theta: rows(&pairs.theta, d), x: rows(&pairs.x, c) })
}

/// Splits rows of `width` floats: see [`Split`].
pub fn split(rows: &[f32], width: usize, share: f64, seed: u64) -> Split {
    let pick = |part: &[u32]| {
        part.iter().flat_map(|&i| rows[i as usize * width..][..width].iter().copied()).collect()
    };
    let (validation, train) = sides(rows.len() / width, share, seed);
    Split {
        train: pick(&train),
        validation: pick(&validation),
        n: train.len(),
        n_validation: validation.len(),
    }
}

/// Whole batches in one pass over `n` rows.
pub fn steps_per_epoch(n: usize, batch: usize) -> usize {
    (n / batch).max(1)
}

/// Row numbers for steps `first .. first + count`: each epoch its own order (stream SHUFFLE), the rest of an epoch that
/// fills no batch left out.
pub fn order(n: usize, batch: usize, seed: u64, first: u32, count: usize) -> Vec<u32> {
    let per = steps_per_epoch(n, batch);
    let mut index = Vec::with_capacity(count * batch);
    let mut current = (usize::MAX, vec![]);
    for step in first as usize..first as usize + count {
        let epoch = step / per;
        if current.0 != epoch {
            current = (epoch, shuffled(n, seed, streams::SHUFFLE, epoch as u32));
        }
        let start = (step % per) * batch;
        index.extend_from_slice(&current.1[start..start + batch]);
    }
    index
}

/// Fisher-Yates by Philox.
fn shuffled(n: usize, seed: u64, stream: u32, step: u32) -> Vec<u32> {
    let mut rng = Rng::new(seed, stream, step, 0);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, ((u64::from(rng.next_u32()) * (i as u64 + 1)) >> 32) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn every_row_is_on_one_side_and_in_every_epoch_once() {
        let rows: Vec<f32> = (0..50).map(|i| i as f32).collect();
        let s = split(&rows, 1, 0.1, 3);
        assert_eq!((s.n, s.n_validation), (45, 5));
        let mut all: Vec<i32> = s.train.iter().chain(&s.validation).map(|&v| v as i32).collect();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        let mut epoch = order(45, 9, 3, 5, 5);
        assert_ne!(epoch, order(45, 9, 3, 0, 5));
        // the same batches in whatever pieces they are asked for
        assert_eq!(epoch[9..18], order(45, 9, 3, 6, 1));
        epoch.sort_unstable();
        assert_eq!(epoch, (0..45).collect::<Vec<_>>());
    }
}
