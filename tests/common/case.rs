//! A network of a case, its weights and its rows, on both executors.
use couplet::data::source::Host;
use couplet::data::standardise::{DataTransform, Standardiser};
use couplet::flow::{FlowShape, Permutation, TransformKind};
use couplet::layers::activation::Activation;
use couplet::layers::mlp::MlpShape;
use couplet::model::network::{Network, Rows};
use couplet::optim;
use couplet::rng::Rng;
use couplet::runtime::GpuRequest;
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, PlanId, Snapshot};
use couplet::runtime::gpu::Gpu;
use couplet::runtime::gpu_exec::GpuExec;
use couplet::runtime::params::ParamTable;
use couplet::runtime::state::StepArgs;
use couplet::sim::{Bound, Factor, Marginal, Prior, Transform};
use std::sync::{Arc, OnceLock};

/// One unchecked device for all tests of this file, so that pipelines are compiled once.
pub fn gpu() -> Arc<Gpu> {
    static GPU: OnceLock<Arc<Gpu>> = OnceLock::new();
    let request = GpuRequest { software: true, checked: Some(false), ..GpuRequest::default() };
    GPU.get_or_init(|| Gpu::open(&request).expect("a Vulkan, Metal or DX12 adapter; Mesa's lavapipe will do"))
        .clone()
}

/// Few bins, so that a step compiles soon.
pub const SPLINE: TransformKind = TransformKind::Spline { bins: 6, bound: 3.0 };

/// Two blocks of 2 x 24.
pub fn shape(dim: usize, condition: usize, transform: TransformKind) -> FlowShape {
    let mlp = MlpShape {
        hidden: vec![24, 24],
        activation: Activation::Silu,
        residual: false,
        dropout: 0.0,
        skip: false,
    };
    let permutation = Permutation::Random;
    FlowShape {
        dim,
        condition,
        blocks: 2,
        transform,
        mlp,
        permutation,
        actnorm: true,
        nu: None,
        learn_nu: false,
    }
}

/// Standard normal, of a stream that no plan uses.
pub fn noise(row: u32, n: usize) -> Vec<f32> {
    let mut rng = Rng::new(5, 7, 0, row);
    (0..n).map(|_| rng.normal()).collect()
}

/// A network with a prior of uniforms and no simulator, weights that are far from the identity, and 50 rows.
pub struct Case {
    pub network: Network,
    pub start: Snapshot,
    pub table: Vec<f32>,
}
impl Case {
    pub fn new(shape: &FlowShape) -> Self {
        let (d, c) = (shape.dim, shape.condition);
        let factor = Factor::One(Marginal::Uniform { lo: Bound::Const(-1.0), hi: Bound::Const(2.0) });
        let names = (0..d).map(|i| format!("p{i}")).collect();
        let prior = Prior::new(names, vec![factor; d], vec![Transform::Logit; d]).unwrap();
        let standardiser = Standardiser::fit(DataTransform::None, &noise(1, 40 * d), &noise(2, 40 * c), d, c);
        let network = Network::new(shape, Arc::new(Host { prior, simulator: None, standardiser }), 3);
        let mut start = network.initial(3, &[]).unwrap();
        for (i, p) in network.table.entries.iter().enumerate() {
            let plain: Vec<f32> = noise(100 + i as u32, p.rows * p.cols).iter().map(|z| 0.15 * z).collect();
            let mut with = ParamTable::unpad(p, &start.params);
            with.iter_mut().zip(plain).for_each(|(a, b)| *a += b);
            ParamTable::pad_into(p, &with, &mut start.params);
        }
        start.average = start.params.iter().map(|v| 0.9 * v).collect();
        let mut table = noise(3, 50 * (d + c));
        table[13 * (d + c)] = f32::NAN; // a masked row, the second of the first batch
        Self { network, start, table }
    }
    pub fn ready(&self, exec: &mut dyn Executor, capacity: usize) -> PlanId {
        let plan = exec.prepare(self.network.train_plan(Rows::Indexed), capacity).unwrap();
        exec.set_table(plan, &self.table).unwrap();
        let index: Vec<u32> = (0..40 * BATCH as u32).map(|i| i * 13 % 50).collect();
        exec.set_index(plan, &index).unwrap();
        exec.restore(&self.start).unwrap();
        plan
    }
    pub fn cpu(&self) -> CpuExec {
        CpuExec::new(self.network.table.clone(), &optim::STEP)
    }
    pub fn gpu(&self) -> GpuExec {
        self.on(gpu())
    }
    pub fn on(&self, gpu: Arc<Gpu>) -> GpuExec {
        GpuExec::new(gpu, self.network.table.clone(), &optim::STEP).unwrap()
    }
}

/// Rows of a step: no multiple of anything.
pub const BATCH: usize = 37;
/// A schedule of 40 steps with everything switched on.
pub fn step_args() -> StepArgs {
    StepArgs {
        lr: 1e-3,
        warmup: 2.0,
        total: 40.0,
        cosine: 1.0,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        decay: 0.01,
        clip: 1.5,
        ema: 0.99,
        ..StepArgs::default()
    }
}

/// The largest difference over the largest value; NaN counts as infinite.
pub fn off(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(1e-30f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0, |worst, (a, b)| {
        let e = (a - b).abs() / scale;
        if e <= worst {
            worst
        } else if e.is_nan() {
            f32::INFINITY
        } else {
            e
        }
    })
}
