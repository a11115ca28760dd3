//! `couplet bench step`: time of a training step.
use std::io::Write;

use super::{Common, finish, machine};
use crate::bench::ceiling::{Ceiling, bandwidth_gbs, best_gemm_gflops};
use crate::bench::lines::{Line, started};
use crate::bench::speed::Speed;
use crate::bench::step::{HEADER, cells, measure_step};
use crate::cli::number::size;
use crate::cli::run::{Outcome, Result};

/// Seconds for each ceiling.
const CEILING: f64 = 0.3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Rows of a step; several separated by commas
    #[arg(long, value_parser = size, value_delimiter = ',', default_value = "32,64,256,1024")]
    batch: Vec<usize>,
    /// Print one JSON measurement a line, as the scripts in benches/peers do
    #[arg(long)]
    lines: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let workloads = args.common.workloads()?;
    let device = args.common.how.device.open()?;
    let (mut rows, mut first) = (vec![], None);
    for workload in &workloads {
        for &batch in &args.batch {
            let seconds = args.common.how.seconds;
            let mut note = || {
                first.get_or_insert_with(started);
            };
            rows.push(measure_step(workload, &device, batch, seconds, &mut note)?);
        }
    }
    if args.lines {
        for r in &rows {
            let line = |metric: &str, value: f64| Line::new(&r.workload, r.batch, metric, value);
            writeln!(out, "{}", line("steps_per_second", r.steps_per_second))?;
            if let Some(bytes) = r.peak_memory {
                writeln!(out, "{}", line("peak_memory_bytes", bytes as f64))?;
            }
        }
        if let (Some(seconds), Some(r)) = (first.flatten(), rows.first()) {
            writeln!(out, "{}", Line::new(&r.workload, r.batch, "first_step_seconds", seconds))?;
        }
    }
    let ceiling = device
        .is_cpu()
        .then(|| Ceiling { gemm_gflops: best_gemm_gflops(CEILING), bandwidth_gbs: bandwidth_gbs(CEILING) });
    let record = Speed::new("step", machine(&device), ceiling, rows);
    match args.lines {
        true => args.common.how.output.iter().try_for_each(|path| record.save(path))?,
        false => finish(out, &record, (&HEADER, 1), cells, args.common.how.output.as_deref())?,
    }
    Ok(Outcome::Done)
}
