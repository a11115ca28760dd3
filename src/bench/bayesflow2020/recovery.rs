//! Recovery and calibration of every parameter, each with its standard deviation over test sets.
use rayon::prelude::*;

use super::measure::Measure;
use super::published::Published;
use crate::diag::contraction::moments;
use crate::diag::coverage::{Calibration, narrowest};
use crate::diag::draw_sets::DrawSets;
use crate::diag::local::local;
use crate::diag::recovery::recovery;
use crate::error::Result;
use crate::model::definition::BENCH_STEP;
use crate::rng::{Rng, streams};

/// Bootstrap samples.
const RESAMPLES: u32 = 200;
/// Largest median calibration error of a target.
const CALIBRATED: f64 = 0.03;
/// Largest |R2| of a parameter that the data say nothing about.
const SILENT: f64 = 0.01;
/// Least probability of the difference between the draws of such a parameter and its prior.
const LEAST_P: f64 = 0.01;

/// What one test set says about one parameter.
#[derive(Clone, Copy)]
struct Set {
    truth: f64,
    mean: f64,
    sd: f64,
    /// A draw, for the comparison with the prior.
    draw: f32,
    /// The smallest central interval, in percent, that holds the truth; 101 if none does.
    level: u8,
}

/// What was learned from test sets, block by block: memory does not grow with the draws.
pub(super) struct Found {
    /// By parameter, then by test set.
    rows: Vec<Vec<Set>>,
}

impl Found {
    /// Nothing yet about `dim` parameters.
    pub fn new(dim: usize) -> Self {
        Self { rows: vec![vec![]; dim] }
    }

    /// Adds test sets: `truths` `(sets, D)`, `draws` `(sets, n_draws, D)`.
    pub fn push(&mut self, truths: &[f32], draws: &[f32], n_draws: usize) -> Result<()> {
        let sets = DrawSets::new(truths, draws, n_draws, self.rows.len())?;
        for (p, rows) in self.rows.iter_mut().enumerate() {
            let moments = moments(&sets, p);
            rows.par_extend((0..sets.sets()).into_par_iter().map(|set| {
                let sorted = sets.sorted_column(set, p);
                let truth = f64::from(sets.truth(set)[p]);
                let draw = sets.draws(set)[p];
                let level = narrowest(&sorted, truth);
                Set { truth, mean: moments.mean[set], sd: moments.sd[set], draw, level }
            }));
        }
        Ok(())
    }

    /// NRMSE, R2, Err_cal and mean posterior sd of every parameter. `prior`: draws `(n, D)`, with which those of parameters
    /// that the data say nothing about are compared.
    pub fn measures(
        &self,
        known: &Published,
        size: usize,
        names: &[String],
        prior: &[f32],
        seed: u64,
    ) -> Result<Vec<Measure>> {
        let items = (size > 0).then_some(size);
        let mut out = vec![];
        for (p, (name, rows)) in names.iter().zip(&self.rows).enumerate() {
            let measure = |what: &str, f: &dyn Fn(&[Set]) -> f64| {
                let (value, sd) = bootstrap(rows, seed, f);
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
            if known.idle.contains(&p) {
                // One draw of each test set: together a sample of the prior, if the posterior is the prior.
                let draws: Vec<f32> = rows.iter().map(|r| r.draw).collect();
                let own: Vec<f32> = prior.iter().skip(p).step_by(names.len()).copied().collect();
                let same = local(std::slice::from_ref(name), &draws, &own)?;
                let p = same.first().map_or(f64::NAN, |l| l.p);
                out.push(Measure::new(format!("KS p of prior, {name}"), items, p, 0.0).at_least(LEAST_P));
            }
        }
        Ok(out)
    }
}

fn recovered(rows: &[Set]) -> crate::diag::recovery::Recovery {
    let (means, truths): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.mean, r.truth)).unzip();
    recovery(&means, &truths)
}

/// Median over the levels of |nominal - observed coverage|.
fn calibration_error(rows: &[Set]) -> f64 {
    Calibration::from_levels(rows.iter().map(|r| r.level)).median_error
}

/// `f` of all rows, and its standard deviation over resampled rows.
fn bootstrap(rows: &[Set], seed: u64, f: &dyn Fn(&[Set]) -> f64) -> (f64, f64) {
    let mut resampled = rows.to_vec();
    let values: Vec<f64> = (0..RESAMPLES)
        .map(|i| {
            let mut rng = Rng::new(seed, streams::SHUFFLE, BENCH_STEP, i);
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

    /// In two blocks.
    fn found(truths: &[f32], draws: &[f32], n_draws: usize) -> Found {
        let mut found = Found::new(2);
        let (a, b) = truths.split_at(truths.len() / 4 * 2);
        let (x, y) = draws.split_at(a.len() * n_draws);
        found.push(a, x, n_draws).unwrap();
        found.push(b, y, n_draws).unwrap();
        found
    }

    #[test]
    fn a_parameter_that_data_say_nothing_about_must_come_back_as_its_prior() {
        let names: Vec<String> = ["r", "sigma", "rho", "u"].map(String::from).into();
        let known = find("ricker").unwrap();
        let mut rng = Rng::new(5, streams::TEST, 0, 0);
        let mut uniform = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.uniform()).collect() };
        let (truths, draws, prior) = (uniform(4 * 1000), uniform(4 * 1000 * 20), uniform(4 * 5000));
        for (narrow, good) in [(1.0, true), (0.8, false)] {
            let draws: Vec<f32> = draws.iter().map(|v| 0.5 + narrow * (v - 0.5)).collect();
            let mut found = Found::new(4);
            found.push(&truths, &draws, 20).unwrap();
            let all = found.measures(known, 500, &names, &prior, 1).unwrap();
            let ks: Vec<_> = all.iter().filter(|m| m.what.starts_with("KS")).collect();
            assert_eq!((ks.len(), ks[0].good()), (1, Some(good)), "{ks:?}");
        }
    }

    #[test]
    fn agrees_with_the_diagnostics_and_knows_its_spread() {
        let (truths, draws) = toy(1000, 200, 1.0);
        let sets = DrawSets::new(&truths, &draws, 200, 2).unwrap();
        let found = found(&truths, &draws, 200);
        let own = found.rows[1].clone();
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
            let all = found(&truths, &draws, 200).measures(known, 500, &names, &[], 1).unwrap();
            assert_eq!(all.len(), 8);
            for m in all.iter().filter(|m| m.what.starts_with("Err_cal")) {
                assert_eq!(m.good(), Some(good), "{m:?}");
            }
            let nrmse = all.iter().find(|m| m.what == "NRMSE beta").unwrap();
            assert_eq!((nrmse.published, nrmse.good()), (Some(0.033), Some(false)));
        }
    }
}
