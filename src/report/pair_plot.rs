//! Marginals on the diagonal, pairs of parameters below it.
use super::axis::{Scale, bottom_axis, left_axis, sorted};
use super::density::Density;
use super::svg::{Anchor, BLUE, FAINT, GREY, INK, LABEL, PALE, Svg, TICK, TITLE, VERMILION, fit};
use crate::data::summary::quantile;

/// Parameters drawn at most; a line says so when there are more.
const MAX_DIM: usize = 12;
/// Bytes for the clouds of all pairs; a dot takes up to 14.
const CLOUD_BYTES: usize = 190_000;
/// Colours of the draws outside the 95 % region, in it, in the 80 % and in the 50 % region.
const SHADES: [&str; 4] = ["#A9CCE3", "#6FAED6", "#2E86C1", "#0B4F82"];
const PRIOR_DOT: &str = "#DADDE0";

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
        let mut svg = Svg::new(320.0, 60.0, "Posterior");
        svg.text((20.0, 35.0), Anchor::Start, TITLE, FAINT, "No draws to show");
        return svg.finish();
    }
    let side = (760.0 / shown as f64).clamp(64.0, 190.0);
    let gap = (side * 0.1).clamp(8.0, 16.0);
    let (left, top) = (66.0, 44.0);
    let size = shown as f64 * (side + gap);
    let mut svg = Svg::new(
        (left + size + 14.0).max(330.0),
        top + size + if width > shown || shown == 1 { 54.0 } else { 32.0 },
        "Posterior draws, pairs of parameters",
    );
    let truth_at = |d: usize| truth.and_then(|t| t.get(d)).copied().filter(|v| v.is_finite()).map(f64::from);
    let columns: Vec<Vec<f64>> = (0..shown).map(|d| sorted(posterior.column(d))).collect();
    let prior_columns: Option<Vec<Vec<f64>>> =
        prior.as_ref().map(|p| (0..shown).map(|d| sorted(p.column(d))).collect());
    let scales: Vec<Scale> = (0..shown)
        .map(|d| range(&columns[d], prior_columns.as_ref().map(|p| p[d].as_slice()), truth_at(d)))
        .collect();
    let budget = CLOUD_BYTES / (14 * (shown * (shown - 1) / 2).max(1));
    for row in 0..shown {
        for column in 0..=row {
            let x = scales[column].over(0.0, side);
            let origin = (left + column as f64 * (side + gap), top + row as f64 * (side + gap));
            let x = x.over(origin.0, origin.0 + side);
            let bottom = origin.1 + side;
            if row == column {
                let own = prior_columns.as_ref().map(|p| p[row].as_slice());
                histogram(&mut svg, x, bottom, side, &columns[row], own);
                if let Some(v) = truth_at(row).filter(|v| x.holds(*v)) {
                    svg.line((x.at(v), bottom), (x.at(v), bottom - 0.93 * side), VERMILION, 1.8, "");
                }
                heading(&mut svg, origin, side, &names[row], &columns[row]);
                if row + 1 == shown {
                    bottom_axis(&mut svg, x, bottom, &fit(&names[row], LABEL, side));
                } else {
                    svg.line((x.from, bottom), (x.to, bottom), FAINT, 1.0, "");
                }
            } else {
                let y = scales[row].over(bottom, origin.1);
                if let Some(prior) = &prior {
                    svg.dots(prior.pixels(column, row, x, y, (budget / 8).min(600)), PRIOR_DOT, 2.0);
                }
                cloud(&mut svg, &posterior, (column, row), x, y, budget * 7 / 8);
                if let (Some(a), Some(b)) = (truth_at(column), truth_at(row)) {
                    cross(&mut svg, x, y, a, b);
                }
                if column == 0 {
                    left_axis(&mut svg, y, origin.0, &fit(&names[row], LABEL, side));
                } else {
                    svg.line((origin.0, bottom), (origin.0, origin.1), "#D5D8DB", 1.0, "");
                }
                if row + 1 == shown {
                    bottom_axis(&mut svg, x, bottom, &fit(&names[column], LABEL, side));
                } else {
                    svg.line((origin.0, bottom), (origin.0 + side, bottom), "#D5D8DB", 1.0, "");
                }
            }
        }
    }
    legend(&mut svg, left, shown, side + gap, prior.is_some(), (0..shown).any(|d| truth_at(d).is_some()));
    if width > shown {
        let note = format!("The first {shown} of {width} parameters");
        svg.text((left, top + size + 48.0), Anchor::Start, TICK, FAINT, &note);
    }
    svg.finish()
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

    fn column(&self, d: usize) -> impl Iterator<Item = f32> {
        self.values.iter().skip(d).step_by(self.dim).copied()
    }

    /// Every k-th pair that is in range, at most `count`, on the unit square.
    fn pairs(&self, a: usize, b: usize, x: Scale, y: Scale, count: usize) -> Vec<(f64, f64)> {
        let every = self.n.div_ceil(count.max(1)).max(1);
        self.values
            .chunks_exact(self.dim)
            .step_by(every)
            .map(|row| (f64::from(row[a]), f64::from(row[b])))
            .filter(|&(u, v)| x.holds(u) && y.holds(v))
            .map(|(u, v)| ((u - x.lo) / (x.hi - x.lo), (v - y.lo) / (y.hi - y.lo)))
            .collect()
    }

    fn pixels(
        &self,
        a: usize,
        b: usize,
        x: Scale,
        y: Scale,
        count: usize,
    ) -> impl Iterator<Item = (f64, f64)> {
        self.pairs(a, b, x, y, count).into_iter().map(move |p| pixel(p, x, y))
    }
}

fn pixel((u, v): (f64, f64), x: Scale, y: Scale) -> (f64, f64) {
    (x.from + u * (x.to - x.from), y.from + v * (y.to - y.from))
}

/// The range of nearly all posterior draws and the truth, widened towards the prior's by at most the factor at which
/// the posterior would become a speck.
fn range(posterior: &[f64], prior: Option<&[f64]>, truth: Option<f64>) -> Scale {
    let span = |sorted: &[f64], p: f64| (quantile(sorted, p), quantile(sorted, 1.0 - p));
    let (mut lo, mut hi) = span(posterior, 0.0005);
    if let Some(truth) = truth {
        // A truth far outside must be seen to be outside, not flatten the posterior to a line.
        let reach = 3.0 * (hi - lo);
        if truth > lo - reach && truth < hi + reach {
            (lo, hi) = (lo.min(truth), hi.max(truth));
        }
    }
    if let Some(prior) = prior.filter(|p| !p.is_empty()) {
        let (prior_lo, prior_hi) = span(prior, 0.005);
        let reach = 0.6 * (hi - lo);
        (lo, hi) = (lo.min(prior_lo.max(lo - reach)), hi.max(prior_hi.min(hi + reach)));
    }
    let margin = 0.04 * (hi - lo);
    Scale::new(lo - margin, hi + margin, 0.0, 1.0)
}

fn histogram(svg: &mut Svg, x: Scale, bottom: f64, side: f64, values: &[f64], prior: Option<&[f64]>) {
    let bins = if side < 90.0 { 24 } else { 40 };
    let heights = |values: &[f64]| {
        let mut counts = vec![0.0; bins];
        for &v in values.iter().filter(|v| x.holds(**v)) {
            let bin = ((v - x.lo) / (x.hi - x.lo) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1.0 / values.len() as f64;
        }
        counts
    };
    let own = heights(values);
    let prior = prior.map(heights);
    let tallest = own.iter().chain(prior.iter().flatten()).copied().fold(0.0, f64::max).max(1e-300);
    let step = (x.to - x.from) / bins as f64;
    let outline = |counts: &[f64]| {
        let mut points = vec![(x.from, bottom)];
        for (i, count) in counts.iter().enumerate() {
            let y = bottom - 0.9 * side * count / tallest;
            points.extend([(x.from + i as f64 * step, y), (x.from + (i + 1) as f64 * step, y)]);
        }
        points.push((x.to, bottom));
        points
    };
    let points = outline(&own);
    svg.area(points.iter().copied(), PALE);
    if let Some(prior) = prior {
        svg.polyline(outline(&prior), GREY, 1.2);
    }
    svg.polyline(points, BLUE, 1.4);
}

fn heading(svg: &mut Svg, origin: (f64, f64), side: f64, name: &str, values: &[f64]) {
    let middle = origin.0 + side / 2.0;
    if side < 100.0 {
        svg.bold((middle, origin.1 - 4.0), Anchor::Middle, TICK + 1.0, INK, &fit(name, TICK + 1.0, side));
        return;
    }
    let [low, mid, high] = [0.025, 0.5, 0.975].map(|p| quantile(values, p));
    let digits = (2.2 - (high - low).max(1e-12).log10()).clamp(0.0, 6.0) as usize;
    let note = if high.abs().max(low.abs()) < 1e6 {
        // + 0.0 turns -0.0 into 0.0.
        let round = |v: f64| (v * 10f64.powi(digits as i32)).round() / 10f64.powi(digits as i32) + 0.0;
        format!("{:.digits$}  [{:.digits$}, {:.digits$}]", round(mid), round(low), round(high))
    } else {
        format!("{mid:.2e}  [{low:.2e}, {high:.2e}]")
    };
    svg.bold((middle, origin.1 - 12.0), Anchor::Middle, TITLE, INK, &fit(name, TITLE, side));
    svg.text((middle, origin.1 + 1.0), Anchor::Middle, TICK, FAINT, &note.replace('-', "−"));
}

/// Dots shaded by the share of draws with higher density.
fn cloud(svg: &mut Svg, posterior: &Cloud, (a, b): (usize, usize), x: Scale, y: Scale, count: usize) {
    let density = Density::new(&posterior.pairs(a, b, x, y, 20_000));
    let dots = posterior.pairs(a, b, x, y, count.min(2500));
    let mut ranked: Vec<(f32, (f64, f64))> = dots.into_iter().map(|p| (density.at(p), p)).collect();
    ranked.sort_unstable_by(|p, q| p.0.total_cmp(&q.0));
    let n = ranked.len();
    let diameter = if n > 1500 { 2.0 } else { 2.4 };
    let bounds = [0.0, 0.05, 0.20, 0.50, 1.0].map(|share| (share * n as f64) as usize);
    for (shade, ends) in SHADES.iter().zip(bounds.windows(2)) {
        svg.dots(ranked[ends[0]..ends[1]].iter().map(|(_, p)| pixel(*p, x, y)), shade, diameter);
    }
}

/// The truth: thin lines across the panel, and a dot with a white edge, legible on dark and on light.
fn cross(svg: &mut Svg, x: Scale, y: Scale, a: f64, b: f64) {
    if x.holds(a) {
        svg.line((x.at(a), y.from), (x.at(a), y.to), VERMILION, 0.8, "");
    }
    if y.holds(b) {
        svg.line((x.from, y.at(b)), (x.to, y.at(b)), VERMILION, 0.8, "");
    }
    if x.holds(a) && y.holds(b) {
        svg.dots([(x.at(a), y.at(b))], "#fff", 7.5);
        svg.dots([(x.at(a), y.at(b))], VERMILION, 5.0);
    }
}

/// In the empty upper triangle; for one parameter, below the axis.
fn legend(svg: &mut Svg, left: f64, shown: usize, pitch: f64, prior: bool, truth: bool) {
    let mut entries = Vec::new();
    if shown > 1 {
        entries.extend([
            (SHADES[3], "inner 50 % of the posterior"),
            (SHADES[2], "80 %"),
            (SHADES[1], "95 %"),
        ]);
        entries.push((SHADES[0], "rest"));
    } else {
        entries.push((BLUE, "posterior"));
    }
    if prior {
        entries.push((GREY, "prior"));
    }
    if truth {
        entries.push((VERMILION, "true value"));
    }
    let roomy = shown > 2 || pitch > 170.0;
    if shown > 1 && roomy {
        let x = left + (shown - 1) as f64 * pitch - if shown > 2 { pitch * 0.9 } else { -24.0 };
        for (i, (colour, text)) in entries.iter().enumerate() {
            let y = 44.0 + 17.0 * i as f64;
            svg.dots([(x, y)], colour, 9.0);
            svg.text((x + 11.0, y + 4.0), Anchor::Start, LABEL, INK, text);
        }
    } else {
        let mut x = left;
        for (colour, text) in &entries {
            let y = 44.0 + shown as f64 * pitch + 38.0;
            svg.dots([(x, y)], colour, 9.0);
            svg.text((x + 9.0, y + 4.0), Anchor::Start, LABEL, INK, text);
            x += 30.0 + 6.2 * text.len() as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dim: usize) -> Vec<String> {
        (0..dim).map(|d| format!("θ<{d}>")).collect()
    }

    fn waves(n: usize, dim: usize) -> Vec<f32> {
        (0..n * dim).map(|i| ((i * i) as f32 * 0.37).sin() * (1 + i % dim) as f32).collect()
    }

    #[test]
    fn every_size_is_sound_and_small() {
        for dim in [1, 2, 3, 5, 10, 30] {
            let draws = waves(10_000, dim);
            let svg = pair_plot(&draws, &names(dim), Some(&draws[..dim]), Some(&waves(3000, dim)));
            assert!(svg.len() < 300 * 1024, "{dim}: {} bytes", svg.len());
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
            assert!(!svg.contains("NaN") && !svg.contains("inf\"") && !svg.contains("θ<"));
            assert_eq!(svg.contains("of 30 parameters"), dim == 30);
        }
    }

    #[test]
    fn every_draw_of_a_small_set_is_a_dot_and_the_truth_is_a_cross() {
        let draws = waves(100, 2);
        let svg = pair_plot(&draws, &names(2), None, None);
        let dots = svg.matches("h0").count();
        // 100 draws but for the outermost twentieths of a percent, and the legend's four.
        assert!((96..=104).contains(&dots), "{dots}");
        assert!(!svg.contains(VERMILION));
        assert!(pair_plot(&draws, &names(2), Some(&[0.0, 0.0]), None).contains(VERMILION));
    }

    #[test]
    fn unsound_input_gives_a_figure_and_no_panic() {
        for draws in
            [vec![], vec![f32::NAN; 6], vec![1.0; 7], vec![f32::MAX, f32::MIN, 0.0, 1e-40], vec![1.0]]
        {
            let svg = pair_plot(&draws, &names(2), Some(&[f32::NAN]), Some(&[f32::INFINITY; 3]));
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"));
        }
        pair_plot(&[1.0], &[], None, None);
    }
}
