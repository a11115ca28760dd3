//! `couplet selftest`: every kernel against its twin, on the user's own machine.
use std::io::Write;

use super::run::{Outcome, Result};
use crate::runtime::{Device, DeviceChoice, Tiling};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Tilings of the row launch on a GPU, such as 16x128 (rows x threads of a workgroup), separated by commas, or `all`
    /// [default: 8x256, and those that `couplet tune` stored]
    #[arg(long, value_delimiter = ',', value_parser = tilings, value_name = "LIST")]
    tilings: Vec<Asked>,
}

/// A tiling, or all that the device allows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    All,
    One(Tiling),
}

fn tilings(text: &str) -> std::result::Result<Asked, String> {
    if text == "all" { Ok(Asked::All) } else { text.parse().map(Asked::One) }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let device = args.device.open()?;
    let mut tilings = vec![];
    if let Device::Gpu(gpu) = &device {
        if args.tilings.is_empty() {
            tilings.push(Tiling::default());
            tilings.extend(gpu.chosen());
        }
        for asked in &args.tilings {
            match asked {
                Asked::All => tilings.extend(Tiling::candidates(gpu.most())),
                Asked::One(tiling) => tilings.push(*tiling),
            }
        }
        let mut seen = vec![];
        tilings.retain(|t| {
            !seen.contains(t) && {
                seen.push(*t);
                true
            }
        });
    }
    let (mut all, mut failed, mut written) = (0, 0, Ok(()));
    crate::check::selftest(&device, &tilings, &mut |line| {
        all += 1;
        failed += usize::from(!line.ok());
        // Checks on a slow driver take minutes: each line is shown at once.
        if written.is_ok() {
            written = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    })?;
    written?;
    writeln!(out, "{} of {all} checks passed on {}.", all - failed, device.name())?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::No })
}
