//! Every layer alone against naive f64 functions: values, gradients by finite differences, special points of the spline.
mod common;
use common::flows::normals;
use common::naive;
use common::probe::Probe;
use couplet::flow::actnorm::{self, ActnormArgs, Halves};
use couplet::flow::affine::{self, TransformArgs};
use couplet::flow::base::{self, Base};
use couplet::flow::householder::{self, HouseholderArgs};
use couplet::flow::spline;
use couplet::layers::activation::{self, Activation};
use couplet::layers::dense::Dense;
use couplet::runtime::params::{Init, ParamTable};
use couplet::runtime::tile::Slot;

const ROWS: usize = 21;

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&v| f64::from(v)).collect()
}

/// Row metadata: weights, and log-determinants to be added to.
fn metadata() -> Vec<f32> {
    normals(99, ROWS).iter().enumerate().flat_map(|(i, z)| [0.5 + 0.05 * i as f32, *z, 0.0, 0.0]).collect()
}

/// `d f / d x_i` by central differences.
fn differences(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let at = |i: usize, by: f64| {
        let mut x = x.to_vec();
        x[i] += by;
        f(&x)
    };
    (0..x.len()).map(|i| (at(i, 1e-6) - at(i, -1e-6)) / 2e-6).collect()
}

/// Largest difference below `tolerance` times the largest value, which counts as 0.05 at least.
fn close(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.05f64, |m, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*g) - w).abs() <= tolerance * largest,
            "{what}: element {i} is {g}, not {w} (largest {largest:.2e})"
        );
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn dense_and_its_gradients() {
    for (k, c, j) in [(1, 0, 1), (3, 2, 5), (0, 4, 9), (20, 33, 40)] {
        let mut p = Probe::new(ROWS);
        let layer = Dense::declare(&mut p.table, "d", &[k, c], j, 1.0);
        p.params = vec![0.0; 2 * p.table.len];
        for (i, e) in p.table.entries.iter().enumerate() {
            ParamTable::pad_into(e, &normals(10 + i as u32, e.rows * e.cols), &mut p.params);
        }
        p.params.truncate(p.table.len);
        let (entries, params) = (p.table.entries.clone(), p.params.clone());
        let find = |name: &str| {
            entries.iter().find(|e| e.name == name).map_or(vec![], |e| wide(&ParamTable::unpad(e, &params)))
        };
        let (w, v, b) = (find("d.weight"), find("d.condition_weight"), find("d.bias"));
        let (x, h, d) = (normals(1, ROWS * k), normals(2, ROWS * c), normals(3, ROWS * j));
        let meta = p.slot(&metadata());
        let inputs: Vec<Slot> =
            [(k, &x), (c, &h)].into_iter().filter(|(n, _)| *n > 0).map(|(_, v)| p.slot(v)).collect();
        let (y, delta) = (p.recorder.slot(j), p.slot(&d));
        layer.forward(&mut p.recorder, &layer.products(&inputs), y);
        let before = normals(4, ROWS * k.max(1));
        let (d_x, add) = (p.slot(&before), k % 2 == 1);
        let mut d_inputs = vec![None; inputs.len()];
        if k > 0 {
            d_inputs[0] = Some((d_x, add));
        }
        let len = p.table.len;
        layer.backward(&mut p.recorder, len, &inputs, delta, &d_inputs);
        let mut ran = p.run(meta);

        let (x, h, d, before) = (wide(&x), wide(&h), wide(&d), wide(&before));
        let map = |x: &[f64], h: &[f64], w: &[f64], v: &[f64], b: &[f64]| -> Vec<f64> {
            let column = |o: usize| {
                b[o] + (0..k).map(|i| x[i] * w[i * j + o]).sum::<f64>()
                    + (0..c).map(|i| h[i] * v[i * j + o]).sum::<f64>()
            };
            (0..j).map(column).collect()
        };
        let row = |a: &[f64], n: usize, r: usize| a[r * n..(r + 1) * n].to_vec();
        let all: Vec<f64> = (0..ROWS).flat_map(|r| map(&row(&x, k, r), &row(&h, c, r), &w, &v, &b)).collect();
        close("dense", &ran.read(y, j), &all, 2e-6);
        if k > 0 {
            let want: Vec<f64> = (0..ROWS * k)
                .map(|e| {
                    let (r, i) = (e / k, e % k);
                    dot(&w[i * j..(i + 1) * j], &d[r * j..(r + 1) * j]) + if add { before[e] } else { 0.0 }
                })
                .collect();
            close("dense d_x", &ran.read(d_x, k), &want, 2e-6);
        }
        let found = ran.gradient();
        for e in &entries {
            let (input, n) = if e.name == "d.weight" { (&x, k) } else { (&h, c) };
            let want: Vec<f64> = (0..e.rows * e.cols)
                .map(|at| {
                    let (i, o) = (at / e.cols, at % e.cols);
                    let one = |r: usize| if e.matrix { input[r * n + i] } else { 1.0 };
                    (0..ROWS).map(|r| one(r) * d[r * j + o]).sum()
                })
                .collect();
            close(&e.name, &ParamTable::unpad(e, &found), &want, 2e-6);
        }
    }
}

#[test]
fn activations_and_their_gradients() {
    for act in Activation::ALL {
        for width in [1, 6, 20] {
            let mut p = Probe::new(ROWS);
            let meta = p.slot(&metadata());
            let (x, res, d) = (normals(5, ROWS * width), normals(6, ROWS * width), normals(7, ROWS * width));
            let x: Vec<f32> = x.iter().map(|v| 2.0 * v).collect();
            let (pre, post, residual, d_post) =
                (p.slot(&x), p.recorder.slot(width), p.slot(&res), p.slot(&d));
            activation::forward(&mut p.recorder, act, pre, post, Some(residual), None, true);
            activation::backward(&mut p.recorder, pre, d_post);
            let mut ran = p.run(meta);
            let f = |x: f64| naive::activation(act, x);
            let want: Vec<f64> = x.iter().zip(&res).map(|(&x, &r)| f(x.into()) + f64::from(r)).collect();
            close(&format!("{act:?}"), &ran.read(post, width), &want, 1e-6);
            let want: Vec<f64> = x
                .iter()
                .zip(&d)
                .map(|(&x, &d)| f64::from(d) * differences(&[x.into()], |x| f(x[0]))[0])
                .collect();
            close(&format!("{act:?}'"), &ran.read(pre, width), &want, 2e-6);
        }
    }
}

/// Slots for the two halves of rows of `dim` values.
fn halves(p: &mut Probe, values: &[f32], dim: usize) -> Halves {
    let pick = |first: bool| -> Vec<f32> {
        values
            .chunks_exact(dim)
            .flat_map(|row| if first { &row[..dim / 2] } else { &row[dim / 2..] }.iter().copied())
            .collect()
    };
    let h = Halves::new(&mut p.recorder, dim);
    if dim > 1 {
        p.fill(h.a, &pick(true));
    }
    p.fill(h.b, &pick(false));
    h
}
fn read(ran: &mut common::probe::Ran, h: Halves) -> Vec<f32> {
    let (a, b) = (ran.read(h.a, h.first()), ran.read(h.b, h.second()));
    (0..ROWS)
        .flat_map(|r| [&a[r * h.first()..][..h.first()], &b[r * h.second()..][..h.second()]].concat())
        .collect()
}

#[test]
fn actnorm_and_its_gradients() {
    for dim in [1, 2, 5, 10] {
        let mut p = Probe::new(ROWS);
        let (at_l, at_b) =
            (p.table.vector("l", dim, Init::Constant(0.0)), p.table.vector("b", dim, Init::Constant(0.0)));
        let (l, b) = (normals(20, dim), normals(21, dim));
        p.params = vec![0.0; p.table.len];
        p.params[at_l as usize..][..dim].copy_from_slice(&l);
        p.params[at_b as usize..][..dim].copy_from_slice(&b);
        let order: Vec<usize> =
            (0..dim).map(|i| if dim % 5 == 0 { (i * 3 + 2) % dim } else { dim - 1 - i }).collect();
        let mut inverse = vec![0.0; dim];
        order.iter().enumerate().for_each(|(i, &s)| inverse[s] = i as f32);
        let (x, d, m) = (normals(22, ROWS * dim), normals(23, ROWS * dim), metadata());
        let meta = p.slot(&m);
        let (u, v, d_v) =
            (halves(&mut p, &x, dim), Halves::new(&mut p.recorder, dim), halves(&mut p, &d, dim));
        let (back, d_u) = (Halves::new(&mut p.recorder, dim), Halves::new(&mut p.recorder, dim));
        let (d_l, d_b) = (p.recorder.slot(dim), p.recorder.slot(dim));
        let forward = ActnormArgs {
            u_a: u.a.at,
            u_b: u.b.at,
            v_a: v.a.at,
            v_b: v.b.at,
            log_scale: at_l,
            shift: at_b,
            order: p.recorder.constants(&order.iter().map(|&s| s as f32).collect::<Vec<_>>()),
            row_meta: meta.at,
            d_a: d_u.a.at,
            d_b: d_u.b.at,
            d_log_scale: d_l.at,
            d_shift: d_b.at,
        };
        let other = ActnormArgs { order: p.recorder.constants(&inverse), ..forward };
        p.recorder.call(&actnorm::FORWARD, actnorm::spec(dim), forward);
        p.recorder.call(
            &actnorm::INVERSE,
            actnorm::spec(dim),
            ActnormArgs { u_a: back.a.at, u_b: back.b.at, ..other },
        );
        p.recorder.call(
            &actnorm::BACKWARD,
            actnorm::spec(dim),
            ActnormArgs { v_a: d_v.a.at, v_b: d_v.b.at, ..other },
        );
        p.recorder.sum_gradient(d_l, at_l);
        p.recorder.sum_gradient(d_b, at_b);
        let mut ran = p.run(meta);

        let (x64, d64, l64, b64) = (wide(&x), wide(&d), wide(&l), wide(&b));
        let row = |a: &[f64], r: usize| a[r * dim..(r + 1) * dim].to_vec();
        let all: Vec<f64> =
            (0..ROWS).flat_map(|r| naive::actnorm(&row(&x64, r), &l64, &b64, &order)).collect();
        close("actnorm", &read(&mut ran, v), &all, 1e-6);
        close("actnorm inverse", &read(&mut ran, back), &x64, 2e-6);
        let logdet: Vec<f64> = (0..ROWS).map(|r| f64::from(m[4 * r + 1]) + l64.iter().sum::<f64>()).collect();
        let found: Vec<f32> = ran.read(meta, 4).chunks_exact(4).map(|m| m[1]).collect();
        close("actnorm log-determinant", &found, &logdet, 1e-6);
        let loss = |r: usize, x: &[f64], l: &[f64], b: &[f64]| {
            dot(&naive::actnorm(x, l, b, &order), &row(&d64, r)) - f64::from(m[4 * r]) * l.iter().sum::<f64>()
        };
        let want: Vec<f64> =
            (0..ROWS).flat_map(|r| differences(&row(&x64, r), |x| loss(r, x, &l64, &b64))).collect();
        close("actnorm d_u", &read(&mut ran, d_u), &want, 2e-6);
        let found = ran.gradient();
        let total = |l: &[f64], b: &[f64]| (0..ROWS).map(|r| loss(r, &row(&x64, r), l, b)).sum::<f64>();
        close("actnorm d_l", &found[at_l as usize..][..dim], &differences(&l64, |l| total(l, &b64)), 2e-6);
        close("actnorm d_b", &found[at_b as usize..][..dim], &differences(&b64, |b| total(&l64, b)), 2e-6);
    }
}

#[test]
fn householder_and_its_gradients() {
    for (dim, count) in [(1usize, 1), (2, 1), (3, 2), (10, 8)] {
        let mut p = Probe::new(ROWS);
        let stride = dim.next_multiple_of(4);
        let vectors: Vec<Vec<f32>> = (0..count).map(|m| normals(30 + m as u32, dim)).collect();
        let at = p.table.vector("v.0", dim, Init::Constant(0.0));
        for m in 1..count {
            p.table.vector(format!("v.{m}"), dim, Init::Constant(0.0));
        }
        p.params = vec![0.0; p.table.len];
        vectors
            .iter()
            .enumerate()
            .for_each(|(m, v)| p.params[at as usize + m * stride..][..dim].copy_from_slice(v));
        let (x, d) = (normals(40, ROWS * dim), normals(41, ROWS * dim));
        let meta = p.slot(&metadata());
        let (u, v, d_v, back) = (
            halves(&mut p, &x, dim),
            Halves::new(&mut p.recorder, dim),
            halves(&mut p, &d, dim),
            Halves::new(&mut p.recorder, dim),
        );
        let d_vectors = p.recorder.slot(count * stride);
        let (work, d_work) = (p.recorder.slot(dim).at, p.recorder.slot(dim).at);
        let args = |x: Halves, y: Halves| HouseholderArgs {
            x_a: x.a.at,
            x_b: x.b.at,
            y_a: y.a.at,
            y_b: y.b.at,
            vectors: at,
            d_vectors: d_vectors.at,
            work,
            d_work,
        };
        p.recorder.call(&householder::APPLY, householder::spec(dim, count, false), args(u, v));
        p.recorder.call(&householder::APPLY, householder::spec(dim, count, true), args(v, back));
        p.recorder.call(&householder::BACKWARD, householder::spec(dim, count, false), args(v, d_v));
        p.recorder.sum_gradient(d_vectors, at);
        let mut ran = p.run(meta);

        let (x64, d64) = (wide(&x), wide(&d));
        let flat: Vec<f64> = vectors.iter().flat_map(|v| wide(v)).collect();
        let apply = |x: &[f64], flat: &[f64]| {
            let mut x = x.to_vec();
            flat.chunks_exact(dim).for_each(|v| naive::reflect(&mut x, v));
            x
        };
        let row = |a: &[f64], r: usize| a[r * dim..(r + 1) * dim].to_vec();
        let all: Vec<f64> = (0..ROWS).flat_map(|r| apply(&row(&x64, r), &flat)).collect();
        close("householder", &read(&mut ran, v), &all, 2e-6);
        close("householder inverse", &read(&mut ran, back), &x64, 3e-6);
        let want: Vec<f64> = (0..ROWS)
            .flat_map(|r| differences(&row(&x64, r), |x| dot(&apply(x, &flat), &row(&d64, r))))
            .collect();
        close("householder d_x", &read(&mut ran, d_v), &want, 3e-6);
        // the gradient came from a run that overwrote d_v; the plan fills it again
        let found = ran.gradient();
        let total =
            |flat: &[f64]| (0..ROWS).map(|r| dot(&apply(&row(&x64, r), flat), &row(&d64, r))).sum::<f64>();
        let found: Vec<f32> =
            (0..count).flat_map(|m| found[at as usize + m * stride..][..dim].to_vec()).collect();
        close("householder d_v", &found, &differences(&flat, total), 1e-5);
    }
}

/// A coupling transform of `n` coordinates with conditioner outputs `o`, laid out by `pack`.
fn transform_case(name: &str, n: usize, kind: Option<(usize, f32)>) {
    let mut p = Probe::new(ROWS);
    let m = metadata();
    let (mut x, d) = (normals(50 + n as u32, ROWS * n), normals(51, ROWS * n));
    x.iter_mut().for_each(|x| *x *= 1.5);
    let width = match kind {
        None => affine::outputs(n),
        Some((bins, _)) => spline::outputs(n, bins),
    };
    // what each coordinate reads of a row's outputs
    let own = |i: usize| -> Vec<usize> {
        match kind {
            None => vec![i, n.next_multiple_of(4) + i],
            Some((bins, _)) => {
                (0..3 * bins - 1).map(|k| i * (3 * bins - 1).next_multiple_of(4) + k).collect()
            }
        }
    };
    let o = normals(52, ROWS * width);
    let meta = p.slot(&m);
    let (u, outputs, v, back) = (p.slot(&x), p.slot(&o), p.recorder.slot(n), p.recorder.slot(n));
    let (o_again, d_v) = (p.slot(&o), p.slot(&d));
    let forward = TransformArgs { u: u.at, o: outputs.at, v: v.at, row_meta: meta.at };
    let inverse = TransformArgs { u: back.at, ..forward };
    let backward = TransformArgs { o: o_again.at, v: d_v.at, ..forward };
    let (spec, kernels) = match kind {
        None => (affine::spec(n), [&affine::FORWARD, &affine::INVERSE, &affine::BACKWARD]),
        Some((bins, bound)) => {
            (spline::spec(n, bins, bound), [&spline::FORWARD, &spline::INVERSE, &spline::BACKWARD])
        }
    };
    for (kernel, args) in kernels.into_iter().zip([forward, inverse, backward]) {
        p.recorder.call(kernel, spec.clone(), args);
    }
    let mut ran = p.run(meta);
    let (x, d, o) = (wide(&x), wide(&d), wide(&o));
    let f = |x: f64, own: &[f64]| match kind {
        None => naive::affine(x, own[0], own[1]),
        Some((bins, bound)) => naive::spline(x, own, bins, f64::from(bound)),
    };
    let (mut value, mut logdet) = (vec![], vec![]);
    let (mut d_x, mut d_o) = (vec![], vec![0.0; ROWS * width]);
    for r in 0..ROWS {
        logdet.push(f64::from(m[4 * r + 1]));
        for i in 0..n {
            let all: Vec<f64> =
                std::iter::once(x[r * n + i]).chain(own(i).iter().map(|&k| o[r * width + k])).collect();
            let (y, l) = f(all[0], &all[1..]);
            value.push(y);
            logdet[r] += l;
            let g = differences(&all, |a| {
                let (y, l) = f(a[0], &a[1..]);
                d[r * n + i] * y - f64::from(m[4 * r]) * l
            });
            d_x.push(g[0]);
            own(i).iter().zip(&g[1..]).for_each(|(&k, g)| d_o[r * width + k] = *g);
        }
    }
    close(name, &ran.read(v, n), &value, 2e-6);
    let found: Vec<f32> = ran.read(meta, 4).chunks_exact(4).map(|m| m[1]).collect();
    close(&format!("{name} log-determinant"), &found, &logdet, 3e-6);
    // where a bin is flat, x is known less well than y; `spline_shape` says how well
    close(&format!("{name} inverse"), &ran.read(back, n), &x, 5e-5);
    close(&format!("{name} d_u"), &ran.read(d_v, n), &d_x, 1e-5);
    let found = ran.read(o_again, width);
    close(&format!("{name} d_outputs"), &found, &d_o, 1e-5);
    // outputs that no coordinate reads receive exactly nothing
    let used: Vec<usize> = (0..n).flat_map(own).collect();
    for (e, g) in found.iter().enumerate().filter(|(e, _)| !used.contains(&(e % width))) {
        assert_eq!(*g, 0.0, "{name}: padding {e}");
    }
}

#[test]
fn affine_and_its_gradients() {
    [1, 2, 5, 8].into_iter().for_each(|n| transform_case("affine", n, None));
}

#[test]
fn splines_and_their_gradients() {
    for (n, bins, bound) in [(1, 2, 3.0), (1, 4, 3.0), (3, 4, 1.5), (5, 10, 3.0), (2, 16, 5.0)] {
        transform_case(&format!("spline {bins}"), n, Some((bins, bound)));
    }
}

#[test]
fn base_densities_and_their_gradients() {
    for dim in [1, 2, 7] {
        for (kind, nu) in [(0, None), (1, Some(3.5f32)), (1, Some(30.0)), (2, Some(5.0)), (2, Some(2.3))] {
            let mut p = Probe::new(ROWS);
            let base = match (kind, nu) {
                (1, Some(nu)) => Base::StudentT(nu),
                (2, Some(nu)) => Base::declare_learned(&mut p.table, nu),
                _ => Base::Normal,
            };
            let Init::Constant(raw) = p.table.entries.first().map_or(Init::Constant(0.0), |e| e.init) else {
                panic!()
            };
            p.params = vec![raw, 0.0, 0.0, 0.0];
            p.params.truncate(p.table.len);
            let (x, m) = (normals(70, ROWS * dim).iter().map(|z| 3.0 * z).collect::<Vec<_>>(), metadata());
            let meta = p.slot(&m);
            let (z, d) = (halves(&mut p, &x, dim), Halves::new(&mut p.recorder, dim));
            base::loss(&mut p.recorder, base, z, Some(d), meta.at);
            let mut ran = p.run(meta);
            let x = wide(&x);
            let loss = |x: &[f64], nu: Option<f64>| -x.iter().map(|&z| naive::log_base(z, nu)).sum::<f64>();
            let nu64 =
                nu.map(|nu| if kind == 2 { 2.0 + naive::softplus(f64::from(raw)) } else { f64::from(nu) });
            assert!(
                nu.is_none_or(|nu| (nu64.unwrap() - f64::from(nu)).abs() < 1e-5),
                "a learned nu starts where it was told"
            );
            let (mut losses, mut d_z, mut d_raw) = (vec![], vec![], 0.0);
            for r in 0..ROWS {
                let (row, weight) = (&x[r * dim..(r + 1) * dim], f64::from(m[4 * r]));
                losses.push(loss(row, nu64) - f64::from(m[4 * r + 1]));
                d_z.extend(differences(row, |z| weight * loss(z, nu64)));
                d_raw += differences(&[f64::from(raw)], |raw| {
                    weight * loss(row, Some(2.0 + naive::softplus(raw[0])))
                })[0];
            }
            let found: Vec<f32> = ran.read(meta, 4).chunks_exact(4).map(|m| m[2]).collect();
            close("base loss", &found, &losses, 2e-6);
            close("base d_z", &read(&mut ran, d), &d_z, 2e-6);
            if kind == 2 {
                close("base d_raw_nu", &ran.gradient()[..1], &[d_raw], 2e-5);
            }
        }
    }
}
