//! The commands.
use clap::{Parser, Subcommand};

use super::{bench, check, devices, models, new, plan, sample, selftest, simulate, train, tune};

/// Amortized Bayesian inference on any GPU: describe a simulator, train a flow, get posteriors in microseconds.
#[derive(Debug, Parser)]
#[command(
    name = "couplet",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done; 1 ran and the answer is no (a check or selftest failed); 2 could not run."
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the built-in models, or print the model file of one
    Models(models::Args),
    /// Train a model and write a run folder
    Train(train::Args),
    /// Draw from the posterior of observed data
    Sample(sample::Args),
    /// Check a trained model on fresh simulations
    Check(check::Args),
    /// Measure speed, or compare with published results
    Bench(bench::Args),
    /// Show what a model's plan is made of: calls, bytes, FLOPs, launches
    Plan(plan::Args),
    /// List the devices that can be used
    Devices(devices::Args),
    /// Check every kernel on this machine
    Selftest(selftest::Args),
    /// Find the fastest tiling of a model's launches on a GPU, and keep it
    ///
    /// Times the launches of a training step and of draws with several tilings (rows and threads of a workgroup) and keeps the
    /// fastest in the user's cache folder (or where COUPLET_CACHE says). From then on train, sample, check and bench use it on
    /// this device with this driver, for this architecture and batch. Last bits of results may change; a run that has begun
    /// goes on with its own tiling.
    Tune(tune::Args),
    /// Simulate pairs of parameters and data
    Simulate(simulate::Args),
    /// Write a commented model file to start from
    New(new::Args),
}
