//! The GPU executor. Three launches a training step: rows, gradients, update.
//!
//! `train` only encodes and submits; a submission holds as many steps as fit in about 50 ms, at most three are on their
//! way, and where one ends and the next begins changes no bit. Errors of work on its way appear in a later call.
use crate::error::{Error, Result};
use crate::runtime::args::Args;
use crate::runtime::exec::{Executor, PlanId, Snapshot, StepLog, Weights};
use crate::runtime::flight::Flights;
use crate::runtime::gpu::Gpu;
use crate::runtime::gpu_plan::{GpuPlan, Shared, floats};
use crate::runtime::params::ParamTable;
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, State, StepArgs};
use crate::runtime::step::StepKernels;
use crate::runtime::tile::Slot;
use crate::runtime::tiling::Tiling;
use crate::runtime::tune::{self, Options, Pass, Tuned};
use std::sync::Arc;

/// See the module's doc.
pub struct GpuExec {
    gpu: Arc<Gpu>,
    table: Arc<ParamTable>,
    kernels: &'static StepKernels,
    shared: Shared,
    plans: Vec<GpuPlan>,
    flights: Flights,
    /// What the device's step counter will be after all work submitted.
    step: u32,
    step_args: Option<StepArgs>,
    /// Fixed number of rounds in a submission (tests).
    rounds: Option<usize>,
}

impl GpuExec {
    /// Buffers for these parameters, all zero.
    ///
    /// # Errors
    /// [`Error::Gpu`] if memory does not suffice.
    pub fn new(gpu: Arc<Gpu>, table: Arc<ParamTable>, kernels: &'static StepKernels) -> Result<Self> {
        let shared = Shared::new(&gpu, table.len)?;
        let flights = Flights::default();
        Ok(Self {
            gpu,
            table,
            kernels,
            shared,
            plans: vec![],
            flights,
            step: 0,
            step_args: None,
            rounds: None,
        })
    }

    /// Fixes how many chunks go into a submission; none: by measured time.
    pub fn set_rounds(&mut self, rounds: Option<usize>) {
        self.rounds = rounds;
    }

    /// The gradient of the last step, storage layout.
    pub fn gradient(&mut self) -> Result<Vec<f32>> {
        self.drain()?;
        let n = self.table.len;
        Ok(self.floats(&[(&self.shared.grad, n)])?.remove(0))
    }

    /// The parameters with their transposed image, storage layout.
    pub fn image(&mut self) -> Result<Vec<f32>> {
        self.drain()?;
        Ok(self.floats(&[(&self.shared.params, 2 * self.table.len)])?.remove(0))
    }

    /// Records `steps` steps without submitting them: the host's part of training, for measurements.
    pub fn encode_only(&mut self, plan: PlanId, batch: usize, steps: usize) -> Result<()> {
        let p = &mut self.plans[plan.0];
        let chunks = p.set_batch(&self.gpu, &self.shared, batch, 0)?;
        self.gpu.guard("encode", || {
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            p.encode(&mut encoder, 0, steps * chunks);
            drop(encoder.finish());
        })
    }

    /// Workgroups of the three launches of a chunk of `rows`, and distinct cases of the row program.
    pub fn shape(&self, plan: PlanId, rows: usize) -> [usize; 4] {
        self.plans[plan.0].shape(rows)
    }

    /// Rows that a plan's slots are laid out for.
    pub(crate) fn pad(&self, plan: PlanId) -> usize {
        self.plans[plan.0].pad
    }
    /// All slots of a plan.
    pub(crate) fn slots(&mut self, plan: PlanId) -> Result<Vec<f32>> {
        let p = &self.plans[plan.0];
        let n = p.plan.quads as usize * 4 * p.pad;
        Ok(self.floats(&[(&p.acts, n)])?.remove(0))
    }
    /// Fills the slots of a plan.
    pub(crate) fn set_slots(&mut self, plan: PlanId, values: &[f32]) -> Result<()> {
        self.gpu.write(&self.plans[plan.0].acts, 0, values)
    }
    /// Sets the state (checks).
    pub(crate) fn set_state(&mut self, state: &State) -> Result<()> {
        self.step = state.step;
        self.gpu.write(&self.shared.state, 0, &state.to_words())
    }
    /// Sets values and transposed image at once (checks).
    pub(crate) fn set_image(&mut self, values: &[f32]) -> Result<()> {
        self.gpu.write(&self.shared.params, 0, values)
    }
    /// Runs one call of a plan alone. Only [`GpuExec::run_call`] may follow.
    pub(crate) fn run_call(&mut self, plan: PlanId, run: &RunArgs, call: usize) -> Result<()> {
        self.plans[plan.0].run_call(&self.gpu, &self.shared, run, call)
    }

    /// Runs one call of a plan alone, `times` times in one submission, and waits for it: for measurements. The plan is not
    /// fit for anything else afterwards.
    pub(crate) fn repeat_call(
        &mut self,
        plan: PlanId,
        run: &RunArgs,
        call: usize,
        times: usize,
    ) -> Result<()> {
        self.plans[plan.0].repeat_call(&self.gpu, &self.shared, run, call, times)?;
        // Reading anything waits for everything before.
        self.floats(&[(&self.shared.state, 4)]).map(drop)
    }

    fn floats(&self, parts: &[(&wgpu::Buffer, usize)]) -> Result<Vec<Vec<f32>>> {
        let parts: Vec<_> = parts.iter().map(|&(b, n)| (b, 0, 4 * n as u64)).collect();
        Ok(self.gpu.read(&parts)?.iter().map(|bytes| floats(bytes)).collect())
    }

    /// Waits for the oldest submission.
    fn land(&mut self, plan: Option<PlanId>) -> Result<()> {
        let landed = self.flights.land(&self.gpu);
        if landed.is_err() {
            self.flights.clear();
        }
        if let (Some(l), Some(plan)) = (landed?, plan) {
            self.plans[plan.0].pace.measured(l.rounds, l.seconds, l.exact);
        }
        Ok(())
    }
    fn drain(&mut self) -> Result<()> {
        while !self.flights.is_empty() {
            self.land(None)?;
        }
        Ok(())
    }
}

impl Executor for GpuExec {
    fn prepare(&mut self, plan: Plan, rows: usize) -> Result<PlanId> {
        let plan = GpuPlan::new(&self.gpu, &self.shared, self.kernels, plan, rows)?;
        self.plans.push(plan);
        Ok(PlanId(self.plans.len() - 1))
    }
    fn capacity(&self, plan: PlanId) -> usize {
        self.plans[plan.0].capacity
    }
    fn tiling(&self, plan: PlanId) -> Option<Tiling> {
        Some(self.plans[plan.0].tiling())
    }
    fn set_tiling(&mut self, plan: PlanId, tiling: Tiling) -> Result<()> {
        let p = &mut self.plans[plan.0];
        if p.tiling() != tiling {
            let rows = p.compile(&self.gpu, tiling)?;
            p.use_rows(tiling, rows);
        }
        Ok(())
    }
    fn tune(&mut self, plan: PlanId, pass: &Pass, options: &Options) -> Result<Tuned> {
        self.drain()?;
        tune::on_gpu(&self.gpu, &self.shared, &mut self.plans[plan.0], pass, options)
    }
    fn set_table(&mut self, plan: PlanId, table: &[f32]) -> Result<()> {
        self.plans[plan.0].set_table(&self.gpu, table)
    }
    fn share_table(&mut self, from: PlanId, to: PlanId) -> Result<()> {
        let table = self.plans[from.0].table.clone();
        self.plans[to.0].use_table(table);
        Ok(())
    }
    fn set_index(&mut self, plan: PlanId, index: &[u32]) -> Result<()> {
        self.plans[plan.0].set_index(&self.gpu, index)
    }
    fn train(
        &mut self,
        plan: PlanId,
        step: &StepArgs,
        batch: usize,
        steps: usize,
        first_step: u32,
    ) -> Result<()> {
        if batch == 0 || steps == 0 {
            return Ok(());
        }
        if self.step_args != Some(*step) {
            self.gpu.write(&self.shared.step, 0, &step.to_words())?;
            self.step_args = Some(*step);
        }
        let chunks = self.plans[plan.0].set_batch(&self.gpu, &self.shared, batch, first_step)?;
        let (mut done, total) = (0, steps * chunks);
        while done < total {
            while self.flights.is_full() {
                self.land(Some(plan))?;
            }
            let p = &self.plans[plan.0];
            let rounds = self.rounds.unwrap_or(p.pace.rounds()).clamp(1, total - done);
            let ended = (done + rounds) / chunks - done / chunks;
            self.step = self.step.wrapping_add(ended as u32);
            self.flights
                .send(&self.gpu, &self.shared, (rounds, ended, self.step), |e| p.encode(e, done, rounds))?;
            done += rounds;
        }
        Ok(())
    }
    fn run(&mut self, plan: PlanId, run: &RunArgs, weights: Weights) -> Result<()> {
        self.plans[plan.0].run(&self.gpu, &self.shared, run, weights)
    }
    fn read(&mut self, plan: PlanId, slot: Slot, rows: usize, width: usize) -> Result<Vec<f32>> {
        self.plans[plan.0].read(&self.gpu, slot, rows, width)
    }
    fn logs(&mut self) -> Result<Vec<StepLog>> {
        self.drain()?;
        Ok(self.flights.take_logs())
    }
    fn snapshot(&mut self) -> Result<Snapshot> {
        self.drain()?;
        let (n, s) = (self.table.len, &self.shared);
        let mut parts =
            self.floats(&[(&s.params, n), (&s.average, n), (&s.moments, 2 * n), (&s.state, State::WORDS)])?;
        let words: Vec<u32> = parts.remove(3).iter().map(|v| v.to_bits()).collect();
        let moments = parts.remove(2);
        let half = |i: usize| moments.iter().skip(i).step_by(2).copied().collect();
        let (average, params) = (parts.remove(1), parts.remove(0));
        let state = State::from_words(&words);
        if state.step != self.step {
            let problem =
                format!("expected its step counter at {}, found {}: work was lost", self.step, state.step);
            return Err(self.gpu.error(problem, "Resume the run; with a smaller batch if it happens again"));
        }
        Ok(Snapshot { params, average, first: half(0), second: half(1), state })
    }
    fn restore(&mut self, s: &Snapshot) -> Result<()> {
        let n = self.table.len;
        for (what, part) in
            [("params", &s.params), ("average", &s.average), ("first", &s.first), ("second", &s.second)]
        {
            if part.len() != n {
                let (expected, found) = (format!("{n} values"), part.len().to_string());
                return Err(Error::input(
                    format!("snapshot `{what}`"),
                    expected,
                    found,
                    "It belongs to another model",
                ));
            }
        }
        // An error of work that is to be undone anyway does not matter.
        let _ = self.drain();
        self.flights.clear();
        let mut values = s.params.clone();
        values.resize(2 * n, 0.0);
        self.table.transpose_all(&mut values);
        let moments: Vec<[f32; 2]> = s.first.iter().zip(&s.second).map(|(a, b)| [*a, *b]).collect();
        self.gpu.write(&self.shared.params, 0, &values)?;
        self.gpu.write(&self.shared.average, 0, &s.average)?;
        self.gpu.write(&self.shared.moments, 0, &moments)?;
        self.set_state(&s.state)
    }
    fn set_seed(&mut self, seed: u64) -> Result<()> {
        self.set_state(&State::new(seed))
    }
}
