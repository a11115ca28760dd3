//! Flows with random weights, run by the CPU executor.
use super::naive::{Naive, Tensor};
use couplet::data::source::Host;
use couplet::data::standardise::Standardiser;
use couplet::flow::actnorm::{self, ActnormArgs};
use couplet::flow::{FlowShape, Permutation, TransformKind};
use couplet::layers::activation::Activation;
use couplet::layers::mlp::MlpShape;
use couplet::model::network::{Network, Rows};
use couplet::optim;
use couplet::rng::{Rng, streams};
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, Snapshot, StepLog, Weights};
use couplet::runtime::params::ParamTable;
use couplet::runtime::plan::meta;
use couplet::runtime::state::{RunArgs, State, StepArgs};
use couplet::sim::{Factor, Marginal, Prior, Transform};
use std::sync::Arc;

/// Standard normal numbers.
pub fn normals(seed: u32, n: usize) -> Vec<f32> {
    let mut rng = Rng::new(u64::from(seed), streams::TEST, 0, 0);
    (0..n).map(|_| rng.normal()).collect()
}

/// Two blocks of splines on three coordinates, two conditions; cases change what they are about.
pub fn shape() -> FlowShape {
    FlowShape {
        dim: 3,
        condition: 2,
        blocks: 2,
        transform: TransformKind::Spline { bins: 4, bound: 3.0 },
        mlp: MlpShape {
            hidden: vec![7, 6],
            activation: Activation::Silu,
            residual: false,
            skip: false,
            dropout: 0.0,
        },
        permutation: Permutation::Random,
        actnorm: true,
        nu: None,
        learn_nu: false,
    }
}

/// A network of this shape under an unbounded prior and identity standardisation.
pub fn network(shape: &FlowShape) -> Network {
    let d = shape.dim;
    let names = (0..d).map(|i| format!("t{i}")).collect();
    let factors = vec![Factor::One(Marginal::Normal { mean: 0.0, sd: 1.0 }); d];
    let prior = Prior::new(names, factors, vec![Transform::Identity; d]).unwrap();
    let standardiser = Standardiser { u_mean: vec![0.0; d], u_sd: vec![1.0; d], ..Standardiser::default() };
    Network::new(shape, Arc::new(Host { prior, simulator: None, standardiser }), 3)
}

/// Random weights in storage layout, far from the identity: matrices N(0, gain^2 / inputs), vectors N(0, 0.3^2).
pub fn random_weights(network: &Network, seed: u32, gain: f32) -> Vec<f32> {
    let mut values = vec![0.0; network.table.len];
    for (i, p) in network.table.entries.iter().enumerate() {
        let scale = match p.matrix {
            true => gain / (p.rows as f32).sqrt(),
            false if p.name.contains("householder") => 1.0,
            false if p.name.contains("actnorm") && !network.flow.shape.actnorm => 0.0,
            false => 0.3,
        };
        let plain: Vec<f32> =
            normals(seed * 1000 + i as u32, p.rows * p.cols).iter().map(|z| scale * z).collect();
        ParamTable::pad_into(p, &plain, &mut values);
    }
    values
}

/// The naive twin of a network.
pub fn naive(network: &Network, values: &[f32]) -> Naive {
    let mut tensors = std::collections::BTreeMap::new();
    for p in &network.table.entries {
        let mut t = Tensor { rows: p.rows, cols: p.cols, values: vec![] };
        for r in 0..p.rows {
            for c in 0..p.cols {
                t.values.push(f64::from(values[p.at + r * p.cols.next_multiple_of(4) + c]));
            }
        }
        tensors.insert(p.name.clone(), t);
    }
    // The fixed permutations are data of the plan, like the weights.
    let plan = network.loss_plan();
    let d = network.flow.shape.dim;
    let mut orders = vec![];
    for call in plan.calls.iter().filter(|c| c.def.name == actnorm::FORWARD.name) {
        let at = call.args::<ActnormArgs>().order as usize;
        let order: Vec<usize> = plan.consts[at..at + d].iter().map(|&v| v as usize).collect();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..d).collect::<Vec<_>>(), "a permutation");
        orders.push(order);
    }
    Naive { shape: network.flow.shape.clone(), tensors, orders, dropout: None }
}

/// An executor that holds these weights at this step.
pub fn executor(network: &Network, values: &[f32], seed: u64, step: u32) -> CpuExec {
    let mut exec = CpuExec::new(network.table.clone(), &optim::STEP);
    let zeros = vec![0.0; values.len()];
    let state = State { step, ..State::new(seed) };
    let (params, average) = (values.to_vec(), values.to_vec());
    exec.restore(&Snapshot { params, average, first: zeros.clone(), second: zeros, state }).unwrap();
    exec
}

/// `[weight, log-determinant, loss, masked]` of every row `(u, h)` of `rows`, by the loss plan.
pub fn losses(network: &Network, values: &[f32], rows: &[f32]) -> Vec<[f32; 4]> {
    let (d, c) = network.dims();
    let n = rows.len() / (d + c);
    let mut exec = executor(network, values, 1, 0);
    let plan = network.loss_plan();
    let slot = plan.meta;
    let id = exec.prepare(plan, n).unwrap();
    exec.set_table(id, rows).unwrap();
    let run = RunArgs { rows: n as u32, batch: n as u32, draws: 1, ..RunArgs::default() };
    exec.run(id, &run, Weights::Current).unwrap();
    let m = exec.read(id, slot, n, 4).unwrap();
    m.chunks_exact(4).map(|m| [m[meta::WEIGHT], m[meta::LOGDET], m[meta::LOSS], m[meta::MASKED]]).collect()
}

/// Gradient in storage layout, and the log, of one training step on `rows`, `capacity` rows at a time.
pub fn gradient(
    network: &Network,
    values: &[f32],
    rows: &[f32],
    capacity: usize,
    seed: u64,
    step: u32,
) -> (Vec<f32>, StepLog) {
    let (d, c) = network.dims();
    let n = rows.len() / (d + c);
    let mut exec = executor(network, values, seed, step);
    let id = exec.prepare(network.train_plan(Rows::Indexed), capacity).unwrap();
    exec.set_table(id, rows).unwrap();
    exec.set_index(id, &(0..n as u32).collect::<Vec<_>>()).unwrap();
    exec.train(id, &StepArgs { clip: 1.0, ..StepArgs::default() }, n, 1, step).unwrap();
    let log = exec.logs().unwrap()[0];
    (exec.gradient().to_vec(), log)
}
