//! The spline as a function: monotone, smooth at its knots, the identity where it should be, invertible everywhere.
mod common;
use common::flows::normals;
use common::naive;
use common::probe::Probe;
use couplet::flow::affine::TransformArgs;
use couplet::flow::spline;

/// `(y, log-derivative, inverse of y)` of the values `x` under the same raw parameters.
fn curve(x: &[f32], raw: &[f32], bins: usize, bound: f32) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let mut p = Probe::new(x.len());
    let meta = p.slot(&vec![0.0; 4 * x.len()]);
    let outputs: Vec<f32> = x.iter().flat_map(|_| raw.iter().copied()).collect();
    let (u, o) = (p.slot(x), p.slot(&outputs));
    let (v, back) = (p.recorder.slot(1), p.recorder.slot(1));
    let forward = TransformArgs { u: u.at, o: o.at, v: v.at, row_meta: meta.at };
    p.recorder.call(&spline::FORWARD, spline::spec(1, bins, bound), forward);
    p.recorder.call(&spline::INVERSE, spline::spec(1, bins, bound), TransformArgs { u: back.at, ..forward });
    let mut ran = p.run(meta);
    let slopes = ran.read(meta, 4).chunks_exact(4).map(|m| m[1]).collect();
    (ran.read(v, 1), slopes, ran.read(back, 1))
}

/// Values on a grid, on every knot and bound, and on the floats beside them.
fn points(raw: &[f32], bins: usize, bound: f32) -> Vec<f32> {
    let wide: Vec<f64> = raw.iter().map(|&v| f64::from(v)).collect();
    let mut x: Vec<f32> = (-4000..=4000).map(|i| i as f32 / 4000.0 * 1.4 * bound).collect();
    for knot in naive::knots(&wide, bins, f64::from(bound)).0 {
        let knot = knot as f32;
        x.extend([
            knot.next_down().next_down(),
            knot.next_down(),
            knot,
            knot.next_up(),
            knot.next_up().next_up(),
        ]);
    }
    x.sort_by(f32::total_cmp);
    x
}

#[test]
fn raw_zero_is_the_identity() {
    for (bins, bound) in [(2, 3.0), (4, 3.0), (10, 2.5), (64, 3.0)] {
        let raw = vec![0.0; 3 * bins - 1];
        let x = points(&raw, bins, bound);
        let (y, slope, back) = curve(&x, &raw, bins, bound);
        for i in 0..x.len() {
            assert!(
                (y[i] - x[i]).abs() < 2e-6 && slope[i].abs() < 2e-5,
                "{bins}: {} -> {}, {}",
                x[i],
                y[i],
                slope[i]
            );
            assert!((back[i] - x[i]).abs() < 2e-6, "{bins}: {} back as {}", x[i], back[i]);
        }
    }
}

#[test]
fn splines_rise_smoothly_and_are_undone() {
    for (case, (bins, bound, wild)) in
        [(4, 3.0, 1.0), (10, 3.0, 1.0), (8, 2.0, 2.0), (16, 5.0, 1.5), (10, 3.0, 6.0)].into_iter().enumerate()
    {
        let raw: Vec<f32> = normals(1 + case as u32, 3 * bins - 1).iter().map(|z| wild * z).collect();
        let x = points(&raw, bins, bound);
        let (y, slope, back) = curve(&x, &raw, bins, bound);
        let text = |i: usize| {
            format!("{bins} bins, wild {wild}: {} -> {}, ln slope {}, back {}", x[i], y[i], slope[i], back[i])
        };
        for i in 0..x.len() {
            assert!(slope[i].is_finite() && slope[i].abs() < 30.0, "{}", text(i));
            if x[i].abs() > bound {
                assert_eq!((y[i], slope[i], back[i]), (x[i], 0.0, x[i]), "the identity outside");
            }
            // rounding of y, divided by the slope, is what x can be known to
            let known = 4e-7 * bound * (1.0 + (-slope[i]).exp());
            assert!((back[i] - x[i]).abs() <= 20.0 * known, "{}", text(i));
            if i == 0 {
                continue;
            }
            let (dx, dy) = (f64::from(x[i]) - f64::from(x[i - 1]), f64::from(y[i]) - f64::from(y[i - 1]));
            let round = 1e-6 * f64::from(bound);
            assert!(dy >= -round, "falls: {}", text(i));
            // continuous: no step without a slope to match on either side, plus what the slope changes within a step
            let steep = f64::from(slope[i].max(slope[i - 1])).exp();
            assert!(dy <= 1.5 * steep * dx + round || wild > 3.0, "jumps: {}", text(i));
            // the slope is continuous too: beside a knot, two floats apart, it is the same
            if dx < 1e-6 && wild < 3.0 {
                let change = (slope[i] - slope[i - 1]).abs();
                assert!(change < 5e-3, "the slope jumps by {change}: {}", text(i));
            }
        }
        // the integral of the slope is the rise
        let n = 200_000;
        let grid: Vec<f32> = (0..n).map(|i| bound * (-1.0 + 2.0 * (i as f32 + 0.5) / n as f32)).collect();
        let (_, slope, _) = curve(&grid, &raw, bins, bound);
        let rise: f64 =
            slope.iter().map(|s| f64::from(*s).exp()).sum::<f64>() * 2.0 * f64::from(bound) / n as f64;
        assert!(
            (rise / (2.0 * f64::from(bound)) - 1.0).abs() < 2e-3,
            "{bins} bins, wild {wild}: rises by {rise}"
        );
    }
}

#[test]
fn extreme_raw_parameters_stay_finite() {
    let bins = 8;
    for big in [50.0, 1e4, 1e30] {
        let raw: Vec<f32> = normals(3, 3 * bins - 1).iter().map(|z| big * z.signum()).collect();
        let (y, slope, back) = curve(&points(&raw, bins, 3.0), &raw, bins, 3.0);
        for v in y.iter().chain(&slope).chain(&back) {
            assert!(v.is_finite() && v.abs() < 100.0, "{big}: {v}");
        }
    }
}
