//! `couplet plan`: what a step or a pass is made of.
use std::io::Write;

use super::number::{grouped, size};
use super::run::{Outcome, Result};
use crate::bench::counts::{CallCount, calls, totals};
use crate::bench::table::{bytes, significant, text};
use crate::bench::workload::{Opened, Workload};
use crate::error::Error;
use crate::model::network::Rows;
use crate::model::summaries::{Stage, rows_at_a_time};
use crate::runtime::cpu_exec::SMALL_TILE;
use crate::runtime::launches::{Launch, launches};
use crate::runtime::plan::Plan;
use crate::runtime::tiling::Tiling;

/// Rows of a pass that does not train, and rows whose slots it holds at a time.
const CAPACITY: usize = 4096;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// w, ws, wd (wd-KIND with another summary network), a built-in model, or the path of a model file
    #[arg(value_name = "MODEL")]
    model: String,
    /// The plan of a training step, of a loss, of draws, or of summaries
    #[arg(long, value_enum, default_value = "train")]
    plan: Which,
    /// Rows [default: the model's batch in training, else 4096]
    #[arg(long, value_parser = size)]
    batch: Option<usize>,
    /// Items of a data set, where the model's have items [default: the most that it makes]
    #[arg(long, value_parser = size)]
    items: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Train,
    Loss,
    Sample,
    Summary,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let workload = Workload::find(&args.model)?;
    let w = match args.items {
        Some(items) => workload.sized(items)?,
        None => workload.largest()?,
    }
    .open()?;
    let network = &w.network;
    let ((d, c), row) = (network.dims(), w.row());
    let (plan, row) = match args.plan {
        Which::Train => (w.step_plan(rows(&w)?), row),
        Which::Loss => (network.loss_plan(), vec![0.0; d + c]),
        Which::Sample => (network.sample_plan().plan, vec![0.0; c]),
        Which::Summary => match (&network.summary, w.items) {
            (Some(summary), Some(items)) => {
                (network.summary_plan(summary, items, Stage::Condition).plan, row[d..].to_vec())
            }
            _ => {
                let problem = format!(
                    "expected a model with a summary network, found `{}`, whose flow sees the data",
                    args.model
                );
                return Err(Error::config("plan", problem, "Leave --plan summary out").into());
            }
        },
    };
    let batch = match (args.batch, args.plan) {
        (Some(rows), _) => rows,
        (None, Which::Train) => w.model.config.train.rows(),
        (None, _) => CAPACITY,
    };
    let counted = calls(&plan, &row);
    writeln!(out, "{}", listing(&counted))?;
    let capacity = match args.plan {
        Which::Train => w.chunk(&plan, false, batch),
        Which::Summary => rows_at_a_time(&plan).min(batch),
        Which::Loss | Which::Sample => CAPACITY.min(batch),
    };
    let capacity = capacity.next_multiple_of(SMALL_TILE);
    writeln!(out, "{}", summary(&plan, &counted, (batch, capacity), w.parameters()))?;
    let (launched, cases) = launches(&plan, batch, capacity, Tiling::default())
        .map_err(|e| Error::config("plan", e, "Report it"))?;
    write!(
        out,
        "On a GPU, {} launches; the row program has {cases} distinct calls:\n{}",
        count(&launched),
        on_gpu(&launched)
    )?;
    Ok(Outcome::Done)
}

/// Where a step's rows come from: what only the host can simulate comes to the device as a table.
fn rows(w: &Opened) -> Result<Rows> {
    let pool = w.items.is_some() && w.model.config.train.pool.is_some();
    Ok(match (pool, w.model.simulator()?.has_wgsl()) {
        (true, _) => Rows::Pool(w.model.take()?),
        (false, true) => Rows::Online,
        (false, false) => Rows::Indexed,
    })
}

/// Every call, in order.
fn listing(counted: &[CallCount]) -> String {
    let row = |(i, c): (usize, &CallCount)| {
        vec![
            i.to_string(),
            c.kernel.into(),
            c.shape.clone(),
            c.slot_bytes.to_string(),
            bytes(c.param_bytes),
            grouped(c.flops),
        ]
    };
    let rows: Vec<_> = counted.iter().enumerate().map(row).collect();
    text(&["call", "kernel", "shape", "slot bytes/row", "parameters/tile", "FLOPs/row"], &rows, 3)
}

/// Totals in words.
fn summary(
    plan: &Plan,
    counted: &[CallCount],
    (rows, capacity): (usize, usize),
    parameters: usize,
) -> String {
    let t = totals(plan, counted, rows, None);
    let n = |v: usize| grouped(v as u64);
    format!(
        "{} calls, {} gradients, {} parameters.\nSlots: {} a row, {} for {} rows at a time.\n\
         {} rows: {} MFLOP; bytes of slots {}, of parameters {} (by tiles on the CPU), of gradients {}, of the update {}.\n",
        n(counted.len()),
        n(plan.grads.len()),
        n(parameters),
        bytes(plan.row_bytes() as u64),
        bytes((plan.row_bytes() * capacity) as u64),
        n(capacity),
        n(rows),
        significant(t.flops as f64 * 1e-6),
        bytes(t.slot_bytes),
        bytes(t.param_bytes),
        bytes(t.grad_bytes),
        bytes(t.update_bytes),
    )
}

fn count(launched: &[Launch]) -> usize {
    launched.iter().map(|l| l.times).sum()
}

/// The launches on a GPU.
fn on_gpu(launched: &[Launch]) -> String {
    let row = |l: &Launch| {
        // Only the row program gives each workgroup rows of its own.
        let each = if l.name == "rows" { Tiling::default().rows.to_string() } else { "-".into() };
        let n = |v: usize| v.to_string();
        vec![l.name.into(), n(l.groups), n(l.threads), each, n(l.times), n(l.barriers)]
    };
    let rows: Vec<_> = launched.iter().map(row).collect();
    text(&["launch", "workgroups", "threads", "rows each", "times", "barriers"], &rows, 1)
}
