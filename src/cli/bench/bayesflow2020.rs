//! `couplet bench bayesflow2020`: recovery and calibration of the models of Radev et al. 2020.
use std::io::Write;
use std::path::PathBuf;

use crate::bench::bayesflow2020;
use crate::cli::number::positive;
use crate::cli::progress::Display;
use crate::cli::run::{Outcome, Result};
use crate::data::atomic::write_atomic;
use crate::model::Config;
use crate::report::size_plot::size_plot;
use crate::runtime::DeviceChoice;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Models [default: all]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Train each model for so many minutes
    #[arg(long, value_parser = positive)]
    minutes: Option<f64>,
    /// Small networks, 3000 steps and 200 test sets: shows the effects in minutes
    #[arg(long)]
    quick: bool,
    /// Evaluate the runs that are in the folder already
    #[arg(long, conflicts_with_all = ["minutes", "quick"])]
    trained: bool,
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

pub(in crate::cli) fn run(args: &Args, out: &mut dyn Write) -> Result {
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
        trained: args.trained,
        quick: args.quick,
    };
    let (mut missed, mut outcomes) = (0, vec![]);
    for name in &models {
        let mut display = Display::new(false);
        let outcome = bayesflow2020::model(name, &options, args.device.open()?, |p| display.update(p));
        display.finish();
        let outcome = outcome?;
        let (seconds, evaluation) = (outcome.seconds, outcome.evaluation);
        let memory = outcome.evaluation_memory.map_or_else(String::new, |b| format!(" and {} MiB", b >> 20));
        writeln!(
            out,
            "{name}: {} steps in {seconds:.0} s on {}, evaluated in {evaluation:.0} s{memory}",
            outcome.steps, outcome.device
        )?;
        writeln!(out, "{}", bayesflow2020::measure::header())?;
        for measure in &outcome.measures {
            writeln!(out, "{}", measure.line())?;
            missed += usize::from(measure.good() == Some(false));
        }
        let curves = bayesflow2020::measure::curves(&outcome.measures);
        if !curves.is_empty() {
            let file = args.output.join(format!("{name}-sizes.svg"));
            write_atomic(&file, |w| w.write_all(size_plot(name, &curves).as_bytes()))?;
            writeln!(out, "  curves over the size of the data in {}", file.display())?;
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
