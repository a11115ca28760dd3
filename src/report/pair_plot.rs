//! Marginals on the diagonal, pairs of parameters below it.
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, sorted};
use super::chart::{BOTTOM, Chart, Frame, LABEL, TICK, TITLE, bold, dots, empty, legend, outline, write};
use super::density::Density;
use super::svg::{Area, Drawn, figure, fit, px, text_width};
use super::theme::{BLUE, FAINT, GREY, PALE, PRIOR_DOT, SHADES, VERMILION};
use crate::data::summary::quantile;

/// Parameters drawn at most; a line says so when there are more.
const MAX_DIM: usize = 12;
/// Bytes for the clouds of all pairs; a dot takes up to 12.
const CLOUD_BYTES: usize = 190_000;
/// Pixels above the panels, for the first heading.
const TOP: f64 = 44.0;

/// Posterior draws, shape (n, D) with D the number of names; the true parameters (D) and prior draws (m, D) if known.
///
/// Each cloud is shaded by its highest-density regions of 50, 80 and 95 %. Histograms show the median and the central
/// 95 % interval as text, the truth as a line. Rows with a value that is not finite are left out. Below 300 KiB.
pub fn pair_plot(
    draws: &[f32],
    names: &[String],
    truth: Option<&[f32]>,
    prior_draws: Option<&[f32]>,
) -> String {
    let width = names.len();
    let shown = width.min(MAX_DIM);
    let posterior = Cloud::new(draws, width, shown);
    let prior = prior_draws.map(|p| Cloud::new(p, width, shown)).filter(|p| p.n > 0);
    if shown == 0 || posterior.n == 0 {
        return empty("Posterior", "No draws to show");
    }
    let columns: Vec<Column> = (0..shown)
        .map(|d| {
            let truth = truth.and_then(|t| t.get(d)).copied().filter(|v| v.is_finite()).map(f64::from);
            let prior = prior.as_ref().map(|p| p.column(d)).unwrap_or_default();
            Column::new(&names[d], posterior.column(d), prior, truth)
        })
        .collect();
    let side = (760.0 / shown as f64).clamp(64.0, 190.0);
    let pitch = side + (side * 0.1).clamp(8.0, 16.0);
    let left = columns.iter().map(|c| c.axis.room(side)).fold(0.0, f64::max);
    let budget = CLOUD_BYTES / (12 * (shown * (shown - 1) / 2).max(1));
    let below = if shown == 1 || width > shown { 22.0 } else { 0.0 };
    let size = TOP + shown as f64 * pitch - (pitch - side) + BOTTOM + below;
    let title = "Posterior draws, pairs of parameters";
    figure((left + shown as f64 * pitch + 14.0).max(350.0), size, title, |area| {
        for (row, down) in columns.iter().enumerate() {
            for (column, across) in columns.iter().enumerate().take(row + 1) {
                let ticks = [row + 1 == shown, column == 0 && row > 0];
                let frame = Frame {
                    ticks,
                    top: 0.0,
                    right: 0.0,
                    bottom: if ticks[0] { BOTTOM } else { 1.0 },
                    left: if ticks[1] { left } else { f64::from(row != column) },
                    ..Frame::new(across.axis, down.axis, [across.name, down.name])
                };
                let origin = (left + column as f64 * pitch, TOP + row as f64 * pitch);
                let corner = (px(origin.0 - frame.left), px(origin.1));
                let cell = area.clone().shrink(corner, (px(frame.left + side), px(side + frame.bottom)));
                if row == column {
                    marginal(&cell, frame, across, if side < 90.0 { 24 } else { 40 })?;
                    heading(area, origin, side, across)?;
                } else {
                    let mut chart = frame.open(&cell)?;
                    if let Some(prior) = &prior {
                        let few = prior.pairs([column, row], [across, down], (budget / 8).min(600));
                        dots(&mut chart, few, PRIOR_DOT, 10)?;
                    }
                    cloud(&mut chart, &posterior, [column, row], [across, down], budget * 7 / 8)?;
                    cross(&mut chart, across, down)?;
                }
            }
        }
        let truth = columns.iter().any(|c| c.truth.is_some());
        key(area, left, shown, pitch, prior.is_some(), truth, size - 12.0)?;
        let more =
            if width > shown { format!("The first {shown} of {width} parameters") } else { String::new() };
        write(area, (left, size - 12.0), HPos::Left, (TICK, FAINT), &more)
    })
}

/// One parameter: its finite draws, sorted, those of the prior, the truth and the range shown.
struct Column<'a> {
    name: &'a str,
    values: Vec<f64>,
    prior: Vec<f64>,
    truth: Option<f64>,
    axis: Axis,
}

impl<'a> Column<'a> {
    fn new(name: &'a str, values: Vec<f64>, prior: Vec<f64>, truth: Option<f64>) -> Self {
        let axis = range(&values, &prior, truth);
        Self { name, values, prior, truth, axis }
    }

    /// Shares of the values in equal parts of the axis.
    fn histogram(&self, values: &[f64], bins: usize) -> Vec<f64> {
        let mut shares = vec![0.0; if values.is_empty() { 0 } else { bins }];
        for v in values.iter().filter(|v| self.axis.holds(**v)) {
            let bin = (self.axis.share(*v) * bins as f64) as usize;
            shares[bin.min(bins - 1)] += 1.0 / values.len() as f64;
        }
        shares
    }

    /// The truth where it can be seen.
    fn truth(&self) -> Option<f64> {
        self.truth.filter(|v| self.axis.holds(*v))
    }
}

/// Rows of which every shown value is finite.
struct Cloud {
    n: usize,
    dim: usize,
    values: Vec<f32>,
}

impl Cloud {
    fn new(values: &[f32], width: usize, dim: usize) -> Self {
        let rows = values.chunks_exact(width.max(1)).map(|row| &row[..dim]);
        let values: Vec<f32> =
            rows.filter(|row| row.iter().all(|v| v.is_finite())).flatten().copied().collect();
        Self { n: values.len() / dim.max(1), dim, values }
    }

    fn column(&self, d: usize) -> Vec<f64> {
        sorted(self.values.iter().skip(d).step_by(self.dim).map(|v| f64::from(*v)))
    }

    /// Every k-th pair that is in range, at most `count`.
    fn pairs(&self, [a, b]: [usize; 2], [x, y]: [&Column<'_>; 2], count: usize) -> Vec<(f64, f64)> {
        let every = self.n.div_ceil(count.max(1)).max(1);
        let rows = self.values.chunks_exact(self.dim).step_by(every);
        let pairs = rows.map(|row| (f64::from(row[a]), f64::from(row[b])));
        pairs.filter(|(u, v)| x.axis.holds(*u) && y.axis.holds(*v)).collect()
    }
}

/// The range of nearly all posterior draws and the truth, widened towards the prior's by at most the factor at which
/// the posterior would become a speck.
fn range(posterior: &[f64], prior: &[f64], truth: Option<f64>) -> Axis {
    let span = |sorted: &[f64], p: f64| (quantile(sorted, p), quantile(sorted, 1.0 - p));
    let (mut lo, mut hi) = span(posterior, 0.0005);
    if let Some(truth) = truth {
        // A truth far outside must be seen to be outside, not flatten the posterior to a line.
        let reach = 3.0 * (hi - lo);
        if truth > lo - reach && truth < hi + reach {
            (lo, hi) = (lo.min(truth), hi.max(truth));
        }
    }
    if !prior.is_empty() {
        let (prior_lo, prior_hi) = span(prior, 0.005);
        let reach = 0.6 * (hi - lo);
        (lo, hi) = (lo.min(prior_lo.max(lo - reach)), hi.max(prior_hi.min(hi + reach)));
    }
    let margin = 0.04 * (hi - lo);
    Axis::new(lo - margin, hi + margin)
}

/// The histogram of the posterior, the prior's outline, and the truth; the axis to the right is the frame's.
fn marginal(cell: &Area, frame: Frame<'_>, column: &Column<'_>, bins: usize) -> Drawn {
    let (own, prior) = (column.histogram(&column.values, bins), column.histogram(&column.prior, bins));
    let tallest = own.iter().chain(&prior).copied().fold(0.0, f64::max).max(1e-300);
    let mut chart = Frame { y: Axis::new(0.0, tallest / 0.9), ..frame }.open(cell)?;
    let [own, prior] = [own, prior].map(|shares| outline(column.axis, &shares));
    chart.draw_series([Polygon::new(own.clone(), PALE)])?;
    chart.draw_series(LineSeries::new(prior, GREY.stroke_width(12)))?;
    chart.draw_series(LineSeries::new(own, BLUE.stroke_width(14)))?;
    let truth = column.truth().map(|v| vec![(v, 0.0), (v, 1.03 * tallest)]);
    chart.draw_series(truth.map(|ends| PathElement::new(ends, VERMILION.stroke_width(18)))).map(drop)
}

/// Name, median and central 95 % interval above a panel; in small panels the name alone.
fn heading(area: &Area, origin: (f64, f64), side: f64, column: &Column<'_>) -> Drawn {
    let middle = origin.0 + side / 2.0;
    if side < 100.0 {
        return bold(
            area,
            (middle, origin.1 - 8.0),
            HPos::Center,
            &fit(column.name, 1.1 * TITLE, side + 6.0),
        );
    }
    let [low, mid, high] = [0.025, 0.5, 0.975].map(|p| quantile(&column.values, p));
    let digits = (2.2 - (high - low).max(1e-12).log10()).clamp(0.0, 6.0) as usize;
    let number = |v: f64| {
        if !(1e-3..1e6).contains(&high.abs().max(low.abs())) {
            return format!("{v:.2e}");
        }
        // + 0.0 turns -0.0 into 0.0.
        format!("{:.digits$}", (v * 10f64.powi(digits as i32)).round() / 10f64.powi(digits as i32) + 0.0)
    };
    let all = format!("{}  [{}, {}]", number(mid), number(low), number(high));
    let note = if text_width(&all, TICK) < side + 28.0 { all } else { number(mid) };
    bold(area, (middle, origin.1 - 17.0), HPos::Center, &fit(column.name, 1.1 * TITLE, side))?;
    write(area, (middle, origin.1 - 3.0), HPos::Center, (TICK, FAINT), &note.replace('-', "−"))
}

/// Dots shaded by the share of draws with higher density.
fn cloud(chart: &mut Chart, posterior: &Cloud, at: [usize; 2], of: [&Column<'_>; 2], count: usize) -> Drawn {
    let unit = |p: &(f64, f64)| (of[0].axis.share(p.0), of[1].axis.share(p.1));
    let density = Density::new(&posterior.pairs(at, of, 20_000).iter().map(unit).collect::<Vec<_>>());
    let pairs = posterior.pairs(at, of, count.min(2500));
    let mut ranked: Vec<(f32, (f64, f64))> = pairs.into_iter().map(|p| (density.at(unit(&p)), p)).collect();
    ranked.sort_unstable_by(|p, q| p.0.total_cmp(&q.0));
    let n = ranked.len();
    let radius = if n > 1500 { 10 } else { 12 };
    let bounds = [0.0, 0.05, 0.20, 0.50, 1.0].map(|share| (share * n as f64) as usize);
    for (shade, ends) in SHADES.into_iter().zip(bounds.windows(2)) {
        dots(chart, ranked[ends[0]..ends[1]].iter().map(|(_, p)| *p), shade, radius)?;
    }
    Ok(())
}

/// The truth: thin lines across the panel, and a dot with a white edge, legible on dark and on light.
fn cross(chart: &mut Chart, across: &Column<'_>, down: &Column<'_>) -> Drawn {
    let (x, y) = (across.axis, down.axis);
    let up = across.truth().map(|a| [(a, y.lo), (a, y.hi)]);
    let along = down.truth().map(|b| [(x.lo, b), (x.hi, b)]);
    let lines = up.into_iter().chain(along);
    chart.draw_series(lines.map(|ends| PathElement::new(ends, VERMILION.stroke_width(8))))?;
    let at = across.truth().zip(down.truth());
    dots(chart, at, WHITE, 38)?;
    dots(chart, at, VERMILION, 25)
}

/// The longest entry of the legend.
const WIDEST: &str = "inner 50 % of the posterior";

/// In the empty upper triangle; for one parameter, below the axis.
fn key(area: &Area, left: f64, shown: usize, pitch: f64, prior: bool, truth: bool, foot: f64) -> Drawn {
    let mut entries = if shown > 1 {
        let shades = [SHADES[3], SHADES[2], SHADES[1], SHADES[0]];
        shades.into_iter().zip([WIDEST, "80 %", "95 %", "rest"]).collect()
    } else {
        vec![(BLUE, "posterior")]
    };
    entries.extend(prior.then_some((GREY, "prior")));
    entries.extend(truth.then_some((VERMILION, "true value")));
    if shown > 1 {
        let width = f64::from(area.dim_in_pixel().0) / 10.0;
        let x = left + (shown - 1) as f64 * pitch - if shown > 2 { pitch * 0.9 } else { -14.0 };
        return legend(area, (x.min(width - 24.0 - text_width(WIDEST, LABEL)), TOP), false, &entries);
    }
    legend(area, (left.min(20.0), foot), true, &entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawn::marks;

    fn names(dim: usize) -> Vec<String> {
        (0..dim).map(|d| format!("θ<{d}>")).collect()
    }

    #[test]
    fn every_draw_of_a_small_set_is_a_dot() {
        let draws: Vec<f32> = (0..200).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let svg = pair_plot(&draws, &names(2), None, None);
        let dots: usize = SHADES.iter().map(|shade| marks(&svg, *shade).len()).sum();
        // 100 draws but for the outermost twentieths of a percent, and the legend's four.
        assert!((96..=104).contains(&dots), "{dots}");
        assert!(marks(&svg, VERMILION).is_empty() && svg.contains("θ&lt;1&gt;"));
        let many = pair_plot(&vec![0.5; 30 * 90], &names(30), None, None);
        assert!(many.contains("The first 12 of 30 parameters"));
    }

    #[test]
    fn the_first_parameter_is_to_the_right_and_the_second_up() {
        // theta 0 is dense at the left, theta 1 = theta 0 squared: below the diagonal, rising.
        let draws: Vec<f32> = (0..900)
            .flat_map(|i| {
                let v = (i as f32 / 900.0).powi(2);
                [v, v * v]
            })
            .collect();
        let svg = pair_plot(&draws, &names(2), Some(&[0.9, 0.05]), None);
        // The legend is above, beside the first histogram.
        let cloud = SHADES.iter().flat_map(|s| marks(&svg, *s)).map(|m| m[0]);
        let cloud: Vec<(f64, f64)> = cloud.filter(|p| p.1 > 220.0).collect();
        assert!(cloud.len() > 800, "{}", cloud.len());
        let (left, right) = cloud.iter().fold((1e9, 0.0), |e: (f64, f64), p| (e.0.min(p.0), e.1.max(p.0)));
        let (top, bottom) = cloud.iter().fold((1e9, 0.0), |e: (f64, f64), p| (e.0.min(p.1), e.1.max(p.1)));
        assert!(right - left > 150.0 && bottom - top > 150.0);
        for (x, y) in cloud {
            let (u, v) = ((x - left) / (right - left), (bottom - y) / (bottom - top));
            assert!((v - u * u).abs() < 0.02, "{u} {v}");
        }
        // The truth: a line in each histogram, a cross and a dot in the cell, at 0.9 to the right and 0.05 up.
        let (dot, x) = (marks(&svg, WHITE), |v: f64| left + v * (right - left));
        let centre = dot.iter().find(|m| m.len() == 2 && m[0] == m[1]).unwrap()[0];
        assert!((centre.0 - x(0.9)).abs() < 2.0 && (centre.1 - (bottom - 0.05 * (bottom - top))).abs() < 2.0);
        let lines = marks(&svg, VERMILION).into_iter().filter(|m| m[0] != m[1]).collect::<Vec<_>>();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!((lines[0][0].0 - x(0.9)).abs() < 2.0 && lines[0].iter().all(|p| p.1 < 240.0), "{lines:?}");
    }

    #[test]
    fn a_histogram_is_as_high_as_its_shares() {
        let draws: Vec<f32> = (0..1000).map(|i| if i % 4 == 0 { 0.0 } else { 1.0 }).collect();
        let prior: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        let svg = pair_plot(&draws, &names(1), None, Some(&prior));
        let outline = marks(&svg, BLUE).into_iter().find(|m| m.len() > 9).unwrap();
        let base = outline[0].1;
        let top = |from: f64, to: f64| {
            let part = outline.iter().filter(|p| p.0 >= from && p.0 <= to);
            part.map(|p| base - p.1).fold(0.0, f64::max)
        };
        let middle = (outline[0].0 + outline[outline.len() - 1].0) / 2.0;
        let (low, high) = (top(0.0, middle), top(middle, 1e9));
        assert!((high / low - 3.0).abs() < 0.02 && (high - 0.9 * 190.0).abs() < 0.5, "{low} {high}");
        assert!(marks(&svg, GREY).iter().any(|m| m.len() > 9));
    }
}
