//! The simulation-budget curve: what do more simulations buy?
use std::ops::ControlFlow;

use crate::diag::contraction::mean_sd;
use crate::diag::information::FLOOR;
use crate::error::{Error, Result};
use crate::infer::Posterior;
use crate::model::definition::CHECK_STEP;
use crate::model::{Config, Model};
use crate::runtime::Device;
use crate::train::{Progress, Trainer};

/// Fresh pairs on which every posterior is judged.
const PAIRS: usize = 4000;

/// One point of the curve.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Point {
    /// Simulations of the training.
    pub simulations: u64,
    /// `mean ln q(theta | x)` over fresh pairs, nats; none counts as less than 1000 nats below its prior density.
    pub log_q: f64,
    /// Its standard error.
    pub error: f64,
    /// Training time, seconds.
    pub seconds: f64,
}

/// Trains `config` offline on so many simulations and measures the mean log density of the true parameters of fresh
/// data sets, the same for every point.
pub fn point(
    config: &Config,
    simulations: u64,
    device: Device,
    mut on_progress: impl FnMut(&Progress<'_>),
) -> Result<Point> {
    let mut config = config.clone();
    config.train.set_simulations(simulations);
    let model = Model::from_config(config.checked("the budget curve")?)?;
    let begun = std::time::Instant::now();
    let (posterior, _) = Trainer::new(model)
        .device(device)
        .on_progress(|p: &Progress<'_>| {
            on_progress(p);
            ControlFlow::Continue(())
        })
        .train()?;
    let seconds = begun.elapsed().as_secs_f64();
    let (log_q, error) = mean_log_density(&posterior)?;
    Ok(Point { simulations, log_q, error, seconds })
}

fn mean_log_density(posterior: &Posterior) -> Result<(f64, f64)> {
    let model = posterior.model();
    let pairs = model.simulate(model.config.train.seed, CHECK_STEP, PAIRS)?;
    let (d, c) = (model.theta_dim(), model.x_dim()?);
    let (mut theta, mut x) = (vec![], vec![]);
    for (t, row) in pairs.theta.chunks_exact(d).zip(pairs.x.chunks_exact(c)) {
        if row.iter().all(|v| v.is_finite()) {
            theta.extend_from_slice(t);
            x.extend_from_slice(row);
        }
    }
    if x.is_empty() {
        return Err(Error::config("simulator", "no simulation is finite", "Check priors and simulator"));
    }
    let prior = |t: &[f32]| model.prior.log_prob(&t.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
    let priors = theta.chunks_exact(d).map(prior);
    let q = posterior.log_prob(&theta, &x)?;
    let q: Vec<f64> = q.iter().zip(priors).map(|(q, p)| floored(f64::from(*q), p)).collect();
    let (mean, sd) = mean_sd(&q);
    Ok((mean, sd / (q.len() as f64).sqrt()))
}

/// A log density that is not more than 1000 nats below the prior's: one pair must not decide the mean alone.
fn floored(log_q: f64, log_prior: f64) -> f64 {
    log_q.max(log_prior + FLOOR)
}

/// What the curve says: the gain of the last step, per doubling, and whether more simulations are worth it.
///
/// Worth it: the last doubling brought more than 0.05 nats and more than three standard errors. Needs two points.
pub fn advice(points: &[Point]) -> Option<String> {
    let [.., before, last] = points else { return None };
    let doublings = (last.simulations as f64 / before.simulations as f64).log2();
    if !(doublings > 0.0) {
        return None;
    }
    let gain = (last.log_q - before.log_q) / doublings;
    // Both points are judged on the same pairs, so their errors go together; this is on the safe side.
    let error = last.error.max(before.error) / doublings;
    Some(if gain > 0.05 && gain > 3.0 * error {
        format!("The last doubling brought {gain:.2} nats: simulate more, or train online.")
    } else {
        format!(
            "The last doubling brought {gain:.2} nats: more simulations will not help much; a larger network may."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(simulations: u64, log_q: f64) -> Point {
        Point { simulations, log_q, error: 0.01, seconds: 1.0 }
    }

    #[test]
    fn advice_follows_the_gain_per_doubling() {
        let steep = [point(1000, 0.0), point(4000, 1.0)];
        assert!(advice(&steep).unwrap().contains("0.50 nats: simulate more"));
        assert!(advice(&[point(1000, 1.0), point(4000, 1.02)]).unwrap().contains("will not help"));
        assert!(advice(&steep[..1]).is_none() && advice(&[point(10, 1.0), point(10, 1.0)]).is_none());
    }

    #[test]
    fn densities_have_a_floor_below_the_priors() {
        assert_eq!(floored(-12_000.0, -12_050.0), -12_000.0);
        assert_eq!([floored(f64::NEG_INFINITY, -5.0), floored(-2e3, -5.0)], [-1005.0; 2]);
    }

    #[test]
    fn more_simulations_give_a_better_posterior() {
        let text = "simulator.builtin = 'gaussian-linear'\n[[parameter]]\nnames = ['a', 'b', 'c', 'd', 'e', 'f', 'g', \
                    'h', 'i', 'j']\nprior = 'normal(0, 0.31622777)'\n[flow]\nblocks = 2\ntransform = 'affine'\nhidden = [16]\n\
                    [train]\nbatch = 32\n";
        let mut config = Config::from_toml(text, "test").unwrap();
        config.train.set_steps(300);
        let run = |n| super::point(&config, n, Device::Cpu, |_| {}).unwrap();
        let (few, many) = (run(60), run(3000));
        assert!(many.log_q > few.log_q + 0.5, "{few:?} {many:?}");
    }
}
