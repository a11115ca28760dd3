//! `couplet bench`: speed, and comparisons with published results; one file per sub-command.
mod budget;
mod power;
mod bayesflow2020;
mod c2st;
mod kernels;
mod ratios;
mod sample;
mod sbibm;
mod simulate;
mod step;
mod summary;

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::number::{positive, size};
use super::run::Result;
use crate::bench::machine::Machine;
use crate::bench::speed::Speed;
use crate::bench::table;
use crate::bench::workload::Workload;
use crate::runtime::{Device, DeviceChoice};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Time of a training step, simulator included
    Step(step::Args),
    /// Draws a second from the posterior
    Sample(sample::Args),
    /// Every kernel of a workload by itself
    Kernels(kernels::Args),
    /// Simulations a second of the built-in models
    Simulate(simulate::Args),
    /// Join measurements of Couplet and peers, one JSON object a line, into ratios
    Ratios(ratios::Args),
    /// Markdown tables of records
    Table(summary::Args),
    /// C2ST of two files of draws
    C2st(c2st::Args),
    /// C2ST of the sbibm tasks against their reference posteriors
    Sbibm(sbibm::Args),
    /// What each diagnostic sees: known-bad posteriors over many seeds
    Power(power::Args),
    /// What more simulations buy: trains on tables of several sizes
    Budget(budget::Args),
    /// Recovery and calibration of the models of Radev et al. 2020, beside the published numbers
    Bayesflow2020(bayesflow2020::Args),
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    match &args.what {
        What::Step(args) => step::run(args, out),
        What::Sample(args) => sample::run(args, out),
        What::Kernels(args) => kernels::run(args, out),
        What::Ratios(args) => ratios::run(args, out),
        What::Table(args) => summary::run(args, out),
        What::C2st(args) => c2st::run(args, out),
        What::Simulate(args) => simulate::run(args, out),
        What::Sbibm(args) => sbibm::run(args, out),
        What::Power(args) => power::run(args, out),
        What::Budget(args) => budget::run(args, out),
        What::Bayesflow2020(args) => bayesflow2020::run(args, out),
    }
}

/// What to measure, and where.
#[derive(Debug, clap::Args)]
struct Common {
    /// w (affine), ws (spline), wd (sets; wd-KIND with another summary network), a built-in model, or the path of a model file;
    /// several separated by commas
    #[arg(long, value_delimiter = ',', default_value = "w")]
    workload: Vec<String>,
    /// Coupling blocks instead of the model's; several separated by commas
    #[arg(long, value_parser = size, value_delimiter = ',')]
    blocks: Vec<usize>,
    /// Width of the hidden layers instead of the model's; several separated by commas
    #[arg(long, value_parser = size, value_delimiter = ',')]
    width: Vec<usize>,
    /// Items of each data set, for models whose data sets have items; several separated by commas
    #[arg(long, value_parser = size, value_delimiter = ',')]
    items: Vec<usize>,
    #[command(flatten)]
    how: How,
}

/// Where to measure, for how long, and where to write it.
#[derive(Debug, clap::Args)]
struct How {
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Length of each measurement
    #[arg(long, value_parser = positive, default_value = "3")]
    seconds: f64,
    /// Write a JSON record
    #[arg(short, long, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
}

impl Common {
    /// Every workload in every asked-for size.
    fn workloads(&self) -> Result<Vec<Workload>> {
        let every = |asked: &[usize]| match asked {
            [] => vec![None],
            some => some.iter().map(|&n| Some(n)).collect(),
        };
        let mut all = vec![];
        for name in &self.workload {
            let workload = Workload::find(name)?;
            for blocks in every(&self.blocks) {
                for width in every(&self.width) {
                    let resized = workload.resized(blocks, width)?;
                    match self.items.as_slice() {
                        [] => all.push(resized),
                        some => {
                            for &items in some {
                                all.push(resized.sized(items)?);
                            }
                        }
                    }
                }
            }
        }
        Ok(all)
    }
}

/// Prints the table of a measurement with the machine above, and writes the record where one is asked for.
fn finish<R: Serialize>(
    out: &mut dyn Write,
    record: &Speed<R>,
    (header, left): (&[&str], usize),
    cells: impl Fn(&R) -> Vec<String>,
    to: Option<&Path>,
) -> Result<()> {
    writeln!(out, "{}", record.machine.line())?;
    if let Some(c) = record.ceiling {
        let (gemm, bandwidth) = (table::significant(c.gemm_gflops), table::significant(c.bandwidth_gbs));
        writeln!(out, "ceilings: {gemm} GFLOP/s in matrix products, {bandwidth} GB/s from memory")?;
    }
    let rows: Vec<_> = record.rows.iter().map(cells).collect();
    write!(out, "\n{}", table::text(header, &rows, left))?;
    if let Some(path) = to {
        record.save(path)?;
        writeln!(out, "\nRecord in {}", path.display())?;
    }
    Ok(())
}

fn machine(device: &Device) -> Machine {
    Machine::here(device)
}
