//! The two launches that end a training step, as the executors see them. `optim` implements them; the machine room
//! only knows their shape, so that it imports nothing from below.
use crate::runtime::memory::Shared;
use crate::runtime::params::Param;
use crate::runtime::plan::GradJob;
use crate::runtime::state::{State, StepArgs};
use crate::runtime::tile::Tile;

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

/// The two launches: texts for the GPU, functions for the CPU.
pub struct StepKernels {
    /// WGSL of the weight-gradient launch (also advances the state).
    pub grad_source: &'static str,
    /// WGSL of the update launch.
    pub update_source: &'static str,
    /// Forms a part of a gradient over `rows` rows of the chunk (`pad` rows laid out); adds to what is there when
    /// asked. Returns the part's sum of squares. The parameters are for knowing where the update will write.
    pub grad_cpu: fn(
        acts: &Shared,
        pad: usize,
        rows: usize,
        params: &[f32],
        grad: &Shared,
        part: &GradPart,
        add: bool,
    ) -> f64,
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
