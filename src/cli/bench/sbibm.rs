//! `couplet bench sbibm`: comparison with published results.
use std::io::Write;
use std::path::PathBuf;

use crate::bench::published::{PUBLISHED, as_good};
use crate::bench::record::{self, Row};
use crate::bench::sbibm::{Budget, Options, published, task};
use crate::cli::number::positive;
use crate::cli::progress::Display;
use crate::cli::run::{Outcome, Result};
use crate::data::atomic::write_atomic;
use crate::model::Config;
use crate::runtime::DeviceChoice;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
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

pub(in crate::cli) fn run(args: &Args, out: &mut dyn Write) -> Result {
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
