//! `couplet bench c2st`: how well a classifier tells two files of draws apart.
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::run::{Outcome, Result};
use crate::data::npy::Array;
use crate::data::npz::Npz;
use crate::diag::c2st::c2st_mlp;
use crate::error::Error;

/// Names under which draws are looked for, in this order.
const NAMES: [&str; 3] = ["reference_posterior", "draws", "samples"];

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
    let (reference, dim) = points(&args.reference)?;
    for path in &args.draws {
        let (draws, found) = points(path)?;
        if found != dim {
            let problem = format!("expected draws of {dim} parameters as in the reference, found {found}");
            return Err(Error::data(path, problem, "Compare draws of the same model").into());
        }
        let c2st = c2st_mlp(&reference, &draws, dim, args.seed)?;
        writeln!(out, "{c2st:.4}  {}", path.display())?;
    }
    Ok(Outcome::Done)
}

/// The draws of a file, `(n, D)`, and D.
fn points(path: &Path) -> Result<(Vec<f32>, usize)> {
    let mut file = Npz::open(path)?;
    let keys = file.keys();
    let name = NAMES.iter().find(|n| keys.iter().any(|k| k == *n)).ok_or_else(|| {
        let problem = format!("expected one of the arrays {}, found {}", NAMES.join(", "), keys.join(", "));
        Error::data(path, problem, "Save the draws as `draws`, shape (n, D)")
    })?;
    let array: Array = file.read(name)?;
    match array.shape.as_slice() {
        [n, d] | [1, n, d] if *n > 0 && *d > 0 => Ok((array.values, *d)),
        shape => {
            let problem = format!("expected `{name}` of shape (n, D) or (1, n, D), found {shape:?}");
            Err(Error::data(path, problem, "Save the draws of one observation").into())
        }
    }
}
