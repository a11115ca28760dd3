//! What both executors can do. Training and inference are written against this and nothing else.
use crate::error::Result;
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, State, StepArgs};
use crate::runtime::tile::Slot;
use crate::runtime::tiling::Tiling;
use crate::runtime::tune::{Options, Pass, Tuned};

/// Which weights a plan runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// The ones being trained.
    Current,
    /// Their moving average.
    Average,
}

/// A plan an executor has prepared, with its own slots, table and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanId(pub(crate) usize);

/// What one training step left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepLog {
    /// Mean loss over the rows that count, nats of u space.
    pub loss: f32,
    /// Rows masked because their simulation was not finite.
    pub masked: f32,
    /// Norm of the gradient before the clip.
    pub norm: f32,
    /// 1 where the gradient was not finite and nothing was updated.
    pub skipped: f32,
}

/// Everything training changes: enough to go on from, bit for bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Parameters in storage layout, padding included, without the transposed image.
    pub params: Vec<f32>,
    /// Their moving average.
    pub average: Vec<f32>,
    /// First moments.
    pub first: Vec<f32>,
    /// Second moments.
    pub second: Vec<f32>,
    /// Counters and schedule.
    pub state: State,
}

/// Runs plans.
pub trait Executor: Send {
    /// Prepares a plan whose slots hold `rows` rows at a time.
    fn prepare(&mut self, plan: Plan, rows: usize) -> Result<PlanId>;
    /// Rows a prepared plan holds at a time.
    fn capacity(&self, plan: PlanId) -> usize;
    /// The tiling of a plan's row launch; none on the CPU.
    fn tiling(&self, plan: PlanId) -> Option<Tiling>;
    /// Changes it; nothing on the CPU. Results may change in their last bits.
    fn set_tiling(&mut self, plan: PlanId, tiling: Tiling) -> Result<()>;
    /// Times a plan's row launch in all tilings that the device allows (`runtime/tune.rs`). Leaves everything but the plan's
    /// slots as it was.
    fn tune(&mut self, plan: PlanId, pass: &Pass, options: &Options) -> Result<Tuned>;
    /// Gives a plan its data rows.
    fn set_table(&mut self, plan: PlanId, table: &[f32]) -> Result<()>;
    /// Gives a plan the data rows of another.
    fn share_table(&mut self, from: PlanId, to: PlanId) -> Result<()>;
    /// Gives a plan the rows' order.
    fn set_index(&mut self, plan: PlanId, index: &[u32]) -> Result<()>;
    /// Runs `steps` training steps of `batch` rows. `first_step`: the step the index table begins with.
    fn train(
        &mut self,
        plan: PlanId,
        step: &StepArgs,
        batch: usize,
        steps: usize,
        first_step: u32,
    ) -> Result<()>;
    /// Runs the row-local calls once, for `run.rows` rows.
    fn run(&mut self, plan: PlanId, run: &RunArgs, weights: Weights) -> Result<()>;
    /// The first `rows` rows of a slot, `width` of its columns.
    fn read(&mut self, plan: PlanId, slot: Slot, rows: usize, width: usize) -> Result<Vec<f32>>;
    /// The logs of steps that were trained since the last call, in order.
    fn logs(&mut self) -> Result<Vec<StepLog>>;
    /// Copies out everything training changes.
    fn snapshot(&mut self) -> Result<Snapshot>;
    /// Puts it back.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<()>;
    /// Sets the seed and the step that random numbers depend on (inference).
    fn set_seed(&mut self, seed: u64) -> Result<()>;
}
