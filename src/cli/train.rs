//! `couplet train`: from a model to a run folder.
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::interrupt;
use super::number::{count, duration, grouped, positive, rows, size};
use super::progress::Display;
use super::run::{Outcome, Result};
use crate::error::Error;
use crate::model::{Config, Model};
use crate::report::run_facts::RunFacts;
use crate::report::sample_page::train_page;
use crate::runtime::DeviceChoice;
use crate::train::{Progress, Summary, Trainer};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A built-in model, or the path of a model file
    #[arg(value_name = "MODEL")]
    model: String,
    /// auto, cpu, gpu or gpu:NAME
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Number of training steps
    #[arg(long, value_parser = count, conflicts_with = "minutes")]
    steps: Option<u64>,
    /// Train for so many minutes
    #[arg(long, value_parser = positive)]
    minutes: Option<f64>,
    /// Train offline, on a fixed table of so many simulations
    #[arg(long, value_parser = rows, value_name = "N")]
    simulations: Option<u32>,
    /// Simulations in a step
    #[arg(long, value_parser = size)]
    batch: Option<usize>,
    /// Peak learning rate
    #[arg(long, value_parser = positive)]
    lr: Option<f64>,
    /// Seed of every random number
    #[arg(long)]
    seed: Option<u64>,
    /// Run folder [default: runs/MODEL]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Go on where the run of the same folder stopped; --steps makes it longer or shorter, --lr changes its peak rate
    #[arg(long)]
    resume: bool,
    /// Replace an earlier run in the folder
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let (folder, config) = prepare(args)?;
    let before = args.resume.then(|| RunFacts::read(&folder).summary).flatten();
    let device = args.device.open()?;
    let model = Model::from_config(config)?;
    writable(&folder)?;

    interrupt::listen();
    let mut display = Display::new(args.quiet);
    let trainer = Trainer::new(model).device(device).run_folder(&folder).resume(args.resume);
    let trained = trainer
        .on_progress(|p: &Progress<'_>| {
            display.update(p);
            if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .train();
    // The bar goes before an error is printed.
    display.finish();
    let (posterior, summary) = trained?;
    if before.as_ref() == Some(&summary) {
        // Its report may be that of a check.
        if !args.quiet {
            let steps = grouped(summary.steps);
            writeln!(
                out,
                "The run in {} has made its {steps} steps; --steps makes it longer.",
                folder.display()
            )?;
        }
        return Ok(Outcome::Done);
    }
    let report = folder.join("report.html");
    train_page(&RunFacts::read(&folder), &folder.display().to_string()).write(&report)?;
    if !args.quiet && !summary.interrupted {
        let batch = posterior.model().config.train.rows();
        closing(out, &title(&args.model), &folder, batch, &summary)?;
    }
    if summary.interrupted {
        let (run, steps) = (folder.display(), grouped(summary.steps));
        if !args.quiet {
            writeln!(
                out,
                "Interrupted: {steps} steps are saved. Go on with `couplet train {run} --resume`."
            )?;
        }
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Done)
}

/// Folder and resolved model. A resumed run takes the model of its folder, so that the flags of the first call hold.
fn prepare(args: &Args) -> Result<(PathBuf, Config)> {
    let named = Path::new(&args.model);
    let is_run = args.resume && args.output.is_none() && named.join("model.toml").is_file();
    let folder = match &args.output {
        Some(folder) => folder.clone(),
        None if is_run => named.to_path_buf(),
        None => Path::new("runs").join(title(&args.model)),
    };
    let kept = folder.join("model.toml");
    let mut config = if args.resume {
        if !kept.is_file() {
            let hint = "Leave out --resume to start a run, or give the folder of one with -o";
            return Err(Error::run(&folder, "expected an interrupted run, found no model.toml", hint).into());
        }
        let config = Config::from_file(&kept)?;
        if args.minutes.is_some() {
            let problem = "expected no time, as a run that goes on has its length, found one";
            let hint = "Leave --minutes out, or make the run longer or shorter with --steps";
            return Err(Error::config("--minutes", problem, hint).into());
        }
        if !is_run && Config::find(&args.model)?.simulator != config.simulator {
            let problem = format!("the run is of another model than `{}`", args.model);
            return Err(Error::run(&folder, problem, "Give its model, or another folder with -o").into());
        }
        config
    } else {
        let shown = folder.display();
        if let (Ok(kept), Ok(named)) = (kept.canonicalize(), named.canonicalize())
            && kept == named
        {
            bail!(
                "`{shown}` is the model file's own folder, and the run would put its own `model.toml` there. Choose another folder with -o"
            );
        }
        if kept.exists() && !args.overwrite {
            bail!(
                "`{shown}` holds a run already. Go on with it with --resume, replace it with --overwrite, or choose another folder with -o"
            );
        }
        Config::find(&args.model)?
    };
    let train = &mut config.train;
    if let Some(simulations) = args.simulations {
        train.set_simulations(u64::from(simulations));
    }
    if let Some(steps) = args.steps {
        train.set_steps(steps);
    }
    if let Some(minutes) = args.minutes {
        train.set_minutes(minutes);
    }
    train.batch = args.batch.or(train.batch);
    train.lr = args.lr.or(train.lr);
    train.seed = args.seed.unwrap_or(train.seed);
    Ok((folder, config.checked("the command line")?))
}

/// The last part of a model's name without `.toml`.
fn title(model: &str) -> String {
    let stem = Path::new(model).file_stem().map(|s| s.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "model".into())
}

/// Finds out before training, not after, that nothing can be written.
fn writable(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    let probe = folder.join(".couplet-probe");
    std::fs::write(&probe, b"").map_err(|e| Error::io("write", &probe, e))?;
    std::fs::remove_file(&probe).map_err(|e| Error::io("remove", &probe, e))?;
    Ok(())
}

fn closing(out: &mut dyn Write, name: &str, folder: &Path, batch: usize, summary: &Summary) -> Result<()> {
    let run = folder.display();
    let (steps, time, device) = (grouped(summary.steps), duration(summary.seconds), summary.place());
    write!(out, "Trained {name}: {steps} steps of {batch} in {time} on {device}; loss {:.3}", summary.loss)?;
    match summary.validation {
        Some(validation) => writeln!(out, ", validation {validation:.3} nats.")?,
        None => writeln!(out, " nats.")?,
    }
    if summary.stopped_early {
        writeln!(
            out,
            "It stopped early: the best weights are those of step {}.",
            grouped(summary.best_step)
        )?;
    }
    if summary.masked > 0 {
        let of = grouped(summary.simulations);
        writeln!(out, "{} of {of} simulations were not finite and were left out.", grouped(summary.masked))?;
    }
    if summary.skipped > 0 {
        writeln!(out, "{} steps were skipped: their gradient was not finite.", grouped(summary.skipped))?;
    }
    writeln!(out, "The run is in {run}, with a report.html. Next:")?;
    writeln!(out, "  couplet check {run}")?;
    writeln!(out, "  couplet sample {run} --data x.csv -n 10000 -o draws.npz")?;
    Ok(())
}
