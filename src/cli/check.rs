//! `couplet check`: is the posterior right? Fresh simulations, a verdict, figures.
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::number::{grouped, size};
use super::run::{Outcome, Result};
use crate::data::atomic::write_atomic;
use crate::diag::check::check;
use crate::diag::draw_sets::DrawSets;
use crate::diag::{contraction, sbc};
use crate::error::Error;
use crate::infer::Posterior;
use crate::model::definition::CHECK_STEP;
use crate::report::rank_plot::rank_histograms;
use crate::report::recovery_plot::{Estimates, recovery_plot};
use crate::rng::{Rng, streams};
use crate::runtime::DeviceChoice;
use crate::sim::Prior;

/// Most values (sets x draws x parameters): 4 GiB.
const MAX_VALUES: usize = 1 << 30;
/// Prior draws for the spread of each parameter.
const PRIOR: u32 = 10_000;
/// Probability of the recovery plot's intervals.
const LEVEL: f64 = 0.9;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Simulated data sets
    #[arg(long, value_parser = size, default_value = "1000")]
    sets: usize,
    /// Posterior draws for each
    #[arg(long, value_parser = size, default_value = "1000")]
    draws: usize,
    /// Seed of simulations and draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Folder for figures
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let posterior = Posterior::load(&args.run, args.device.open()?)?;
    let model = posterior.model();
    model.simulator()?;
    let (d, names) = (model.theta_dim(), model.parameter_names());
    let values = args.sets.checked_mul(args.draws).and_then(|v| v.checked_mul(d));
    if values.is_none_or(|v| v > MAX_VALUES) {
        bail!(
            "{} draws for each of {} sets do not fit in memory. Ask for fewer with --draws or --sets",
            args.draws,
            args.sets
        );
    }
    if let Some(folder) = &args.plots {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    }
    let pairs = model.simulate(args.seed, CHECK_STEP, args.sets)?;
    let vector = model.shape()?.is_vector();
    let (theta, x, failed) = finite(&pairs.theta, &pairs.x, d, model.x_dim()?, vector);
    if theta.is_empty() {
        bail!("none of {} simulations is finite. Check priors and simulator", args.sets);
    }
    let draws = posterior.sample(&x, args.draws, args.seed)?;
    let report = check(names, &prior_sd(&model.prior, args.seed), &theta, &draws, args.draws)?;
    writeln!(out, "{}", report.table().trim_end())?;
    if failed > 0 {
        writeln!(out, "{} of {} simulations were not finite and were left out.", grouped(failed), args.sets)?;
    }
    if let Some(folder) = &args.plots {
        let sets = DrawSets::new(&theta, &draws, args.draws, d)?;
        figures(folder, &sets, names, args.seed)?;
        writeln!(out, "Figures in {}", folder.display())?;
    }
    Ok(if report.passed() { Outcome::Done } else { Outcome::No })
}

/// Standard deviation of each parameter under the prior.
fn prior_sd(prior: &Prior, seed: u64) -> Vec<f64> {
    let mut draw = vec![0.0; prior.dim()];
    let mut columns = vec![Vec::with_capacity(PRIOR as usize); prior.dim()];
    for row in 0..PRIOR {
        prior.draw(&mut Rng::new(seed, streams::PRIOR, CHECK_STEP, row), &mut draw);
        columns.iter_mut().zip(&draw).for_each(|(column, value)| column.push(f64::from(*value)));
    }
    columns.iter().map(|column| contraction::mean_sd(column).1).collect()
}

/// The rows whose data are finite, and how many were not. NaN only ends a data set of many items.
fn finite(theta: &[f32], x: &[f32], d: usize, c: usize, vector: bool) -> (Vec<f32>, Vec<f32>, u64) {
    let (mut kept_theta, mut kept_x, mut failed) = (Vec::new(), Vec::new(), 0);
    for (theta, x) in theta.chunks_exact(d).zip(x.chunks_exact(c)) {
        if x.iter().all(|v| v.is_finite() || (!vector && v.is_nan())) {
            kept_theta.extend_from_slice(theta);
            kept_x.extend_from_slice(x);
        } else {
            failed += 1;
        }
    }
    (kept_theta, kept_x, failed)
}

fn figures(folder: &Path, sets: &DrawSets<'_>, names: &[String], seed: u64) -> Result<()> {
    let (_, used) = sbc::bins_and_draws(sets.sets(), sets.n_draws());
    let columns: Vec<Vec<u32>> = (0..sets.dim()).map(|p| sbc::ranks(sets, p, used, seed)).collect();
    let ranks: Vec<u32> =
        (0..sets.sets()).flat_map(|set| columns.iter().map(move |column| column[set])).collect();
    let (mut truth, mut estimate, mut lower, mut upper) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let moments: Vec<_> = (0..sets.dim()).map(|p| contraction::moments(sets, p)).collect();
    for set in 0..sets.sets() {
        truth.extend_from_slice(sets.truth(set));
        for (p, moments) in moments.iter().enumerate() {
            let column = sets.sorted_column(set, p);
            let at = |level| crate::diag::quantile::quantile(&column, level) as f32;
            estimate.push(moments.mean[set] as f32);
            lower.push(at((1.0 - LEVEL) / 2.0));
            upper.push(at((1.0 + LEVEL) / 2.0));
        }
    }
    let estimates =
        Estimates { truth: &truth, estimate: &estimate, lower: &lower, upper: &upper, level: LEVEL };
    for (name, svg) in [
        ("ranks.svg", rank_histograms(&ranks, names, used as u32)),
        ("recovery.svg", recovery_plot(&estimates, names)),
    ] {
        write_atomic(&folder.join(name), |file| file.write_all(svg.as_bytes()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_with_a_nan_are_left_out_with_their_parameters() {
        let (theta, x, failed) = super::finite(&[1.0, 2.0, 3.0], &[1.0, 1.0, f32::NAN, 2.0, 3.0, 3.0], 1, 2, true);
        assert_eq!((theta, x, failed), (vec![1.0, 3.0], vec![1.0, 1.0, 3.0, 3.0], 1));
    }
}
