//! Data simulated again: from posterior draws of data sets, each as large as the data set it is compared with.
//!
//! Data sets of vectors are compared value by value; those of many items by their [`statistics`].
use super::statistics::{items_of, statistics};
use crate::data::draws::Draws;
use crate::error::Result;
use crate::infer::Posterior;
use crate::model::Model;
use crate::model::definition::{FRESH_STEP, REPLICATE_STEP, SIZED_STEP};
use crate::rng::{Rng, streams};
use crate::sim::{DataShape, Simulator};

/// Replicates of an observed data set.
const OBSERVED_REPLICATES: usize = 200;

/// Items of a data set, as the simulator is to make it; of vectors and fields nobody asks.
fn size(shape: &DataShape, x: &[f32]) -> usize {
    match shape {
        DataShape::Vector { .. } | DataShape::Field { .. } => shape.items().1,
        DataShape::Set { .. } | DataShape::Series { .. } => {
            // A data set may have fewer items than any that was simulated in training.
            items_of(x, shape.features()).max(shape.items().0)
        }
    }
}

/// Data sets from `theta (n, D)`, `(n, C)`, as large as `x (C)`; smaller ones than the largest end in NaN.
fn simulate(
    simulator: &dyn Simulator,
    shape: &DataShape,
    x: &[f32],
    seed: (u64, u32, u32),
    theta: &[f32],
) -> Vec<f32> {
    let n = theta.len() / simulator.dims().0.max(1);
    let (items, c) = (size(shape, x), x.len());
    let own = if shape.is_vector() { c } else { items * shape.features() };
    let mut data = vec![0.0; n * own];
    simulator.simulate_items(seed.0, seed.1, seed.2, items, theta, &mut data);
    let mut out = vec![f32::NAN; n * c];
    for (from, to) in data.chunks_exact(own.max(1)).zip(out.chunks_exact_mut(c.max(1))) {
        to[..own].copy_from_slice(from);
        // NaN would count as a missing item.
        if !shape.is_vector() && from.iter().any(|v| !v.is_finite()) {
            to[0] = f32::INFINITY;
        }
    }
    out
}

/// Whether a simulation is finite; NaN only ends a data set of many items.
pub(super) fn sound(shape: &DataShape, x: &[f32]) -> bool {
    x.iter().all(|v| v.is_finite() || (!shape.is_vector() && v.is_nan()))
}

/// An observed data set and its replicates, as they are compared.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Values of a vector, or statistics `(V)`.
    pub observed: Vec<f32>,
    /// The same of the replicates `(m, V)`.
    pub replicates: Vec<f32>,
}

/// The first `sets` data sets `x (n, C)` beside data simulated from their draws, m at most 200; none without a simulator.
/// Simulations that are not finite are left out.
pub fn compared(model: &Model, draws: &Draws, x: &[f32], sets: usize, seed: u64) -> Result<Vec<Compared>> {
    let shape = model.shape()?;
    let seen = |x: &[f32]| if shape.is_vector() { x.to_vec() } else { statistics(&shape, x) };
    let raw = replicates(model, draws, x, sets, seed)?;
    let c = x.len() / draws.sets.max(1);
    let both = raw.iter().zip(x.chunks_exact(c.max(1)));
    Ok(both
        .map(|(data, x)| Compared {
            observed: seen(x),
            replicates: data.chunks_exact(c).flat_map(seen).collect(),
        })
        .collect())
}

/// Data simulated from posterior draws of the first `sets` of the data sets `x (n, C)`, `(m, C)` each, m at most 200; empty
/// without a simulator. Simulations that are not finite are left out.
pub fn replicates(model: &Model, draws: &Draws, x: &[f32], sets: usize, seed: u64) -> Result<Vec<Vec<f32>>> {
    let (shape, d) = (model.shape()?, model.theta_dim());
    let Some(simulator) = model.simulator.as_ref() else { return Ok(vec![]) };
    let c = x.len() / draws.sets.max(1);
    let of = |(set, x): (usize, &[f32])| {
        let theta = &draws.set(set)[..draws.n.min(OBSERVED_REPLICATES) * d];
        let from = (seed, REPLICATE_STEP, (set * OBSERVED_REPLICATES) as u32);
        let data = simulate(simulator.as_ref(), &shape, x, from, theta);
        data.chunks_exact(c).filter(|row| sound(&shape, row)).flatten().copied().collect()
    };
    Ok(x.chunks_exact(c.max(1)).enumerate().take(sets).map(of).collect())
}

/// About `most` data sets from prior and simulator that have as many items as the observed ones `x (n, C)` have, each size equally
/// often: summaries tell a size, and observed data sets are no sample of the sizes that were trained on. None where all data sets
/// are of one size, or nothing simulates.
pub fn like_observed(model: &Model, x: &[f32], most: usize, seed: u64) -> Result<Option<Vec<f32>>> {
    let (shape, c, d) = (model.shape()?, model.x_dim()?, model.theta_dim());
    let (least, largest) = shape.items();
    let Some(simulator) = model.simulator.as_ref().filter(|_| !shape.is_vector() && least < largest) else {
        return Ok(None);
    };
    let sets = x.len() / c;
    let each = (most / sets.max(1)).max(1);
    let (mut theta, mut simulated) = (vec![0.0; each * d], vec![]);
    for (set, x) in x.chunks_exact(c).enumerate() {
        for (i, theta) in theta.chunks_exact_mut(d).enumerate() {
            let row = (set * each + i) as u32;
            model.prior.draw(&mut Rng::new(seed, streams::PRIOR, SIZED_STEP, row), theta);
        }
        let from = (seed, SIZED_STEP, (set * each) as u32);
        let data = simulate(simulator.as_ref(), &shape, x, from, &theta);
        simulated.extend(data.chunks_exact(c).filter(|row| sound(&shape, row)).flatten());
    }
    Ok(Some(simulated).filter(|all: &Vec<f32>| !all.is_empty()))
}

/// Replicates of the data sets of a check, and what they are compared by.
pub(super) struct Replicates {
    /// `(sets, per_set, V)`: vectors as they are, else standardised statistics.
    shown: Vec<f32>,
    /// `(sets, per_set, S)`: what the flow sees of vectors, else standardised statistics.
    seen: Vec<f32>,
    sets: usize,
}

impl Replicates {
    /// `per_set` parameter vectors for each data set of `x (sets, C)`, the first of which is number `first`.
    pub fn new(
        posterior: &Posterior,
        model: &Model,
        (x, first): (&[f32], usize),
        theta: &[f32],
        per_set: usize,
        seed: u64,
    ) -> Result<Self> {
        let (shape, d) = (model.shape()?, model.theta_dim());
        let sets = theta.len() / (per_set * d);
        let c = x.len() / sets;
        let step = if per_set == 1 { FRESH_STEP } else { REPLICATE_STEP };
        let mut data = Vec::with_capacity(sets * per_set * c);
        for (set, (x, theta)) in x.chunks_exact(c).zip(theta.chunks_exact(per_set * d)).enumerate() {
            let from = (seed, step, ((first + set) * per_set) as u32);
            data.extend(simulate(model.simulator()?.as_ref(), &shape, x, from, theta));
        }
        // A simulation that failed is far from everything: zeros keep the network quiet, what is seen of it is replaced.
        let failed: Vec<bool> = data.chunks_exact(c).map(|row| !sound(&shape, row)).collect();
        let bad = |width: usize, rows: &mut Vec<f32>, value: f32| {
            let marked = rows.chunks_exact_mut(width.max(1)).zip(&failed).filter(|(_, failed)| **failed);
            marked.for_each(|(row, _)| row.fill(value));
        };
        let shown = data.clone();
        bad(c, &mut data, 0.0);
        let mut seen = seen(posterior, &shape, &data)?;
        bad(seen.len() / failed.len(), &mut seen, 1e6);
        let shown = if shape.is_vector() { shown } else { seen.clone() };
        Ok(Self { shown, seen, sets })
    }

    /// What is compared of a data set's replicates, `(per_set, S)`.
    pub fn seen_of(&self, set: usize) -> &[f32] {
        let size = self.seen.len() / self.sets;
        &self.seen[set * size..][..size]
    }

    /// What is shown of them, `(per_set, V)`.
    pub fn shown_of(&self, set: usize) -> &[f32] {
        let size = self.shown.len() / self.sets;
        &self.shown[set * size..][..size]
    }
}

/// What a check compares of data sets `x (n, C)`: what the flow sees of vectors, statistics of standardised items.
pub(super) fn seen(posterior: &Posterior, shape: &DataShape, x: &[f32]) -> Result<Vec<f32>> {
    if shape.is_vector() {
        return posterior.summary(x);
    }
    let standardised = posterior.standardised_items(x, shape.features());
    Ok(standardised.chunks_exact(shape.values()).flat_map(|x| statistics(shape, x)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicates_are_as_large_as_the_data_set() {
        let model = Model::builtin("normal-mean").unwrap();
        let c = model.x_dim().unwrap();
        let mut x = vec![f32::NAN; 2 * c];
        x[..30].fill(1.0);
        x[c..c + 700].fill(-2.0);
        let values: Vec<f32> = [1.0f32; 50].into_iter().chain([-2.0; 50]).collect();
        let draws =
            Draws { names: vec!["mu".into()], values, sets: 2, n: 50, log_density: vec![], labels: vec![] };
        let again = replicates(&model, &draws, &x, 2, 3).unwrap();
        assert!(again.iter().all(|r| r.len() == 50 * c));
        let sizes = |r: &[f32]| r.chunks_exact(c).map(|x| items_of(x, 1)).collect::<Vec<_>>();
        assert_eq!((sizes(&again[0]), sizes(&again[1])), (vec![30; 50], vec![700; 50]));
        let like = like_observed(&model, &x, 100, 3).unwrap().unwrap();
        assert_eq!(sizes(&like), [[30; 50], [700; 50]].concat());
        let means: Vec<f32> = like.chunks_exact(c).map(|x| x[..30].iter().sum::<f32>() / 30.0).collect();
        let spread = means.iter().fold((f32::MAX, f32::MIN), |(lo, hi), &m| (lo.min(m), hi.max(m)));
        assert!(spread.1 - spread.0 > 1.0, "every data set has parameters of its own: {spread:?}");
        assert!(like_observed(&Model::builtin("two-moons").unwrap(), &[0.0; 4], 9, 3).unwrap().is_none());
        let compared = compared(&model, &draws, &x, 2, 3).unwrap();
        let mean = |c: &Compared| c.replicates.iter().step_by(7).sum::<f32>() / 50.0;
        assert_eq!((compared[1].observed[0], compared[1].observed.len()), (-2.0, 7));
        assert!((mean(&compared[0]) - 1.0).abs() < 0.1 && (mean(&compared[1]) + 2.0).abs() < 0.02);
    }
}
