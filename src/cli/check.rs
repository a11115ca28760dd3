//! `couplet check`: is the posterior right? Fresh simulations, a verdict, a certificate, a report.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;

use super::familiar;
use super::number::{duration, grouped, size};
use super::run::{Outcome, Result};
use super::targets;
use crate::data::observed::{Observed, read_data};
use crate::diag::certificate::{Certificate, weights_file};
use crate::diag::check::{Finding, Verdict};
use crate::diag::conformal::Conformal;
use crate::diag::examine::{Examination, Size, examine, examine_pairs, prior_draws};
use crate::diag::misspecification::mmd_test;
use crate::diag::prior_shift::prior_shift;
use crate::diag::replicates::like_observed;
use crate::error::Error;
use crate::infer::Posterior;
use crate::model::{Config, Model, Pairs};
use crate::report::check_page::{Context, check_page};
use crate::report::run_facts::RunFacts;
use crate::runtime::DeviceChoice;
use crate::train::offline::held_out;

/// Relabelled splits of the misspecification test, and the level at which it says no.
const RELABELLED: usize = 999;
const LEVEL: f64 = 0.01;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Simulated data sets; of pairs at most so many
    #[arg(long, value_parser = size, default_value = "1000")]
    sets: usize,
    /// Posterior draws for each
    #[arg(long, value_parser = size, default_value = "1000")]
    draws: usize,
    /// Observed data, as for `couplet sample`: are they like the simulated ones?
    #[arg(long, value_name = "FILE")]
    observed: Option<PathBuf>,
    /// Column of a csv file of observed data that says which data set an item belongs to
    #[arg(long, value_name = "NAME", requires = "observed")]
    set_column: Option<String>,
    /// Check on pairs `theta` and `x` that training has not seen, instead of fresh simulations [default for a run that was
    /// trained on a dataset: the pairs it held out]
    #[arg(long, value_name = "FILE.npz", conflicts_with = "model")]
    pairs: Option<PathBuf>,
    /// Report [default: report.html in the run folder]
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Folder for the figures, svg and png
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Check against this model's prior and simulator: a built-in model or a model file [default: the run's own]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Seed of simulations and draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let begun = Instant::now();
    if let Some(path) = &args.report {
        targets::named(path, "html")?;
        targets::file(path, &[])?;
    }
    let posterior = Posterior::load(&args.run, args.device.open()?)?;
    let other = args.model.as_deref().map(|name| other_model(name, posterior.model())).transpose()?;
    let model = other.as_ref().unwrap_or(posterior.model());
    // A file that cannot be read is said before the work, not after.
    let read = |path: &Path| read_data(path, &model.shape()?, args.set_column.as_deref());
    let observed = args.observed.as_deref().map(read).transpose()?;
    let size = Size { sets: args.sets, draws: args.draws, seed: args.seed };
    let pairs = given(args, &posterior, model)?;
    let mut found = match &pairs {
        Some((pairs, _)) => examine_pairs(&posterior, model, pairs, size)?,
        None => examine(&posterior, model, size)?,
    };
    if other.is_some() {
        // The reason comes before what follows from it.
        let trained = &posterior.model().prior;
        let draws = prior_draws(trained, args.seed);
        let texts = prior_shift(model.parameter_names(), &found.drawn, trained, &draws)?;
        let findings: Vec<Finding> =
            texts.into_iter().map(|text| Finding { verdict: Verdict::Fail, text }).collect();
        if !findings.is_empty() {
            found.report.verdict = Verdict::Fail;
        }
        found.report.findings.splice(0..0, findings);
    }
    writeln!(out, "{}", found.report.table().trim_end())?;
    if found.failed > 0 {
        let failed = grouped(found.failed as u64);
        let all = grouped((found.failed + found.report.sets) as u64);
        writeln!(out, "{failed} of {all} simulations were not finite and were left out.")?;
    }
    if let Some((_, where_from)) = &pairs {
        writeln!(out, "{where_from}")?;
    }
    let mut more = vec![];
    if let Some(observed) = observed {
        more.extend(misspecified(&posterior, model, &found, &observed, args.seed, out)?);
    }
    let certificate = Certificate::new(&found.report, args.seed, Conformal::fit(&found.kept));
    // A check against another model says nothing that the run's own users should rely on.
    if other.is_none() {
        store(&certificate, &args.run, out)?;
    }
    let facts = RunFacts::read(&args.run);
    if let Some(text) = facts.still_falling().filter(|_| found.report.verdict > Verdict::Pass) {
        writeln!(out, "note: {text}.")?;
    }
    let own = [
        ("data sets".to_string(), grouped(found.report.sets as u64)),
        ("draws for each".into(), grouped(found.report.draws as u64)),
        ("checked on".into(), posterior.place()),
        ("time of the check".into(), duration(begun.elapsed().as_secs_f64())),
        ("seed of the check".into(), args.seed.to_string()),
        ("date (UTC)".into(), certificate.date.clone()),
    ];
    let context = Context { run: &facts, model, reference: posterior.reference(), more: &more, facts: &own };
    let page = check_page(&found, &context);
    let path = args.report.clone().unwrap_or_else(|| weights_file(&args.run).with_file_name("report.html"));
    page.write(&path)?;
    writeln!(out, "Report in {}", path.display())?;
    if let Some(folder) = &args.plots {
        page.write_figures(folder)?;
        writeln!(out, "Figures in {}", folder.display())?;
    }
    let good = found.report.passed() && more.is_empty();
    Ok(if good { Outcome::Done } else { Outcome::No })
}

/// Pairs that are not to be simulated, and where they come from.
fn given(args: &Args, posterior: &Posterior, model: &Model) -> Result<Option<(Pairs, String)>> {
    let (mut pairs, where_from) = match (&args.pairs, &model.simulator) {
        (Some(path), _) => (model.read_pairs(path)?, format!("Checked on pairs of {}.", path.display())),
        (None, Some(_)) => return Ok(None),
        (None, None) => {
            let pairs = held_out(posterior).or_else(|error| {
                bail!("{error} A run on a dataset is checked on the pairs that it held out; give others with --pairs")
            })?;
            let text = "Checked on pairs that the training held out and chose its best weights by; --pairs takes others.";
            (pairs, text.to_string())
        }
    };
    pairs.theta.truncate(args.sets * model.theta_dim());
    pairs.x.truncate(args.sets * model.x_dim()?);
    Ok(Some((pairs, where_from)))
}

/// A model with the same parameters and data as the run's.
fn other_model(name: &str, own: &Model) -> Result<Model> {
    let model = Model::from_config(Config::find(name)?)?;
    let shape = |m: &Model| Ok::<_, Error>((m.parameter_names().to_vec(), m.x_dim()?));
    let ((names, c), (own_names, own_c)) = (shape(&model)?, shape(own)?);
    if names != own_names || c != own_c {
        bail!(
            "`{name}` has parameters {} and {c} data values, the run {} and {own_c}. Give a model that differs in prior or \
             simulator only",
            names.join(", "),
            own_names.join(", ")
        );
    }
    Ok(model)
}

/// Weights in a folder that cannot be written can still be checked.
fn store(certificate: &Certificate, run: &Path, out: &mut dyn Write) -> Result<()> {
    if let Err(error) = certificate.store(run) {
        writeln!(out, "The result was not stored with the weights: {error}")?;
    }
    Ok(())
}

/// Scores of every observed data set, and the test of all together; a sentence if they are not like the simulated ones.
fn misspecified(
    posterior: &Posterior,
    model: &Model,
    found: &Examination,
    observed: &Observed,
    seed: u64,
    out: &mut dyn Write,
) -> Result<Option<String>> {
    let x = &observed.x;
    if let Some(scores) = posterior.familiarity(x)? {
        write!(out, "{}", familiar::table(&scores, &observed.labels))?;
    }
    let summaries = posterior.summary(x)?;
    let sets = observed.sets;
    if sets < 2 {
        writeln!(
            out,
            "One observed data set has its score only; the test of misspecification needs several."
        )?;
        return Ok(None);
    }
    let reference = match like_observed(model, x, found.report.sets, seed)? {
        Some(simulated) => posterior.summary(&simulated)?,
        None => found.summaries.clone(),
    };
    // In whitened coordinates noise counts as much as what the prior spreads out.
    let white = |values: &[f32]| -> Vec<f32> {
        match posterior.reference() {
            Some(r) => values.chunks_exact(found.width).flat_map(|row| r.whitened(row)).collect(),
            None => values.to_vec(),
        }
    };
    let test = mmd_test(&white(&reference), &white(&summaries), found.width, RELABELLED, seed)?;
    let good = test.p > LEVEL;
    let numbers = format!(
        "MMD² {:.4} where 95 % of simulated ones stay below {:.4}, p = {:.3}, {} data sets against {}",
        test.mmd2, test.limit, test.p, test.n_observed, test.n_reference
    );
    if good {
        writeln!(out, "observed data: no sign of misspecification ({numbers})")?;
        return Ok(None);
    }
    let finding = format!(
        "the observed data are unlike the simulated ones ({numbers}): the simulator does not make such data. Look at noise, \
         outliers, units and the order of values before trusting their posteriors"
    );
    writeln!(out, "FAIL: {finding}.")?;
    Ok(Some(finding))
}
