//! Estimates against true parameters.
use super::axis::{Scale, bottom_axis, left_axis, sorted};
use super::svg::{Anchor, BLUE, FAINT, INK, LABEL, Svg, TITLE, VERMILION, fit};
use crate::data::summary::quantile;

const MAX_PANELS: usize = 16;
/// Dots of a panel: more would be a blot.
const MAX_DOTS: usize = 300;

/// Estimates for test data sets of known parameters; all of shape (sets, D), row-major.
#[derive(Debug, Clone, Copy)]
pub struct Estimates<'a> {
    /// True parameters.
    pub truth: &'a [f32],
    /// Posterior means or medians.
    pub estimate: &'a [f32],
    /// Lower ends of the central intervals.
    pub lower: &'a [f32],
    /// Upper ends.
    pub upper: &'a [f32],
    /// Level of the intervals, e.g. 0.9.
    pub level: f64,
}

/// One panel per parameter: dots on the diagonal are right, bars are the intervals. R2 = 1 - SS_res/SS_tot and the
/// share of intervals that hold the truth are over all data sets, also those not drawn.
pub fn recovery_plot(estimates: &Estimates, names: &[String]) -> String {
    let dim = names.len();
    let panels: Vec<Vec<Row>> = (0..dim.min(MAX_PANELS)).map(|d| rows(estimates, dim, d)).collect();
    if panels.iter().all(Vec::is_empty) {
        let mut svg = Svg::new(320.0, 60.0, "Recovery");
        svg.text((20.0, 35.0), Anchor::Start, TITLE, FAINT, "No estimates to show");
        return svg.finish();
    }
    let shown = panels.len();
    let columns = shown.min(if shown == 4 { 2 } else { 3 });
    let side = if shown == 1 { 270.0 } else { 190.0 };
    let (left, top, pitch_x, pitch_y) = (58.0, 8.0, side + 52.0, side + 76.0);
    let lines = shown.div_ceil(columns);
    let size = (left + columns as f64 * pitch_x - 30.0, top + lines as f64 * pitch_y + 26.0);
    let mut svg = Svg::new(size.0.max(350.0), size.1, "Recovery of the parameters");
    for (d, rows) in panels.iter().enumerate() {
        let x0 = left + (d % columns) as f64 * pitch_x;
        let y0 = top + (d / columns) as f64 * pitch_y + 34.0;
        panel(&mut svg, rows, (x0, y0), side, estimates.level, &names[d], d % columns == 0);
    }
    let sets = panels.iter().map(Vec::len).max().unwrap_or(0);
    let drawn = if sets > MAX_DOTS { format!(", {MAX_DOTS} drawn") } else { String::new() };
    let mut note =
        format!("{sets} data sets{drawn}; bars: central {:.0} % intervals", 100.0 * estimates.level);
    if dim > shown {
        note.push_str(&format!("; the first {shown} of {dim} parameters"));
    }
    svg.text((left, size.1 - 8.0), Anchor::Start, LABEL - 1.0, FAINT, &note);
    svg.finish()
}

/// Truth, estimate, lower, upper.
type Row = [f64; 4];

fn rows(e: &Estimates, dim: usize, d: usize) -> Vec<Row> {
    let column =
        |values: &'_ [f32]| values.iter().skip(d).step_by(dim).map(|v| f64::from(*v)).collect::<Vec<_>>();
    let (truth, estimate, lower, upper) =
        (column(e.truth), column(e.estimate), column(e.lower), column(e.upper));
    let n = truth.len().min(estimate.len()).min(lower.len()).min(upper.len());
    let rows = (0..n).map(|i| [truth[i], estimate[i], lower[i], upper[i]]);
    rows.filter(|row| row.iter().all(|v| v.is_finite())).collect()
}

fn panel(svg: &mut Svg, rows: &[Row], (x0, y0): (f64, f64), side: f64, level: f64, name: &str, first: bool) {
    let truths = sorted(rows.iter().map(|r| r[0] as f32));
    let ends = sorted(rows.iter().flat_map(|r| [r[1] as f32, r[2] as f32, r[3] as f32]));
    // One range for both axes, or the diagonal would mean nothing; a few wild intervals may leave it.
    let (lo, hi) = (quantile(&truths, 0.0), quantile(&truths, 1.0));
    let reach = 0.5 * (hi - lo);
    let lo = lo.min(quantile(&ends, 0.005).max(lo - reach));
    let hi = hi.max(quantile(&ends, 0.995).min(hi + reach));
    let margin = 0.04 * (hi - lo);
    let x = Scale::new(lo - margin, hi + margin, x0, x0 + side);
    let y = x.over(y0 + side, y0);
    svg.clip(x0, y0, side, side);
    let every = rows.len().div_ceil(MAX_DOTS).max(1);
    let drawn = || rows.iter().step_by(every);
    let bar = if rows.len() > 150 { 0.9 } else { 1.3 };
    svg.bars(drawn().map(|r| (x.at(r[0]), y.at(r[2]), y.at(r[3]))), "#B5D3E7", bar);
    svg.line((x.from, y.from), (x.to, y.to), VERMILION, 1.4, "5 4");
    svg.dots(drawn().map(|r| (x.at(r[0]), y.at(r[1]))), BLUE, 3.4);
    svg.unclip();
    svg.bold((x0, y0 - 20.0), Anchor::Start, TITLE, INK, &fit(name, TITLE, side));
    let (r2, coverage) = scores(rows);
    // Two numbers say more than a caption: how well, and how honestly.
    let note = format!("R² {r2:.2}; {:.0} % intervals hold {:.0} %", 100.0 * level, 100.0 * coverage);
    svg.text((x0, y0 - 6.0), Anchor::Start, 10.0, FAINT, &note.replace('-', "−"));
    bottom_axis(svg, x, y.from, "true value");
    left_axis(svg, y, x.from, if first { "estimate" } else { "" });
}

/// R2 and coverage.
fn scores(rows: &[Row]) -> (f64, f64) {
    let n = rows.len() as f64;
    let mean = rows.iter().map(|r| r[0]).sum::<f64>() / n;
    let total = rows.iter().map(|r| (r[0] - mean).powi(2)).sum::<f64>();
    let residual = rows.iter().map(|r| (r[0] - r[1]).powi(2)).sum::<f64>();
    let covered = rows.iter().filter(|r| r[2] < r[0] && r[0] < r[3]).count() as f64;
    (if total > 0.0 { 1.0 - residual / total } else { 0.0 }, if rows.is_empty() { 0.0 } else { covered / n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dim: usize) -> Vec<String> {
        (0..dim).map(|d| format!("p{d}")).collect()
    }

    #[test]
    fn scores_are_the_textbooks() {
        let rows = [[0.0, 0.1, -1.0, 1.0], [1.0, 0.9, 0.0, 0.95], [2.0, 2.0, 1.0, 3.0], [3.0, 3.0, 2.0, 4.0]];
        let (r2, coverage) = scores(&rows);
        assert!((r2 - (1.0 - 0.02 / 5.0)).abs() < 1e-12);
        assert_eq!(coverage, 0.75);
        assert_eq!(scores(&[]), (0.0, 0.0));
    }

    #[test]
    fn parameters_are_not_mixed_and_scores_are_shown() {
        // The second parameter is recovered, the first is not; interval ends the same for both.
        let truth = [0.0, 10.0, 1.0, 20.0, 2.0, 30.0];
        let estimate = [2.0, 10.0, 1.0, 20.0, 0.0, 30.0];
        let (lower, upper) = ([-9.0, 9.0, -9.0, 19.0, -9.0, 29.0], [9.0, 11.0, 9.0, 21.0, 9.0, 31.0]);
        let e = Estimates { truth: &truth, estimate: &estimate, lower: &lower, upper: &upper, level: 0.9 };
        let svg = recovery_plot(&e, &names(2));
        assert!(svg.contains("R² −3.00; 90 % intervals hold 100 %") && svg.contains("R² 1.00; 90 % "));
    }

    #[test]
    fn any_input_gives_a_small_figure() {
        for dim in [0, 1, 3, 10, 40] {
            let values: Vec<f32> = (0..dim * 2000).map(|i| (i as f32).sin()).collect();
            let odd = [f32::NAN, f32::INFINITY, 1.0];
            for (truth, rest) in [(&values[..], &values[..]), (&odd[..], &values[..]), (&[], &[])] {
                let e = Estimates { truth, estimate: rest, lower: rest, upper: rest, level: 0.95 };
                let svg = recovery_plot(&e, &names(dim));
                assert!(svg.ends_with("</svg>\n") && svg.len() < 300 * 1024, "{dim}: {}", svg.len());
                assert!(!svg.contains("NaN") && !svg.contains("inf"));
            }
        }
    }
}
