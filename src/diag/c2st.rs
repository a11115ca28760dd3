//! Classifier two-sample test: how well a trained classifier tells candidate draws from reference draws.
use rayon::prelude::*;

use super::{
    c2st_net::{BATCH, Net},
    points::count_points,
};
use crate::{
    error::{Error, Result},
    rng::{Rng, streams},
};

/// Folds of the cross-validation.
const FOLDS: usize = 5;
/// Most passes over the training folds.
const MAX_EPOCHS: usize = 10_000;
/// An epoch's loss must beat the best by this ...
const TOLERANCE: f64 = 1e-4;
/// ... or training stops after more than this many failures running.
const PATIENCE: usize = 10;
/// Fewest points on either side: every fold then trains on some of both.
const FEWEST: usize = 10;

/// MLP-C2ST of Lueckmann et al. (2021): mean held-out accuracy of an MLP over five folds. 0.5 is indistinguishable,
/// 1 is perfectly told apart; a value well below 0.5 means that points of the two sets come in close pairs.
///
/// `reference` `(n, dim)` is class 0, `candidate` `(m, dim)` class 1, and both are scaled by the reference's mean and
/// sd (`n - 1`). The classifier is scikit-learn's `MLPClassifier` as the sbibm benchmark uses it, except that every fold
/// starts from its own weights where scikit-learn starts all from the same: the mean is the same and varies less.
/// The result depends on `seed` and on nothing else: usually by .003 at 10000 points, by .03 where the classifier may
/// or may not leave a plateau (two moons against wider moons), so compare means over a few seeds there. A constant
/// coordinate of the reference is an error.
pub fn c2st_mlp(reference: &[f32], candidate: &[f32], dim: usize, seed: u64) -> Result<f64> {
    let n_reference = count_points("C2ST reference", reference, dim, FEWEST)?;
    let n = n_reference + count_points("C2ST candidate", candidate, dim, FEWEST)?;
    let points = standardise(reference, candidate, dim)?;
    let mut order: Vec<u32> = (0..n as u32).collect();
    shuffle(&mut order, &mut Rng::new(seed, streams::SPLIT, 0, 0));
    let is_candidate = |i: u32| f32::from(u8::from(i as usize >= n_reference));
    let fold = |fold: usize| {
        // The first n % FOLDS folds have one point more.
        let start = |f: usize| f * (n / FOLDS) + f.min(n % FOLDS);
        let (first, last) = (start(fold), start(fold + 1));
        let gather = |parts: [&[u32]; 2]| {
            let mut set = Labelled { x: Vec::with_capacity(n * dim), labels: Vec::with_capacity(n) };
            for &i in parts.into_iter().flatten() {
                set.x.extend_from_slice(&points[i as usize * dim..][..dim]);
                set.labels.push(is_candidate(i));
            }
            set
        };
        let training = gather([&order[..first], &order[last..]]);
        let mut net = fit(&training, dim, seed, fold as u32);
        accuracy(&mut net, &gather([&order[first..last], &[]]), dim)
    };
    let accuracies: Vec<f64> = (0..FOLDS).into_par_iter().with_max_len(1).map(fold).collect();
    Ok(accuracies.iter().sum::<f64>() / FOLDS as f64)
}

struct Labelled {
    x: Vec<f32>,
    labels: Vec<f32>,
}

/// Both sets, reference first, minus the reference's mean, over its sd.
fn standardise(reference: &[f32], candidate: &[f32], dim: usize) -> Result<Vec<f32>> {
    let n = (reference.len() / dim) as f64;
    let mut points = [reference, candidate].concat();
    for c in 0..dim {
        let column = || reference.iter().skip(c).step_by(dim).map(|&v| f64::from(v));
        let mean = column().sum::<f64>() / n;
        let sd = (column().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        if sd.is_nan() || sd <= 0.0 {
            return Err(Error::input(
                "C2ST reference",
                format!("spread in coordinate {c}"),
                "the same value in every point",
                "Leave this coordinate out of both sets",
            ));
        }
        points.iter_mut().skip(c).step_by(dim).for_each(|v| *v = ((f64::from(*v) - mean) / sd) as f32);
    }
    Ok(points)
}

/// Trains until the epoch's loss stops improving.
fn fit(set: &Labelled, dim: usize, seed: u64, fold: u32) -> Net {
    let n = set.labels.len();
    let mut net = Net::new(dim, &mut Rng::new(seed, streams::INIT, fold, 0));
    let mut rng = Rng::new(seed, streams::SHUFFLE, fold, 0);
    let mut order: Vec<u32> = (0..n as u32).collect();
    let (mut x, mut labels) = (Vec::with_capacity(BATCH * dim), Vec::with_capacity(BATCH));
    let (mut best, mut failures) = (f64::INFINITY, 0);
    for _ in 0..MAX_EPOCHS {
        shuffle(&mut order, &mut rng);
        let mut total = 0.0;
        for batch in order.chunks(BATCH) {
            x.clear();
            labels.clear();
            for &i in batch {
                x.extend_from_slice(&set.x[i as usize * dim..][..dim]);
                labels.push(set.labels[i as usize]);
            }
            total += net.train(&x, &labels) * batch.len() as f64;
        }
        let loss = total / n as f64;
        failures = if loss > best - TOLERANCE { failures + 1 } else { 0 };
        best = best.min(loss);
        if failures > PATIENCE {
            break;
        }
    }
    net
}

fn accuracy(net: &mut Net, set: &Labelled, dim: usize) -> f64 {
    let mut right = 0;
    for (x, labels) in set.x.chunks(BATCH * dim).zip(set.labels.chunks(BATCH)) {
        right += net.forward(x).iter().zip(labels).filter(|(z, y)| (**z > 0.0) == (**y > 0.5)).count();
    }
    right as f64 / set.labels.len() as f64
}

/// Fisher and Yates.
fn shuffle(order: &mut [u32], rng: &mut Rng) {
    for i in (1..order.len()).rev() {
        let j = (u64::from(rng.next_u32()) * (i as u64 + 1)) >> 32;
        order.swap(i, j as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (Vec<f32>, Vec<f32>, usize, f64) {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
        let table: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(format!("{root}c2st.json")).unwrap()).unwrap();
        let bytes = std::fs::read(format!("{root}c2st_{name}.bin")).unwrap();
        let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let (x, y) = values.split_at(values.len() / 2);
        let field = |key: &str| table[name][key].as_f64().unwrap();
        (x.to_vec(), y.to_vec(), field("dim") as usize, field("c2st"))
    }

    /// Mean over a few seeds; the fixture holds scikit-learn's mean over ten.
    fn agrees(name: &str, seeds: u64) {
        let (x, y, dim, want) = pair(name);
        let got = (0..seeds).map(|seed| c2st_mlp(&x, &y, dim, seed).unwrap()).sum::<f64>() / seeds as f64;
        assert!((got - want).abs() <= 0.01, "{name}: {got} where scikit-learn has {want}");
    }

    #[test]
    fn agrees_with_scikit_learn_in_two_dimensions() {
        agrees("d2_same", 3);
        agrees("d2_mid", 3);
        agrees("d2_far", 3);
    }

    #[test]
    fn agrees_with_scikit_learn_in_more_dimensions() {
        agrees("d5_high", 2);
        agrees("d10_high", 1);
    }

    #[test]
    fn depends_on_the_seed_and_not_on_the_threads() {
        let (x, y, dim, _) = pair("d2_mid");
        let in_pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| c2st_mlp(&x[..600], &y[..500], dim, 5).unwrap())
        };
        let one = in_pool(1);
        assert_eq!(one.to_bits(), in_pool(3).to_bits());
        assert!((0..4).any(|seed| c2st_mlp(&x[..600], &y[..500], dim, seed).unwrap() != one));
    }

    #[test]
    fn scaling_of_the_reference_is_removed() {
        let (x, y, dim, _) = pair("d2_mid");
        let scale = |v: &[f32]| v[..400].iter().map(|v| 1024.0 * v).collect::<Vec<_>>();
        let plain = c2st_mlp(&x[..400], &y[..400], dim, 1).unwrap();
        assert_eq!(plain, c2st_mlp(&scale(&x), &scale(&y), dim, 1).unwrap());
    }

    #[test]
    fn useless_input_is_an_error() {
        let ramp: Vec<f32> = (0..40).map(|i| i as f32).collect();
        assert!(c2st_mlp(&ramp, &ramp, 2, 0).is_ok());
        assert!(c2st_mlp(&[1.0; 40], &ramp, 2, 0).is_err());
        assert!(c2st_mlp(&ramp[..18], &ramp, 2, 0).is_err());
        assert!(c2st_mlp(&ramp, &ramp[..39], 2, 0).is_err());
        assert!(c2st_mlp(&ramp, &ramp, 0, 0).is_err());
        let mut bad = ramp.clone();
        bad[7] = f32::NAN;
        assert!(c2st_mlp(&ramp, &bad, 2, 0).is_err());
    }
}
