//! Whole plans on the CPU and on whatever adapter there is (software too): losses, gradients, updates, draws, training.
mod common;

use common::case::{BATCH, Case, SPLINE, gpu, noise, off, shape, step_args};
use couplet::Model;
use couplet::check;
use couplet::flow::{FlowShape, Permutation, TransformKind};
use couplet::layers::activation::Activation;
use couplet::model::network::{Network, Rows};
use couplet::optim;
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, Snapshot, StepLog, Weights};
use couplet::runtime::gpu_exec::GpuExec;
use couplet::runtime::state::RunArgs;
use couplet::runtime::{Device, Tiling};

/// One step in three chunks: loss, gradient, moments, weights, average, transposes; then losses and draws of the average.
fn step_agrees(name: &str, shape: &FlowShape, sampled: bool) {
    let case = Case::new(shape);
    let (mut cpu, mut gpu) = (case.cpu(), case.gpu());
    let (a, b) = (case.ready(&mut cpu, 64), case.ready(&mut gpu, 16));
    cpu.train(a, &step_args(), BATCH, 1, 0).unwrap();
    gpu.train(b, &step_args(), BATCH, 1, 0).unwrap();
    let (want, got) = (cpu.logs().unwrap(), gpu.logs().unwrap());
    let (want_grad, got_grad) = (cpu.gradient().to_vec(), gpu.gradient().unwrap());
    let (s, t) = (cpu.snapshot().unwrap(), gpu.snapshot().unwrap());
    let losses = off(&[want[0].loss, want[0].norm], &[got[0].loss, got[0].norm]);
    let grad = off(&want_grad, &got_grad);
    let moments = off(&s.first, &t.first).max(off(&s.second, &t.second));
    // Where a gradient is rounding noise, so is the direction of Adam's first step.
    let scale = want_grad.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let clear = |v: &[f32]| -> Vec<f32> {
        v.iter().zip(&want_grad).map(|(v, g)| if g.abs() > 1e-3 * scale { *v } else { 0.0 }).collect()
    };
    let moved = |now: &[f32], was: &[f32]| -> Vec<f32> { now.iter().zip(was).map(|(a, b)| a - b).collect() };
    let update =
        off(&clear(&moved(&s.params, &case.start.params)), &clear(&moved(&t.params, &case.start.params)));
    let average =
        off(&clear(&moved(&s.average, &case.start.average)), &clear(&moved(&t.average, &case.start.average)));
    println!(
        "{name:<28} loss {losses:.1e} gradient {grad:.1e} moments {moments:.1e} update {update:.1e} average {average:.1e}"
    );
    assert_eq!((want[0].masked, want[0].skipped), (got[0].masked, got[0].skipped));
    assert!(want[0].masked >= 1.0, "the masked row is in the batch");
    assert!(losses < 2e-5 && grad < 2e-5 && moments < 4e-5, "{name}: {want:?} {got:?}");
    assert!(update < 1e-3 && average < 1e-4, "{name}");
    assert_eq!(State::of(&s), State::of(&t), "{name}: counters");
    let mut image = t.params.clone();
    image.resize(2 * t.params.len(), 0.0);
    case.network.table.transpose_all(&mut image);
    let stored = gpu.image().unwrap();
    for p in case.network.table.entries.iter().filter(|p| p.matrix) {
        let range = case.network.table.len + p.at..case.network.table.len + p.at + p.stored();
        assert_eq!(image[range.clone()], stored[range], "{name}: transpose of {}", p.name);
    }
    if sampled {
        draws_agree(name, &case, &mut cpu, &mut gpu);
    }
}

/// The part of the state that is the same on both devices.
#[derive(Debug, PartialEq)]
struct State {
    step: u32,
    correction: [f32; 2],
    ema: f32,
}
impl State {
    fn of(s: &Snapshot) -> Self {
        Self { step: s.state.step, correction: [s.state.correction1, s.state.correction2], ema: s.state.ema }
    }
}

/// Losses of rows and draws for three data sets, with the averaged weights of both executors.
fn draws_agree(name: &str, case: &Case, cpu: &mut CpuExec, gpu: &mut GpuExec) {
    const DRAWS: usize = 300;
    let (d, c) = case.network.dims();
    // the same weights: this test is not about those of the step before
    let snapshot = cpu.snapshot().unwrap();
    gpu.restore(&snapshot).unwrap();
    let outputs = [cpu as &mut dyn Executor, gpu as &mut dyn Executor].map(|exec| {
        let s = case.network.sample_plan();
        let plan = exec.prepare(s.plan, 128).unwrap();
        exec.set_table(plan, &noise(9, 3 * c)).unwrap();
        exec.set_seed(77).unwrap();
        let mut theta = vec![];
        for row0 in (0..3 * DRAWS).step_by(128) {
            let rows = 128.min(3 * DRAWS - row0);
            let run = RunArgs {
                rows: rows as u32,
                row0: row0 as u32,
                draws: DRAWS as u32,
                set0: 4,
                batch: rows as u32,
                ..RunArgs::default()
            };
            exec.run(plan, &run, Weights::Average).unwrap();
            theta.extend(exec.read(plan, s.theta, rows, d).unwrap());
        }
        let loss = case.network.loss_plan();
        let meta = loss.meta;
        let plan = exec.prepare(loss, 64).unwrap();
        exec.set_table(plan, &noise(10, 50 * (d + c))).unwrap();
        let run = RunArgs { rows: 50, draws: 1, batch: 50, ..RunArgs::default() };
        exec.run(plan, &run, Weights::Average).unwrap();
        (theta, exec.read(plan, meta, 50, 3).unwrap())
    });
    let [(theta, loss), (gpu_theta, gpu_loss)] = outputs;
    let far =
        theta.iter().zip(&gpu_theta).filter(|(a, b)| !((**a - **b).abs() <= 1e-4 * (1.0 + a.abs()))).count();
    let losses = off(&loss, &gpu_loss);
    println!("{name:<28} {far} of {} draws differ, losses of rows {losses:.1e}", theta.len());
    assert_eq!(theta.len(), 3 * DRAWS * d);
    assert!(far * 1000 <= theta.len(), "{name}: {far} of {} draws differ", theta.len());
    assert!(losses < 2e-5, "{name}: losses {losses}");
}

#[test]
fn affine_steps_agree() {
    let affine = TransformKind::Affine;
    let one = FlowShape { nu: Some(4.0), ..shape(1, 0, affine) };
    step_agrees("D 1, C 0, fixed nu", &one, false);
    let mut two = FlowShape { permutation: Permutation::Reversal, ..shape(2, 1, affine) };
    (two.mlp.dropout, two.mlp.residual, two.mlp.activation) = (0.25, true, Activation::Gelu);
    step_agrees("D 2, C 1, dropout, residual", &two, false);
    let mut three = FlowShape { permutation: Permutation::Householder(2), ..shape(3, 20, affine) };
    (three.mlp.skip, three.mlp.activation) = (true, Activation::Tanh);
    step_agrees("D 3, C 20, householder, skip", &three, true);
    let mut ten = FlowShape { nu: Some(5.0), learn_nu: true, ..shape(10, 20, affine) };
    (ten.mlp.hidden, ten.mlp.activation) = (vec![72, 40], Activation::Elu);
    step_agrees("D 10, C 20, learned nu", &ten, false);
}

#[test]
fn spline_steps_agree() {
    step_agrees("spline D 1, C 1", &shape(1, 1, SPLINE), true);
    let two = FlowShape { actnorm: false, ..shape(2, 0, SPLINE) };
    step_agrees("spline D 2, C 0", &two, false);
    let mut three = FlowShape {
        permutation: Permutation::Householder(3),
        nu: Some(6.0),
        learn_nu: true,
        ..shape(3, 20, SPLINE)
    };
    (three.mlp.dropout, three.mlp.residual, three.mlp.activation) = (0.1, true, Activation::Mish);
    step_agrees("spline D 3, C 20, all", &three, false);
    let mut ten = shape(10, 1, SPLINE);
    ten.mlp.activation = Activation::Relu;
    step_agrees("spline D 10, C 1", &ten, false);
}

/// Twenty steps in other tilings than the default: losses and weights; then losses of rows and draws. A chunk of 16 rows is half
/// a workgroup of 32.
#[test]
fn other_tilings_agree() {
    let reflected =
        FlowShape { permutation: Permutation::Householder(2), ..shape(3, 5, TransformKind::Affine) };
    let mut cases = [
        (Tiling { rows: 32, threads: 64 }, reflected),
        (Tiling { rows: 16, threads: 128 }, shape(3, 1, SPLINE)),
    ];
    // the fewer calls, the sooner they are compiled
    cases.iter_mut().for_each(|(_, net)| net.blocks = 1);
    for (tiling, net) in cases {
        let name = format!("tiling {tiling}");
        let case = Case::new(&net);
        let (mut cpu, mut gpu) = (case.cpu(), case.on(gpu().with_tiling(tiling).unwrap()));
        let (a, b) = (case.ready(&mut cpu, 64), case.ready(&mut gpu, 16));
        assert_eq!(gpu.tiling(b), Some(tiling));
        assert_eq!(gpu.shape(b, 16)[0], 16usize.div_ceil(tiling.rows), "workgroups");
        cpu.train(a, &step_args(), BATCH, 20, 0).unwrap();
        gpu.train(b, &step_args(), BATCH, 20, 0).unwrap();
        let (want, got) = (cpu.logs().unwrap(), gpu.logs().unwrap());
        let worst = want.iter().zip(&got).map(|(a, b)| (a.loss - b.loss).abs());
        let worst = worst.fold(0.0, |w: f32, e| if e <= w { w } else { e });
        let (s, t) = (cpu.snapshot().unwrap(), gpu.snapshot().unwrap());
        let weights = off(&s.params, &t.params);
        println!("{name:<28} 20 steps: losses {worst:.1e}, weights {weights:.1e}");
        assert_eq!((want.len(), got.len(), State::of(&s)), (20, 20, State::of(&t)));
        assert!(worst < 1e-3 && weights < 2e-3, "{name}: losses {worst}, weights {weights}");
        assert!(want.iter().zip(&got).all(|(a, b)| (a.masked, a.skipped) == (b.masked, b.skipped)), "{name}");
        draws_agree(&name, &case, &mut cpu, &mut gpu);
    }
}

/// What the host does for a step of two-moons: three launches, few microseconds.
#[test]
fn a_step_is_three_launches() {
    let model = Model::builtin("two-moons").unwrap();
    let pairs = model.simulate(1, 0, 100).unwrap();
    let network =
        Network::new(&model.flow_shape().unwrap(), model.host(model.standardiser(&pairs).unwrap()), 1);
    let train = network.train_plan(Rows::Online);
    let (calls, row_bytes) = (train.calls.len(), train.row_bytes());
    let mut exec = GpuExec::new(gpu(), network.table.clone(), &optim::STEP).unwrap();
    let plan = exec.prepare(train, 64).unwrap();
    let mut times: Vec<f64> = (0..30)
        .map(|_| {
            let begun = std::time::Instant::now();
            exec.encode_only(plan, 64, 100).unwrap();
            begun.elapsed().as_secs_f64() * 1e4
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let [rows, grad, update, cases] = exec.shape(plan, 64);
    println!(
        "two-moons: {} parameters ({} stored), {calls} calls in {cases} cases, workgroups {rows} + {grad} + {update}, \
         {row_bytes} B of slots a row, host {:.1} us a step (least {:.1})",
        network.table.count(),
        network.table.len,
        times[15],
        times[0]
    );
    assert_eq!(rows, 8);
    assert!(grad > 100 && update > 100 && cases < 60, "{grad} {update} {cases}");
    assert_eq!(exec.snapshot().unwrap().state.step, 0, "nothing was submitted");
}

/// 200 steps with equal seeds: the losses stay together. Training is chaotic, so the learning rate is low enough that a
/// run on the CPU from weights that differ in their last bits stays together with itself too.
fn training_agrees(name: &str) {
    let begun = std::time::Instant::now();
    let run = |device: &Device, nudge: f32| {
        let mut model = Model::builtin(name).unwrap();
        (model.config.flow.blocks, model.config.flow.hidden) = (2, vec![32, 32]);
        check::Training { model, batch: 32, steps: 200, lr: 3e-4, nudge }.run(device).unwrap().0
    };
    let apart = |a: &[StepLog], b: &[StepLog]| {
        assert_eq!((a.len(), b.len()), (200, 200));
        a.iter()
            .zip(b)
            .map(|(a, b)| (a.loss - b.loss).abs())
            .fold(0.0, |w: f32, e| if e <= w { w } else { e })
    };
    let cpu = run(&Device::Cpu, 0.0);
    let control = apart(&cpu, &run(&Device::Cpu, 2e-7));
    let worst = apart(&cpu, &run(&Device::Gpu(gpu()), 0.0));
    let mean = |part: &[StepLog]| part.iter().map(|l| l.loss).sum::<f32>() / part.len() as f32;
    let (first, last) = (mean(&cpu[..20]), mean(&cpu[180..]));
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{name}: loss {first} to {last}, worst difference {worst:.1e}, nudged CPU {control:.1e}, {seconds:.1} s"
    );
    assert!(worst <= 1e-3, "{worst}; a nudged CPU run differs by {control}");
    assert!(last < first - 0.1, "it learns: {first} to {last}");
}
#[test]
fn two_moons_trains_alike() {
    training_agrees("two-moons");
}
#[test]
fn slcp_trains_alike() {
    training_agrees("slcp");
}
