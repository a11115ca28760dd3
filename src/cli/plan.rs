//! `couplet plan`: what a step or a pass is made of.
use std::io::Write;

use super::number::{grouped, size};
use super::run::{Outcome, Result};
use crate::bench::counts::{CallCount, calls, totals};
use crate::bench::table::{bytes, significant, text};
use crate::bench::workload::Workload;
use crate::error::Error;
use crate::model::network::Rows;
use crate::runtime::cpu_exec::{SMALL_TILE, tile_rows};
use crate::runtime::launches::{Launch, launches};
use crate::runtime::plan::Plan;
use crate::runtime::tiling::Tiling;

/// Rows whose slots are held at a time: training, inference.
const CAPACITY: [usize; 2] = [crate::bench::workload::CHUNK_ROWS, 4096];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// w, ws, a built-in model, or the path of a model file
    #[arg(value_name = "MODEL")]
    model: String,
    /// The plan of a training step, of a loss, or of draws
    #[arg(long, value_enum, default_value = "train")]
    plan: Which,
    /// Rows [default: the model's batch in training, else 4096]
    #[arg(long, value_parser = size)]
    batch: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Train,
    Loss,
    Sample,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let w = Workload::find(&args.model)?.open_vectors()?;
    let network = &w.network;
    // What only the host can simulate comes to the device as a table.
    let on_device = w.model.simulator()?.wgsl().is_some();
    let rows = if on_device { Rows::Online } else { Rows::Indexed };
    let (plan, training) = match args.plan {
        Which::Train => (network.train_plan(rows), true),
        Which::Loss => (network.loss_plan(), false),
        Which::Sample => (network.sample_plan().plan, false),
    };
    let batch = match (args.batch, training) {
        (Some(rows), _) => rows,
        (None, true) => w.model.config.train.batch.unwrap_or(64),
        (None, false) => CAPACITY[1],
    };
    let (d, c) = network.dims();
    let counted = calls(&plan, d + c);
    writeln!(out, "{}", listing(&counted))?;
    let capacity = CAPACITY[usize::from(!training)].min(batch.next_multiple_of(SMALL_TILE));
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
    let tile = tile_rows(rows);
    let t = totals(plan, counted, rows, tile);
    let n = |v: usize| grouped(v as u64);
    format!(
        "{} calls, {} gradients, {} parameters.\nSlots: {} a row, {} for {} rows at a time.\n\
         {} rows: {} MFLOP; bytes of slots {}, of parameters {} (by tiles of {tile}), of gradients {}, of the update {}.\n",
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
