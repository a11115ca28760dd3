//! `couplet simulate`: pairs of parameters and data in an npz file.
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::number::{grouped, rows};
use super::run::{Outcome, Result};
use super::targets;
use crate::data::atomic::write_atomic;
use crate::data::npy;
use crate::error::Error;
use crate::model::definition::SIMULATE_STEP;
use crate::model::{Config, Model};

/// Most values of one call: 16 GiB.
const MAX_VALUES: u64 = 1 << 32;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A built-in model, or the path of a model file
    #[arg(value_name = "MODEL")]
    model: String,
    /// Number of simulations
    #[arg(short, value_name = "N", value_parser = rows)]
    n: u32,
    /// A folder, which gets simulations.npz, or a file that ends in .npz
    #[arg(short, long, value_name = "DIR or FILE")]
    output: PathBuf,
    /// Seed [default: that of the model]
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let config = Config::find(&args.model)?;
    let seed = args.seed.unwrap_or(config.train.seed);
    let model = Model::from_config(config)?;
    model.simulator()?;
    let (d, c) = (model.theta_dim(), model.x_dim()?);
    if u64::from(args.n) * (d + c) as u64 > MAX_VALUES {
        bail!(
            "{} simulations of {} values do not fit in memory. Ask for fewer, with another --seed each time",
            args.n,
            d + c
        );
    }
    let end = args.output.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    if !args.output.is_dir()
        && end.is_some_and(|e| ["csv", "npy", "parquet", "zarr", "h5", "json", "txt", "pkl"].contains(&&*e))
    {
        targets::named(&args.output, "npz")?;
    }
    let path = if args.output.extension().is_some_and(|e| e == "npz") {
        args.output.clone()
    } else {
        std::fs::create_dir_all(&args.output).map_err(|e| Error::io("create", &args.output, e))?;
        args.output.join("simulations.npz")
    };
    targets::file(&path, &[Path::new(&args.model)])?;
    let n = args.n as usize;
    let pairs = model.simulate(seed, SIMULATE_STEP, n)?;
    let shape = model.shape()?;
    let x_shape: Vec<usize> =
        if shape.is_vector() { vec![n, c] } else { vec![n, shape.items().1, shape.features()] };
    write_atomic(&path, |file| {
        write_pairs(file, &[("theta.npy", &[n, d], &pairs.theta), ("x.npy", &x_shape, &pairs.x)])
    })?;
    writeln!(
        out,
        "Simulated {} pairs of {} into {}",
        grouped(u64::from(args.n)),
        args.model,
        path.display()
    )?;
    // NaN only ends a data set of many items.
    let wrong = |v: &f32| if shape.is_vector() { !v.is_finite() } else { v.is_infinite() };
    let bad = pairs.x.chunks_exact(c.max(1)).filter(|row| row.iter().any(wrong)).count() as u64;
    if bad > 0 {
        writeln!(out, "{} of them are not finite", grouped(bad))?;
    }
    Ok(Outcome::Done)
}

/// An npz archive of arrays (name, shape, values); stored, not deflated, as random numbers hardly shrink.
fn write_pairs(file: &mut (impl Write + Seek), arrays: &[(&str, &[usize], &[f32])]) -> io::Result<()> {
    let mut zip = ZipWriter::new(file);
    for (name, shape, values) in arrays {
        let large = values.len() as u64 * 4 + 4096 > u64::from(u32::MAX);
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(large);
        zip.start_file(*name, options)?;
        npy::write_f32(&mut zip, shape, values)?;
    }
    zip.finish()?;
    Ok(())
}
