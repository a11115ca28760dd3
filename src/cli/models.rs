//! `couplet models`: the built-in models, one line each, or one model file in full.
use std::io::Write;

use super::run::{Outcome, Result};
use crate::model::Config;
use crate::model::config::BUILTIN;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the resolved model file of this model
    #[arg(value_name = "MODEL")]
    name: Option<String>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    if let Some(name) = &args.name {
        write!(out, "{}", Config::find(name)?.to_toml())?;
        return Ok(Outcome::Done);
    }
    let width = BUILTIN.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, _) in BUILTIN {
        let config = Config::builtin(name)?;
        let (parameters, features) = crate::sim::builtin(name).map_or((0, 0), |simulator| simulator.dims());
        writeln!(out, "{name:width$}  {parameters:2} parameters, {features:2} data  {}", config.description)?;
    }
    Ok(Outcome::Done)
}
