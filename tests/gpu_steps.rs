//! Training on whatever adapter there is (software too): its bits depend on nothing they should not, what is not finite is
//! left out, logs are kept, what does not fit is said, and changed launches are seen.
mod common;

use common::case::{BATCH, Case, gpu, off, shape, step_args};
use couplet::flow::TransformKind;
use couplet::model::network::Rows;
use couplet::optim;
use couplet::runtime::exec::{Executor, Snapshot, StepLog};
use couplet::runtime::gpu_exec::GpuExec;
use couplet::runtime::state::StepArgs;
use couplet::runtime::step::StepKernels;

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
