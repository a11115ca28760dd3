//! `couplet bench budget`: what more simulations buy.
use std::io::Write;

use crate::bench::budget;
use crate::cli::number::{count, grouped, positive};
use crate::cli::progress::Display;
use crate::cli::run::{Outcome, Result};
use crate::model::Config;
use crate::runtime::DeviceChoice;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
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

pub(in crate::cli) fn run(args: &Args, out: &mut dyn Write) -> Result {
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
