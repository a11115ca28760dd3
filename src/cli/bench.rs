//! `couplet bench`: comparisons with published results.
use std::io::Write;
use std::path::PathBuf;

use super::number::{duration, positive};
use super::progress::Display;
use super::run::{Outcome, Result};
use crate::bench::published::as_good;
use crate::bench::sbibm::{Budget, Options, published, task};
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
    let What::Sbibm(args) = &args.what;
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
    writeln!(out, "{:24} {:>7} {:>7}   C2ST of observations 1 to 5", "task", "mean", "bar")?;
    let mut behind = 0;
    for name in &tasks {
        let mut display = Display::new(false);
        let result = task(name, &options, args.device.open()?, |p| display.update(p));
        display.finish();
        let result = result?;
        let bar = published(name).and_then(|p| args.budget.bar(p));
        let good = bar.is_none_or(|bar| as_good(result.mean(), bar));
        behind += usize::from(!good);
        let each: Vec<String> = result.c2st.iter().map(|c| format!("{c:.3}")).collect();
        let bar = bar.map_or("-".into(), |bar| format!("{bar:.3}"));
        let mark = if good { "" } else { "  behind" };
        writeln!(
            out,
            "{name:24} {:7.3} {bar:>7}   {}  {}{mark}",
            result.mean(),
            each.join(" "),
            duration(result.seconds)
        )?;
        out.flush()?;
    }
    writeln!(out, "{} of {} tasks are at or below the published value.", tasks.len() - behind, tasks.len())?;
    Ok(if behind == 0 { Outcome::Done } else { Outcome::No })
}
