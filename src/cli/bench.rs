//! `couplet bench`: comparisons with published results.
use std::io::Write;
use std::path::PathBuf;

use super::number::positive;
use super::progress::Display;
use super::run::{Outcome, Result};
use crate::bench::bayesflow2020;
use crate::bench::published::{PUBLISHED, as_good};
use crate::bench::record::{self, Row};
use crate::bench::sbibm::{Budget, Options, published, task};
use crate::data::atomic::write_atomic;
use crate::model::Config;
use crate::runtime::DeviceChoice;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// C2ST of the sbibm tasks against their reference posteriors
    Sbibm(Sbibm),
    /// Recovery and calibration of the models of Radev et al. 2020, beside the published numbers
    Bayesflow2020(Bayesflow2020),
}

#[derive(Debug, clap::Args)]
struct Sbibm {
    /// Folder with TASK/observation_01.npz ... observation_05.npz
    #[arg(long, value_name = "DIR")]
    reference: PathBuf,
    /// Simulations for training: 1e3, 1e4, 1e5 or online
    #[arg(long)]
    budget: Budget,
    /// Tasks, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    tasks: Vec<String>,
    /// Train each task for so many minutes
    #[arg(long, value_parser = positive)]
    minutes: Option<f64>,
    /// Seed of training, draws and classifiers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Folder for the run folders
    #[arg(short, long, value_name = "DIR", default_value = "runs/bench")]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Bayesflow2020 {
    /// Models [default: all]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Train each model for so many minutes
    #[arg(long, value_parser = positive)]
    minutes: Option<f64>,
    /// Small networks, 3000 steps and 200 test sets: shows the effects in minutes
    #[arg(long)]
    quick: bool,
    /// Seed of training, test sets and draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Folder for the run folders
    #[arg(short, long, value_name = "DIR", default_value = "runs/bench")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    match &args.what {
        What::Sbibm(args) => run_sbibm(args, out),
        What::Bayesflow2020(args) => run_bayesflow2020(args, out),
    }
}

fn run_bayesflow2020(args: &Bayesflow2020, out: &mut dyn Write) -> Result {
    let models: Vec<String> = match args.models.as_slice() {
        [] => bayesflow2020::MODELS.iter().map(|name| name.to_string()).collect(),
        some => some.to_vec(),
    };
    for name in &models {
        Config::builtin(name)?;
    }
    let options = bayesflow2020::Options {
        minutes: args.minutes,
        seed: args.seed,
        runs: args.output.clone(),
        quick: args.quick,
    };
    let (mut missed, mut outcomes) = (0, vec![]);
    for name in &models {
        let mut display = Display::new(false);
        let outcome = bayesflow2020::model(name, &options, args.device.open()?, |p| display.update(p));
        display.finish();
        let outcome = outcome?;
        let (seconds, evaluation) = (outcome.seconds, outcome.evaluation);
        writeln!(
            out,
            "{name}: {} steps in {seconds:.0} s on {}, evaluated in {evaluation:.0} s",
            outcome.steps, outcome.device
        )?;
        writeln!(out, "{}", bayesflow2020::measure::header())?;
        for measure in &outcome.measures {
            writeln!(out, "{}", measure.line())?;
            missed += usize::from(measure.good() == Some(false));
        }
        out.flush()?;
        outcomes.push(outcome);
        let json = serde_json::to_string_pretty(&outcomes)?;
        let file = args.output.join("bayesflow2020.json");
        write_atomic(&file, |w| w.write_all(json.as_bytes()))?;
    }
    let targets = outcomes.iter().flat_map(|o| &o.measures).filter(|m| m.good().is_some()).count();
    writeln!(out, "{} of {targets} targets are reached.", targets - missed)?;
    Ok(if missed == 0 { Outcome::Done } else { Outcome::No })
}

fn run_sbibm(args: &Sbibm, out: &mut dyn Write) -> Result {
    let tasks: Vec<String> = match args.tasks.as_slice() {
        [] => PUBLISHED.iter().map(|known| known.task.into()).collect(),
        some => some.to_vec(),
    };
    for name in &tasks {
        Config::builtin(name)?;
    }
    let options = Options {
        reference: args.reference.clone(),
        budget: args.budget,
        minutes: args.minutes,
        seed: args.seed,
        runs: args.output.clone(),
    };
    writeln!(out, "{}", record::header())?;
    let simulations = match args.budget {
        Budget::Table(n) => Some(n),
        Budget::Online => None,
    };
    let (mut behind, mut rows) = (0, vec![]);
    for name in &tasks {
        let mut display = Display::new(false);
        let result = task(name, &options, args.device.open()?, |p| display.update(p));
        display.finish();
        let result = result?;
        let Some(known) = published(name) else { continue };
        let good = args.budget.bar(known).is_none_or(|bar| as_good(result.mean(), bar));
        behind += usize::from(!good);
        let row = Row::new(known, simulations, result.c2st, result.seconds, result.steps, result.device);
        writeln!(out, "{}{}", record::line(&row), if good { "" } else { "  behind" })?;
        out.flush()?;
        rows.push(row);
        let json = serde_json::to_string_pretty(&rows)?;
        let file = args.output.join(format!("sbibm-{}.json", rows[0].budget));
        write_atomic(&file, |w| w.write_all(json.as_bytes()))?;
    }
    writeln!(out, "{} of {} tasks are at or below the published value.", tasks.len() - behind, tasks.len())?;
    Ok(if behind == 0 { Outcome::Done } else { Outcome::No })
}
