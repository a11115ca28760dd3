//! `couplet bench ratios`: measurements of Couplet and its peers, joined.
use std::io::Write;
use std::path::PathBuf;

use super::{finish, machine};
use crate::bench::ratios::{HEADER, cells, ratios, read};
use crate::bench::speed::Speed;
use crate::cli::run::{Outcome, Result};
use crate::error::Error;
use crate::runtime::DeviceChoice;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File of measurements, one JSON object a line; benches/peers/run.sh writes one
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The device that the record names: auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Write a JSON record
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let rows = ratios(&read(&args.file)?);
    if rows.is_empty() {
        let problem =
            "expected measurements of Couplet and of a peer for the same workload, batch and metric";
        return Err(Error::data(&args.file, problem, "benches/peers/run.sh takes both").into());
    }
    let record = Speed::new("peers", machine(&args.device.open()?), None, rows);
    finish(out, &record, (&HEADER, 3), cells, args.output.as_deref())?;
    Ok(Outcome::Done)
}
