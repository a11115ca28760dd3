//! Where the rows of a batch come from, and where draws go: the first and last kernels of a plan.
//!
//! - `data/online`: prior, simulator and standardisation in one call, on the device that trains.
//! - `data/gather`: rows of a table of standardised pairs, in the order of an index (offline training, densities).
//! - `data/condition`: the data set a draw belongs to (sampling).
//! - `data/finish`: u back to theta.
//!
//! The first three write the row metadata: weight 1/batch, or 0 for a row past the end or with a non-finite
//! simulation, whose inputs are replaced by zeros (0 x NaN is NaN, so a weight alone would not do).
use crate::args;
use crate::data::standardise::{CLAMP, DataTransform, Standardiser};
use crate::math::is_finite_bits;
use crate::rng::{Rng, streams};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};
use crate::sim::{Prior, Simulator};
use rayon::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;

args! {
    /// Arguments of `data/*`.
    pub struct SourceArgs {
        /// Slot `(batch, D)`: u; for `finish`, standardised u in, theta out.
        pub u: u32,
        /// Slot `(batch, C)`: standardised data.
        pub x: u32,
        /// Slot of the row metadata.
        pub row_meta: u32,
        /// Constants of the [`Standardiser`].
        pub moments: u32,
    }
}

macro_rules! def {
    ($name:literal, $cpu:expr, $flops:expr, $samples:expr) => {
        KernelDef {
            name: concat!("data/", $name),
            source: include_str!(concat!("../../shaders/data/", $name, ".wgsl")),
            args: || SourceArgs::wgsl() + &SourceArgs::wgsl_loader(),
            cpu: $cpu,
            flops: $flops,
            samples: $samples,
        }
    };
}
/// Draws, simulates, standardises. Streams PRIOR and SIMULATOR, step = training step, row = row of the batch.
pub static ONLINE: KernelDef = def!(
    "online",
    online_cpu,
    |_| 0,
    &[
        |r| online_sample(r, DataTransform::None),
        |r| online_sample(r, DataTransform::Log),
        |r| online_sample(r, DataTransform::Log1p),
        |r| online_sample(r, DataTransform::Asinh),
        |r| online_sample(r, DataTransform::LogMilli),
        |r| online_sample(r, DataTransform::Reciprocal),
    ]
);
/// Copies a row of the table.
pub static GATHER: KernelDef =
    def!("gather", gather_cpu, |_| 0, &[|r| gather_sample(r, false), |r| gather_sample(r, true)]);
/// Copies the data set of a draw.
pub static CONDITION: KernelDef = def!("condition", condition_cpu, |_| 0, &[|r| condition_sample(r)]);
/// Maps u back to theta.
pub static FINISH: KernelDef = def!("finish", finish_cpu, |_| 0, &[|r| finish_sample(r)]);

/// What the twins of `online` and `finish` need.
pub struct Host {
    /// The prior with its support transforms.
    pub prior: Prior,
    /// The simulator, where there is one.
    pub simulator: Option<Arc<dyn Simulator>>,
    /// The moments.
    pub standardiser: Standardiser,
}

fn toy(transform: DataTransform) -> Arc<Host> {
    let task = crate::sim::task("two-moons").expect("a built-in task");
    let prior = (task.prior)();
    let simulator = (task.simulator)();
    let (u0, x) = pairs(&prior, simulator.as_ref(), 7, 0, 64);
    let standardiser = Standardiser::fit(transform, &u0.1, &x, 2, 2);
    Arc::new(Host { prior, simulator: Some(simulator), standardiser })
}
fn online_sample(r: &mut Recorder, transform: DataTransform) {
    let (u, x, m) = (r.slot(2), r.slot(2), r.slot(4));
    online(r, &toy(transform), u, x, m);
}
fn gather_sample(r: &mut Recorder, indexed: bool) {
    let (u, x, m) = (r.slot(3), r.slot(5), r.slot(4));
    gather(r, 3, 5, u, x, m, indexed);
}
fn condition_sample(r: &mut Recorder) {
    let (x, m) = (r.slot(5), r.slot(4));
    condition(r, 5, x, m);
}
fn finish_sample(r: &mut Recorder) {
    let u = r.slot(2);
    finish(r, &toy(DataTransform::None), u);
}

/// Rows that [`pairs`] simulates at a time: enough for simulators that compute many rows side by side.
const BLOCK: usize = 256;

/// `((theta, u0), x)` of `n` simulations with this seed and step.
#[allow(clippy::type_complexity)] // three arrays with a name each in the doc
pub fn pairs(
    prior: &Prior,
    simulator: &dyn Simulator,
    seed: u64,
    step: u32,
    n: usize,
) -> ((Vec<f32>, Vec<f32>), Vec<f32>) {
    let (d, c) = simulator.dims();
    let (mut theta, mut u0, mut x) = (vec![0.0; n * d], vec![0.0; n * d], vec![0.0; n * c]);
    for i in 0..n {
        prior.draw(&mut Rng::new(seed, streams::PRIOR, step, i as u32), &mut theta[i * d..(i + 1) * d]);
        prior.to_unconstrained(&theta[i * d..(i + 1) * d], &mut u0[i * d..(i + 1) * d]);
    }
    let parts = theta.par_chunks(BLOCK * d).zip(x.par_chunks_mut(BLOCK * c)).enumerate();
    parts.for_each(|(k, (theta, x))| simulator.simulate(seed, step, (k * BLOCK) as u32, theta, x));
    ((theta, u0), x)
}

/// Records `data/online`; `host.simulator` must be there.
pub fn online(r: &mut Recorder, host: &Arc<Host>, u: Slot, x: Slot, meta: Slot) {
    let simulator = host.simulator.as_ref().expect("online training needs a simulator");
    let (d, c) = simulator.dims();
    let mut spec = spec(d, c, host.standardiser.transform.number(), 0);
    if let Some(text) = simulator.wgsl() {
        spec.text = host.prior.wgsl() + &text;
    }
    let moments = r.constants(&host.standardiser.constants());
    r.call_with(&ONLINE, spec, SourceArgs { u: u.at, x: x.at, row_meta: meta.at, moments }, host.clone());
}
/// Records `data/gather`; `indexed`: by the index table, else row by row.
pub fn gather(r: &mut Recorder, d: usize, c: usize, u: Slot, x: Slot, meta: Slot, indexed: bool) {
    r.call(
        &GATHER,
        spec(d, c, 0, indexed.into()),
        SourceArgs { u: u.at, x: x.at, row_meta: meta.at, moments: 0 },
    );
}
/// Records `data/condition`.
pub fn condition(r: &mut Recorder, c: usize, x: Slot, meta: Slot) {
    r.call(&CONDITION, spec(1, c, 0, 0), SourceArgs { u: x.at, x: x.at, row_meta: meta.at, moments: 0 });
}
/// Records `data/finish`.
pub fn finish(r: &mut Recorder, host: &Arc<Host>, u: Slot) {
    let d = host.prior.dim();
    let mut spec = spec(d, 1, 0, 0);
    spec.text = host.prior.wgsl();
    let moments = r.constants(&host.standardiser.constants());
    r.call_with(&FINISH, spec, SourceArgs { u: u.at, x: u.at, row_meta: u.at, moments }, host.clone());
}

fn spec(d: usize, c: usize, transform: usize, indexed: usize) -> Spec {
    Spec::new(&[
        ("DIM", d),
        ("COND", c),
        ("WIDTH", pad4(d)),
        ("WIDTH_X", pad4(c.max(1))),
        ("TRANSFORM", transform),
        ("INDEXED", indexed),
    ])
}

thread_local! {
    static SCRATCH: RefCell<[Vec<f32>; 3]> = const { RefCell::new([vec![], vec![], vec![]]) };
}

fn online_cpu(tile: &Tile, call: &Call) {
    let a: SourceArgs = call.args();
    let host = call.host.as_ref().and_then(|h| h.downcast_ref::<Host>()).expect("recorded with a host");
    let simulator = host.simulator.as_ref().expect("recorded with a simulator");
    let (d, c) = (call.spec.get("DIM"), call.spec.get("COND"));
    let (wd, wc) = (call.spec.get("WIDTH"), call.spec.get("WIDTH_X"));
    let (u, x, m) = (tile.write(a.u, wd), tile.write(a.x, wc), tile.write(a.row_meta, 4));
    let (seed, step) = (tile.state.seed(), tile.state.step);
    // Taken, not borrowed: a simulator may use rayon, and then this thread may run another tile while it waits.
    let mut scratch = SCRATCH.take();
    let [theta, u0, data] = &mut scratch;
    theta.resize(tile.rows * d, 0.0);
    u0.resize(d, 0.0);
    data.resize(tile.rows * c, 0.0);
    for r in 0..tile.rows {
        let mut rng = Rng::new(seed, streams::PRIOR, step, tile.batch_row(r));
        host.prior.draw(&mut rng, &mut theta[r * d..(r + 1) * d]);
    }
    simulator.simulate(seed, step, tile.batch_row(0), theta, data);
    for r in 0..tile.rows {
        let (row_u, row_x) = (&mut u[r * wd..(r + 1) * wd], &mut x[r * wc..(r + 1) * wc]);
        host.prior.to_unconstrained(&theta[r * d..(r + 1) * d], u0);
        let good = host.standardiser.standardise_u(u0);
        row_u[..d].copy_from_slice(u0);
        let good = host.standardiser.standardise_x(&data[r * c..(r + 1) * c], row_x) && good;
        row_u[d..].fill(0.0);
        row_x[c..].fill(0.0);
        begin(tile, r, good, row_u, row_x, &mut m[4 * r..4 * r + 4]);
    }
    SCRATCH.set(scratch);
}

/// Sets a row's metadata; replaces the inputs of a row that does not count.
pub(super) fn begin(tile: &Tile, r: usize, good: bool, u: &mut [f32], x: &mut [f32], m: &mut [f32]) {
    let exists = tile.exists(r);
    let counts = exists && good;
    if !counts {
        u.fill(0.0);
        x.fill(0.0);
    }
    m.fill(0.0);
    m[meta::WEIGHT] = if counts { 1.0 / tile.run.batch as f32 } else { 0.0 };
    m[meta::MASKED] = if exists && !good { 1.0 } else { 0.0 };
}

fn gather_cpu(tile: &Tile, call: &Call) {
    let a: SourceArgs = call.args();
    let (d, c) = (call.spec.get("DIM"), call.spec.get("COND"));
    let (wd, wc) = (call.spec.get("WIDTH"), call.spec.get("WIDTH_X"));
    let (u, x, m) = (tile.write(a.u, wd), tile.write(a.x, wc), tile.write(a.row_meta, 4));
    for r in 0..tile.rows {
        let (row_u, row_x) = (&mut u[r * wd..(r + 1) * wd], &mut x[r * wc..(r + 1) * wc]);
        row_u.fill(0.0);
        row_x.fill(0.0);
        if tile.exists(r) {
            let mut at = tile.batch_row(r) as usize;
            if call.spec.get("INDEXED") == 1 {
                at += (tile.state.step - tile.run.first_step) as usize * tile.run.batch as usize;
                at = tile.index[at] as usize;
            }
            let row = &tile.table[at * (d + c)..(at + 1) * (d + c)];
            row_u[..d].copy_from_slice(&row[..d]);
            row_x[..c].copy_from_slice(&row[d..]);
        }
        let good = row_u.iter().chain(row_x.iter()).all(|&v| is_finite_bits(v));
        begin(tile, r, good, row_u, row_x, &mut m[4 * r..4 * r + 4]);
    }
}

fn condition_cpu(tile: &Tile, call: &Call) {
    let a: SourceArgs = call.args();
    let (c, wc) = (call.spec.get("COND"), call.spec.get("WIDTH_X"));
    let (x, m) = (tile.write(a.x, wc), tile.write(a.row_meta, 4));
    for r in 0..tile.rows {
        let row = &mut x[r * wc..(r + 1) * wc];
        row.fill(0.0);
        if tile.exists(r) {
            let set = (tile.batch_row(r) / tile.run.draws) as usize;
            row[..c].copy_from_slice(&tile.table[set * c..(set + 1) * c]);
        }
        begin(tile, r, true, &mut [], &mut row[..0], &mut m[4 * r..4 * r + 4]);
    }
}

fn finish_cpu(tile: &Tile, call: &Call) {
    let a: SourceArgs = call.args();
    let host = call.host.as_ref().and_then(|h| h.downcast_ref::<Host>()).expect("recorded with a host");
    let (d, wd) = (call.spec.get("DIM"), call.spec.get("WIDTH"));
    let u = tile.write(a.u, wd);
    let s = &host.standardiser;
    SCRATCH.with_borrow_mut(|[theta, ..]| {
        theta.resize(d, 0.0);
        for row in u.chunks_exact_mut(wd) {
            for j in 0..d {
                row[j] = row[j] * s.u_sd[j] + s.u_mean[j];
            }
            host.prior.from_unconstrained(&row[..d], theta);
            row[..d].copy_from_slice(theta);
        }
    });
}

/// The clamp is part of the kernels' text too.
pub const X_CLAMP: f32 = CLAMP;
