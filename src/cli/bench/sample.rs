//! `couplet bench sample`: draws a second.
use std::io::Write;

use super::{Common, finish, machine};
use crate::bench::lines::Line;
use crate::bench::sample::{HEADER, cells, measure_sample};
use crate::bench::speed::Speed;
use crate::cli::number::size;
use crate::cli::run::{Outcome, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Observations that 100,000 draws are spread over; several separated by commas
    #[arg(long, value_parser = size, value_delimiter = ',', default_value = "1,1000")]
    observations: Vec<usize>,
    /// Draws for each observation, instead of 100,000 in all
    #[arg(long, value_parser = size)]
    draws: Option<usize>,
    /// Print one JSON measurement a line, as the scripts in benches/peers do
    #[arg(long)]
    lines: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let workloads = args.common.workloads()?;
    let device = args.common.how.device.open()?;
    let mut rows = vec![];
    for workload in &workloads {
        for &n in &args.observations {
            rows.push(measure_sample(workload, &device, n, args.draws, args.common.how.seconds)?);
        }
    }
    if args.lines {
        for r in rows.iter().filter(|r| r.observations == 1) {
            writeln!(out, "{}", Line::new(&r.workload, r.draws, "draws_per_second", r.draws_per_second))?;
        }
    }
    let record = Speed::new("sample", machine(&device), None, rows);
    match args.lines {
        true => args.common.how.output.iter().try_for_each(|path| record.save(path))?,
        false => finish(out, &record, (&HEADER, 1), cells, args.common.how.output.as_deref())?,
    }
    Ok(Outcome::Done)
}
