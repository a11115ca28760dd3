//! Single kernels as plans: slots are filled from a table, one or more calls run, any slot is read back.
use couplet::args;
use couplet::optim;
use couplet::runtime::args::Args;
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, PlanId, Snapshot, Weights};
use couplet::runtime::kernel::{Call, KernelDef, Spec};
use couplet::runtime::params::ParamTable;
use couplet::runtime::recorder::Recorder;
use couplet::runtime::state::{RunArgs, State, StepArgs};
use couplet::runtime::tile::{Slot, Tile};
use std::sync::Arc;

args! {
    /// Where a slot's values stand in the table.
    pub struct FillArgs {
        /// The slot.
        pub slot: u32,
        /// Its width in storage.
        pub width: u32,
        /// First value of all rows in the table.
        pub from: u32,
        /// Values a row.
        pub n: u32,
    }
}

/// Copies `n` values a row from the table; the padding and absent rows are 0.
static FILL: KernelDef = KernelDef {
    name: "tests/fill",
    source: "",
    args: FillArgs::wgsl,
    cpu: fill_cpu,
    flops: |_| 0,
    samples: &[],
};

fn fill_cpu(tile: &Tile, call: &Call) {
    let a: FillArgs = call.args();
    let (width, n) = (a.width as usize, a.n as usize);
    let slot = tile.write(a.slot, width);
    slot.fill(0.0);
    for r in 0..tile.rows {
        if tile.exists(r) {
            let from = a.from as usize + tile.batch_row(r) as usize * n;
            slot[r * width..][..n].copy_from_slice(&tile.table[from..][..n]);
        }
    }
}

/// A plan in the making: slots with values, parameters, calls.
#[derive(Default)]
pub struct Probe {
    pub recorder: Recorder,
    pub table: ParamTable,
    pub params: Vec<f32>,
    rows: usize,
    values: Vec<f32>,
}

impl Probe {
    pub fn new(rows: usize) -> Self {
        Self { rows, ..Self::default() }
    }
    /// A slot that holds `values (rows, n)`.
    pub fn slot(&mut self, values: &[f32]) -> Slot {
        let n = values.len() / self.rows;
        let slot = self.recorder.slot(n);
        self.fill(slot, values);
        slot
    }
    /// Records that a slot is set to `values (rows, n)` here.
    pub fn fill(&mut self, slot: Slot, values: &[f32]) {
        let (from, n) = (self.values.len() as u32, (values.len() / self.rows) as u32);
        self.values.extend_from_slice(values);
        self.recorder.call(&FILL, Spec::default(), FillArgs { slot: slot.at, width: slot.width, from, n });
    }
    /// Runs the calls on the CPU.
    pub fn run(self, meta: Slot) -> Ran {
        let table = Arc::new(self.table);
        let mut exec = CpuExec::new(table.clone(), &optim::STEP);
        let mut params = self.params;
        params.resize(table.len, 0.0);
        let zeros = vec![0.0; table.len];
        let (average, state) = (params.clone(), State::new(1));
        exec.restore(&Snapshot { params, average, first: zeros.clone(), second: zeros, state }).unwrap();
        let id = exec.prepare(self.recorder.finish("probe", table, meta), self.rows).unwrap();
        exec.set_table(id, &self.values).unwrap();
        let n = self.rows as u32;
        let run = RunArgs { rows: n, batch: n, draws: 1, ..RunArgs::default() };
        exec.run(id, &run, Weights::Current).unwrap();
        Ran { exec, id, rows: self.rows }
    }
}

/// A plan that ran.
pub struct Ran {
    exec: CpuExec,
    id: PlanId,
    rows: usize,
}

impl Ran {
    /// The first `n` columns of a slot.
    pub fn read(&mut self, slot: Slot, n: usize) -> Vec<f32> {
        self.exec.read(self.id, slot, self.rows, n).unwrap()
    }
    /// Runs again as a training step; the gradients of all parameters in storage layout.
    pub fn gradient(&mut self) -> Vec<f32> {
        self.exec.train(self.id, &StepArgs { clip: 1.0, ..StepArgs::default() }, self.rows, 1, 0).unwrap();
        self.exec.gradient().to_vec()
    }
}
