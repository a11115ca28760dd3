//! `couplet sample`: posterior draws for observed data.
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::familiar;
use super::number::size;
use super::run::{Outcome, Result};
use super::targets;
use crate::data::atomic::write_atomic;
use crate::data::bundle::Bundle;
use crate::data::draws::{Draws, Format, label};
use crate::data::known::read_draws;
use crate::data::observed::read_data;
use crate::data::problem::excerpt;
use crate::data::summary::{summarize, table};
use crate::diag::c2st::c2st_mlp;
use crate::diag::certificate::Certificate;
use crate::diag::check::LEVELS;
use crate::diag::check_words::aligned;
use crate::diag::conformal::Conformal;
use crate::diag::contraction::mean_sd;
use crate::diag::coverage::central;
use crate::diag::examine::prior_draws;
use crate::diag::local::local;
use crate::diag::predictive::predictive_p;
use crate::diag::replicates::{compared, replicates};
use crate::infer::Posterior;
use crate::infer::ood::{FEWEST, Familiarity};
use crate::report::page::Page;
use crate::report::run_facts::RunFacts;
use crate::report::sample_page::{Observed, sample_page};
use crate::runtime::DeviceChoice;
use crate::sim::Prior;

/// Data sets in the summary table.
const SHOWN: usize = 10;
/// Data sets that are replicated for the predictive check.
const REPLICATED: usize = 3;
/// Most values (data sets x draws x parameters) of one call: 16 GiB.
const MAX_VALUES: usize = 1 << 32;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Observed data: csv, npy or npz with one data set per row; of data sets with many items csv with one item per row
    /// (see --set-column), npy or npz of shape (n, items, F), or a folder of csv files
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column of a csv file that says which data set an item belongs to
    #[arg(long, value_name = "NAME")]
    set_column: Option<String>,
    /// Draws for each data set
    #[arg(short, value_name = "N", value_parser = size, default_value = "1000")]
    n: usize,
    /// Write the draws: .npz, .zarr (for ArviZ), .csv or .stan.csv
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// npz, csv or cmdstan [default: by the name of the output]
    #[arg(long, requires = "output")]
    format: Option<Format>,
    /// Draws of the known posterior of the only data set, npz: how do ours differ?
    #[arg(long, value_name = "FILE.npz")]
    reference: Option<PathBuf>,
    /// Seed of the draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Draw the posterior of the first data set
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Write a report: posterior, predictive check, out-of-distribution score
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Folder for the report's figures, svg and png
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Central intervals whose coverage the last check has put right
    #[arg(long)]
    conformal: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    // What can be refused at once is refused before any work.
    let zarr = args.output.as_ref().is_some_and(|path| path.extension().is_some_and(|e| e == "zarr"));
    let format = match (&args.output, args.format) {
        (Some(_), None) if zarr => None,
        (Some(path), None) => Some(Format::from_path(path)?),
        (_, format) => format,
    };
    if let Some(path) = &args.output {
        if zarr { targets::store(path, &[&args.data])? } else { targets::file(path, &[&args.data])? }
    }
    for (path, end) in [(&args.plot, "svg"), (&args.report, "html")] {
        let Some(path) = path else { continue };
        targets::named(path, end)?;
        targets::file(path, &[&args.data])?;
    }
    let posterior = Posterior::load(&args.run, args.device.open()?)?;
    let certificate = Certificate::find(&args.run)?;
    let run = args.run.display();
    if args.conformal && certificate.is_none() {
        bail!(
            "--conformal needs the simulations of a check, and this run has none. Run `couplet check {run}` first"
        );
    }
    let model = posterior.model();
    let names = model.parameter_names().to_vec();
    let shape = model.shape()?;
    let observed = read_data(&args.data, &shape, args.set_column.as_deref())?;
    let known =
        args.reference.as_ref().map(|path| read_known(path, names.len(), observed.sets)).transpose()?;
    let values = args.n.checked_mul(observed.sets).and_then(|v| v.checked_mul(names.len()));
    if values.is_none_or(|v| v > MAX_VALUES) {
        bail!(
            "{} draws for each of {} data sets do not fit in memory. Ask for fewer with -n, or split the data",
            args.n,
            observed.sets
        );
    }
    let values = posterior.sample(&observed.x, args.n, args.seed)?;
    let mut draws = Draws::new(names, observed.sets, args.n, values)?;
    draws.labels = observed.labels;
    write!(out, "{}", table(&summarize(&draws), SHOWN))?;
    match &certificate {
        Some(certificate) => writeln!(out, "{}", certificate.line())?,
        None => {
            writeln!(out, "Never checked: `couplet check {run}` says whether this posterior can be trusted")?
        }
    }
    if let (Some(certificate), true) = (&certificate, args.conformal) {
        // The correction is that of intervals from as many draws as the check had: ends of fewer lie further in.
        let shown = draws.sets.min(SHOWN);
        let x = &observed.x[..shown * (observed.x.len() / observed.sets)];
        let n = certificate.draws;
        let own = Draws::new(draws.names.clone(), shown, n, posterior.sample(x, n, args.seed)?)?;
        let own = Draws { labels: draws.labels.iter().take(shown).cloned().collect(), ..own };
        write!(out, "{}", intervals(&own, &certificate.conformal, &model.prior))?;
    }
    let scores = posterior.familiarity(&observed.x)?;
    match &scores {
        Some(scores) => write!(out, "{}", familiar::table(scores, &draws.labels))?,
        None => writeln!(
            out,
            "Training left no reference to tell unusual data by: that takes its end, and {FEWEST} simulations"
        )?,
    }
    if let Some(known) = &known {
        write!(out, "{}", comparison(&draws.names, draws.set(0), known, args.seed)?)?;
    }
    if args.output.is_some() && format != Some(Format::Csv) {
        draws.log_density = log_density(&posterior, &draws, &observed.x)?;
    }
    if let Some(path) = args.output.as_ref().filter(|_| zarr || format == Some(Format::Npz)) {
        let bundle = bundle(&posterior, &draws, &observed.x, args.seed)?;
        if format.is_some() {
            bundle.write_npz(path)?
        } else {
            bundle.write_zarr(path)?
        };
        writeln!(out, "Draws in {}", path.display())?;
    } else if let (Some(path), Some(format)) = (&args.output, format) {
        let written = draws.write(path, format)?;
        match written.as_slice() {
            [one] => writeln!(out, "Draws in {}", one.display())?,
            [first, .., last] => writeln!(out, "Draws in {} to {}", first.display(), last.display())?,
            [] => {}
        }
    }
    if let Some(path) = &args.plot {
        let svg = crate::report::pair_plot::pair_plot(draws.set(0), &draws.names, None, None);
        write_atomic(path, |file| file.write_all(svg.as_bytes()))?;
        writeln!(out, "Plot in {}", path.display())?;
    }
    if args.report.is_some() || args.plots.is_some() {
        let page = page(args, &posterior, &draws, &observed.x, certificate.as_ref(), scores.as_deref())?;
        if let Some(path) = &args.report {
            page.write(path)?;
            writeln!(out, "Report in {}", path.display())?;
        }
        if let Some(folder) = &args.plots {
            page.write_figures(folder)?;
            writeln!(out, "Figures in {}", folder.display())?;
        }
    }
    Ok(Outcome::Done)
}

/// Draws of the known posterior of the only data set.
fn read_known(path: &Path, dim: usize, sets: usize) -> Result<Vec<f32>> {
    if sets != 1 {
        bail!(
            "--reference is for one data set, and the observed data have {sets}. Give the one it belongs to"
        );
    }
    let (known, found) = read_draws(path)?;
    if found != dim {
        bail!("{}: expected draws of {dim} parameters, found {found}", path.display());
    }
    Ok(known)
}

/// Log-density of each draw; nothing if some draw has none: on the very edge of its support, in f32.
fn log_density(posterior: &Posterior, draws: &Draws, x: &[f32]) -> Result<Vec<f32>> {
    let c = x.len() / draws.sets;
    let mut all = vec![];
    for (set, x) in x.chunks_exact(c).enumerate() {
        match posterior.log_prob(draws.set(set), x) {
            Ok(own) => all.extend(own),
            Err(crate::error::Error::Input { .. }) => return Ok(vec![]),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(all)
}

/// The draws with what ArviZ wants beside them.
fn bundle<'a>(posterior: &Posterior, draws: &'a Draws, x: &'a [f32], seed: u64) -> Result<Bundle<'a>> {
    let model = posterior.model();
    let replicates = replicates(model, draws, x, draws.sets, seed)?;
    // A failed simulation leaves one set shorter, and an array cannot be ragged.
    let shortest = replicates.iter().map(Vec::len).min().unwrap_or(0);
    let predictive = replicates.iter().flat_map(|r| &r[..shortest]).copied().collect();
    Ok(Bundle { draws, observed: x, predictive, prior: prior_draws(&model.prior, seed) })
}

/// How the draws of the only data set differ from its known posterior.
fn comparison(names: &[String], draws: &[f32], known: &[f32], seed: u64) -> Result<String> {
    let mut rows =
        vec![["against the reference", "shift / sd", "sd ratio", "KS", "p"].map(String::from).to_vec()];
    for l in local(names, draws, known)? {
        let numbers = [l.shift, l.spread, l.distance, l.p].map(|v| format!("{v:.3}"));
        rows.push([l.name].into_iter().chain(numbers).collect());
    }
    let c2st = c2st_mlp(known, draws, names.len(), seed)?;
    Ok(format!("{}C2ST {c2st:.3}: .5 cannot be told apart, 1 has nothing in common\n", aligned(&rows)))
}

fn page(
    args: &Args,
    posterior: &Posterior,
    draws: &Draws,
    x: &[f32],
    certificate: Option<&Certificate>,
    scores: Option<&[Familiarity]>,
) -> Result<Page> {
    let model = posterior.model();
    let compared = compared(model, draws, x, REPLICATED, args.seed)?;
    let predictive_p: Vec<f64> = compared.iter().map(|c| predictive_p(&c.observed, &c.replicates)).collect();
    Ok(sample_page(&Observed {
        run: &RunFacts::read(&args.run),
        draws,
        prior: &prior_draws(&model.prior, args.seed),
        compared: &compared,
        predictive_p: &predictive_p,
        certificate,
        familiarity: posterior.reference().zip(scores),
        warning: scores.and_then(familiar::warning),
        facts: vec![
            ("data".into(), args.data.display().to_string()),
            ("draws for each data set".into(), args.n.to_string()),
            ("drawn on".into(), posterior.place()),
            ("seed of the draws".into(), args.seed.to_string()),
        ],
    }))
}

/// Central intervals of data sets, corrected; of draws as many as the check had.
fn intervals(draws: &Draws, conformal: &Conformal, prior: &Prior) -> String {
    let bounds = prior.bounds();
    let mut rows = vec![vec!["conformal".to_string()]];
    rows[0].extend(LEVELS.map(|level| format!("{level} %")));
    for set in 0..draws.sets {
        for (p, name) in draws.names.iter().enumerate() {
            let mut column: Vec<f32> = draws.set(set).iter().skip(p).step_by(draws.dim()).copied().collect();
            column.sort_unstable_by(f32::total_cmp);
            let sd = mean_sd(&column.iter().map(|v| f64::from(*v)).collect::<Vec<_>>()).1;
            let ends = conformal.apply(p, &LEVELS.map(|level| central(&column, level)), sd, bounds[p]);
            let called = excerpt(&label(&draws.labels, set));
            let name = if draws.sets > 1 { format!("{called} {name}") } else { name.clone() };
            rows.push([name].into_iter().chain(ends.map(|[l, h]| format!("[{l:.4}, {h:.4}]"))).collect());
        }
    }
    let sets = conformal.sets;
    format!(
        "{}Calibrated on {sets} simulated data sets, from {} draws each as there; right on average over data sets like them.\n",
        aligned(&rows),
        draws.n
    )
}
