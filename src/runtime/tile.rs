//! What a CPU twin sees: a few rows of every slot, and the shared tables.
use crate::runtime::memory::Shared;
use crate::runtime::plan::Section;
use crate::runtime::state::{RunArgs, State};
use std::cell::Cell;

/// A per-row region of the activations: `width` floats a row, row-major over the chunk's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Offset in units of 4 floats per row of the chunk.
    pub at: u32,
    /// Floats per row in storage, a multiple of 4.
    pub width: u32,
}

/// Slots of a plan's sections, held for the rows at hand only.
#[derive(Clone, Copy)]
pub struct Wide<'a> {
    /// The sections.
    pub(crate) sections: &'a [Section],
    /// Their slots, one section after the other.
    pub(crate) acts: &'a Shared,
    /// Row of the chunk that is their first.
    pub(crate) row0: usize,
    /// Rows they are laid out for.
    pub(crate) pad: usize,
}

/// Rows `row0 .. row0 + rows` of the chunk, and what they need.
pub struct Tile<'a> {
    /// First row within the chunk.
    pub row0: usize,
    /// Rows.
    pub rows: usize,
    /// Sizes and counters of this run.
    pub run: &'a RunArgs,
    /// Step, seed and schedule.
    pub state: &'a State,
    pub(crate) acts: &'a Shared,
    pub(crate) wide: Option<Wide<'a>>,
    /// Parameter values, then transposes.
    pub params: &'a [f32],
    /// Small constants of the plan (permutations, moments).
    pub consts: &'a [f32],
    /// Rows of data (offline training, inference).
    pub table: &'a [f32],
    /// Which row of `table` belongs to which row of which step.
    pub index: &'a [u32],
}

impl Tile<'_> {
    /// Buffer, first float and number of floats of the tile's rows of a slot.
    fn range(&self, at: u32, width: usize) -> (&Shared, usize, usize) {
        let n = self.rows * width;
        let mut before = 0;
        if let Some(w) = &self.wide {
            for s in w.sections {
                if s.quads.contains(&at) {
                    let quad = (before + at - s.quads.start) as usize;
                    return (w.acts, quad * 4 * w.pad + (self.row0 - w.row0) * width, n);
                }
                if s.quads.start <= at {
                    before += s.quads.end - s.quads.start;
                }
            }
        }
        // Sections take no room among the other slots.
        (self.acts, (at - before) as usize * 4 * self.run.pad as usize + self.row0 * width, n)
    }
    /// The tile's rows of a slot of `width` floats.
    pub fn read(&self, at: u32, width: usize) -> &[f32] {
        let (acts, start, n) = self.range(at, width);
        note(|t| t.read += n);
        // SAFETY: tiles own disjoint rows of every slot, and calls of a tile run one after another on one thread;
        // a kernel never asks twice for a slot that it writes (the recorder gives each role its own slot, and
        // kernels that work in place ask once).
        unsafe { acts.slice(start, n) }
    }
    /// The tile's rows of a slot, to write.
    #[allow(clippy::mut_from_ref)] // see `read`
    pub fn write(&self, at: u32, width: usize) -> &mut [f32] {
        let (acts, start, n) = self.range(at, width);
        note(|t| t.written += n);
        // SAFETY: as in `read`.
        unsafe { acts.slice_mut(start, n) }
    }
    /// `n` parameters from `at`.
    pub fn param(&self, at: u32, n: usize) -> &[f32] {
        note(|t| t.params += n);
        &self.params[at as usize..at as usize + n]
    }
    /// Whether row `i` of the tile exists (the last tile may be ragged).
    pub fn exists(&self, i: usize) -> bool {
        self.row0 + i < self.run.rows as usize
    }
    /// Rows of the tile that exist.
    pub fn existing(&self) -> usize {
        self.rows.min((self.run.rows as usize).saturating_sub(self.row0))
    }
    /// Index of row `i` of the tile in the whole batch.
    pub fn batch_row(&self, i: usize) -> u32 {
        self.run.row0 + (self.row0 + i) as u32
    }
}

/// Floats that calls asked for while they were watched. What a call changes in place counts as written, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Of slots, to read.
    pub read: usize,
    /// Of slots, to write.
    pub written: usize,
    /// Of parameters.
    pub params: usize,
}

thread_local! {
    // One load and a branch in each access while nobody watches.
    static WATCH: Cell<Option<Touched>> = const { Cell::new(None) };
}

fn note(add: impl FnOnce(&mut Touched)) {
    if let Some(mut touched) = WATCH.get() {
        add(&mut touched);
        WATCH.set(Some(touched));
    }
}

/// What the calls that `f` makes on this thread touch: for tables of plans.
pub fn watch(f: impl FnOnce()) -> Touched {
    WATCH.set(Some(Touched::default()));
    f();
    WATCH.take().unwrap_or_default()
}
