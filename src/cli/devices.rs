//! `couplet devices`: what this machine offers.
use std::io::Write;

use super::run::{Outcome, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, out: &mut dyn Write) -> Result {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(out, "cpu   {threads} threads")?;
    let adapters = crate::runtime::adapters();
    for adapter in &adapters {
        writeln!(out, "gpu   {adapter}")?;
    }
    // A software adapter is never chosen by itself: our own CPU code is faster.
    if adapters.iter().all(|adapter| adapter.is_software()) {
        writeln!(
            out,
            "No GPU was found. Check that its driver offers Vulkan, Metal or DX12; the cpu works without."
        )?;
    } else {
        writeln!(out, "Choose one with --device gpu:NAME, where NAME is any part of its name.")?;
    }
    Ok(Outcome::Done)
}
