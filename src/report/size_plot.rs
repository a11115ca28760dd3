//! What larger data sets bring: numbers against the size of the data, one small panel each.
use super::axis::{Scale, frame};
use super::svg::{Anchor, BLUE, FAINT, INK, LABEL, PALE, Svg, TITLE, VERMILION};

/// Size of a panel, pixels, and panels in a row.
const PANEL: [f64; 2] = [240.0, 190.0];
const COLUMNS: usize = 3;
/// Height of the title with its legend.
const HEAD: f64 = 46.0;

/// A number at several sizes.
#[derive(Clone, Debug, Default)]
pub struct SizeCurve {
    /// What it is.
    pub name: String,
    /// Size, value, standard deviation.
    pub ours: Vec<(usize, f64, f64)>,
    /// Size, published value.
    pub published: Vec<(usize, f64)>,
    /// Whether to draw a line that falls as 1/sqrt(size) through our first value.
    pub root: bool,
}

/// The panels; values that are not finite are left out.
pub fn size_plot(title: &str, curves: &[SizeCurve]) -> String {
    let rows = curves.len().div_ceil(COLUMNS).max(1);
    let columns = curves.len().clamp(1, COLUMNS);
    let mut svg = Svg::new(PANEL[0] * columns.max(2) as f64, HEAD + PANEL[1] * rows as f64, title);
    svg.bold((14.0, 20.0), Anchor::Start, TITLE, INK, title);
    let mut at = 14.0;
    for (colour, text) in [(BLUE, "ours, +- 2 sd"), (VERMILION, "published"), (FAINT, "1/sqrt(N)")] {
        svg.line((at, 34.0), (at + 20.0, 34.0), colour, 2.2, "");
        svg.text((at + 26.0, 38.0), Anchor::Start, LABEL, INK, text);
        at += 130.0;
    }
    for (i, curve) in curves.iter().enumerate() {
        let corner = [PANEL[0] * (i % COLUMNS) as f64, HEAD + PANEL[1] * (i / COLUMNS) as f64];
        panel(&mut svg, corner, curve);
    }
    svg.finish()
}

fn panel(svg: &mut Svg, [left, top]: [f64; 2], curve: &SizeCurve) {
    let ours: Vec<_> = curve.ours.iter().filter(|(_, v, sd)| (v + sd).is_finite()).copied().collect();
    let published: Vec<_> = curve.published.iter().filter(|(_, v)| v.is_finite()).copied().collect();
    let sizes = || ours.iter().map(|p| p.0 as f64).chain(published.iter().map(|p| p.0 as f64));
    let values = ours.iter().map(|p| p.1 + 2.0 * p.2).chain(published.iter().map(|p| p.1));
    let (most, high) = (sizes().fold(1.0, f64::max), values.fold(0.0, f64::max));
    let x = Scale::new(0.0, 1.05 * most, left + 52.0, left + PANEL[0] - 12.0);
    let y = Scale::new(0.0, 1.08 * high, top + PANEL[1] - 42.0, top + 22.0);
    svg.bold((x.from, top + 14.0), Anchor::Start, LABEL, INK, &curve.name);
    let place = |n: usize, v: f64| (x.at(n as f64), y.at(v.max(0.0)));
    let up = ours.iter().map(|&(n, v, sd)| place(n, v + 2.0 * sd));
    let down = ours.iter().rev().map(|&(n, v, sd)| place(n, v - 2.0 * sd));
    svg.area(up.chain(down), PALE);
    if let (Some(&(first, value, _)), true) = (ours.first(), curve.root) {
        let steps = (0..=40).map(|i| first as f64 + (most - first as f64) * f64::from(i) / 40.0);
        let line = steps.map(|n| (x.at(n), y.at(value * (first as f64 / n).sqrt())));
        svg.polyline(line, FAINT, 1.2);
    }
    svg.polyline(published.iter().map(|&(n, v)| place(n, v)), VERMILION, 1.4);
    svg.dots(published.iter().map(|&(n, v)| place(n, v)), VERMILION, 5.0);
    svg.polyline(ours.iter().map(|&(n, v, _)| place(n, v)), BLUE, 1.8);
    svg.dots(ours.iter().map(|&(n, v, _)| place(n, v)), BLUE, 5.0);
    frame(svg, x, y, "items", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_has_its_panel_and_unsound_values_none() {
        let curve = |name: &str| SizeCurve {
            name: name.into(),
            ours: vec![(100, 0.1, 0.01), (400, 0.05, 0.01), (500, f64::NAN, 0.0)],
            published: vec![(100, 0.12), (500, f64::NAN)],
            root: true,
        };
        let svg = size_plot("ricker", &["NRMSE r", "NRMSE sigma", "sd r", "sd sigma"].map(curve));
        assert!(["ricker", "NRMSE sigma", "sd sigma", "published"].iter().all(|t| svg.contains(t)));
        assert!(!svg.contains("NaN") && svg.len() < 30_000, "{}", svg.len());
        for empty in [size_plot("", &[]), size_plot("a", &[SizeCurve::default()])] {
            assert!(empty.contains("<svg") && !empty.contains("NaN"));
        }
    }
}
