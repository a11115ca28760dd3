//! `couplet bench power`: what each diagnostic sees.
use std::io::Write;
use std::path::PathBuf;

use crate::bench::power::power;
use crate::cli::number::size;
use crate::cli::run::{Outcome, Result};
use crate::data::atomic::write_atomic;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Seeds
    #[arg(long, value_parser = size, default_value = "100")]
    seeds: usize,
    /// Data sets
    #[arg(long, value_parser = size, default_value = "300")]
    sets: usize,
    /// Draws for each
    #[arg(long, value_parser = size, default_value = "300")]
    draws: usize,
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the table to a file
    #[arg(short, long, value_name = "FILE.md")]
    output: Option<PathBuf>,
}

pub(in crate::cli) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let table = power(args.seeds, args.sets, args.draws, args.seed)?;
    let text = table.markdown();
    write!(out, "{text}")?;
    if let Some(path) = &args.output {
        write_atomic(path, |file| file.write_all(text.as_bytes()))?;
    }
    Ok(if table.good() { Outcome::Done } else { Outcome::No })
}
