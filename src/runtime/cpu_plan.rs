//! A plan on the CPU: how its rows are cut into blocks and tiles, and where slots and partial gradients stand.
//!
//! All calls outside of sections, and those of coarse sections, run on a block of rows at a time. The others run on tiles
//! of a block, few enough rows that what one call writes is in cache for the next. Slots of sections exist for
//! one block only, so gradients that read them are formed block by block and added up in a fixed order.
//!
//! The other gradients are formed when all rows are done, over a chunk of rows. Of a large chunk each half is a product of its own,
//! and both are added up: so two threads exchange gradients, and not the activations of all rows, of which there are many more.
use crate::runtime::memory::Shared;
use crate::runtime::plan::{GradJob, Plan};
use crate::runtime::state::{RunArgs, State};
use crate::runtime::step::{GradPart, StepKernels};
use crate::runtime::team::{Leader, even};
use crate::runtime::tile::{Slot, Tile, Wide};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Rows of a block: whole register blocks of the product. Where every thread still gets one, and no gradient depends on it,
/// large ones: each block reads all weights once, and those outgrow the second-level cache. A row's bits do not depend on its
/// block.
pub const SMALL_BLOCK: usize = 16;
const LARGE_BLOCK: usize = 32;
/// Most bytes of a block's section slots.
const BLOCK_BYTES: usize = 32 << 20;
/// Most bytes of a tile's section slots, where a row does not have more.
const TILE_BYTES: usize = 1 << 20;
/// Rows of a matrix in one gradient part or update part.
pub const PART_ROWS: usize = 32;
/// Rows whose gradients are formed together, in chunks that have so many twice.
const HALF: usize = 128;
/// Most partial sums of a gradient on items.
const GROUPS: usize = 32;

/// Rows of a block of a plan without sections where a launch has so many rows.
pub fn block_rows(rows: usize) -> usize {
    if rows >= LARGE_BLOCK * rayon::current_num_threads() { LARGE_BLOCK } else { SMALL_BLOCK }
}

/// A gradient on items, and where its partial sums stand.
#[derive(Clone, Copy)]
struct ItemJob {
    job: GradJob,
    at: usize,
}

/// A piece of the gradient that is formed when all rows are done.
#[derive(Clone, Copy)]
enum Sum {
    /// A product over the rows.
    Rows(GradPart),
    /// The partial sums of the blocks.
    Items(ItemJob),
}

/// A part of a batch's rows, which is taken to its gradients before the next.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// Rows of the batch's chunks; the last may have fewer.
    pub rows: usize,
    /// Nothing is in the gradient yet.
    pub first: bool,
    /// Nothing will be added.
    pub last: bool,
}

impl Sum {
    /// First float of the gradient it writes.
    fn at(&self) -> usize {
        match self {
            Self::Rows(p) => p.at(),
            Self::Items(i) => i.job.at as usize,
        }
    }
}

/// Rows that a thread takes through the calls at once.
struct Block<'a> {
    run: &'a RunArgs,
    state: &'a State,
    params: &'a [f32],
    /// Slots of sections; not read where there are none.
    wide: &'a Shared,
    row0: usize,
    /// Where the launch has so many.
    rows: usize,
}

impl Block<'_> {
    /// Rows that there are.
    fn rows(&self) -> usize {
        self.rows.min(self.run.pad as usize - self.row0)
    }
}

/// See the module's doc.
pub struct CpuPlan {
    /// As recorded.
    pub plan: Plan,
    /// Rows at a time.
    pub capacity: usize,
    /// Slots outside of sections.
    pub acts: Shared,
    /// Data rows.
    pub table: Arc<[f32]>,
    /// Their order.
    pub index: Vec<u32>,
    /// In the order of storage, so that a thread's share of the gradient is its share of the update.
    sums: Vec<Sum>,
    /// Bits of the sum of squares of each.
    squares: Vec<AtomicU64>,
    items: Vec<ItemJob>,
    /// Gradients of the two halves of a large chunk's rows.
    halves: [Shared; 2],
    /// Calls as they follow each other, inside (true) and outside of fine sections.
    pieces: Vec<(Range<usize>, bool)>,
    /// Floats of one set of partial sums.
    partial: usize,
    partials: Shared,
    block: usize,
    tile: usize,
    /// Section slots not in use.
    free: Mutex<Vec<Shared>>,
}

impl CpuPlan {
    /// Lays out a plan for `rows` rows at a time.
    pub fn new(plan: Plan, rows: usize) -> Self {
        let row_bytes = plan.section_quads() as usize * 16;
        let fitting = |bytes: usize, most: usize| {
            let mut n = most;
            while n > 1 && n * row_bytes > bytes {
                n /= 2;
            }
            n
        };
        let block = fitting(BLOCK_BYTES, SMALL_BLOCK);
        let tile = fitting(TILE_BYTES, block);
        let capacity = rows.max(1).next_multiple_of(SMALL_BLOCK);
        let quads = plan.quads - plan.section_quads();
        let (mut sums, mut items, mut partial) = (vec![], vec![], 0);
        for &job in &plan.grads {
            if plan.on_items(&job) {
                let item = ItemJob { job, at: partial };
                items.push(item);
                sums.push(Sum::Items(item));
                partial += job.floats();
                continue;
            }
            let place = |s: Slot| Slot { at: place(&plan, s.at).unwrap_or(s.at), ..s };
            let job = GradJob { x: job.x.map(place), delta: place(job.delta), ..job };
            let k = job.x.map_or(1, |x| x.width as usize);
            for first in (0..k).step_by(PART_ROWS) {
                sums.push(Sum::Rows(GradPart { job, first, count: PART_ROWS.min(k - first) }));
            }
        }
        sums.sort_by_key(Sum::at);
        let groups = capacity.div_ceil(block).min(GROUPS);
        let half = if capacity >= 2 * HALF && !sums.is_empty() { plan.params.len } else { 0 };
        Self {
            capacity,
            halves: [Shared::new(half), Shared::new(half)],
            acts: Shared::new(quads as usize * 4 * capacity),
            table: Arc::new([]),
            index: vec![],
            squares: sums.iter().map(|_| AtomicU64::new(0)).collect(),
            sums,
            items,
            pieces: pieces(&plan),
            partial,
            partials: Shared::new(groups * partial),
            block,
            tile,
            free: Mutex::default(),
            plan,
        }
    }

    /// First float of a slot outside of sections.
    pub fn start(&self, at: u32) -> Option<usize> {
        place(&self.plan, at).map(|at| at as usize * 4 * self.capacity)
    }

    /// Runs calls over all rows. With `grads` the gradients on items follow in each block, into partial sums.
    pub fn rows(
        &self,
        team: &mut Leader<'_>,
        run: &RunArgs,
        state: &State,
        params: &[f32],
        range: Range<usize>,
        grads: Option<&'static StepKernels>,
    ) {
        let block = self.block_rows(run.rows as usize);
        let blocks = (run.rows as usize).div_ceil(block);
        let work = |b: usize, out: &mut [f32]| {
            let wide = self.take();
            let slots = wide.as_ref().unwrap_or(&self.acts);
            let on = Block { run, state, params, wide: slots, row0: b * block, rows: block };
            self.walk(&on, range.clone(), |i, tile| {
                let call = &self.plan.calls[i];
                (call.def.cpu)(tile, call);
            });
            if let Some(kernels) = grads {
                let whole = self.tile_of(&on, on.row0, on.rows());
                for item in &self.items {
                    (kernels.items_cpu)(&whole, &item.job, &mut out[item.at..][..item.job.floats()]);
                }
            }
            self.give(wide);
        };
        if grads.is_none() || self.items.is_empty() {
            return team.run(blocks, even(blocks), &|b| work(b, &mut []));
        }
        let groups = self.groups(run);
        team.run(groups, even(groups), &|g| {
            // SAFETY: every group has its own partial sums.
            let out = unsafe { self.partials.slice_mut(g * self.partial, self.partial) };
            out.fill(0.0);
            (g * blocks / groups..(g + 1) * blocks / groups).for_each(|b| work(b, out));
        });
    }

    /// Sets of partial sums of a run.
    fn groups(&self, run: &RunArgs) -> usize {
        (run.rows as usize).div_ceil(self.block).min(GROUPS)
    }

    /// Forms the gradient of a chunk when its rows' calls have ended, or adds to it; its sum of squares, if this is the last chunk.
    pub fn gradient(
        &self,
        team: &mut Leader<'_>,
        run: &RunArgs,
        kernels: &StepKernels,
        params: &[f32],
        grad: &Shared,
        chunk: &Chunk,
    ) -> f64 {
        let floats = self.plan.params.len;
        let halved = chunk.rows >= 2 * HALF;
        if halved {
            // Tasks of the first half, then of the second; each thread begins with the rows that it made.
            let n = self.sums.len();
            let first = |t, threads| {
                let at = 2 * floats * t / threads;
                at / floats * n + self.sums.partition_point(|s| s.at() < at % floats)
            };
            team.run(2 * n, first, &|task| {
                if let Sum::Rows(part) = &self.sums[task % n] {
                    let (half, rows) = (task / n, run.rows as usize);
                    let rows = if half == 0 { 0..HALF.min(rows) } else { HALF.min(rows)..rows };
                    // SAFETY: tasks own disjoint pieces of the halves.
                    let out = unsafe { self.halves[half].slice_mut(part.at(), part.floats()) };
                    (kernels.grad_cpu)(&self.acts, self.capacity, rows, part, out, !chunk.first, &[]);
                }
            });
            if !chunk.last && self.items.is_empty() {
                return 0.0;
            }
        }
        let first = |t, n| self.sums.partition_point(|s| s.at() < floats * t / n);
        team.run(self.sums.len(), first, &|i| {
            let square = match &self.sums[i] {
                Sum::Rows(part) => {
                    let (at, n) = (part.at(), part.floats());
                    // SAFETY: sums own disjoint pieces of the gradient.
                    let out = unsafe { grad.slice_mut(at, n) };
                    let claim = &params[at..at + n];
                    if halved {
                        // SAFETY: the halves are complete.
                        let [a, b] = [0, 1].map(|half| unsafe { self.halves[half].slice(at, n) });
                        (kernels.sum_cpu)(out, a, b, claim);
                    } else {
                        let rows = 0..run.rows as usize;
                        (kernels.grad_cpu)(&self.acts, self.capacity, rows, part, out, !chunk.first, claim);
                    }
                    (kernels.squares_cpu)(out)
                }
                Sum::Items(item) => self.sum_items(run, kernels, grad, item, !chunk.first),
            };
            self.squares[i].store(square.to_bits(), Ordering::Relaxed);
        });
        self.squares.iter().map(|s| f64::from_bits(s.load(Ordering::Relaxed))).sum()
    }

    /// Adds the partial sums of a gradient on items up, in order.
    fn sum_items(
        &self,
        run: &RunArgs,
        kernels: &StepKernels,
        grad: &Shared,
        item: &ItemJob,
        add: bool,
    ) -> f64 {
        let n = item.job.floats();
        // SAFETY: sums own disjoint pieces of the gradient, and the rows' work has ended.
        let out = unsafe { grad.slice_mut(item.job.at as usize, n) };
        if !add {
            out.fill(0.0);
        }
        for g in 0..self.groups(run) {
            // SAFETY: as above.
            let part = unsafe { self.partials.slice(g * self.partial + item.at, n) };
            out.iter_mut().zip(part).for_each(|(g, p)| *g += p);
        }
        (kernels.squares_cpu)(out)
    }

    /// Rows of a block of a launch of so many rows.
    pub fn block_rows(&self, rows: usize) -> usize {
        if self.plan.sections.is_empty() { block_rows(rows) } else { self.block }
    }

    /// Rows of a tile of a call in a plan with sections.
    pub fn tile_rows(&self, call: usize) -> Option<usize> {
        let fine = self.pieces.iter().any(|(calls, fine)| *fine && calls.contains(&call));
        (!self.plan.sections.is_empty()).then_some(if fine { self.tile } else { self.block })
    }

    /// Gives `each` every call with each of the tiles it runs on, of the launch's first block, in the order of a step.
    pub fn first_block(
        &self,
        run: &RunArgs,
        state: &State,
        params: &[f32],
        mut each: impl FnMut(usize, &Tile),
    ) {
        let wide = self.take();
        let slots = wide.as_ref().unwrap_or(&self.acts);
        let rows = self.block_rows(run.rows as usize);
        let on = Block { run, state, params, wide: slots, row0: 0, rows };
        self.walk(&on, 0..self.plan.calls.len(), &mut each);
        self.give(wide);
    }

    fn walk(&self, on: &Block, range: Range<usize>, mut each: impl FnMut(usize, &Tile)) {
        let (row0, rows) = (on.row0, on.rows());
        let whole = self.tile_of(on, row0, rows);
        for (calls, fine) in &self.pieces {
            let calls = calls.start.clamp(range.start, range.end)..calls.end.clamp(range.start, range.end);
            if *fine && self.tile < rows {
                for first in (row0..row0 + rows).step_by(self.tile) {
                    let tile = self.tile_of(on, first, self.tile.min(row0 + rows - first));
                    calls.clone().for_each(|i| each(i, &tile));
                }
            } else {
                calls.for_each(|i| each(i, &whole));
            }
        }
    }

    fn tile_of<'a>(&'a self, on: &Block<'a>, row0: usize, rows: usize) -> Tile<'a> {
        let sections = &self.plan.sections;
        let wide = (!sections.is_empty()).then_some(Wide {
            sections,
            acts: on.wide,
            row0: on.row0,
            pad: self.block,
        });
        Tile {
            row0,
            rows,
            run: on.run,
            state: on.state,
            acts: &self.acts,
            wide,
            params: on.params,
            consts: &self.plan.consts,
            table: &self.table,
            index: &self.index,
        }
    }

    /// Section slots for one block. Handed out, not kept for each thread: while a simulator waits for threads of its own,
    /// this one may begin another block.
    fn take(&self) -> Option<Shared> {
        if self.plan.sections.is_empty() {
            return None;
        }
        let free = self.free.lock().unwrap_or_else(|e| e.into_inner()).pop();
        Some(free.unwrap_or_else(|| Shared::new(self.plan.section_quads() as usize * 4 * self.block)))
    }
    fn give(&self, wide: Option<Shared>) {
        self.free.lock().unwrap_or_else(|e| e.into_inner()).extend(wide);
    }
}

/// Calls as they follow each other: inside (true) and outside of fine sections.
fn pieces(plan: &Plan) -> Vec<(Range<usize>, bool)> {
    let (mut pieces, mut at) = (vec![], 0);
    for s in plan.sections.iter().filter(|s| !s.coarse) {
        let begin = s.calls.start.max(at);
        if begin < s.calls.end {
            pieces.push((at..begin, false));
            pieces.push((begin..s.calls.end, true));
            at = s.calls.end;
        }
    }
    pieces.push((at..plan.calls.len(), false));
    pieces
}

/// Where a slot stands when sections take no room; none for a slot of a section.
fn place(plan: &Plan, at: u32) -> Option<u32> {
    let mut before = 0;
    for s in &plan.sections {
        if s.quads.contains(&at) {
            return None;
        }
        if s.quads.start <= at {
            before += s.quads.end - s.quads.start;
        }
    }
    Some(at - before)
}
