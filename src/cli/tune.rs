//! `couplet tune`: the fastest tiling of a model's launches on this machine's GPU.
use std::io::Write;

use super::number::{positive, size};
use super::run::{Outcome, Result};
use crate::bench::table;
use crate::bench::tune::{HEADER, cells, store};
use crate::bench::workload::Workload;
use crate::error::Error;
use crate::runtime::choices::{Choices, VARIABLE};
use crate::runtime::tiling::Tiling;
use crate::runtime::tune::{Options, Tuned};
use crate::runtime::{Device, DeviceChoice};
use crate::train::Trainer;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A built-in model, the path of a model file, or w, ws, wd. Other models have other kernels, so each is tuned by itself
    #[arg(value_name = "MODEL")]
    model: String,
    /// Simulations in a step [default: the model's]
    #[arg(long, value_parser = size)]
    batch: Option<usize>,
    /// gpu or gpu:NAME
    #[arg(long, default_value = "gpu")]
    device: DeviceChoice,
    /// Time for each of the two plans, training and draws; what is being compiled at its end is waited for
    #[arg(long, value_parser = positive, default_value = "60")]
    seconds: f64,
    /// Tilings to try, such as 16x128 (rows x threads of a workgroup), separated by commas [default: all that the device allows]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    tilings: Vec<Tiling>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let model = Workload::find(&args.model)?.model()?;
    let device = args.device.open()?;
    let Device::Gpu(gpu) = &device else {
        let problem = "expected a GPU, found the CPU, which has nothing to tune";
        let hint = "Choose one that `couplet devices` lists with --device gpu:NAME";
        return Err(Error::config("--device", problem, hint).into());
    };
    if let Some(problem) = args.tilings.iter().find_map(|t| t.problem_on(gpu.most())) {
        return Err(Error::config("--tilings", problem, "Leave it out, or choose others").into());
    }
    let Some(path) = Choices::file() else {
        let problem = "expected a cache folder to keep the choice in, found none";
        return Err(Error::config(VARIABLE, problem, "Set it to a folder").into());
    };
    writeln!(out, "{}", gpu.info)?;
    // Finds out before the measurement, not after, that nothing can be written.
    if let Some(warning) = store(&[], &path)? {
        writeln!(out, "note: {warning}.")?;
    }
    out.flush()?;
    let candidates = (!args.tilings.is_empty()).then(|| args.tilings.clone());
    let mut trainer = Trainer::new(model).device(device.clone());
    if let Some(batch) = args.batch {
        trainer = trainer.batch(batch);
    }
    let all = trainer.tune(&Options { seconds: args.seconds, candidates })?;
    for tuned in &all {
        show(tuned, out)?;
    }
    if !all.iter().any(Tuned::says_something) {
        writeln!(out, "Nothing was kept. Give more --seconds, or fewer --tilings.")?;
        return Ok(Outcome::Done);
    }
    store(&all, &path)?;
    writeln!(out, "Kept in {}; remove that file to go back to the default.", path.display())?;
    Ok(Outcome::Done)
}

fn show(tuned: &Tuned, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nPlan {}, {} rows:\n", tuned.plan, tuned.key.rows)?;
    write!(out, "{}", table::text(&HEADER, &cells(tuned), 2))?;
    let (choice, default) = (tuned.choice(), Tiling::default());
    if !tuned.says_something() {
        writeln!(out, "There was no time to compare anything with the default, {default}.")?;
    } else if tuned.chosen == default {
        writeln!(out, "The default, {default}, stays: nothing was faster beyond the noise.")?;
    } else {
        let gain = table::significant(choice.default_seconds / choice.seconds);
        writeln!(out, "Chosen: {}, {gain} x as fast as the default, {default}.", tuned.chosen)?;
    }
    Ok(())
}
