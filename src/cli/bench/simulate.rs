//! `couplet bench simulate`: simulations a second.
use std::io::Write;

use super::{How, finish, machine};
use crate::bench::simulate::{HEADER, cells, measure_simulate};
use crate::bench::speed::Speed;
use crate::bench::workload::Workload;
use crate::cli::run::{Outcome, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Built-in models or model files, separated by commas [default: all built-in models]
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let names: Vec<String> = match args.models.as_slice() {
        [] => crate::sim::BUILTIN.iter().map(ToString::to_string).collect(),
        some => some.to_vec(),
    };
    let workloads =
        names.iter().map(|name| Workload::find(name)).collect::<crate::error::Result<Vec<_>>>()?;
    let device = args.how.device.open()?;
    let rows = workloads
        .iter()
        .map(|w| measure_simulate(w, &device, args.how.seconds))
        .collect::<crate::error::Result<Vec<_>>>()?;
    let record = Speed::new("simulate", machine(&device), None, rows);
    finish(out, &record, (&HEADER, 1), cells, args.how.output.as_deref())?;
    Ok(Outcome::Done)
}
