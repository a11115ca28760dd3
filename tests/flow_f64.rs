//! The flow against a naive f64 twin: losses, gradients, inverses, log-determinants.
mod common;
use common::flows::{executor, gradient, losses, naive, network, normals, random_weights, shape};
use common::naive::{Naive, log_abs_det};
use couplet::data::source;
use couplet::flow::actnorm::Halves;
use couplet::flow::{FlowShape, Permutation, TransformKind, split};
use couplet::layers::activation::Activation;
use couplet::model::network::{Network, Rows};
use couplet::runtime::exec::{Executor, StepLog, Weights};
use couplet::runtime::recorder::Recorder;
use couplet::runtime::state::{RunArgs, StepArgs};

const SEED: u64 = 0x1234_5678_9abc_def0;
const STEP: u32 = 5;
/// Scale of the weights: raw outputs of the conditioners have an sd of about a half.
const GAIN: f32 = 0.6;

struct Case {
    name: &'static str,
    shape: FlowShape,
    rows: usize,
    /// Rows at a time; fewer than `rows` makes the gradient a sum over chunks.
    capacity: usize,
    /// Every such row is NaN somewhere.
    masked: usize,
}

/// A case that changes the plain shape.
fn case(name: &'static str, change: impl FnOnce(&mut FlowShape)) -> Case {
    let mut shape = shape();
    change(&mut shape);
    Case { name, shape, rows: 19, capacity: 32, masked: usize::MAX }
}

fn cases() -> Vec<Case> {
    let affine = TransformKind::Affine;
    let ten = TransformKind::Spline { bins: 10, bound: 2.5 };
    let mut cases = vec![
        case("spline", |_| {}),
        case("affine", |s| s.transform = affine),
        case("spline, one parameter", |s| s.dim = 1),
        case("spline, one parameter, no condition", |s| (s.dim, s.condition) = (1, 0)),
        case("affine, one parameter, 5 conditions", |s| (s.dim, s.condition, s.transform) = (1, 5, affine)),
        case("spline, 2, 10 bins, 1 condition", |s| (s.dim, s.condition, s.transform) = (2, 1, ten)),
        case("affine, 2, no condition", |s| (s.dim, s.condition, s.transform) = (2, 0, affine)),
        case("spline, 6, 20 conditions", |s| (s.dim, s.condition) = (6, 20)),
        case("affine, 6, 5 conditions, 3 blocks", |s| {
            (s.dim, s.condition, s.transform, s.blocks) = (6, 5, affine, 3)
        }),
        case("spline, 10, 10 bins, 20 conditions", |s| (s.dim, s.condition, s.transform) = (10, 20, ten)),
        case("affine, 10, 5 conditions", |s| (s.dim, s.condition, s.transform) = (10, 5, affine)),
        case("no blocks", |s| s.blocks = 0),
        case("hidden layers of unequal width", |s| s.mlp.hidden = vec![26, 5, 13]),
        case("linear skip", |s| s.mlp.skip = true),
        case("linear skip, one parameter, affine, no condition", |s| {
            (s.dim, s.condition, s.transform, s.mlp.skip) = (1, 0, affine, true);
        }),
        case("linear skip, 6, 5 conditions", |s| (s.dim, s.condition, s.mlp.skip) = (6, 5, true)),
        case("one hidden layer", |s| s.mlp.hidden = vec![5]),
        case("residual, three layers", |s| (s.mlp.hidden, s.mlp.residual) = (vec![9, 9, 9], true)),
        case("residual where widths agree", |s| (s.mlp.hidden, s.mlp.residual) = (vec![5, 8, 8, 6], true)),
        case("dropout", |s| (s.mlp.dropout, s.blocks) = (0.3, 3)),
        case("dropout and residual", |s| {
            (s.mlp.hidden, s.mlp.residual, s.mlp.dropout) = (vec![13, 13, 13], true, 0.5);
            s.mlp.activation = Activation::Gelu;
        }),
        case("householder", |s| (s.dim, s.permutation) = (6, Permutation::Householder(4))),
        case("householder, affine, 2", |s| {
            (s.dim, s.permutation, s.transform) = (2, Permutation::Householder(1), affine);
        }),
        case("householder, 1", |s| (s.dim, s.permutation) = (1, Permutation::Householder(1))),
        case("reversal", |s| (s.dim, s.permutation) = (6, Permutation::Reversal)),
        case("no actnorm", |s| s.actnorm = false),
        case("student-t", |s| s.nu = Some(3.5)),
        case("student-t, learned", |s| (s.nu, s.learn_nu) = (Some(4.0), true)),
        case("student-t, learned, affine, 10", |s| {
            (s.dim, s.transform, s.nu, s.learn_nu) = (10, affine, Some(4.0), true);
        }),
        Case { masked: 3, ..case("masked rows", |_| {}) },
        Case {
            masked: 2,
            rows: 37,
            capacity: 16,
            ..case("chunks, masked, dropout", |s| s.mlp.dropout = 0.2)
        },
        Case {
            rows: 160,
            capacity: 160,
            ..case("many tiles of unequal widths", |s| s.mlp.hidden = vec![26, 5, 13])
        },
        Case { rows: 48, capacity: 48, ..case("whole tiles", |s| s.transform = affine) },
        Case { rows: 1, ..case("one row", |_| {}) },
    ];
    for act in Activation::ALL {
        let name = ["relu", "elu", "silu", "gelu", "tanh", "mish"][act as usize];
        cases.push(case(name, |s| s.mlp.activation = act));
    }
    cases
}

/// Rows `(u, h)`: u wide enough to reach the tails of the splines.
fn table(c: &Case, seed: u32) -> Vec<f32> {
    let (d, width) = (c.shape.dim, c.shape.dim + c.shape.condition);
    let mut rows = normals(seed, c.rows * width);
    for (i, row) in rows.chunks_exact_mut(width).enumerate() {
        row[..d].iter_mut().for_each(|u| *u *= 1.5);
        if i % c.masked == c.masked - 1 {
            row[i % width] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][i % 3];
        }
    }
    rows
}

/// Mean over the batch of the losses of rows that count, as training defines it: masked rows add nothing.
fn mean_loss(net: &Naive, rows: &[f32]) -> f64 {
    let (d, width) = (net.shape.dim, net.shape.dim + net.shape.condition);
    let n = rows.len() / width;
    let loss = |(i, row): (usize, &[f32])| {
        let row: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
        if row.iter().all(|v| v.is_finite()) { net.loss(&row[..d], &row[d..], i as u32) } else { 0.0 }
    };
    rows.chunks_exact(width).enumerate().map(loss).sum::<f64>() / n as f64
}

#[test]
fn losses_of_rows_are_those_of_the_naive_flow() {
    for (number, c) in cases().iter().enumerate() {
        let net = network(&c.shape);
        let values = random_weights(&net, 1 + number as u32, GAIN);
        let rows = table(c, 77 + number as u32);
        let twin = naive(&net, &values);
        let (d, width) = (c.shape.dim, c.shape.dim + c.shape.condition);
        for (i, (m, row)) in losses(&net, &values, &rows).iter().zip(rows.chunks_exact(width)).enumerate() {
            let row: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
            if row.iter().any(|v| !v.is_finite()) {
                assert_eq!((m[0], m[3]), (0.0, 1.0), "{}: row {i} is masked", c.name);
                assert!(m[2].is_finite(), "{}: row {i}", c.name);
                continue;
            }
            assert_eq!((m[0], m[3]), (1.0 / c.rows as f32, 0.0), "{}: row {i} counts", c.name);
            let (logdet, loss) =
                (twin.forward(&row[..d], &row[d..], 0).1, twin.loss(&row[..d], &row[d..], 0));
            let error = (f64::from(m[2]) - loss).abs().max((f64::from(m[1]) - logdet).abs());
            let found = format!("loss {}, not {loss}; log-determinant {}, not {logdet}", m[2], m[1]);
            assert!(error <= 1e-5 * (1.0 + loss.abs()), "{}: row {i}: {found}", c.name);
        }
    }
}

#[test]
fn gradients_are_the_finite_differences_of_the_naive_loss() {
    compare_gradients(0.3, 3e-5, 1e-5);
    // Steep bins enlarge rounding, here and there.
    compare_gradients(GAIN, 6e-5, 3e-5);
}

/// Gradients of all cases under weights of this scale: every tensor's within `each` of the finite difference, the whole one
/// within `whole` of its length.
fn compare_gradients(gain: f32, each: f64, whole: f64) {
    let mut all = vec![];
    for (number, c) in cases().iter().enumerate() {
        let net = network(&c.shape);
        let values = random_weights(&net, 1 + number as u32, gain);
        let rows = table(c, 177 + number as u32);
        let mut twin = naive(&net, &values);
        twin.dropout = (c.shape.mlp.dropout > 0.0).then_some((SEED, STEP));
        let (found, log) = gradient(&net, &values, &rows, c.capacity, SEED, STEP);

        let bad = (0..c.rows).filter(|i| i % c.masked == c.masked.wrapping_sub(1)).count();
        let loss = mean_loss(&twin, &rows) * c.rows as f64 / (c.rows - bad) as f64;
        assert!(
            (f64::from(log.loss) - loss).abs() < 5e-6 * (1.0 + loss.abs()),
            "{}: {} {loss}",
            c.name,
            log.loss
        );
        assert_eq!((log.masked, log.skipped), (bad as f32, 0.0), "{}", c.name);
        let norm = found.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        assert!((f64::from(log.norm) - norm).abs() <= 1e-6 * norm, "{}: norm {} {norm}", c.name, log.norm);

        let scale = found.iter().fold(0.0f64, |m, g| m.max(f64::from(g.abs())));
        let (mut off, mut length) = (0.0f64, 0.0f64);
        for p in &net.table.entries {
            let (mut difference, mut largest) = (0.0f64, 0.0f64);
            let n = p.rows * p.cols;
            let wanted = if c.rows > 40 { 4 } else { 16 };
            let every = if n > 2 * wanted { (n / wanted) | 1 } else { 1 };
            for e in (number % every..n).step_by(every) {
                let got = f64::from(found[p.at + e / p.cols * p.cols.next_multiple_of(4) + e % p.cols]);
                let want = if p.name.contains("actnorm") && !c.shape.actnorm {
                    0.0 // not trained
                } else {
                    derivative(&mut twin, &p.name, e, &rows)
                };
                difference = difference.max((got - want).abs());
                largest = largest.max(want.abs());
                off += (got - want).powi(2);
                length += want.powi(2);
            }
            // tensors that hardly matter are measured by the whole gradient
            all.push((difference / largest.max(0.02 * scale), format!("{}: {}", c.name, p.name)));
        }
        let error = (off / length.max(1e-12)).sqrt();
        assert!(error < whole, "{}: the whole gradient is off by {error:.1e} of its length", c.name);
    }
    // What is left is rounding.
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (middle, worst) = (&all[all.len() / 2], &all[all.len() - 1]);
    assert!(
        middle.0 < 1e-6 && worst.0 < each,
        "median {:.1e}, worst {:.1e} in {}",
        middle.0,
        worst.0,
        worst.1
    );
    assert!(all.iter().filter(|a| a.0 < 1e-5).count() > all.len() * 9 / 10, "most are below 1e-5");
}

/// Rows are taken to their gradients in chunks, and large chunks in halves: neither the gradient nor its norm may show it.
#[test]
fn gradients_do_not_depend_on_how_rows_are_cut() {
    let net = network(&deep(TransformKind::Affine));
    let values = random_weights(&net, 3, 0.7);
    let (d, c) = net.dims();
    for n in [255, 256, 257, 500, 1000] {
        let rows = normals(9, n * (d + c));
        let (want, small) = gradient(&net, &values, &rows, 64, 1, 0);
        let (got, large) = gradient(&net, &values, &rows, 1024, 1, 0);
        let norm = want.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let off = want.iter().zip(&got).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        assert!(off <= 2e-6 * norm, "{n} rows: gradients differ by {:e} of their norm", off / norm);
        for log in [small, large] {
            let seen = f64::from(log.norm);
            assert!((seen - norm).abs() <= 1e-5 * norm, "{n} rows: norm {seen}, of the gradient {norm}");
        }
    }
}

/// Central difference of the mean loss by element `e` of a tensor.
fn derivative(net: &mut Naive, name: &str, e: usize, rows: &[f32]) -> f64 {
    let step = 1e-6;
    let at = |shift: f64, net: &mut Naive| {
        let old = net.tensors[name].values[e];
        net.tensors.get_mut(name).unwrap().values[e] = old + shift;
        let loss = mean_loss(net, rows);
        net.tensors.get_mut(name).unwrap().values[e] = old;
        loss
    };
    (at(step, net) - at(-step, net)) / (2.0 * step)
}

/// A chain of 12 blocks.
fn deep(transform: TransformKind) -> FlowShape {
    let mut s = shape();
    (s.dim, s.blocks, s.transform, s.mlp.hidden) = (5, 12, transform, vec![16, 16]);
    s
}

/// `z` of rows `(u, h)`, and what the inverse makes of it, both `(rows, D)`.
fn round_trip(net: &Network, values: &[f32], rows: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (d, c) = net.dims();
    let n = rows.len() / (d + c);
    let mut r = Recorder::new();
    let (row, x, meta) = (r.slot(d), r.slot(c), r.slot(4));
    source::gather(&mut r, d, c, row, x, meta, false);
    let u = Halves::new(&mut r, d);
    split::record(&mut r, row, u, false);
    let trace = net.flow.forward(&mut r, u, Some(x), meta, false);
    let z = net.flow.output(u, &trace);
    let z_row = r.slot(d);
    split::record(&mut r, z_row, z, true);
    let back = net.flow.inverse(&mut r, z, Some(x), meta);
    let out = r.slot(d);
    split::record(&mut r, out, back, true);
    let mut exec = executor(net, values, 1, 0);
    let id = exec.prepare(r.finish("round trip", net.table.clone(), meta), n).unwrap();
    exec.set_table(id, rows).unwrap();
    let run = RunArgs { rows: n as u32, batch: n as u32, draws: 1, ..RunArgs::default() };
    exec.run(id, &run, Weights::Current).unwrap();
    (exec.read(id, z_row, n, d).unwrap(), exec.read(id, out, n, d).unwrap())
}

#[test]
fn inverse_of_twelve_blocks_undoes_them() {
    let spline = |bins, bound| deep(TransformKind::Spline { bins, bound });
    for (shape, gain) in [
        (deep(TransformKind::Affine), 0.5),
        (spline(10, 3.0), 0.1),
        (spline(10, 3.0), 0.5),
        (FlowShape { permutation: Permutation::Householder(3), ..spline(4, 2.0) }, 0.1),
        (FlowShape { dim: 1, ..spline(8, 3.0) }, 0.5),
        (FlowShape { dim: 2, ..spline(8, 3.0) }, 0.1),
    ] {
        let (n, d, c) = (1000, shape.dim, shape.condition);
        let net = network(&shape);
        let mut values = random_weights(&net, 9, gain);
        if gain < 0.3 {
            // tame: scales near 1 as well
            for p in net.table.entries.iter().filter(|p| !p.matrix && !p.name.contains("householder")) {
                values[p.at..p.at + p.cols].iter_mut().for_each(|v| *v *= 0.3);
            }
        }
        let mut rows = normals(5, n * (d + c));
        for (i, row) in rows.chunks_exact_mut(d + c).enumerate() {
            // the first rows sit on bounds and knots of the first block's input, others far in the tails
            let special = [3.0, -3.0, 2.0, -2.0, 0.0, 1.5, 8.0, -8.0];
            row[..d].iter_mut().enumerate().for_each(|(j, u)| {
                if i < 64 {
                    *u = special[(i + i / 8 * j) % 8];
                } else if i < 128 {
                    *u *= 4.0;
                }
            });
        }
        let (z, back) = round_trip(&net, &values, &rows);
        let twin = naive(&net, &values);
        let (mut error, mut residual, mut moved) = (vec![], vec![], 0.0f64);
        for (i, row) in rows.chunks_exact(d + c).enumerate() {
            let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
            let (row, back, z) = (wide(row), wide(&back[i * d..][..d]), wide(&z[i * d..][..d]));
            let again = twin.forward(&back, &row[d..], 0).0;
            for j in 0..d {
                error.push((back[j] - row[j]).abs() / row[j].abs().max(1.0));
                residual.push((again[j] - z[j]).abs() / z[j].abs().max(1.0));
                moved = moved.max((z[j] - row[j]).abs());
            }
        }
        error.sort_by(f64::total_cmp);
        residual.sort_by(f64::total_cmp);
        let (x, z) = (error[error.len() - 1], residual[residual.len() - 1]);
        let text = format!("{:?}, weights {gain}: x {x:.1e}, z {z:.1e}, moved {moved:.1}", shape.transform);
        assert!(moved > 0.5 && z < 5e-4, "{text}");
        // A wild chain stretches rounding errors of z into large ones of x, in f64 as well; a tame one must not.
        assert!(error[error.len() / 2] < 1e-5 && (gain > 0.3 || x < 1e-4), "{text}");
    }
}

/// Pairs `(u, h)` that no simple map makes normal: a banana, two modes, a funnel, a product.
fn crooked(seed: u32, n: usize) -> Vec<f32> {
    let e = normals(seed, 7 * n);
    let row = |e: &[f32]| {
        let h = [e[5], e[6]];
        let u0 = e[0] + h[0];
        let u1 = 0.3 * e[1] + 0.5 * (u0 * u0 - 1.0);
        let u2 = 1.5 * e[2].signum() + 0.3 * e[2];
        let u3 = e[3] * (0.8 * u2).exp() * 0.4;
        [u0, u1, u2, u3, h[1] + 0.2 * e[4] * u0, h[0], h[1]]
    };
    e.chunks_exact(7).flat_map(row).collect()
}

/// What random weights stretch without measure, training keeps in bounds.
#[test]
fn a_trained_chain_of_twelve_blocks_comes_back_within_rounding() {
    for transform in [TransformKind::Affine, TransformKind::Spline { bins: 10, bound: 5.0 }] {
        let net = network(&FlowShape { actnorm: true, ..deep(transform) });
        let (n, batch, steps) = (4096, 128, 800);
        let rows = crooked(3, n);
        let mut exec = executor(&net, &net.initial(7, &rows).unwrap().params, 1, 0);
        let id = exec.prepare(net.train_plan(Rows::Indexed), batch).unwrap();
        exec.set_table(id, &rows).unwrap();
        for step in 0..steps {
            let index: Vec<u32> = (0..batch).map(|i| ((step * batch + i) % n) as u32).collect();
            exec.set_index(id, &index).unwrap();
            let args =
                StepArgs { lr: 2e-3, clip: 1.0, beta1: 0.9, beta2: 0.999, eps: 1e-8, ..StepArgs::default() };
            exec.train(id, &args, batch, 1, step as u32).unwrap();
        }
        let logs = exec.logs().unwrap();
        let mean = |l: &[StepLog]| l.iter().map(|l| f64::from(l.loss)).sum::<f64>() / l.len() as f64;
        let (first, last) = (mean(&logs[..20]), mean(&logs[steps - 50..]));
        assert!(last < first - 2.0, "{transform:?} learned: {first} {last}");
        let values = exec.snapshot().unwrap().params;
        let fresh = crooked(4, 2000);
        let (_, back) = round_trip(&net, &values, &fresh);
        let error = |(row, back): (&[f32], &[f32])| -> Vec<f32> {
            row.iter().zip(back).map(|(u, b)| (u - b).abs() / u.abs().max(1.0)).collect()
        };
        let errors: Vec<f32> = fresh.chunks_exact(7).zip(back.chunks_exact(5)).flat_map(error).collect();
        let worst = errors.iter().copied().fold(0.0, f32::max);
        assert!(
            errors.len() == 10_000 && errors.iter().all(|&e| e < 1e-4),
            "{transform:?}: {worst:.1e}, loss {first:.2} -> {last:.2}"
        );
    }
}

#[test]
fn log_determinants_are_those_of_the_numerical_jacobian() {
    for dim in 1..=6 {
        for transform in [TransformKind::Affine, TransformKind::Spline { bins: 5, bound: 3.0 }] {
            for permutation in [Permutation::Random, Permutation::Householder(2)] {
                let mut s = shape();
                (s.dim, s.transform, s.permutation, s.blocks) = (dim, transform, permutation, 3);
                let net = network(&s);
                let values = random_weights(&net, 40 + dim as u32, GAIN);
                let twin = naive(&net, &values);
                let rows = normals(60 + dim as u32, 8 * (dim + 2));
                for (m, row) in losses(&net, &values, &rows).iter().zip(rows.chunks_exact(dim + 2)) {
                    let row: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
                    let (u, h) = row.split_at(dim);
                    let mut jacobian = vec![0.0; dim * dim];
                    for j in 0..dim {
                        let moved = |by: f64| {
                            let mut u = u.to_vec();
                            u[j] += by;
                            twin.forward(&u, h, 0).0
                        };
                        let (up, down) = (moved(1e-6), moved(-1e-6));
                        (0..dim).for_each(|i| jacobian[i * dim + j] = (up[i] - down[i]) / 2e-6);
                    }
                    let want = log_abs_det(jacobian, dim);
                    let naive = twin.forward(u, h, 0).1;
                    // differences lose digits where the map shrinks much
                    assert!(
                        (naive - want).abs() < 1e-6 + 1e-9 * (-want).exp(),
                        "naive, {dim}: {naive} {want}"
                    );
                    assert!(
                        (f64::from(m[1]) - naive).abs() < 2e-5 * (1.0 + want.abs()),
                        "{dim}: {} {want}",
                        m[1]
                    );
                }
            }
        }
    }
}
