//! Training and validation loss against the step.
use super::axis::{Scale, frame, sorted};
use super::svg::{Anchor, BLUE, FAINT, INK, LABEL, PALE, Svg, TITLE, VERMILION};
use crate::data::summary::quantile;

/// Points of a curve: more than the figure has pixels would not be seen.
const BINS: usize = 240;
/// Width in pixels: legible on a phone without turning it.
const WIDTH: f64 = 460.0;

/// Loss (nats) of training at `steps`, and of validation at its own steps if there was any.
///
/// Training steps are binned: the line is the mean, the pale band holds 80 % of the steps of a bin. The first
/// losses may leave the figure at the top; the axis is made for the rest. Values that are not finite are left out.
pub fn loss_plot(steps: &[u64], train: &[f32], validation: Option<(&[u64], &[f32])>) -> String {
    let mut svg = Svg::new(WIDTH, 300.0, "Loss during training");
    let train = points(steps, train);
    let validation = validation.map(|(steps, losses)| points(steps, losses)).unwrap_or_default();
    let all: Vec<f64> = sorted(train.iter().chain(&validation).map(|p| p.1 as f32));
    if all.is_empty() {
        svg.text((20.0, 35.0), Anchor::Start, TITLE, FAINT, "No finite loss to show");
        return svg.finish();
    }
    let last = train.iter().chain(&validation).map(|p| p.0).fold(1.0, f64::max);
    let x = Scale::new(0.0, last, 66.0, WIDTH - 14.0);
    let bins = bin(&train, last);
    // What comes after the first tenth decides the axis: the start can be a hundred times higher.
    let late = |p: &&(f64, f64)| p.0 > 0.1 * last;
    let settled = sorted(train.iter().filter(late).chain(validation.iter().filter(late)).map(|p| p.1 as f32));
    let settled = if settled.is_empty() { &all } else { &settled };
    let lines = bins.iter().map(|b| b.low).chain(validation.iter().map(|p| p.1));
    let lo = lines.fold(f64::INFINITY, f64::min);
    let top = quantile(settled, 0.99);
    let hi = (top + 0.35 * (top - lo)).min(all[all.len() - 1]);
    let margin = 0.05 * (hi - lo);
    let y = Scale::new(lo - margin, hi + margin, 254.0, 16.0);
    for (v, _) in y.ticks(5) {
        svg.line((x.from, y.at(v)), (x.to, y.at(v)), "#ECEEF0", 1.0, "");
    }
    svg.clip(x.from, y.to, x.to - x.from, y.from - y.to);
    let up = bins.iter().map(|b| (x.at(b.step), y.at(b.high)));
    let down = bins.iter().rev().map(|b| (x.at(b.step), y.at(b.low)));
    svg.area(up.chain(down), PALE);
    svg.polyline(bins.iter().map(|b| (x.at(b.step), y.at(b.mean))), BLUE, 1.6);
    let every = validation.len().div_ceil(BINS).max(1);
    let shown: Vec<_> = validation.iter().step_by(every).map(|p| (x.at(p.0), y.at(p.1))).collect();
    svg.polyline(shown.iter().copied(), VERMILION, 1.6);
    if shown.len() <= 60 {
        svg.dots(shown.iter().copied(), VERMILION, 4.5);
    }
    svg.unclip();
    frame(&mut svg, x, y, "training step", "loss (nats)");
    let mut row = 30.0;
    for (present, colour, text) in [
        (!train.is_empty(), BLUE, "training, mean and 80 % band"),
        (!shown.is_empty(), VERMILION, "validation"),
    ] {
        if present {
            svg.line((WIDTH - 216.0, row - 4.0), (WIDTH - 192.0, row - 4.0), colour, 2.2, "");
            svg.text((WIDTH - 186.0, row), Anchor::Start, LABEL, INK, text);
            row += 17.0;
        }
    }
    svg.finish()
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
            let losses = sorted(group.iter().map(|p| p.1 as f32));
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
    fn unsound_input_gives_a_figure_and_no_panic() {
        for (steps, losses) in
            [(vec![], vec![]), (vec![0], vec![1.0]), (vec![1, 2, 3], vec![f32::NAN, 1.0, f32::MAX])]
        {
            let svg = loss_plot(&steps, &losses, Some((&[9], &[f32::INFINITY])));
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"));
        }
    }
}
