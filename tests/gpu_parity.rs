//! Whole plans on the CPU and on whatever adapter there is (software too): losses, gradients, updates, draws, training;
//! and that the GPU's bits depend on nothing they should not.
use couplet::Model;
use couplet::check;
use couplet::data::source::Host;
use couplet::data::standardise::{DataTransform, Standardiser};
use couplet::flow::{FlowShape, Permutation, TransformKind};
use couplet::layers::activation::Activation;
use couplet::layers::mlp::MlpShape;
use couplet::model::network::{Network, Rows};
use couplet::optim;
use couplet::rng::Rng;
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, PlanId, Snapshot, StepLog, Weights};
use couplet::runtime::gpu::Gpu;
use couplet::runtime::gpu_exec::GpuExec;
use couplet::runtime::params::ParamTable;
use couplet::runtime::state::{RunArgs, StepArgs};
use couplet::runtime::step::StepKernels;
use couplet::runtime::{Device, GpuRequest, Tiling};
use couplet::sim::{Bound, Factor, Marginal, Prior, Transform};
use std::sync::{Arc, OnceLock};

/// One unchecked device for all tests of this file, so that pipelines are compiled once.
fn gpu() -> Arc<Gpu> {
    static GPU: OnceLock<Arc<Gpu>> = OnceLock::new();
    let request = GpuRequest { software: true, checked: Some(false), ..GpuRequest::default() };
    GPU.get_or_init(|| Gpu::open(&request).expect("a Vulkan, Metal or DX12 adapter; Mesa's lavapipe will do"))
        .clone()
}

const SPLINE: TransformKind = TransformKind::Spline { bins: 6, bound: 3.0 };

fn shape(dim: usize, condition: usize, transform: TransformKind) -> FlowShape {
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

fn noise(row: u32, n: usize) -> Vec<f32> {
    let mut rng = Rng::new(5, 7, 0, row);
    (0..n).map(|_| rng.normal()).collect()
}

/// A network with a prior of uniforms and no simulator, weights that are far from the identity, and 50 rows.
struct Case {
    network: Network,
    start: Snapshot,
    table: Vec<f32>,
}
impl Case {
    fn new(shape: &FlowShape) -> Self {
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
    fn ready(&self, exec: &mut dyn Executor, capacity: usize) -> PlanId {
        let plan = exec.prepare(self.network.train_plan(Rows::Indexed), capacity).unwrap();
        exec.set_table(plan, &self.table).unwrap();
        let index: Vec<u32> = (0..40 * BATCH as u32).map(|i| i * 13 % 50).collect();
        exec.set_index(plan, &index).unwrap();
        exec.restore(&self.start).unwrap();
        plan
    }
    fn cpu(&self) -> CpuExec {
        CpuExec::new(self.network.table.clone(), &optim::STEP)
    }
    fn gpu(&self) -> GpuExec {
        self.on(gpu())
    }
    fn on(&self, gpu: Arc<Gpu>) -> GpuExec {
        GpuExec::new(gpu, self.network.table.clone(), &optim::STEP).unwrap()
    }
}

const BATCH: usize = 37;
fn step_args() -> StepArgs {
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
fn off(a: &[f32], b: &[f32]) -> f32 {
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

fn bits(logs: &[StepLog], s: &Snapshot) -> Vec<u32> {
    let logs = logs.iter().flat_map(|l| [l.loss, l.masked, l.norm, l.skipped]);
    let weights = [&s.params, &s.average, &s.first, &s.second].into_iter().flatten().copied();
    logs.chain(weights).map(f32::to_bits).chain([s.state.step, s.state.lr.to_bits()]).collect()
}

/// 12 steps in one go, again, in submissions of other sizes (which end within a batch too), in several calls, and with a
/// stop in between: always the same bits.
#[test]
fn bits_depend_on_neither_submissions_nor_stops() {
    let mut net = shape(2, 1, TransformKind::Affine);
    net.mlp.dropout = 0.2;
    let case = Case::new(&net);
    let whole = |rounds: Option<usize>, calls: &[usize]| {
        let mut exec = case.gpu();
        exec.set_rounds(rounds);
        let plan = case.ready(&mut exec, 16);
        for &steps in calls {
            exec.train(plan, &step_args(), BATCH, steps, 0).unwrap();
        }
        let (logs, s) = (exec.logs().unwrap(), exec.snapshot().unwrap());
        assert_eq!((logs.len(), s.state.step), (12, 12));
        bits(&logs, &s)
    };
    let once = whole(None, &[12]);
    assert_eq!(once, whole(None, &[12]), "two runs");
    assert_eq!(once, whole(Some(1), &[12]), "one chunk a submission");
    assert_eq!(once, whole(Some(7), &[12]), "seven chunks a submission");
    assert_eq!(once, whole(Some(1000), &[3, 1, 8]), "three calls");

    let mut exec = case.gpu();
    let plan = case.ready(&mut exec, 16);
    exec.train(plan, &step_args(), BATCH, 5, 0).unwrap();
    let mut logs = exec.logs().unwrap();
    let middle = exec.snapshot().unwrap();
    exec.train(plan, &step_args(), BATCH, 3, 0).unwrap(); // is forgotten
    let mut other = case.gpu();
    let plan = case.ready(&mut other, 16);
    for exec in [&mut exec, &mut other] {
        exec.restore(&middle).unwrap();
        assert_eq!(exec.snapshot().unwrap(), middle);
    }
    other.train(plan, &step_args(), BATCH, 7, 0).unwrap();
    logs.extend(other.logs().unwrap());
    assert_eq!(once, bits(&logs, &other.snapshot().unwrap()), "snapshot, restore, continue");
}

/// A step whose loss is not finite is left out on both devices, and training goes on.
#[test]
fn what_is_not_finite_is_left_out() {
    let case = Case::new(&shape(2, 1, TransformKind::Affine));
    let (mut cpu, mut gpu) = (case.cpu(), case.gpu());
    let mut broken = case.start.clone();
    let p = &case.network.table.entries[0]; // the log scale of the first ActNorm
    broken.params[p.at] = f32::NAN;
    for exec in [&mut cpu as &mut dyn Executor, &mut gpu] {
        let plan = case.ready(exec, 64);
        exec.restore(&broken).unwrap();
        exec.train(plan, &step_args(), BATCH, 2, 0).unwrap();
        let logs = exec.logs().unwrap();
        assert!(logs.iter().all(|l| l.skipped == 1.0 && !l.loss.is_finite()), "{logs:?}");
        let s = exec.snapshot().unwrap();
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(
            same(&s.params, &broken.params)
                && same(&s.average, &broken.average)
                && same(&s.first, &broken.first)
        );
        assert_eq!(s.state.step, 2);
        exec.restore(&case.start).unwrap();
        exec.train(plan, &step_args(), BATCH, 1, 0).unwrap();
        assert_eq!(exec.logs().unwrap()[0].skipped, 0.0);
    }
}

/// The comparisons of this file can fail: each of these changes of the step's launches is seen.
#[test]
fn sabotaged_step_launches_are_seen() {
    let case = Case::new(&shape(2, 1, TransformKind::Affine));
    let mut cpu = case.cpu();
    let plan = case.ready(&mut cpu, 64);
    cpu.train(plan, &step_args(), BATCH, 2, 0).unwrap();
    let (want, want_grad) = (cpu.snapshot().unwrap(), cpu.gradient().to_vec());
    let difference = |grad_source: &'static str, update_source: &'static str| {
        let kernels: &'static StepKernels =
            Box::leak(Box::new(StepKernels { grad_source, update_source, ..optim::STEP }));
        let mut exec = GpuExec::new(gpu(), case.network.table.clone(), kernels).unwrap();
        let plan = case.ready(&mut exec, 16);
        exec.train(plan, &step_args(), BATCH, 2, 0).unwrap();
        let (got, grad, image) = (exec.snapshot().unwrap(), exec.gradient().unwrap(), exec.image().unwrap());
        let mut transposed = image.clone();
        case.network.table.transpose_all(&mut transposed);
        [
            (&want_grad, &grad),
            (&want.first, &got.first),
            (&want.second, &got.second),
            (&want.average, &got.average),
            (&transposed, &image),
        ]
        .into_iter()
        .map(|(a, b)| off(a, b))
        .fold(0.0, f32::max)
    };
    let (grad, update) = (optim::STEP.grad_source, optim::STEP.update_source);
    let honest = difference(grad, update);
    assert!(honest < 1e-4, "{honest}");
    let changes = [
        (grad, "g0 + two[place]", "g0"),
        (grad, "if (run.row0 > 0u) { g += grad[i]; }", ""),
        (grad, "row += 8u) { g0 +=", "row += 16u) { g0 +="),
        (grad, "g3 += x.w * d;", "g3 += x.z * d;"),
        (update, "image + at + col * rows + row", "image + at + row * cols + col"),
        (update, "args.beta2 * old.y", "args.beta1 * old.y"),
        (update, "min(at + 1024u, end)", "min(at + 16u, end)"),
        (update, "s.ema * average[i]", "average[i]"),
        (update, "min(args.clip / max(norm, 1e-30), 1.0)", "1.0"),
    ];
    for (source, from, to) in changes {
        assert!(source.contains(from), "nothing to change: {from}");
        let changed: &'static str = source.replacen(from, to, 1).leak();
        let seen = if source == grad { difference(changed, update) } else { difference(grad, changed) };
        println!("{from}: {seen:.1e}");
        assert!(seen > 1e-4 || seen.is_nan(), "{from}: {seen}");
    }
}

/// More steps than the log ring and the read-back ring hold, and none is lost.
#[test]
fn many_steps_keep_their_logs() {
    let mut net = shape(1, 0, TransformKind::Affine);
    (net.blocks, net.mlp.hidden) = (1, vec![4]);
    let case = Case::new(&net);
    let mut exec = case.gpu();
    let plan = exec.prepare(case.network.train_plan(Rows::Indexed), 16).unwrap();
    exec.set_table(plan, &case.table).unwrap();
    exec.set_index(plan, &vec![3; 8 * 4200]).unwrap();
    exec.restore(&case.start).unwrap();
    exec.set_rounds(Some(1000));
    exec.train(plan, &StepArgs { lr: 0.0, decay: 0.0, ..step_args() }, 8, 4200, 0).unwrap();
    let logs = exec.logs().unwrap();
    assert_eq!(logs.len(), 4200);
    // nothing moves, so all losses are the same
    assert!(logs.iter().all(|l| l.loss == logs[0].loss && l.loss.is_finite() && l.skipped == 0.0));
}

#[test]
fn what_does_not_fit_is_said() {
    let case = Case::new(&shape(2, 1, TransformKind::Affine));
    let mut exec = case.gpu();
    let e = exec.prepare(case.network.train_plan(Rows::Indexed), 400_000).unwrap_err().to_string();
    assert!(e.contains("MiB") && e.contains("smaller batch"), "{e}");
    let e = exec.prepare(case.network.train_plan(Rows::Indexed), 1 << 20).unwrap_err().to_string();
    assert!(e.contains("rows at a time"), "{e}");
    let plan = exec.prepare(case.network.loss_plan(), 16).unwrap();
    assert!(exec.train(plan, &step_args(), 8, 1, 0).unwrap_err().to_string().contains("no gradients"));
    let e = exec.restore(&Snapshot::default()).unwrap_err().to_string();
    assert!(e.contains("snapshot `params`"), "{e}");
}
