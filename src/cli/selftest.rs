//! `couplet selftest`: every kernel against its twin, on the user's own machine.
use std::io::Write;

use super::run::{Outcome, Result};
use crate::runtime::DeviceChoice;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let device = args.device.open()?;
    let lines = crate::check::selftest(&device)?;
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    let failed = lines.iter().filter(|line| !line.ok()).count();
    writeln!(out, "{} of {} checks passed on {}.", lines.len() - failed, lines.len(), device.name())?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::No })
}
