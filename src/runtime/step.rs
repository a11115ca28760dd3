//! The two launches that end a training step, as the executors see them. `optim` implements them; the machine room
//! only knows their shape, so that it imports nothing from below.
use crate::runtime::memory::Shared;
use crate::runtime::params::Param;
use crate::runtime::plan::GradJob;
use crate::runtime::state::{State, StepArgs};
use crate::runtime::tile::Tile;
use std::ops::Range;

/// Part of a weight-gradient job: `count` rows of the parameter from `first` on.
#[derive(Clone, Copy, Debug)]
pub struct GradPart {
    /// The job.
    pub job: GradJob,
    /// First input column, that is, first row of the matrix.
    pub first: usize,
    /// Input columns.
    pub count: usize,
}

impl GradPart {
    /// First float of the gradient that it forms.
    pub fn at(&self) -> usize {
        self.job.at as usize + self.first * self.job.delta.width as usize
    }
    /// Floats of it.
    pub fn floats(&self) -> usize {
        self.count * self.job.delta.width as usize
    }
}

/// Buffers of the optimiser on the host.
pub struct Buffers {
    /// Values, then transposes.
    pub params: Shared,
    /// Moving average of the values.
    pub average: Shared,
    /// Gradient.
    pub grad: Shared,
    /// First moments.
    pub first: Shared,
    /// Second moments.
    pub second: Shared,
}

/// Forms a part of a gradient over some rows of the chunk (`pad` rows laid out) in `out`; adds to what is there when asked.
/// `claim`: the parameters that the update will write, where that comes next.
pub type GradOfRows = fn(
    acts: &Shared,
    pad: usize,
    rows: Range<usize>,
    part: &GradPart,
    out: &mut [f32],
    add: bool,
    claim: &[f32],
);
/// `out = a + b`, with `claim` as in [`GradOfRows`].
pub type GradSum = fn(out: &mut [f32], a: &[f32], b: &[f32], claim: &[f32]);

/// The two launches: texts for the GPU, functions for the CPU.
pub struct StepKernels {
    /// WGSL of the weight-gradient launch (also advances the state).
    pub grad_source: &'static str,
    /// WGSL of the update launch.
    pub update_source: &'static str,
    /// See [`GradOfRows`].
    pub grad_cpu: GradOfRows,
    /// See [`GradSum`].
    pub sum_cpu: GradSum,
    /// Adds a job on items, over the rows of a tile that exist, to `out`.
    pub items_cpu: fn(tile: &Tile, job: &GradJob, out: &mut [f32]),
    /// Sum of squares, the same for the same values everywhere.
    pub squares_cpu: fn(&[f32]) -> f64,
    /// Updates `count` storage rows of a parameter from `first` on, and its transposed image. `scale`: the clip.
    pub update_cpu: fn(
        b: &Buffers,
        table_len: usize,
        p: &Param,
        first: usize,
        count: usize,
        scale: f32,
        s: &State,
        a: &StepArgs,
    ),
}
