//! `couplet bench table`: records as tables in Markdown.
use std::io::Write;
use std::path::PathBuf;

use crate::bench::summary::markdown_of;
use crate::cli::run::{Outcome, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Records that `couplet bench ... -o FILE` wrote
    #[arg(value_name = "RECORD", required = true)]
    records: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    for (i, path) in args.records.iter().enumerate() {
        let gap = if i == 0 { "" } else { "\n" };
        write!(out, "{gap}{}", markdown_of(path)?)?;
    }
    Ok(Outcome::Done)
}
