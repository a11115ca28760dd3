//! Data sets of different sizes as arrays of one shape: `(sets, most items, F)`, ended by NaN, and as rows of a plan's table.
use crate::data::items::{row_width, size_of_step};
use crate::data::source::Host;
use crate::data::standardise::Standardiser;
use crate::model::definition::{self, Bad, Pairs};
use crate::rng::{Rng, streams};
use crate::sim::{DataShape, Prior, Simulator};
use rayon::prelude::*;
use std::ops::Range;

/// Data sets that are simulated at a time, all of the same size.
const SAME_SIZE: usize = 16;

/// The pairs (theta, x) of `rows`, which begin at a multiple of 16: a pure function of (seed, step, row). Sizes are uniform
/// on the shape's range, or all `size`.
pub fn simulate(
    prior: &Prior,
    simulator: &dyn Simulator,
    shape: &DataShape,
    seed: u64,
    step: u32,
    rows: Range<usize>,
    size: Option<usize>,
) -> (Vec<f32>, Vec<f32>) {
    let (d, f, (least, most)) = (prior.dim(), shape.features(), shape.items());
    debug_assert!(rows.start.is_multiple_of(SAME_SIZE));
    let (n, blocks) = (rows.len(), rows.start / SAME_SIZE);
    let (mut theta, mut x) = (vec![0.0; n * d], vec![f32::NAN; n * most * f]);
    for (i, theta) in theta.chunks_exact_mut(d).enumerate() {
        prior.draw(&mut Rng::new(seed, streams::PRIOR, step, (rows.start + i) as u32), theta);
    }
    let block = |(k, (theta, x)): (usize, (&[f32], &mut [f32]))| {
        let mut rng = Rng::new(seed, streams::SIZE, step, 1 + (blocks + k) as u32);
        let drawn = least + ((u64::from(rng.next_u32()) * (most - least + 1) as u64) >> 32) as usize;
        let items = size.unwrap_or(drawn);
        let mut data = vec![0.0; theta.len() / d * items * f];
        simulator.simulate_items(seed, step, ((blocks + k) * SAME_SIZE) as u32, items, theta, &mut data);
        for (set, to) in data.chunks_exact(items * f).zip(x.chunks_exact_mut(most * f)) {
            to[..items * f].copy_from_slice(set);
            // NaN would count as a missing item.
            if set.iter().any(|v| !v.is_finite()) {
                to[0] = f32::INFINITY;
            }
        }
    };
    let parts = theta.par_chunks(SAME_SIZE * d).zip(x.par_chunks_mut(SAME_SIZE * most * f));
    parts.enumerate().for_each(block);
    (theta, x)
}

/// The pairs that online training draws in a step: all of the step's size.
pub fn simulate_step(
    prior: &Prior,
    simulator: &dyn Simulator,
    shape: &DataShape,
    seed: u64,
    step: u32,
    n: usize,
) -> Pairs {
    let (least, most) = shape.items();
    let size = size_of_step(seed, step, least, most);
    let (theta, x) = simulate(prior, simulator, shape, seed, step, 0..n, Some(size));
    Pairs { theta, x }
}

/// Appends `n | items` of a data set, standardised, to a table; the number of items, or none where a value is infinite.
///
/// An item with a missing value is left out of a set; in a series or field its missing values become the mean, and items
/// behind the last that is there are no items.
pub fn push_items(s: &Standardiser, shape: &DataShape, x: &[f32], table: &mut Vec<f32>) -> Option<usize> {
    let (f, most) = (shape.features(), shape.items().1);
    let begin = table.len();
    table.push(0.0);
    table.resize(begin + 1 + most * f, 0.0);
    let to = &mut table[begin + 1..];
    let is_set = matches!(shape, DataShape::Set { .. });
    let field = matches!(shape, DataShape::Field { .. });
    let (mut n, mut good, mut out) = (0, true, vec![0.0; f]);
    for (i, item) in x.chunks_exact(f).enumerate() {
        good &= !item.iter().any(|v| v.is_infinite());
        let missing = item.iter().filter(|v| v.is_nan()).count();
        if (is_set && missing > 0) || (!field && missing == f) {
            continue;
        }
        let finite = s.standardise_x(item, &mut out);
        good &= finite || missing > 0;
        let place = if is_set { n } else { i };
        for (to, (z, v)) in to[place * f..].iter_mut().zip(out.iter().zip(item)) {
            *to = if v.is_nan() { 0.0 } else { *z };
        }
        n = place + 1;
    }
    let n = if field { most } else { n };
    table[begin] = n as f32;
    good.then_some(n)
}

/// Floats of a plan's table row: `u | x` of vectors, `u | n | items` of others.
pub fn row_floats(shape: &DataShape, d: usize) -> usize {
    match *shape {
        DataShape::Vector { features } => d + features,
        _ => row_width(d, shape.features(), shape.items().1),
    }
}

/// Table rows of pairs of any shape, and how many pairs were not finite.
pub fn standardised(host: &Host, shape: &DataShape, pairs: &Pairs, bad: Bad) -> (Vec<f32>, usize) {
    match *shape {
        DataShape::Vector { features } => {
            definition::standardised(host, pairs, host.prior.dim(), features, bad)
        }
        _ => standardised_items(host, shape, pairs, bad),
    }
}

/// Table rows `u | n | items` of pairs, and how many pairs were not finite.
fn standardised_items(host: &Host, shape: &DataShape, pairs: &Pairs, bad: Bad) -> (Vec<f32>, usize) {
    let (d, c) = (host.prior.dim(), shape.values());
    let width = row_width(d, shape.features(), shape.items().1);
    let (mut rows, mut u, mut n_bad) = (Vec::with_capacity(pairs.theta.len() / d * width), vec![0.0; d], 0);
    for (theta, x) in pairs.theta.chunks_exact(d).zip(pairs.x.chunks_exact(c)) {
        let begin = rows.len();
        host.prior.to_unconstrained(theta, &mut u);
        let good = host.standardiser.standardise_u(&mut u);
        rows.extend_from_slice(&u);
        let items = push_items(&host.standardiser, shape, x, &mut rows);
        if !good || items.is_none() {
            n_bad += 1;
            match bad {
                Bad::LeftOut => rows.truncate(begin),
                Bad::Kept => rows[begin] = f32::NAN,
            }
        }
    }
    (rows, n_bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(f: usize) -> Standardiser {
        Standardiser {
            x_center: vec![0.0; f],
            x_inv_scale: vec![1.0; f],
            x_mean: vec![1.0; f],
            x_sd: vec![2.0; f],
            ..Standardiser::default()
        }
    }

    #[test]
    fn missing_items_leave_sets_and_become_the_mean_in_series() {
        let nan = f32::NAN;
        let x = [3.0, 5.0, nan, 1.0, 7.0, 9.0, nan, nan];
        let mut table = vec![];
        let set = DataShape::Set { features: 2, min: 1, max: 4 };
        assert_eq!(push_items(&plain(2), &set, &x, &mut table), Some(2));
        assert_eq!(table, [2.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
        table.clear();
        let series = DataShape::Series { features: 2, min: 1, max: 4 };
        assert_eq!(push_items(&plain(2), &series, &x, &mut table), Some(3));
        assert_eq!(table, [3.0, 1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
        assert_eq!(push_items(&plain(2), &series, &[f32::INFINITY; 8], &mut vec![]), None);
    }
}
