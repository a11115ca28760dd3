//! Estimates against true parameters.
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, sorted};
use super::chart::{Frame, MARGIN, TICK, WIDTH, dashed, dots, empty, write};
use super::svg::{figure, px};
use super::theme::{BLUE, FAINT, INTERVAL, VERMILION};
use crate::data::summary::quantile;

/// Dots of a panel: more would be a blot.
const MAX_DOTS: usize = 300;

/// True value of a parameter, its estimate, lower and upper end of the central interval.
pub type Row = [f64; 4];

/// One row for each test data set, intervals of probability `level`: dots on the diagonal are right, bars are the intervals.
/// R2 = 1 - SS_res/SS_tot and the share of intervals that hold the truth are over all data sets, also those not drawn.
/// Rows with a value that is not finite are left out.
pub fn recovery_plot(name: &str, rows: &[Row], level: f64) -> String {
    let rows: Vec<Row> = rows.iter().filter(|row| row.iter().all(|v| v.is_finite())).copied().collect();
    if rows.is_empty() {
        return empty("Recovery", "No estimates to show");
    }
    let axis = range(&rows);
    // Both axes are equally long, so the diagonal has 45 degrees.
    let frame = Frame { top: 40.0, ..Frame::new(axis, axis, ["true value", "estimate"]) };
    let height = frame.top + WIDTH - frame.left - frame.right + frame.bottom;
    let drawn: Vec<Row> = rows.iter().step_by(rows.len().div_ceil(MAX_DOTS)).copied().collect();
    let (r2, coverage) = scores(&rows);
    // Two numbers say more than a caption: how well, and how honestly.
    let note = format!("R² {r2:.2}; {:.0} % intervals hold {:.0} %", 100.0 * level, 100.0 * coverage);
    let foot = match rows.len() {
        n if n > drawn.len() => format!("{n} data sets, {} drawn", drawn.len()),
        n => format!("{n} data sets"),
    };
    let foot = format!("{foot}; bars: central {:.0} % intervals", 100.0 * level);
    figure(WIDTH, height + 16.0, "Recovery of a parameter", |area| {
        let (panel, below) = area.split_vertically(px(height));
        let mut chart = frame.headed(&panel, name, "")?;
        write(area, (MARGIN, 29.0), HPos::Left, (TICK, FAINT), &note.replace('-', "−"))?;
        let width = if rows.len() > 150 { 9 } else { 13 };
        // An interval that leaves the axis is cut at its edge.
        let crossing = drawn.iter().filter(|r| r[2] <= axis.hi && r[3] >= axis.lo);
        chart.draw_series(
            crossing.map(|r| PathElement::new([(r[0], r[2]), (r[0], r[3])], INTERVAL.stroke_width(width))),
        )?;
        dashed(&mut chart, [(axis.lo, axis.lo), (axis.hi, axis.hi)], VERMILION, 14)?;
        let inside = drawn.iter().filter(|r| axis.holds(r[1]));
        dots(&mut chart, inside.map(|r| (r[0], r[1])), BLUE, 17)?;
        write(&below, (MARGIN, 6.0), HPos::Left, (TICK, FAINT), &foot)
    })
}

/// One range for both axes, or the diagonal would mean nothing: every truth is in it; a few wild intervals may leave it.
fn range(rows: &[Row]) -> Axis {
    let truths = sorted(rows.iter().map(|r| r[0]));
    let ends = sorted(rows.iter().flat_map(|r| [r[1], r[2], r[3]]));
    let (lo, hi) = (truths[0], truths[truths.len() - 1]);
    let reach = 0.5 * (hi - lo);
    let lo = lo.min(quantile(&ends, 0.005).max(lo - reach));
    let hi = hi.max(quantile(&ends, 0.995).min(hi + reach));
    let margin = 0.04 * (hi - lo);
    Axis::new(lo - margin, hi + margin)
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
    use crate::report::drawn::{close, shares, size};

    #[test]
    fn scores_are_the_textbooks() {
        let rows = [[0.0, 0.1, -1.0, 1.0], [1.0, 0.9, 0.0, 0.95], [2.0, 2.0, 1.0, 3.0], [3.0, 3.0, 2.0, 4.0]];
        let (r2, coverage) = scores(&rows);
        assert!((r2 - (1.0 - 0.02 / 5.0)).abs() < 1e-12);
        assert_eq!(coverage, 0.75);
        assert_eq!(scores(&[]), (0.0, 0.0));
    }

    #[test]
    fn estimates_are_up_and_truths_to_the_right() {
        let rows =
            [[0.0, 2.0, -0.5, 2.5], [1.0, 1.0, 0.5, 1.5], [2.0, 0.0, -9.0, 0.5], [f64::NAN, 0.0, 0.0, 0.0]];
        let svg = recovery_plot("a", &rows, 0.9);
        assert!(
            svg.contains("R² −3.00; 90 % intervals hold 67 %")
                && svg.contains("3 data sets; bars: central 90 %")
        );
        // Truths 0..2; half of that is given to the intervals below, their own end above; 4 % margin.
        let axis = range(&rows[..3]);
        let at = |x: f64, y: f64| (axis.share(x), axis.share(y));
        assert!((axis.lo + 1.14).abs() < 0.04 && (axis.hi - 2.64).abs() < 0.04, "{axis:?}");
        let (dots, bars) = (shares(&svg, BLUE), shares(&svg, INTERVAL));
        assert!((0..3).all(|i| close(dots[i][0], at(rows[i][0], rows[i][1]))), "{dots:?}");
        assert!(close(bars[0][0], at(0.0, -0.5)) && close(bars[0][1], at(0.0, 2.5)), "{bars:?}");
        // The third interval leaves the axis and is cut.
        assert!(close(bars[2][0], (at(2.0, 0.0).0, 0.0)) && close(bars[2][1], at(2.0, 0.5)));
        assert!(shares(&svg, VERMILION).iter().flatten().all(|p| (p.0 - p.1).abs() < 5e-3));
        assert!(size(&svg).0 == 350.0);
    }

    #[test]
    fn of_many_data_sets_some_are_drawn_and_all_are_counted() {
        let row = |i: i32| [f64::from(i), f64::from(i), f64::from(i - 1), f64::from(i + 1)];
        let svg = recovery_plot("a", &(0..1000).map(row).collect::<Vec<_>>(), 0.5);
        assert!(svg.contains("1000 data sets, 250 drawn; bars: central 50 % intervals"));
        assert_eq!(shares(&svg, BLUE).len(), 250);
    }
}
