//! `couplet bench`: comparisons with published results.
use std::io::Write;
use std::path::PathBuf;

use super::number::{count, grouped, positive, size};
use super::progress::Display;
use super::run::{Outcome, Result};
use crate::bench::budget;
use crate::bench::published::as_good;
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
    /// What each diagnostic sees: known-bad posteriors over many seeds
    Power(Power),
    /// What more simulations buy: trains on tables of several sizes
    Budget(BudgetCurve),
}

#[derive(Debug, clap::Args)]
struct BudgetCurve {
    /// A built-in model, or the path of a model file
    #[arg(value_name = "MODEL")]
    model: String,
    /// Sizes of the tables, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = count, default_value = "1e3,3e3,1e4,3e4")]
    simulations: Vec<u64>,
    /// Train each for so many minutes [default: as the model file says]
    #[arg(long, value_parser = positive)]
    minutes: Option<f64>,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

#[derive(Debug, clap::Args)]
struct Power {
    /// Seeds
    #[arg(long, value_parser = size, default_value = "100")]
    seeds: usize,
    /// Data sets
    #[arg(long, value_parser = size, default_value = "300")]
    sets: usize,
    /// Draws for each
    #[arg(long, value_parser = size, default_value = "300")]
    draws: usize,
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the table to a file
    #[arg(short, long, value_name = "FILE.md")]
    output: Option<PathBuf>,
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

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    match &args.what {
        What::Sbibm(args) => sbibm(args, out),
        What::Power(args) => power(args, out),
        What::Budget(args) => budget(args, out),
    }
}

fn budget(args: &BudgetCurve, out: &mut dyn Write) -> Result {
    let mut config = Config::find(&args.model)?;
    if let Some(minutes) = args.minutes {
        config.train.set_minutes(minutes);
    }
    let mut sizes = args.simulations.clone();
    sizes.sort_unstable();
    sizes.dedup();
    writeln!(out, "simulations  mean ln q(theta | x), nats  seconds")?;
    let mut points = vec![];
    for simulations in sizes {
        let mut display = Display::new(false);
        let point = budget::point(&config, simulations, args.device.open()?, |p| display.update(p));
        display.finish();
        let point = point?;
        let nats = format!("{:.3} ± {:.3}", point.log_q, point.error);
        writeln!(out, "{:>11}  {nats:>26}  {:>7.0}", grouped(simulations), point.seconds)?;
        out.flush()?;
        points.push(point);
    }
    if let Some(advice) = budget::advice(&points) {
        writeln!(out, "{advice}")?;
    }
    Ok(Outcome::Done)
}

fn power(args: &Power, out: &mut dyn Write) -> Result {
    let table = crate::bench::power::power(args.seeds, args.sets, args.draws, args.seed)?;
    let text = table.markdown();
    write!(out, "{text}")?;
    if let Some(path) = &args.output {
        write_atomic(path, |file| file.write_all(text.as_bytes()))?;
    }
    Ok(if table.good() { Outcome::Done } else { Outcome::No })
}

fn sbibm(args: &Sbibm, out: &mut dyn Write) -> Result {
    let tasks: Vec<String> = match args.tasks.as_slice() {
        [] => crate::sim::BUILTIN.iter().map(|name| name.to_string()).collect(),
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
