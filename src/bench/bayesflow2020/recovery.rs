//! Recovery and calibration of every parameter, each with its standard deviation over test sets.
use rayon::prelude::*;

use super::measure::Measure;
use super::published::Published;
use crate::diag::contraction::moments;
use crate::diag::draw_sets::DrawSets;
use crate::diag::quantile::{median, quantile};
use crate::diag::recovery::recovery;
use crate::error::Result;
use crate::rng::{Rng, streams};

/// Bootstrap samples.
const RESAMPLES: u32 = 200;
/// Largest median calibration error of a target.
const CALIBRATED: f64 = 0.03;
/// Largest |R2| of a parameter that the data say nothing about.
const SILENT: f64 = 0.01;

/// What one test set says about one parameter.
#[derive(Clone, Copy)]
struct Set {
    truth: f64,
    mean: f64,
    sd: f64,
    /// The smallest central interval, in percent, that holds the truth; 101 if none does.
    level: usize,
}

/// NRMSE, R2, Err_cal and mean posterior sd of every parameter: `truths` `(sets, D)`, `draws` `(sets, n_draws, D)`.
pub(super) fn measures(
    known: &Published,
    size: usize,
    names: &[String],
    truths: &[f32],
    draws: &[f32],
    n_draws: usize,
    seed: u64,
) -> Result<Vec<Measure>> {
    let sets = DrawSets::new(truths, draws, n_draws, names.len())?;
    let items = (size > 0).then_some(size);
    let mut out = vec![];
    for (p, name) in names.iter().enumerate() {
        let rows = rows(&sets, p);
        let measure = |what: &str, f: &dyn Fn(&[Set]) -> f64| {
            let (value, sd) = bootstrap(&rows, seed, f);
            Measure::new(format!("{what} {name}"), items, value, sd)
        };
        let mut nrmse = measure("NRMSE", &|rows| recovered(rows).nrmse);
        if let Some(value) = known.nrmse(size, p) {
            nrmse = nrmse.published(value).at_most(if known.strict { 1.05 * value } else { value });
        }
        let mut r2 = measure("R2", &|rows| recovered(rows).r2);
        if known.idle.contains(&p) {
            r2 = r2.at_least(-SILENT).at_most(SILENT);
        }
        if let Some(value) = known.r2(size, p) {
            let least = if known.strict { 1.0 - 1.1 * (1.0 - value) } else { value };
            r2 = r2.published(value).at_least(least);
        }
        out.extend([nrmse, r2]);
        let mut error = measure("Err_cal", &calibration_error);
        if let Some(value) = known.err_cal(size, p) {
            error = error.published(value);
        }
        out.push(if known.strict { error.at_most(CALIBRATED) } else { error });
        out.push(measure("mean posterior sd", &|rows| {
            rows.iter().map(|r| r.sd).sum::<f64>() / rows.len() as f64
        }));
    }
    Ok(out)
}

fn rows(sets: &DrawSets, parameter: usize) -> Vec<Set> {
    let moments = moments(sets, parameter);
    (0..sets.sets())
        .into_par_iter()
        .map(|set| {
            let sorted = sets.sorted_column(set, parameter);
            let truth = f64::from(sets.truth(set)[parameter]);
            // Central intervals are nested, so the first that holds the truth says it all.
            let holds = |percent: &usize| {
                let tail = 0.5 * (100 - percent) as f64 / 100.0;
                quantile(&sorted, tail) < truth && truth < quantile(&sorted, 1.0 - tail)
            };
            let level = (1..=100).find(holds).unwrap_or(101);
            Set { truth, mean: moments.mean[set], sd: moments.sd[set], level }
        })
        .collect()
}

fn recovered(rows: &[Set]) -> crate::diag::recovery::Recovery {
    let (means, truths): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.mean, r.truth)).unzip();
    recovery(&means, &truths)
}

/// Median over the levels of |nominal - observed coverage|.
fn calibration_error(rows: &[Set]) -> f64 {
    let mut counts = [0usize; 102];
    rows.iter().for_each(|r| counts[r.level] += 1);
    let mut covered = 0;
    let mut errors: Vec<f64> = (1..=100)
        .map(|percent| {
            covered += counts[percent];
            (percent as f64 / 100.0 - covered as f64 / rows.len() as f64).abs()
        })
        .collect();
    median(&mut errors)
}

/// `f` of all rows, and its standard deviation over resampled rows.
fn bootstrap(rows: &[Set], seed: u64, f: &dyn Fn(&[Set]) -> f64) -> (f64, f64) {
    let mut resampled = rows.to_vec();
    let values: Vec<f64> = (0..RESAMPLES)
        .map(|i| {
            let mut rng = Rng::new(seed, streams::SHUFFLE, super::TEST_STEP, i);
            resampled.fill_with(|| rows[((u64::from(rng.next_u32()) * rows.len() as u64) >> 32) as usize]);
            f(&resampled)
        })
        .collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    (f(rows), variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bayesflow2020::published::find;
    use crate::diag::coverage::calibration;

    /// A conjugate posterior, N(x/2, 1/2) for theta ~ N(0, 1), x ~ N(theta, 1), its sd scaled; two parameters.
    fn toy(sets: usize, n_draws: usize, scale: f32) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(4, streams::TEST, 0, 0);
        let (mut truths, mut draws) = (vec![], vec![]);
        for _ in 0..sets {
            let theta = [rng.normal(), rng.normal()];
            let x = theta.map(|t| t + rng.normal());
            truths.extend(theta);
            for _ in 0..n_draws {
                draws.extend(x.map(|x| 0.5 * x + scale * 0.5f32.sqrt() * rng.normal()));
            }
        }
        (truths, draws)
    }

    #[test]
    fn agrees_with_the_diagnostics_and_knows_its_spread() {
        let (truths, draws) = toy(1000, 200, 1.0);
        let sets = DrawSets::new(&truths, &draws, 200, 2).unwrap();
        let own = rows(&sets, 1);
        assert!((calibration_error(&own) - calibration(&sets, 1).median_error).abs() < 1e-12);
        let (value, sd) = bootstrap(&own, 1, &|rows| recovered(rows).r2);
        assert!((value - 0.5).abs() < 0.08 && sd > 0.01 && sd < 0.05, "{value} +- {sd}");
        // The standard error of a mean is known.
        let (_, sd) = bootstrap(&own, 1, &|rows| rows.iter().map(|r| r.truth).sum::<f64>() / 1000.0);
        assert!((sd * 1000f64.sqrt() - 1.0).abs() < 0.15, "{sd}");
    }

    #[test]
    fn wrong_widths_miss_the_calibration_target_and_right_ones_reach_it() {
        let names = ["beta".to_string(), "gamma".to_string()];
        let known = find("sir-stochastic").unwrap();
        for (scale, good) in [(1.0, true), (0.5, false), (2.0, false)] {
            let (truths, draws) = toy(2000, 200, scale);
            let all = measures(known, 500, &names, &truths, &draws, 200, 1).unwrap();
            assert_eq!(all.len(), 8);
            for m in all.iter().filter(|m| m.what.starts_with("Err_cal")) {
                assert_eq!(m.good(), Some(good), "{m:?}");
            }
            let nrmse = all.iter().find(|m| m.what == "NRMSE beta").unwrap();
            assert_eq!((nrmse.published, nrmse.good()), (Some(0.033), Some(false)));
        }
    }
}
