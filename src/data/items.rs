//! Data sets of any size: where the items of a batch come from.
//!
//! - `data/online_items`: prior, simulator and standardisation in one call; all data sets of a batch have the same size, a
//!   function of (seed, step).
//! - `data/gather_items`: rows `u | n | items` of a table of standardised pairs; each row has its own size n.
//! - `data/pool_items`: the same from a table of long data sets, of which each row of a batch takes some items ([`Take`]). The
//!   index holds the number of rows.
//!
//! All write the row metadata as `data/online` does, the items, zeros behind the last, and the counts `(n, size, 0, 0)` with
//! size `(ln n - m)/s`.
use crate::args;
use crate::data::source::{Host, begin};
use crate::math::{is_finite_bits, log_};
use crate::rng::{Rng, streams};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};
use crate::sim::DataShape;
use std::cell::RefCell;
use std::sync::Arc;

args! {
    /// Arguments of `data/*_items`.
    pub struct ItemSourceArgs {
        /// Slot `(batch, D)`: u.
        pub u: u32,
        /// Slot `(batch, items, P)`: standardised items.
        pub x: u32,
        /// Slot of the row metadata.
        pub row_meta: u32,
        /// Slot of the counts.
        pub count: u32,
        /// Constants of the standardiser, then m and 1/s of ln n.
        pub moments: u32,
        /// Items that the slot holds.
        pub items: u32,
        /// Fewest items of a data set (online, pool).
        pub least: u32,
        /// Most items of a data set (online, pool).
        pub most: u32,
        /// Items of a row of the table.
        pub pitch: u32,
    }
}

macro_rules! def {
    ($name:literal, $cpu:expr, $samples:expr) => {
        KernelDef {
            name: concat!("data/", $name),
            source: include_str!(concat!("../../shaders/data/", $name, ".wgsl")),
            args: || ItemSourceArgs::wgsl() + &ItemSourceArgs::wgsl_loader(),
            cpu: $cpu,
            flops: |_| 0,
            samples: $samples,
        }
    };
}
/// Draws, simulates, standardises.
pub static ONLINE: KernelDef = def!("online_items", online_cpu, &[|r| super::items_toy::online_sample(r)]);
/// Copies rows of the table.
pub static GATHER: KernelDef =
    def!("gather_items", gather_cpu, &[|r| gather_sample(r, 3, true), |r| gather_sample(r, 0, false)]);
/// Takes items of long data sets.
pub static POOL: KernelDef = def!(
    "pool_items",
    pool_cpu,
    &[|r| pool_sample(r, Take::Any), |r| pool_sample(r, Take::First), |r| pool_sample(r, Take::Window)]
);

fn gather_sample(r: &mut Recorder, d: usize, indexed: bool) {
    let slots = Slots { u: r.slot(d), x: r.slot(4 * 4), meta: r.slot(4), count: r.slot(4) };
    let source = ItemSource { d, features: 2, items: 4, pitch: 2, ..ItemSource::default() };
    gather(r, &source, slots, indexed, [0.5, 2.0]);
}
fn pool_sample(r: &mut Recorder, take: Take) {
    let slots = Slots { u: r.slot(1), x: r.slot(8 * 4), meta: r.slot(4), count: r.slot(4) };
    let source = ItemSource { d: 1, features: 1, items: 8, pitch: 6, least: 2, most: 5 };
    pool(r, &source, slots, take, [0.5, 2.0]);
}

/// Which items of a long data set stand for a shorter one of the same parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Every k-th from a random one on, k without a common divisor: of sets, whose items can be told apart by nothing.
    Any,
    /// The first: of series, which begin where their simulator begins.
    First,
    /// Those of a window at a random place: of stationary series, whose parts look alike wherever they begin.
    Window,
}

/// The slots of a batch's data.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// `(batch, D)`: u.
    pub u: Slot,
    /// `(batch, items, P)`.
    pub x: Slot,
    /// Row metadata.
    pub meta: Slot,
    /// Counts.
    pub count: Slot,
}

/// Sizes of a source of items.
#[derive(Clone, Copy, Debug, Default)]
pub struct ItemSource {
    /// Parameters.
    pub d: usize,
    /// Columns of an item.
    pub features: usize,
    /// Items that the slot holds.
    pub items: usize,
    /// Items of a row of the table.
    pub pitch: usize,
    /// Fewest items of a data set.
    pub least: usize,
    /// Most items of a data set.
    pub most: usize,
}

/// Floats of a table row `u | n | items`.
pub fn row_width(d: usize, features: usize, pitch: usize) -> usize {
    d + 1 + pitch * features
}

/// Items of the data sets of step `step`: uniform on `least ..= most`, by the first word of stream SIZE.
pub fn size_of_step(seed: u64, step: u32, least: usize, most: usize) -> usize {
    let word = u64::from(Rng::new(seed, streams::SIZE, step, 0).next_u32());
    least + ((word * (most - least + 1) as u64) >> 32) as usize
}

/// Records `data/online_items`.
pub fn online(r: &mut Recorder, host: &Arc<Host>, source: &ItemSource, to: Slots, size: [f32; 2]) {
    let simulator = host.simulator.as_ref().expect("online training needs a simulator");
    let mut spec = spec(source, host.standardiser.transform.number(), 0, 0);
    if let Some(text) = simulator.wgsl_items() {
        spec.text = host.prior.wgsl() + &text + include_str!("../../shaders/data/put_item.wgsl");
    }
    let moments = r.constants(&[&host.standardiser.constants()[..], &size].concat());
    r.call_with(&ONLINE, spec, args(source, to, moments), host.clone());
}
/// Records `data/gather_items`; `indexed`: by the index table, else row by row.
pub fn gather(r: &mut Recorder, source: &ItemSource, to: Slots, indexed: bool, size: [f32; 2]) {
    let moments = r.constants(&size);
    r.call(&GATHER, spec(source, 0, indexed.into(), 0), args(source, to, moments));
}
/// Records `data/pool_items`.
pub fn pool(r: &mut Recorder, source: &ItemSource, to: Slots, take: Take, size: [f32; 2]) {
    let moments = r.constants(&size);
    r.call(&POOL, spec(source, 0, 0, take as usize), args(source, to, moments));
}

fn args(s: &ItemSource, to: Slots, moments: u32) -> ItemSourceArgs {
    ItemSourceArgs {
        u: to.u.at,
        x: to.x.at,
        row_meta: to.meta.at,
        count: to.count.at,
        moments,
        items: s.items as u32,
        least: s.least as u32,
        most: s.most as u32,
        pitch: s.pitch as u32,
    }
}
fn spec(s: &ItemSource, transform: usize, indexed: usize, take: usize) -> Spec {
    Spec::new(&[
        ("DIM", s.d),
        ("WIDTH", pad4(s.d.max(1))),
        ("FEATURES", s.features),
        ("P", pad4(s.features)),
        ("TRANSFORM", transform),
        ("INDEXED", indexed),
        ("TAKE", take),
    ])
}

thread_local! {
    static SCRATCH: RefCell<[Vec<f32>; 3]> = const { RefCell::new([vec![], vec![], vec![]]) };
}

struct Out<'a> {
    u: &'a mut [f32],
    x: &'a mut [f32],
    meta: &'a mut [f32],
    count: &'a mut [f32],
}

fn out<'a>(tile: &'a Tile, call: &Call, a: &ItemSourceArgs) -> Out<'a> {
    let (wd, p) = (call.spec.get("WIDTH"), call.spec.get("P"));
    Out {
        u: tile.write(a.u, wd),
        x: tile.write(a.x, a.items as usize * p),
        meta: tile.write(a.row_meta, 4),
        count: tile.write(a.count, 4),
    }
}

/// `(n, (ln n - m)/s, 0, 0)`; `at`: where m and 1/s stand among the constants.
fn counts(tile: &Tile, at: usize, n: usize, to: &mut [f32]) {
    let size = (log_(n.max(1) as f32) - tile.consts[at]) * tile.consts[at + 1];
    to.copy_from_slice(&[n as f32, size, 0.0, 0.0]);
}

fn online_cpu(tile: &Tile, call: &Call) {
    let a: ItemSourceArgs = call.args();
    let host = call.host.as_ref().and_then(|h| h.downcast_ref::<Host>()).expect("recorded with a host");
    let simulator = host.simulator.as_ref().expect("recorded with a simulator");
    let (d, wd) = (call.spec.get("DIM"), call.spec.get("WIDTH"));
    let (f, p, items) = (call.spec.get("FEATURES"), call.spec.get("P"), a.items as usize);
    let to = out(tile, call, &a);
    let (seed, step) = (tile.state.seed(), tile.state.step);
    let n = size_of_step(seed, step, a.least as usize, a.most as usize).min(items);
    // Taken, not borrowed: a simulator may use rayon, and then this thread may run another tile while it waits.
    let mut scratch = SCRATCH.take();
    let [theta, u0, data] = &mut scratch;
    theta.resize(tile.rows * d, 0.0);
    u0.resize(d, 0.0);
    data.resize(tile.rows * n * f, 0.0);
    for r in 0..tile.rows {
        let mut rng = Rng::new(seed, streams::PRIOR, step, tile.batch_row(r));
        host.prior.draw(&mut rng, &mut theta[r * d..(r + 1) * d]);
    }
    simulator.simulate_items(seed, step, tile.batch_row(0), n, theta, data);
    let moments = a.moments as usize + 3 * d + 4 * f;
    for r in 0..tile.rows {
        let (row_u, row_x) = (&mut to.u[r * wd..(r + 1) * wd], &mut to.x[r * items * p..(r + 1) * items * p]);
        host.prior.to_unconstrained(&theta[r * d..(r + 1) * d], u0);
        let mut good = host.standardiser.standardise_u(u0);
        row_u.fill(0.0);
        row_u[..d].copy_from_slice(u0);
        row_x.fill(0.0);
        for (item, to) in data[r * n * f..(r + 1) * n * f].chunks_exact(f).zip(row_x.chunks_exact_mut(p)) {
            good &= host.standardiser.standardise_x(item, to);
        }
        counts(tile, moments, n, &mut to.count[4 * r..4 * r + 4]);
        begin(tile, r, good, row_u, row_x, &mut to.meta[4 * r..4 * r + 4]);
    }
    SCRATCH.set(scratch);
}

fn gather_cpu(tile: &Tile, call: &Call) {
    let a: ItemSourceArgs = call.args();
    let (d, wd) = (call.spec.get("DIM"), call.spec.get("WIDTH"));
    let (f, p, items) = (call.spec.get("FEATURES"), call.spec.get("P"), a.items as usize);
    let width = row_width(d, f, a.pitch as usize);
    let to = out(tile, call, &a);
    for r in 0..tile.rows {
        let (row_u, row_x) = (&mut to.u[r * wd..(r + 1) * wd], &mut to.x[r * items * p..(r + 1) * items * p]);
        row_u.fill(0.0);
        row_x.fill(0.0);
        let mut n = 0;
        if tile.exists(r) {
            let mut at = tile.batch_row(r) as usize;
            if call.spec.get("INDEXED") == 1 {
                at += (tile.state.step - tile.run.first_step) as usize * tile.run.batch as usize;
                at = tile.index[at] as usize;
            }
            let row = &tile.table[at * width..(at + 1) * width];
            row_u[..d].copy_from_slice(&row[..d]);
            n = (row[d] as usize).min(items).min(a.pitch as usize);
            for (item, to) in row[d + 1..].chunks_exact(f).zip(row_x.chunks_exact_mut(p)).take(n) {
                to[..f].copy_from_slice(item);
            }
        }
        let good = row_u.iter().chain(row_x.iter()).all(|&v| is_finite_bits(v));
        counts(tile, a.moments as usize, n, &mut to.count[4 * r..4 * r + 4]);
        begin(tile, r, good, row_u, row_x, &mut to.meta[4 * r..4 * r + 4]);
    }
}

/// Whether 1 is the only common divisor.
fn coprime(mut a: u32, mut b: u32) -> bool {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// (row of the table, first item, step between items) of a row of the batch that takes `n` of `length` items.
fn taken(words: [u32; 3], rows: u32, length: u32, n: u32, take: usize) -> (u32, u32, u32) {
    let below = |word: u32, n: u32| ((u64::from(word) * u64::from(n)) >> 32) as u32;
    let row = below(words[0], rows);
    if take != Take::Any as usize {
        let first = if take == Take::Window as usize { below(words[1], length - n + 1) } else { 0 };
        return (row, first, 1);
    }
    let mut step = 1 + below(words[2], length.max(2) - 1);
    while !coprime(step, length) {
        step = step % length + 1;
    }
    (row, below(words[1], length), step)
}

fn pool_cpu(tile: &Tile, call: &Call) {
    let a: ItemSourceArgs = call.args();
    let (d, wd) = (call.spec.get("DIM"), call.spec.get("WIDTH"));
    let (f, p, items) = (call.spec.get("FEATURES"), call.spec.get("P"), a.items as usize);
    let width = row_width(d, f, a.pitch as usize);
    let (seed, step) = (tile.state.seed(), tile.state.step);
    let size = size_of_step(seed, step, a.least as usize, a.most as usize).min(items);
    let to = out(tile, call, &a);
    for r in 0..tile.rows {
        let (row_u, row_x) = (&mut to.u[r * wd..(r + 1) * wd], &mut to.x[r * items * p..(r + 1) * items * p]);
        let mut rng = Rng::new(seed, streams::POOL, step, tile.batch_row(r));
        let words = [rng.next_u32(), rng.next_u32(), rng.next_u32()];
        let n = size.min(a.pitch as usize);
        let (at, first, by) = taken(words, tile.index[0], a.pitch, n as u32, call.spec.get("TAKE"));
        let row = &tile.table[at as usize * width..][..width];
        row_u.fill(0.0);
        row_u[..d].copy_from_slice(&row[..d]);
        row_x.fill(0.0);
        let mut i = first as usize;
        for to in row_x.chunks_exact_mut(p).take(n) {
            to[..f].copy_from_slice(&row[d + 1 + i * f..][..f]);
            i = (i + by as usize) % a.pitch as usize;
        }
        let good = row_u.iter().chain(row_x.iter()).all(|&v| is_finite_bits(v));
        counts(tile, a.moments as usize, n, &mut to.count[4 * r..4 * r + 4]);
        begin(tile, r, good, row_u, row_x, &mut to.meta[4 * r..4 * r + 4]);
    }
}

/// Sizes for which plans are recorded: the largest, then each about 1.4 times smaller, multiples of 4, until the smallest
/// data sets are near.
pub fn buckets(data: &DataShape) -> Vec<usize> {
    let (min, max) = data.items();
    let mut sizes = vec![max];
    while let Some(&last) = sizes.last() {
        let next = (last as f64 / 1.4).ceil() as usize;
        let next = next.next_multiple_of(4);
        if next >= last || next < min || last <= 8 {
            break;
        }
        sizes.push(next);
    }
    sizes.reverse();
    sizes
}

/// The place of the smallest bucket that holds `n` items; the last where none does.
pub fn bucket_of(buckets: &[usize], n: usize) -> usize {
    buckets.iter().position(|&b| b >= n).unwrap_or(buckets.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_every_size_and_are_near() {
        let data = DataShape::Set { features: 1, min: 5, max: 1500 };
        let b = buckets(&data);
        assert!(b.len() < 20 && b[b.len() - 1] == 1500, "{b:?}");
        for n in 5..=1500 {
            let held = b[bucket_of(&b, n)];
            assert!(held >= n && held as f64 <= 1.5 * n as f64 + 8.0, "{n} in {held}");
        }
        assert_eq!(buckets(&DataShape::Series { features: 2, min: 500, max: 500 }), [500]);
    }
    #[test]
    fn sizes_are_uniform_and_differ_from_step_to_step() {
        let mut seen = [0; 4];
        (0..4000).for_each(|step| seen[size_of_step(3, step, 5, 8) - 5] += 1);
        assert!(seen.iter().all(|&n| (900..1100).contains(&n)), "{seen:?}");
    }
    #[test]
    fn items_are_taken_without_replacement_and_series_from_their_start_or_inside() {
        let mut elsewhere = false;
        for word in 0..200u32 {
            let words = [word.wrapping_mul(2_654_435_761), word.wrapping_mul(40_503_333), word << 24];
            for length in [1, 2, 12, 30] {
                let (row, first, by) = taken(words, 7, length, 1, Take::Any as usize);
                assert!(row < 7);
                let mut seen = vec![false; length as usize];
                let mut i = first;
                (0..length).for_each(|_| {
                    seen[i as usize] = true;
                    i = (i + by) % length;
                });
                assert!(seen.iter().all(|&s| s), "{length} {first} {by}");
                let n = length.min(5);
                assert_eq!(taken(words, 7, length, n, Take::First as usize), (row, 0, 1));
                let (_, first, by) = taken(words, 7, length, n, Take::Window as usize);
                assert!(first + n <= length && by == 1);
                elsewhere |= first > 0;
            }
        }
        assert!(elsewhere);
    }
}
