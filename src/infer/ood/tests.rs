use super::*;
use crate::model::Config;
use crate::rng::{Rng, streams};

/// A random walk of 8 steps with drift `theta ~ N(0, 1)` and noise `scale`, each step an outlier with probability `dirty`.
fn walks(n: usize, step: u32, scale: f32, dirty: f32) -> Vec<f32> {
    (0..n as u32)
        .flat_map(|i| {
            let mut rng = Rng::new(4, streams::TEST, step, i);
            let theta = rng.normal();
            let mut at = 0.0;
            (0..8)
                .map(|_| {
                    at += 0.3 * theta + 0.5 * scale * rng.normal();
                    at + if rng.uniform() < dirty { 5.0 * rng.normal() } else { 0.0 }
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn reversed(walks: &[f32]) -> Vec<f32> {
    walks.chunks_exact(8).flat_map(|row| row.iter().rev().copied()).collect()
}

fn outside(reference: &Reference, data: &[f32]) -> f64 {
    let found = reference.familiarity(data);
    found.iter().filter(|f| f.outside()).count() as f64 / found.len() as f64
}

#[test]
fn what_differs_from_the_simulations_is_outside_and_clean_data_are_not() {
    let reference = Reference::fit(&walks(4000, 0, 1.0, 0.0), 8).unwrap();
    let clean = outside(&reference, &walks(2000, 1, 1.0, 0.0));
    assert!((0.002..0.016).contains(&clean), "{clean}");
    // Of 8 values one in ten is an outlier: 57 % of the data sets have one.
    let dirty = outside(&reference, &walks(500, 2, 1.0, 0.1));
    assert!(dirty > 0.45, "{dirty}");
    let noisy = outside(&reference, &walks(500, 3, 3.0, 0.0));
    assert!(noisy > 0.9, "{noisy}");
    let turned = outside(&reference, &reversed(&walks(500, 4, 1.0, 0.0)));
    assert!(turned > 0.3, "{turned}");
}

#[test]
fn p_values_of_simulated_data_are_uniform_enough() {
    let reference = Reference::fit(&walks(4000, 0, 1.0, 0.0), 8).unwrap();
    let found = reference.familiarity(&walks(2000, 5, 1.0, 0.0));
    for level in [0.05, 0.1, 0.2] {
        let share = found.iter().filter(|f| f.p <= level).count() as f64 / 2000.0;
        // Bonferroni over two scores that go together: between half the level and the level.
        assert!(share <= level * 1.25 && share >= 0.4 * level, "{level}: {share}");
    }
}

#[test]
fn a_gap_is_seen_by_the_neighbours_and_distance_by_its_size() {
    // A ring: its centre is the mean, so the Mahalanobis distance there is 0.
    let ring: Vec<f32> = (0..4000u32)
        .flat_map(|i| {
            let mut rng = Rng::new(5, streams::TEST, 0, i);
            let angle = std::f32::consts::TAU * rng.uniform();
            let radius = 1.0 + 0.05 * rng.normal();
            [radius * angle.cos(), radius * angle.sin()]
        })
        .collect();
    let reference = Reference::fit(&ring, 2).unwrap();
    let [centre, far, on] = reference.familiarity(&[0.0, 0.0, 9.0, 9.0, 1.0, 0.0])[..] else { panic!() };
    assert!(centre.outside() && centre.distance < 0.1 && !centre.far, "{centre:?}");
    assert!(far.outside() && far.far && far.distance > 10.0);
    assert!(!on.outside());
}

#[test]
fn whitening_gives_unit_covariance_and_the_file_gives_it_back() {
    let data = walks(4000, 0, 1.0, 0.0);
    let reference = Reference::fit(&data, 8).unwrap();
    let white: Vec<f32> = data.chunks_exact(8).take(2000).flat_map(|r| reference.whitened(r)).collect();
    for (i, j) in [(0, 0), (5, 5), (3, 2), (7, 0)] {
        let mean: f64 =
            white.chunks_exact(8).map(|r| f64::from(r[i]) * f64::from(r[j])).sum::<f64>() / 2000.0;
        assert!((mean - f64::from(u8::from(i == j))).abs() < 0.05, "({i}, {j}): {mean}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let weights = Weights::new(Config::builtin("sir").unwrap());
    weights.save_atomic(&path).unwrap();
    assert_eq!(Reference::find(&weights).unwrap(), None);
    reference.store(&path).unwrap();
    let mut back = Weights::load(&path).unwrap();
    assert_eq!(Reference::find(&back).unwrap().unwrap(), reference);
    back.tensors.remove("ood.far");
    assert!(Reference::find(&back).unwrap_err().to_string().contains("ood.far"));
}

#[test]
fn wide_constant_and_few_summaries_work() {
    let wide: Vec<f32> = (0..600 * 600).map(|i| Rng::new(6, streams::TEST, 0, i).normal()).collect();
    let reference = Reference::fit(&wide, 600).unwrap();
    assert!(!reference.familiarity(&wide[..600])[0].outside());
    assert!(reference.familiarity(&[3.0; 600])[0].outside());
    let constant = Reference::fit(&[2.0; 500], 1).unwrap();
    assert!(constant.familiarity(&[5.0])[0].outside() && !constant.familiarity(&[2.0])[0].outside());
    assert!(Reference::fit(&[0.0; 50], 1).is_none() && Reference::fit(&[], 0).is_none());
    assert!(reference.familiarity(&[f32::NAN; 600])[0].outside());
}
