//! `couplet bench kernels`: every kernel by itself.
use std::io::Write;

use super::{Common, finish, machine};
use crate::bench::kernels::{HEADER, Which, cells, measure_kernels};
use crate::bench::speed::Speed;
use crate::cli::number::size;
use crate::cli::run::{Outcome, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// The kernels of a training step, or those that draw
    #[arg(long, value_enum, default_value = "train")]
    plan: Plan,
    /// Rows of a call on a GPU; on the CPU a call is timed on a block of at most 16
    #[arg(long, value_parser = size, default_value = "1024")]
    batch: usize,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Plan {
    Train,
    Sample,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let workloads = args.common.workloads()?;
    let device = args.common.how.device.open()?;
    let which = match args.plan {
        Plan::Train => Which::Train,
        Plan::Sample => Which::Sample,
    };
    let mut rows = vec![];
    for workload in &workloads {
        rows.extend(measure_kernels(workload, &device, which, args.batch, args.common.how.seconds)?);
    }
    let record = Speed::new("kernels", machine(&device), None, rows);
    finish(out, &record, (&HEADER, 2), cells, args.common.how.output.as_deref())?;
    Ok(Outcome::Done)
}
