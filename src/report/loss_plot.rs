//! Training and validation loss against the step.
use plotters::prelude::*;

use super::axis::{Axis, sorted};
use super::chart::{Frame, band, dots, empty, legend};
use super::svg::{figure, text_width};
use super::theme::{BLUE, PALE, VERMILION};
use crate::data::summary::quantile;

/// Points of a curve: more than the figure has pixels would not be seen.
const BINS: usize = 240;
/// Width in pixels: legible on a phone without turning it.
const WIDTH: f64 = 400.0;

/// Loss (nats) of training at `steps`, and of validation at its own steps if there was any.
///
/// Training steps are binned: the line is the mean, the pale band holds 80 % of the steps of a bin. The first
/// losses may leave the figure at the top; the axis is made for the rest. Values that are not finite are left out.
pub fn loss_plot(steps: &[u64], train: &[f32], validation: Option<(&[u64], &[f32])>) -> String {
    const TITLE: &str = "Loss during training";
    let train = points(steps, train);
    let validation = validation.map(|(steps, losses)| points(steps, losses)).unwrap_or_default();
    let all = sorted(train.iter().chain(&validation).map(|p| p.1));
    let Some(highest) = all.last() else { return empty(TITLE, "No finite loss to show") };
    let last = train.iter().chain(&validation).map(|p| p.0).fold(1.0, f64::max);
    let bins = bin(&train, last);
    // What comes after the first tenth decides the axis: the start can be a hundred times higher.
    let late = train.iter().chain(&validation).filter(|p| p.0 > 0.1 * last).map(|p| p.1);
    let settled = sorted(late);
    let top = quantile(if settled.is_empty() { &all } else { &settled }, 0.99);
    let lines = bins.iter().map(|b| b.low).chain(validation.iter().map(|p| p.1));
    let lo = lines.fold(f64::INFINITY, f64::min);
    let hi = (top + 0.35 * (top - lo)).min(*highest);
    let margin = 0.05 * (hi - lo);
    let (x, y) = (Axis::new(0.0, last), Axis::new(lo - margin, hi + margin));
    let frame = Frame { top: 14.0, grid: true, ..Frame::new(x, y, ["training step", "loss (nats)"]) };
    let mean: Vec<_> = bins.iter().map(|b| (b.step, b.mean)).collect();
    let every = validation.len().div_ceil(BINS).max(1);
    let shown: Vec<_> = validation.into_iter().step_by(every).collect();
    figure(WIDTH, 280.0, TITLE, |area| {
        let mut chart = frame.open(area)?;
        band(&mut chart, &bins.iter().map(|b| (b.step, b.low, b.high)).collect::<Vec<_>>(), PALE)?;
        chart.draw_series(LineSeries::new(from_below(&mean, y.hi), BLUE.stroke_width(16)))?;
        chart.draw_series(LineSeries::new(from_below(&shown, y.hi), VERMILION.stroke_width(16)))?;
        if shown.len() <= 60 {
            dots(&mut chart, shown.iter().filter(|p| p.1 <= y.hi).copied(), VERMILION, 22)?;
        }
        let mut entries = vec![];
        entries.extend((!mean.is_empty()).then_some((BLUE, "training, mean and 80 % band")));
        entries.extend((!shown.is_empty()).then_some((VERMILION, "validation")));
        let left = WIDTH - 28.0 - text_width("training, mean and 80 % band", super::chart::LABEL);
        legend(area, (left, 26.0), false, &entries)
    })
}

/// A curve from where it first comes below `top`: plotters would draw what is above along the edge.
fn from_below(points: &[(f64, f64)], top: f64) -> Vec<(f64, f64)> {
    let Some(first) = points.iter().position(|p| p.1 <= top) else { return vec![] };
    let crossing = first.checked_sub(1).map(|before| {
        let (a, b) = (points[before], points[first]);
        (a.0 + (b.0 - a.0) * (a.1 - top) / (a.1 - b.1), top)
    });
    crossing.into_iter().chain(points[first..].iter().copied()).collect()
}

fn points(steps: &[u64], losses: &[f32]) -> Vec<(f64, f64)> {
    let pairs = steps.iter().zip(losses);
    pairs.filter(|(_, loss)| loss.is_finite()).map(|(&step, &loss)| (step as f64, f64::from(loss))).collect()
}

struct Bin {
    step: f64,
    mean: f64,
    low: f64,
    high: f64,
}

fn bin(train: &[(f64, f64)], last: f64) -> Vec<Bin> {
    let mut groups: Vec<Vec<(f64, f64)>> = vec![Vec::new(); BINS];
    for &point in train {
        groups[((point.0 / last * BINS as f64) as usize).min(BINS - 1)].push(point);
    }
    let groups = groups.into_iter().filter(|group| !group.is_empty());
    groups
        .map(|group| {
            let n = group.len() as f64;
            let losses = sorted(group.iter().map(|p| p.1));
            Bin {
                step: group.iter().map(|p| p.0).sum::<f64>() / n,
                mean: losses.iter().sum::<f64>() / n,
                low: quantile(&losses, 0.1),
                high: quantile(&losses, 0.9),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawn::{close, shares};

    #[test]
    fn long_runs_give_small_figures() {
        let steps: Vec<u64> = (1..=200_000).collect();
        let losses: Vec<f32> = steps.iter().map(|&s| 100.0 / s as f32 + (s as f32).sin()).collect();
        let svg = loss_plot(&steps, &losses, Some((&steps[..5000], &losses[..5000])));
        assert!(svg.len() < 40_000 && svg.contains("validation"), "{}", svg.len());
    }

    #[test]
    fn bins_keep_mean_and_band() {
        let bins = bin(&(0..2400).map(|i| (f64::from(i), f64::from(i % 10))).collect::<Vec<_>>(), 2399.0);
        assert_eq!(bins.len(), BINS);
        assert!((bins[10].mean - 4.5).abs() < 0.6 && bins[10].low < 2.0 && bins[10].high > 7.0);
    }

    #[test]
    fn curves_fall_to_the_right_and_leave_only_at_the_top() {
        let steps: Vec<u64> = (1..=1000).collect();
        let losses: Vec<f32> = steps.iter().map(|&s| 1.0 + 50.0 / s as f32 + 0.1 * (s % 2) as f32).collect();
        let svg = loss_plot(&steps, &losses, Some((&steps[499..500], &[1.0])));
        let (curve, band) = (&shares(&svg, BLUE)[0], &shares(&svg, PALE)[0]);
        assert!(
            curve[0].0 < 0.2 && close(curve[0], (curve[0].0, 1.0)) && curve[1].1 < 0.999,
            "{:?}",
            &curve[..2]
        );
        assert!(curve.windows(2).all(|p| p[0].0 < p[1].0) && curve[curve.len() - 1].1 < 0.3);
        // The validation loss of step 500 is the least of all: 5 % of the range above the bottom.
        let dot = shares(&svg, VERMILION)[0][0];
        assert!(close(dot, (0.5, 0.05 / 1.1)), "{dot:?}");
        // The band holds losses 0.1 apart.
        let below = |p: &(f64, f64)| band.iter().any(|q| (p.0 - q.0).abs() < 1e-3 && q.1 < p.1 - 0.01);
        assert!(curve.iter().skip(1).all(below));
    }

    #[test]
    fn a_curve_begins_where_it_crosses_the_top() {
        let points = [(0.0, 9.0), (1.0, 5.0), (2.0, 1.0), (3.0, 4.0)];
        assert_eq!(from_below(&points, 3.0), [(1.5, 3.0), (2.0, 1.0), (3.0, 4.0)]);
        assert_eq!(from_below(&points, 9.0), points);
        assert!(from_below(&points, 0.5).is_empty());
    }
}
