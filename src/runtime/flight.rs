//! Submissions on their way: their logs and the device's step counter come back through a ring of small buffers, so that
//! training never stops to be looked at.
use crate::error::Result;
use crate::runtime::args::Args;
use crate::runtime::exec::StepLog;
use crate::runtime::gpu::{Gpu, Signal};
use crate::runtime::gpu_plan::{MOST_ROUNDS, Shared};
use crate::runtime::state::State;
use crate::runtime::wgsl::LOG;
use std::collections::VecDeque;
use std::time::Instant;

/// Submissions on their way at most: one running, one ready, one being made.
const MOST: usize = 3;
/// Bytes before the logs in a read-back buffer.
const HEAD: u64 = 64;

struct Flight {
    stage: wgpu::Buffer,
    index: wgpu::SubmissionIndex,
    signal: Signal,
    /// Step counter after it.
    step: u32,
    /// Steps it ends.
    steps: usize,
    rounds: usize,
    submitted: Instant,
}

/// How long a submission took.
pub struct Landed {
    /// Its rounds.
    pub rounds: usize,
    /// Seconds.
    pub seconds: f64,
    /// Whether we saw it end; else it took at most so long.
    pub exact: bool,
}

/// All submissions of an executor.
#[derive(Default)]
pub struct Flights {
    ring: Vec<wgpu::Buffer>,
    on_way: VecDeque<Flight>,
    logs: Vec<StepLog>,
    last: Option<Instant>,
}

impl Flights {
    /// Whether another submission has to wait.
    pub fn is_full(&self) -> bool {
        self.on_way.len() >= MOST
    }
    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_way.is_empty()
    }

    /// Submits what `encode` records, which ends `steps` steps and brings the counter to `step`.
    pub fn send(
        &mut self,
        gpu: &Gpu,
        shared: &Shared,
        (rounds, steps, step): (usize, usize, u32),
        encode: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let stage = match self.ring.pop() {
            Some(stage) => stage,
            None => gpu.staging(HEAD + 16 * MOST_ROUNDS as u64)?,
        };
        let signal = Signal::default();
        let submitted = Instant::now();
        let index = gpu.guard("train", || {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            encode(&mut encoder);
            encoder.copy_buffer_to_buffer(&shared.state, 0, &stage, 0, 4 * State::WORDS as u64);
            // The ring may wrap around.
            let first = (step as usize).wrapping_sub(steps) % LOG;
            let before = steps.min(LOG - first);
            for (from, count, to) in [(first, before, 0), (0, steps - before, before)] {
                if count > 0 {
                    let (from, to) = (16 * from as u64, HEAD + 16 * to as u64);
                    encoder.copy_buffer_to_buffer(&shared.logs, from, &stage, to, 16 * count as u64);
                }
            }
            let index = gpu.queue.submit([encoder.finish()]);
            signal.map(&stage);
            index
        })?;
        self.on_way.push_back(Flight { stage, index, signal, step, steps, rounds, submitted });
        Ok(())
    }

    /// Waits for the oldest submission and takes its logs.
    pub fn land(&mut self, gpu: &Gpu) -> Result<Option<Landed>> {
        let Some(f) = self.on_way.pop_front() else { return Ok(None) };
        let exact = f.signal.get().is_none();
        gpu.wait(f.index, &f.signal)?;
        let now = Instant::now();
        let from = self.last.map_or(f.submitted, |last| last.max(f.submitted));
        self.last = Some(now);
        {
            let unreadable = |e| gpu.error(format!("cannot read a buffer ({e})"), "Resume the run");
            let view = f.stage.slice(..).get_mapped_range().map_err(unreadable)?;
            let words: Vec<u32> =
                view.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            let state = State::from_words(&words);
            if state.step != f.step {
                // Metal reports failed work as done; this is how we know.
                let problem =
                    format!("expected its step counter at {}, found {}: work was lost", f.step, state.step);
                let hint = "Resume the run; with a smaller batch if it happens again";
                return Err(gpu.error(problem, hint));
            }
            let entries = words[HEAD as usize / 4..].chunks_exact(4).take(f.steps);
            self.logs.extend(entries.map(|e| {
                let [loss, masked, norm, skipped] = [e[0], e[1], e[2], e[3]].map(f32::from_bits);
                StepLog { loss, masked, norm, skipped }
            }));
        }
        f.stage.unmap();
        self.ring.push(f.stage);
        Ok(Some(Landed { rounds: f.rounds, seconds: (now - from).as_secs_f64(), exact }))
    }

    /// The logs that have come back.
    pub fn take_logs(&mut self) -> Vec<StepLog> {
        std::mem::take(&mut self.logs)
    }
    /// Forgets everything, after an error or a restore.
    pub fn clear(&mut self) {
        self.on_way.clear();
        self.logs.clear();
    }
}
