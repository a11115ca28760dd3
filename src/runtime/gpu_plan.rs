//! A plan on a GPU: its module, buffers and bind groups. Everything is made before the first run.
use crate::error::{Error, Result};
use crate::runtime::args::Args;
use crate::runtime::choices::Key;
use crate::runtime::exec::Weights;
use crate::runtime::gpu::Gpu;
use crate::runtime::jobs;
use crate::runtime::pace::{self, Pace};
use crate::runtime::pipeline::{self, Pipeline};
use crate::runtime::plan::Plan;
use crate::runtime::state::{RunArgs, StepArgs};
use crate::runtime::step::StepKernels;
use crate::runtime::tile::Slot;
use crate::runtime::tiling::{MOST_ROWS, Tiling};
use crate::runtime::wgsl::{self, RowModule};
use std::sync::Arc;

/// Workgroups that one launch may have.
const MOST_GROUPS: usize = 65_535;
/// Most rounds in a submission, so that its logs fit their read-back buffer.
pub const MOST_ROUNDS: usize = 1024;

/// Buffers that all plans of an executor share.
pub struct Shared {
    /// Values, then transposes.
    pub params: wgpu::Buffer,
    /// Moving average of the values.
    pub average: wgpu::Buffer,
    /// (first, second) of each value.
    pub moments: wgpu::Buffer,
    /// Gradient.
    pub grad: wgpu::Buffer,
    /// One [`crate::runtime::state::State`].
    pub state: wgpu::Buffer,
    /// Ring of [`wgsl::LOG`] log entries.
    pub logs: wgpu::Buffer,
    /// [`StepArgs`].
    pub step: wgpu::Buffer,
}

/// What a plan needs to train.
struct Training {
    grad: Arc<Pipeline>,
    update: Arc<Pipeline>,
    jobs: wgpu::Buffer,
    norm_part: wgpu::Buffer,
    grad_groups: u32,
    update_groups: u32,
    update_bound: wgpu::BindGroup,
    /// One for each chunk of a batch.
    chunks: Vec<Chunk>,
}

/// A chunk of a batch: the command stream is the same every step, so its arguments stand in a buffer of its own.
struct Chunk {
    args: RunArgs,
    uniform: wgpu::Buffer,
    rows: wgpu::BindGroup,
    grad: wgpu::BindGroup,
}

/// See the module's doc.
pub struct GpuPlan {
    /// As recorded.
    pub plan: Plan,
    /// Rows it takes at a time. They decide where a batch is cut into chunks, so they do not depend on the tiling.
    pub capacity: usize,
    /// Rows its slots are laid out for: the last workgroup's too, whatever the tiling.
    pub pad: usize,
    /// What its tiling is chosen by.
    pub key: Key,
    /// The slots.
    pub acts: wgpu::Buffer,
    /// Submission sizes.
    pub pace: Pace,
    module: RowModule,
    program: wgpu::Buffer,
    consts: wgpu::Buffer,
    /// Data rows.
    pub table: wgpu::Buffer,
    index: wgpu::Buffer,
    /// The row launch.
    rows: Arc<Pipeline>,
    tiling: Tiling,
    run_args: wgpu::Buffer,
    run_bound: [Option<wgpu::BindGroup>; 2],
    training: Option<Training>,
}

impl GpuPlan {
    /// Compiles a plan and makes its buffers.
    pub fn new(gpu: &Gpu, shared: &Shared, kernels: &StepKernels, plan: Plan, rows: usize) -> Result<Self> {
        let capacity = rows.max(1).next_multiple_of(16);
        let pad = capacity.next_multiple_of(MOST_ROWS);
        let module = wgsl::row_module(&plan, Tiling::default()).map_err(|e| ours(gpu, e))?;
        let key = Key::new(&gpu.info, &module.source, gpu.checked, rows);
        let tiling = gpu.tiling(&key);
        groups_fit(gpu, tiling, capacity)?;
        let bytes = plan.row_bytes() * pad;
        let limits = gpu.device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        if bytes as u64 > most {
            let fit = (most as usize / plan.row_bytes()).saturating_sub(MOST_ROWS - 1);
            let problem = format!(
                "{pad} rows of plan `{}` need {} MiB, at most {fit} rows fit a buffer",
                plan.name,
                bytes >> 20
            );
            return Err(gpu.error(problem, "Use a smaller batch or network, or --device cpu"));
        }
        let rows = compiled(gpu, &plan, tiling)?;
        let training = match plan.grads.is_empty() {
            true => None,
            false => Some(Training::new(gpu, shared, kernels, &plan)?),
        };
        let aim = if gpu.is_own() { pace::OWN } else { pace::BORROWED };
        Ok(Self {
            capacity,
            pad,
            key,
            acts: gpu.buffer("slots", bytes)?,
            pace: Pace::new(aim, MOST_ROUNDS),
            program: gpu.buffer_of("program", &module.program)?,
            consts: gpu.buffer_of("constants", &plan.consts)?,
            table: gpu.buffer("table", 0)?,
            index: gpu.buffer("index", 0)?,
            rows,
            tiling,
            run_args: gpu.buffer("run arguments", 4 * RunArgs::WORDS)?,
            run_bound: [None, None],
            training,
            module,
            plan,
        })
    }

    /// The tiling of its row launch.
    pub fn tiling(&self) -> Tiling {
        self.tiling
    }
    /// The row launch in another tiling.
    pub fn compile(&self, gpu: &Gpu, tiling: Tiling) -> Result<Arc<Pipeline>> {
        gpu.allows(tiling)?;
        groups_fit(gpu, tiling, self.capacity)?;
        compiled(gpu, &self.plan, tiling)
    }
    /// Goes on with a row launch that [`GpuPlan::compile`] made in this tiling.
    pub fn use_rows(&mut self, tiling: Tiling, rows: Arc<Pipeline>) {
        if self.tiling != tiling {
            (self.tiling, self.rows) = (tiling, rows);
            self.unbind();
        }
    }

    /// Replaces the data rows.
    pub fn set_table(&mut self, gpu: &Gpu, values: &[f32]) -> Result<()> {
        if fill(gpu, &mut self.table, "table", values)? {
            self.unbind();
        }
        Ok(())
    }
    /// Uses a table that another plan has.
    pub fn use_table(&mut self, table: wgpu::Buffer) {
        self.table = table;
        self.unbind();
    }
    /// Replaces the rows' order.
    pub fn set_index(&mut self, gpu: &Gpu, values: &[u32]) -> Result<()> {
        if fill(gpu, &mut self.index, "index", values)? {
            self.unbind();
        }
        Ok(())
    }
    fn unbind(&mut self) {
        self.run_bound = [None, None];
        if let Some(t) = &mut self.training {
            t.chunks.clear();
        }
    }

    fn bind_rows(
        &self,
        gpu: &Gpu,
        shared: &Shared,
        args: &wgpu::Buffer,
        weights: Weights,
    ) -> Result<wgpu::BindGroup> {
        let params = match weights {
            Weights::Current => &shared.params,
            Weights::Average => &shared.average,
        };
        let buffers =
            [args, &self.program, &shared.state, params, &self.acts, &self.consts, &self.table, &self.index];
        self.rows.bind(gpu, &buffers)
    }

    /// Makes what a run of the row-local calls needs.
    pub fn bind(&mut self, gpu: &Gpu, shared: &Shared, weights: Weights) -> Result<()> {
        let which = weights as usize;
        if self.run_bound[which].is_none() {
            self.run_bound[which] = Some(self.bind_rows(gpu, shared, &self.run_args, weights)?);
        }
        Ok(())
    }
    /// The first `rows` rows of a slot, `width` of its columns.
    pub fn read(&self, gpu: &Gpu, slot: Slot, rows: usize, width: usize) -> Result<Vec<f32>> {
        let (start, stride) = (slot.at as usize * 4 * self.pad, slot.width as usize);
        let bytes = gpu.read(&[(&self.acts, 4 * start as u64, 4 * (rows * stride) as u64)])?.remove(0);
        let all = floats(&bytes);
        if width == stride {
            return Ok(all);
        }
        Ok(all.chunks_exact(stride).flat_map(|row| row[..width].iter().copied()).collect())
    }

    /// Submits the row-local calls once.
    pub fn run(&mut self, gpu: &Gpu, shared: &Shared, run: &RunArgs, weights: Weights) -> Result<()> {
        self.repeat(gpu, shared, run, weights, 1)
    }
    /// Submits the row-local calls `times` times in a row, for measurements.
    pub fn repeat(
        &mut self,
        gpu: &Gpu,
        shared: &Shared,
        run: &RunArgs,
        weights: Weights,
        times: usize,
    ) -> Result<()> {
        let args = RunArgs { pad: self.pad as u32, calls: self.plan.calls.len() as u32, ..*run };
        self.submit_rows(gpu, shared, &args, weights, times)
    }
    /// Submits one call alone, for checks.
    pub fn run_call(&mut self, gpu: &Gpu, shared: &Shared, run: &RunArgs, call: usize) -> Result<()> {
        self.repeat_call(gpu, shared, run, call, 1)
    }
    /// Submits one call alone, `times` times in a row, for measurements.
    pub fn repeat_call(
        &mut self,
        gpu: &Gpu,
        shared: &Shared,
        run: &RunArgs,
        call: usize,
        times: usize,
    ) -> Result<()> {
        let words = &self.module.program[call * self.module.stride..][..self.module.stride];
        gpu.write(&self.program, 0, words)?;
        let args = RunArgs { pad: self.pad as u32, calls: 1, ..*run };
        self.submit_rows(gpu, shared, &args, Weights::Current, times)
    }
    fn submit_rows(
        &mut self,
        gpu: &Gpu,
        shared: &Shared,
        args: &RunArgs,
        weights: Weights,
        times: usize,
    ) -> Result<()> {
        gpu.write(&self.run_args, 0, &args.to_words())?;
        self.bind(gpu, shared, weights)?;
        let which = weights as usize;
        let groups = (args.rows as usize).div_ceil(self.tiling.rows) as u32;
        gpu.guard("run a plan", || {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&self.rows.pipeline);
                pass.set_bind_group(0, self.run_bound[which].as_ref(), &[]);
                (0..times).for_each(|_| pass.dispatch_workgroups(groups, 1, 1));
            }
            gpu.queue.submit([encoder.finish()]);
        })
    }

    /// Prepares to train with this batch; how many chunks it has.
    pub fn set_batch(&mut self, gpu: &Gpu, shared: &Shared, batch: usize, first_step: u32) -> Result<usize> {
        let Some(t) = &self.training else {
            return Err(
                gpu.error(format!("plan `{}` has no gradients", self.plan.name), "Train another plan")
            );
        };
        let wanted: Vec<RunArgs> = (0..batch)
            .step_by(self.capacity)
            .map(|row0| RunArgs {
                rows: self.capacity.min(batch - row0) as u32,
                pad: self.pad as u32,
                row0: row0 as u32,
                batch: batch as u32,
                draws: 1,
                set0: 0,
                first_step,
                calls: self.plan.calls.len() as u32,
            })
            .collect();
        let mut chunks = vec![];
        if t.chunks.len() != wanted.len() {
            for args in &wanted {
                let uniform = gpu.buffer_of("chunk", &args.to_words())?;
                let rows = self.bind_rows(gpu, shared, &uniform, Weights::Current)?;
                let buffers = [
                    &uniform,
                    &shared.step,
                    &t.jobs,
                    &self.acts,
                    &shared.grad,
                    &t.norm_part,
                    &shared.state,
                    &shared.logs,
                ];
                let grad = t.grad.bind(gpu, &buffers)?;
                chunks.push(Chunk { args: *args, uniform, rows, grad });
            }
        }
        if let Some(t) = &mut self.training {
            if t.chunks.len() != wanted.len() {
                t.chunks = chunks;
            }
            for (chunk, args) in t.chunks.iter_mut().zip(&wanted).filter(|(c, a)| c.args != **a) {
                // Earlier submissions still see the old arguments: the write is queued behind them.
                gpu.write(&chunk.uniform, 0, &args.to_words())?;
                chunk.args = *args;
            }
        }
        Ok(wanted.len())
    }

    /// Encodes `rounds` chunks beginning with number `first` of an endless row of steps: two launches a chunk, and a third
    /// after a batch's last.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, first: usize, rounds: usize) {
        let Some(t) = &self.training else { return };
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let mut launch = |p: &Pipeline, bound: &wgpu::BindGroup, groups: u32| {
            pass.set_pipeline(&p.pipeline);
            pass.set_bind_group(0, bound, &[]);
            pass.dispatch_workgroups(groups, 1, 1);
        };
        for round in first..first + rounds {
            let chunk = &t.chunks[round % t.chunks.len()];
            launch(&self.rows, &chunk.rows, (chunk.args.rows as usize).div_ceil(self.tiling.rows) as u32);
            launch(&t.grad, &chunk.grad, t.grad_groups);
            if (round + 1) % t.chunks.len() == 0 {
                launch(&t.update, &t.update_bound, t.update_groups);
            }
        }
    }

    /// Workgroups of the three launches of a chunk of `rows`, and distinct cases of the row program.
    pub fn shape(&self, rows: usize) -> [usize; 4] {
        let (grad, update) = self.training.as_ref().map_or((0, 0), |t| (t.grad_groups, t.update_groups));
        [rows.div_ceil(self.tiling.rows), grad as usize, update as usize, self.module.cases]
    }
}

fn ours(gpu: &Gpu, problem: String) -> Error {
    gpu.error(problem, "This is a fault of the program; --device cpu works meanwhile")
}

/// An error where the rows need more workgroups than a launch may have.
fn groups_fit(gpu: &Gpu, tiling: Tiling, rows: usize) -> Result<()> {
    if rows.div_ceil(tiling.rows) <= MOST_GROUPS {
        return Ok(());
    }
    let problem = format!("expected at most {} rows at a time, found {rows}", MOST_GROUPS * tiling.rows);
    Err(gpu.error(problem, "Use a smaller batch"))
}

fn compiled(gpu: &Gpu, plan: &Plan, tiling: Tiling) -> Result<Arc<Pipeline>> {
    let source = wgsl::row_module(plan, tiling).map_err(|e| ours(gpu, e))?.source;
    gpu.pipeline(&plan.name, &source, &pipeline::ROWS)
}

impl Training {
    fn new(gpu: &Gpu, shared: &Shared, kernels: &StepKernels, plan: &Plan) -> Result<Self> {
        let grad_source = wgsl::grad_module(kernels).map_err(|e| ours(gpu, e))?;
        let update_source = wgsl::update_module(kernels).map_err(|e| ours(gpu, e))?;
        let grad = gpu.pipeline("optim/weight_grad", &grad_source, &pipeline::GRAD)?;
        let update = gpu.pipeline("optim/adamw", &update_source, &pipeline::UPDATE)?;
        let records = jobs::grad_records(plan);
        let grad_groups = jobs::grad_groups(&records);
        let norm_part = gpu.buffer("partial norms", 4 * grad_groups)?;
        let updates = jobs::update_records(&plan.params, grad_groups - 1);
        let update_groups = jobs::update_groups(&updates);
        if grad_groups.max(update_groups) > MOST_GROUPS {
            let problem = format!("{} parameters need more than {MOST_GROUPS} workgroups", plan.params.len);
            return Err(gpu.error(problem, "Use a smaller network, or --device cpu"));
        }
        let updates = gpu.buffer_of("update records", &updates)?;
        let update_bound = update.bind(
            gpu,
            &[
                &shared.step,
                &updates,
                &shared.state,
                &norm_part,
                &shared.grad,
                &shared.params,
                &shared.moments,
                &shared.average,
                &shared.logs,
            ],
        )?;
        Ok(Self {
            grad,
            update,
            jobs: gpu.buffer_of("gradient records", &records)?,
            norm_part,
            grad_groups: grad_groups as u32,
            update_groups: update_groups as u32,
            update_bound,
            chunks: vec![],
        })
    }
}

impl Shared {
    /// Buffers for `n` parameters, all zero.
    pub fn new(gpu: &Gpu, n: usize) -> Result<Self> {
        Ok(Self {
            params: gpu.buffer("parameters", 8 * n)?,
            average: gpu.buffer("average", 4 * n)?,
            moments: gpu.buffer("moments", 8 * n)?,
            grad: gpu.buffer("gradient", 4 * n)?,
            state: gpu.buffer("state", 64)?,
            logs: gpu.buffer("logs", 16 * wgsl::LOG)?,
            step: gpu.buffer("step arguments", 4 * StepArgs::WORDS)?,
        })
    }
}

/// Bytes as the numbers they are.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Writes values into a buffer, which is made anew where it is too small; whether it was.
fn fill<T: bytemuck::NoUninit>(
    gpu: &Gpu,
    buffer: &mut wgpu::Buffer,
    label: &str,
    values: &[T],
) -> Result<bool> {
    let grown = size_of_val(values) as u64 > buffer.size();
    if grown {
        *buffer = gpu.buffer(label, size_of_val(values))?;
    }
    gpu.write(buffer, 0, values)?;
    Ok(grown)
}
