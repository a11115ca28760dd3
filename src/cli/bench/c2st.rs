//! `couplet bench c2st`: how well a classifier tells two files of draws apart.
use std::io::Write;
use std::path::PathBuf;

use crate::cli::run::{Outcome, Result};
use crate::data::known::read_draws;
use crate::diag::c2st::c2st_mlp;
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Reference draws: npz with `reference_posterior`, `draws` or `samples`, shape (n, D) or (1, n, D)
    #[arg(value_name = "REFERENCE.npz")]
    reference: PathBuf,
    /// Draws to compare with them, one file or several
    #[arg(value_name = "DRAWS.npz", required = true)]
    draws: Vec<PathBuf>,
    /// Seed of the classifiers
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let (reference, dim) = read_draws(&args.reference)?;
    for path in &args.draws {
        let (draws, found) = read_draws(path)?;
        if found != dim {
            let problem = format!("expected draws of {dim} parameters as in the reference, found {found}");
            return Err(Error::data(path, problem, "Compare draws of the same model").into());
        }
        let c2st = c2st_mlp(&reference, &draws, dim, args.seed)?;
        writeln!(out, "{c2st:.4}  {}", path.display())?;
    }
    Ok(Outcome::Done)
}
