//! Data sets of any size, from training to draws: the mean of a normal, whose posterior is known for every size.
#[path = "common/normal_mean.rs"]
mod normal_mean;
use couplet::rng::{Rng, streams};
use couplet::{Model, Posterior, Trainer};
use normal_mean::{NormalMean, text};
use std::sync::Arc;

fn model(rest: &str, min: usize, max: usize) -> Model {
    let model = Model::from_toml(&text(rest)).unwrap();
    model.with_simulator(Arc::new(NormalMean { min, max })).unwrap()
}

fn trained(steps: u64) -> Posterior {
    let small = "[summary]\nwidth = 16\nmodules = 1\noutputs = 4\n[flow]\nblocks = 2\ntransform = 'affine'\nhidden = [16, 16]\n";
    let trainer = Trainer::new(model(small, 1, 60)).steps(steps).batch(32).lr(4e-3);
    trainer.train().unwrap().0
}

/// A data set of `n` items about `mu`, filled up to `most` by NaN.
fn data_set(mu: f32, n: usize, most: usize, row: u32) -> Vec<f32> {
    let mut rng = Rng::new(5, streams::TEST, 0, row);
    let mut x: Vec<f32> = (0..n).map(|_| mu + rng.normal()).collect();
    x.resize(most, f32::NAN);
    x
}

fn mean_sd(draws: &[f32]) -> (f64, f64) {
    let n = draws.len() as f64;
    let mean = draws.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    (mean, (draws.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn the_posterior_of_every_size_is_the_known_one() {
    let posterior = trained(2500);
    for n in [1usize, 4, 15, 60] {
        let (mut sd_ratio, mut shift) = (0.0, 0.0);
        for row in 0..20 {
            let x = data_set(0.1 * row as f32 - 1.0, n, 60, row);
            let draws = posterior.sample(&x, 2000, 3).unwrap();
            let (mean, sd) = mean_sd(&draws);
            let sum: f64 = x[..n].iter().map(|&v| f64::from(v)).sum();
            let exact = (sum / (n as f64 + 1.0), (1.0 / (n as f64 + 1.0)).sqrt());
            sd_ratio += sd / exact.1 / 20.0;
            shift += ((mean - exact.0) / exact.1).abs() / 20.0;
        }
        println!("n = {n}: sd / exact {sd_ratio:.3}, |mean - exact| / sd {shift:.3}");
        assert!((sd_ratio - 1.0).abs() < 0.08, "n = {n}: sd is {sd_ratio} times the exact one");
        assert!(shift < 0.25, "n = {n}: the mean is {shift} sd off");
    }
}
