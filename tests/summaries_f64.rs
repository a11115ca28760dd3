//! Summary networks against naive f64 functions on ragged data: values, and gradients by finite differences.
#[allow(dead_code)]
#[path = "common/naive_items.rs"]
mod naive_items;
#[allow(dead_code)]
#[path = "common/probe.rs"]
mod probe;
use couplet::layers::activation::Activation;
use couplet::layers::pool::Items;
use couplet::layers::recurrent::Cell;
use couplet::rng::{Rng, streams};
use couplet::runtime::params::{ParamTable, pad4};
use couplet::sim::DataShape;
use couplet::summary::series::Walk;
use couplet::summary::transformer::Look;
use couplet::summary::{Kind, Summary, SummaryShape};
use naive_items::{Set, Weights};
use probe::Probe;

/// Items of each row; rows of one item too.
const COUNTS: [usize; 7] = [5, 1, 8, 3, 2, 8, 7];

fn normals(seed: u32, n: usize) -> Vec<f32> {
    let mut rng = Rng::new(u64::from(seed), streams::TEST, 1, 0);
    (0..n).map(|_| rng.normal()).collect()
}

fn close(what: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.05f64, |m, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let ok = (f64::from(*g) - w).abs() <= 1e-5 * largest;
        assert!(ok, "{what}: element {i} is {g}, not {w} (largest {largest:.2e})");
    }
}

fn case(name: &str, kind: Kind, data: DataShape, modules: usize, naive: impl Fn(&Weights, &Set) -> Vec<f64>) {
    let (f, most, field) = (data.features(), data.items().1, matches!(data, DataShape::Field { .. }));
    let shape = SummaryShape {
        kind,
        data,
        width: 4,
        modules,
        outputs: 3,
        activation: Activation::Silu,
        dropout: 0.0,
    };
    let rows = COUNTS.len();
    let counts = COUNTS.map(|n| if field { most } else { n });
    let mut p = Probe::new(rows);
    let summary = Summary::declare(&mut p.table, &shape);
    p.params = vec![0.0; 2 * p.table.len];
    for (i, e) in p.table.entries.iter().enumerate() {
        let gain = if e.matrix { 1.0 / (e.rows as f32).sqrt() } else { 0.3 };
        let values: Vec<f32> = normals(10 + i as u32, e.rows * e.cols).iter().map(|v| gain * v).collect();
        ParamTable::pad_into(e, &values, &mut p.params);
    }
    p.params.truncate(p.table.len);
    let (entries, params, len) = (p.table.entries.clone(), p.params.clone(), p.table.len);

    // Items in storage: padded columns, and rubbish where no item is, as long as sources write zeros there.
    let x = normals(1, rows * most * f);
    let mut stored = vec![0.0; rows * most * pad4(f)];
    for (r, n) in counts.iter().enumerate() {
        for i in 0..*n {
            let from = (r * most + i) * f;
            stored[(r * most + i) * pad4(f)..][..f].copy_from_slice(&x[from..from + f]);
        }
    }
    let size: Vec<f32> = (0..rows).map(|r| 0.1 * r as f32 - 0.2).collect();
    let count: Vec<f32> = (0..rows).flat_map(|r| [counts[r] as f32, size[r], 0.0, 0.0]).collect();
    let c = shape.condition();
    let d = normals(2, rows * c);
    let meta = p.slot(&vec![0.0; 4 * rows]);
    let h = p.recorder.slot(c);
    let d_h = p.slot(&d);
    p.recorder.begin_items(summary.is_coarse());
    let (count_slot, x_slot) = (p.slot(&count), p.slot(&stored));
    let items =
        Items { slot: x_slot, width: pad4(f), n: most, count: count_slot, shrink: usize::from(!field) };
    let (tape, y) = summary.forward(&mut p.recorder, &items, h, true);
    p.recorder.end_items();
    p.recorder.begin_items(summary.is_coarse());
    tape.backward(&mut p.recorder, len, &y, d_h);
    p.recorder.end_items();
    let mut ran = p.run(meta);

    let mut w = Weights::default();
    for e in &entries {
        let values = ParamTable::unpad(e, &params).iter().map(|&v| f64::from(v)).collect();
        w.0.insert(e.name.clone(), (e.rows, e.cols, values));
    }
    let sets: Vec<Set> = (0..rows)
        .map(|r| {
            let item = |i: usize| x[(r * most + i) * f..][..f].iter().map(|&v| f64::from(v)).collect();
            (0..counts[r]).map(item).collect()
        })
        .collect();
    let all = |w: &Weights| -> Vec<f64> {
        let row = |r: usize| {
            let mut h = naive(w, &sets[r]);
            h.extend(shape.sized().then_some(f64::from(size[r])));
            h
        };
        (0..rows).flat_map(row).collect()
    };
    close(&format!("{name}: summaries"), &ran.read(h, c), &all(&w));
    let loss = |w: &Weights| all(w).iter().zip(&d).map(|(h, d)| h * f64::from(*d)).sum::<f64>();
    let found = ran.gradient();
    for e in &entries {
        let mut want = vec![];
        for i in 0..e.rows * e.cols {
            let mut at = |by: f64| {
                let value = &mut w.0.get_mut(&e.name).unwrap().2[i];
                let old = *value;
                *value = old + by;
                let l = loss(&w);
                w.0.get_mut(&e.name).unwrap().2[i] = old;
                l
            };
            want.push((at(1e-5) - at(-1e-5)) / 2e-5);
        }
        close(&format!("{name}: {}", e.name), &ParamTable::unpad(e, &found), &want);
    }
}

const SET: DataShape = DataShape::Set { features: 2, min: 1, max: 8 };
const SERIES: DataShape = DataShape::Series { features: 3, min: 1, max: 8 };

#[test]
fn deep_sets() {
    case("one module", Kind::DeepSet, SET, 1, |w, x| w.deep_set(x, 1));
    case("two modules", Kind::DeepSet, SET, 2, |w, x| w.deep_set(x, 2));
}

#[test]
fn distribution_functions() {
    case("of two columns", Kind::Ecdf, SET, 2, |w, x| w.ecdf(x));
    case("of three columns", Kind::Ecdf, SERIES, 1, |w, x| w.ecdf(x));
}

#[test]
fn recurrent_networks() {
    let cell = |cell, both| Kind::Series(0, Walk::Cell(cell, both));
    case("lstm", cell(Cell::Lstm, false), SERIES, 1, |w, x| w.series(x, 0, Some((4, 1, 1))));
    case("two-way lstm of two layers", cell(Cell::Lstm, true), SERIES, 2, |w, x| {
        w.series(x, 0, Some((4, 2, 2)))
    });
    case("gru", cell(Cell::Gru, false), SERIES, 1, |w, x| w.series(x, 0, Some((3, 1, 1))));
    case("two-way gru of two layers", cell(Cell::Gru, true), SERIES, 2, |w, x| {
        w.series(x, 0, Some((3, 2, 2)))
    });
}

#[test]
fn convolutions_of_series() {
    case("conv", Kind::Series(2, Walk::Pool), SERIES, 2, |w, x| w.series(x, 2, None));
    case("three layers", Kind::Series(3, Walk::Pool), SERIES, 3, |w, x| w.series(x, 3, None));
    let walk = Walk::Cell(Cell::Gru, false);
    case("conv and gru", Kind::Series(2, walk), SERIES, 2, |w, x| w.series(x, 2, Some((3, 1, 1))));
}

#[test]
fn attention() {
    let kind = |look| Kind::Attention(look, 1);
    case("set transformer", kind(Look::Induced), SET, 1, |w, x| w.transformer(x, 1, 1, None));
    case("places", kind(Look::Places), SERIES, 2, |w, x| w.transformer(x, 2, 1, Some(false)));
    case("time stamps", kind(Look::Stamps), SERIES, 1, |w, x| w.transformer(x, 1, 1, Some(true)));
}

#[test]
fn convolutions_of_fields() {
    let data = DataShape::Field { height: 5, width: 4, channels: 2 };
    case("field", Kind::Field(false), data, 1, |w, x| w.field(x, [5, 4], 1, false));
    case("residual field", Kind::Field(true), data, 2, |w, x| w.field(x, [5, 4], 2, true));
}
