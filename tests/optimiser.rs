//! The end of a training step against a naive f64 AdamW, and the storage around the parameters.
mod common;
use common::flows::{executor, network, normals, random_weights, shape};
use couplet::flow::{FlowShape, Permutation};
use couplet::model::network::{Network, Rows};
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, PlanId, Weights};
use couplet::runtime::state::{State, StepArgs};

const BATCH: usize = 48;

fn settings(clip: f32, ema: f32) -> StepArgs {
    StepArgs {
        lr: 3e-3,
        warmup: 7.0,
        total: 50.0,
        cosine: 1.0,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        decay: 0.05,
        clip,
        ema,
        ..StepArgs::default()
    }
}

fn big() -> FlowShape {
    let mut s = shape();
    (s.dim, s.permutation, s.nu, s.learn_nu) = (5, Permutation::Householder(2), Some(4.0), true);
    (s.mlp.hidden, s.mlp.skip) = (vec![37, 9], true);
    s
}

/// An executor with the plan of this network and a table of random rows.
fn ready(net: &Network, values: &[f32]) -> (CpuExec, PlanId) {
    let (d, c) = net.dims();
    let mut exec = executor(net, values, 7, 0);
    let id = exec.prepare(net.train_plan(Rows::Indexed), BATCH).unwrap();
    exec.set_table(id, &normals(8, 64 * (d + c))).unwrap();
    let index: Vec<u32> = (0..50 * BATCH as u32).map(|i| (i * 37 + i / 64) % 64).collect();
    exec.set_index(id, &index).unwrap();
    (exec, id)
}

#[test]
fn steps_are_those_of_a_naive_adamw() {
    let mut clipped = [0, 0];
    for (case, (clip, ema)) in [(1.5, 0.999), (1e9, 0.0), (0.02, 0.3)].into_iter().enumerate() {
        let net = network(&big());
        let values = random_weights(&net, 4, 0.6);
        let (mut exec, id) = ready(&net, &values);
        let a = settings(clip, ema);
        let n = values.len();
        let (mut w, mut m, mut v) =
            (values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), vec![0.0; n], vec![0.0; n]);
        let mut average = w.clone();
        let mut decay = vec![0.0; n];
        for p in net.table.entries.iter().filter(|p| p.matrix) {
            decay[p.at..p.at + p.stored()].fill(0.05);
        }
        for t in 0..50 {
            exec.train(id, &a, BATCH, 1, 0).unwrap();
            let log = exec.logs().unwrap()[0];
            let g: Vec<f64> = exec.gradient().iter().map(|&g| f64::from(g)).collect();
            let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!((f64::from(log.norm) / norm - 1.0).abs() < 1e-6);
            let scale = (f64::from(clip) / norm).min(1.0);
            clipped[usize::from(scale < 1.0)] += 1;
            // linear warm-up over W = 7 of T = 50 steps, then a cosine to 0
            let (step, warmup, total) = (t as f64, 7.0, 50.0);
            let lr = 3e-3
                * if step < warmup {
                    (step + 1.0) / warmup
                } else {
                    0.5 * (1.0 + (std::f64::consts::PI * (step - warmup) / (total - warmup)).cos())
                };
            let past = f64::from(ema).min((1.0 + step) / (10.0 + step));
            let s = exec.snapshot().unwrap();
            assert!(
                (f64::from(s.state.lr) - lr).abs() < 1e-6 * 3e-3,
                "rate of step {t}: {} {lr}",
                s.state.lr
            );
            assert!(
                (f64::from(s.state.ema) - past).abs() < 1e-6,
                "average of step {t}: {} {past}",
                s.state.ema
            );
            assert_eq!(s.state.step, t + 1);
            for i in 0..n {
                let g = g[i] * scale;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (first, second) =
                    (m[i] / (1.0 - 0.9f64.powi(t as i32 + 1)), v[i] / (1.0 - 0.999f64.powi(t as i32 + 1)));
                w[i] -= lr * (first / (second.sqrt() + 1e-8) + decay[i] * w[i]);
                average[i] = past * average[i] + (1.0 - past) * w[i];
                let off = |got: f32, want: f64| (f64::from(got) - want).abs() / (1.0 + want.abs());
                // an error of a step is at most a few 1e-4 of the learning rate; it adds up over the steps
                assert!(
                    off(s.params[i], w[i]) < 2e-6,
                    "case {case}, step {t}, element {i}: {} {}",
                    s.params[i],
                    w[i]
                );
                assert!(
                    off(s.average[i], average[i]) < 2e-6,
                    "average, step {t}, element {i}: {} {}",
                    s.average[i],
                    average[i]
                );
            }
        }
    }
    assert!(clipped[0] > 20 && clipped[1] > 20, "both sides of the clip: {clipped:?}");
}

#[test]
fn padding_gets_no_gradient_and_the_transposed_image_follows() {
    for shape in [big(), FlowShape { dim: 1, ..shape() }, FlowShape { dim: 2, condition: 0, ..big() }] {
        let net = network(&shape);
        let (mut exec, id) = ready(&net, &random_weights(&net, 5, 0.6));
        let mut padding = vec![true; net.table.len];
        for p in &net.table.entries {
            for r in 0..p.rows {
                padding[p.at + r * p.stride()..][..p.cols].fill(false);
            }
        }
        for _ in 0..50 {
            exec.train(id, &settings(1.5, 0.999), BATCH, 1, 0).unwrap();
            let bad = exec
                .gradient()
                .iter()
                .zip(&padding)
                .position(|(g, pad)| *pad && g.to_bits() & 0x7fff_ffff != 0);
            assert_eq!(bad, None, "a gradient in the padding");
        }
        let s = exec.snapshot().unwrap();
        for values in [&s.params, &s.average, &s.first, &s.second] {
            assert!(values.iter().zip(&padding).all(|(v, pad)| !pad || *v == 0.0), "the padding stays zero");
        }
        assert!(
            padding.iter().any(|&p| p) && s.params.iter().zip(&padding).any(|(v, pad)| !pad && *v != 0.0)
        );

        // The way back multiplies with the image that the steps kept. `restore` makes it anew from the weights, so a
        // stale element would show in the next gradient.
        exec.train(id, &settings(1.5, 0.999), BATCH, 1, s.state.step).unwrap();
        let kept = exec.gradient().to_vec();
        exec.restore(&s).unwrap();
        exec.train(id, &settings(1.5, 0.999), BATCH, 1, s.state.step).unwrap();
        assert_eq!(kept, exec.gradient(), "the transposed image is the transpose");
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing_but_the_counters() {
    let net = network(&shape());
    let mut values = random_weights(&net, 6, 0.6);
    // weights that overflow in the first product
    values[net.table.entries.iter().find(|p| p.matrix).unwrap().at] = 3e38;
    let (mut exec, id) = ready(&net, &values);
    let before = exec.snapshot().unwrap();
    exec.train(id, &settings(1.5, 0.999), BATCH, 3, 0).unwrap();
    let (logs, after) = (exec.logs().unwrap(), exec.snapshot().unwrap());
    assert!(logs.len() == 3 && logs.iter().all(|l| l.skipped == 1.0), "{logs:?}");
    assert_eq!(
        (before.params, before.first, before.second, before.average),
        (after.params, after.first, after.second, after.average)
    );
    assert_eq!(after.state.step, 3);
}

#[test]
fn the_average_is_what_inference_may_run_with() {
    let net = network(&shape());
    let (mut exec, id) = ready(&net, &random_weights(&net, 6, 0.6));
    exec.train(id, &settings(1.5, 0.999), BATCH, 40, 0).unwrap();
    let s = exec.snapshot().unwrap();
    assert_ne!(s.params, s.average);
    let plan = net.loss_plan();
    let slot = plan.meta;
    let loss = exec.prepare(plan, 32).unwrap();
    exec.set_table(loss, &normals(3, 32 * 5)).unwrap();
    let run = couplet::runtime::state::RunArgs { rows: 32, batch: 32, draws: 1, ..Default::default() };
    let mut read = |which| {
        exec.run(loss, &run, which).unwrap();
        exec.read(loss, slot, 32, 4).unwrap()
    };
    let (current, average) = (read(Weights::Current), read(Weights::Average));
    assert_ne!(current, average);
    let mut other = executor(&net, &s.average, 1, 0);
    let loss = other.prepare(net.loss_plan(), 32).unwrap();
    other.set_table(loss, &normals(3, 32 * 5)).unwrap();
    other.run(loss, &run, Weights::Current).unwrap();
    assert_eq!(average, other.read(loss, slot, 32, 4).unwrap());
}

#[test]
fn learning_rates_are_those_of_the_schedule() {
    let a = StepArgs { lr: 2.0, warmup: 5.0, total: 105.0, cosine: 1.0, ..StepArgs::default() };
    for (t, want) in
        [(0, 0.4), (1, 0.8), (4, 2.0), (5, 2.0), (30, 1.707_106_8), (55, 1.0), (105, 0.0), (200, 0.0)]
    {
        let got = State::learning_rate(&a, t as f32);
        assert!((got - want).abs() < 2e-6, "step {t}: {got} {want}");
    }
    let constant = StepArgs { cosine: 0.0, ..a };
    assert_eq!([3, 5, 60, 104].map(|t| State::learning_rate(&constant, t as f32)), [1.6, 2.0, 2.0, 2.0]);
}
