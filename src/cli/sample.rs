//! `couplet sample`: posterior draws for observed data.
use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;

use super::number::size;
use super::run::{Outcome, Result};
use crate::data::atomic::write_atomic;
use crate::data::draws::{Draws, Format};
use crate::data::observed::read_observed;
use crate::data::observed_sets::read_sets;
use crate::data::summary::{summarize, table};
use crate::infer::Posterior;
use crate::runtime::DeviceChoice;

/// Data sets in the summary table.
const SHOWN: usize = 10;
/// Most values (data sets x draws x parameters) of one call: 16 GiB.
const MAX_VALUES: usize = 1 << 32;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Observed data: csv, npy or npz with one data set per row; of data sets with many items csv with one item per row
    /// (see --set-column), npy or npz of shape (n, items, F), or a folder of csv files
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column of a csv file that says which data set an item belongs to
    #[arg(long, value_name = "NAME")]
    set_column: Option<String>,
    /// Draws for each data set
    #[arg(short, value_name = "N", value_parser = size, default_value = "1000")]
    n: usize,
    /// Write the draws: .npz, .csv or .stan.csv
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// npz, csv or cmdstan [default: by the name of the output]
    #[arg(long, requires = "output")]
    format: Option<Format>,
    /// Seed of the draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Draw the posterior of the first data set
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    // What can be refused at once is refused before any work.
    let format = match (&args.output, args.format) {
        (Some(path), None) => Some(Format::from_path(path)?),
        (_, format) => format,
    };
    let posterior = Posterior::load(&args.run, args.device.open()?)?;
    let model = posterior.model();
    let names = model.parameter_names().to_vec();
    let shape = model.shape()?;
    let observed = match (&args.set_column, shape.is_vector()) {
        (Some(_), true) => bail!("--set-column is for data sets of many items; this model's data are vectors"),
        (None, true) => read_observed(&args.data, model.x_dim()?)?,
        (column, false) => read_sets(&args.data, &shape, column.as_deref())?,
    };
    let values = args.n.checked_mul(observed.sets).and_then(|v| v.checked_mul(names.len()));
    if values.is_none_or(|v| v > MAX_VALUES) {
        bail!(
            "{} draws for each of {} data sets do not fit in memory. Ask for fewer with -n, or split the data",
            args.n,
            observed.sets
        );
    }
    let values = posterior.sample(&observed.x, args.n, args.seed)?;
    let draws = Draws::new(names, observed.sets, args.n, values)?;
    write!(out, "{}", table(&summarize(&draws), SHOWN))?;
    if let (Some(path), Some(format)) = (&args.output, format) {
        let written = draws.write(path, format)?;
        match written.as_slice() {
            [one] => writeln!(out, "Draws in {}", one.display())?,
            [first, .., last] => writeln!(out, "Draws in {} to {}", first.display(), last.display())?,
            [] => {}
        }
    }
    if let Some(path) = &args.plot {
        let svg = crate::report::pair_plot::pair_plot(draws.set(0), &draws.names, None, None);
        write_atomic(path, |file| file.write_all(svg.as_bytes()))?;
        writeln!(out, "Plot in {}", path.display())?;
    }
    Ok(Outcome::Done)
}
