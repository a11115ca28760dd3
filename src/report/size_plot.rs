//! What larger data sets bring: numbers against the size of the data, one small panel each.
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::chart::{Frame, band, bold, dots, legend};
use super::svg::{Area, Drawn, figure, px};
use super::theme::{BLUE, FAINT, PALE, VERMILION};

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
    let columns = curves.len().clamp(2, COLUMNS);
    figure(PANEL[0] * columns as f64, HEAD + PANEL[1] * rows as f64, title, |area| {
        let (head, rest) = area.split_vertically(px(HEAD));
        bold(&head, (14.0, 15.0), HPos::Left, title)?;
        let entries = [(BLUE, "ours, ± 2 sd"), (VERMILION, "published"), (FAINT, "1/sqrt(N)")];
        legend(&head, (19.0, 34.0), true, &entries)?;
        curves
            .iter()
            .zip(rest.split_evenly((rows, columns)))
            .try_for_each(|(curve, area)| panel(&area, curve))
    })
}

fn panel(area: &Area, curve: &SizeCurve) -> Drawn {
    let ours: Vec<_> = curve.ours.iter().filter(|(_, v, sd)| (v + sd).is_finite()).collect();
    let ours: Vec<_> = ours.into_iter().map(|&(n, v, sd)| (n as f64, v, sd)).collect();
    let published = curve.published.iter().filter(|(_, v)| v.is_finite());
    let published: Vec<_> = published.map(|&(n, v)| (n as f64, v)).collect();
    let sizes = ours.iter().map(|p| p.0).chain(published.iter().map(|p| p.0));
    let values = ours.iter().map(|p| p.1 + 2.0 * p.2).chain(published.iter().map(|p| p.1));
    let (most, high) = (sizes.fold(1.0, f64::max), values.fold(0.0, f64::max));
    let frame = Frame::new(Axis::new(0.0, 1.05 * most), Axis::new(0.0, 1.08 * high), ["items", ""]);
    let mut chart = frame.headed(area, &curve.name, "")?;
    let around: Vec<_> = ours.iter().map(|(n, v, sd)| (*n, (v - 2.0 * sd).max(0.0), v + 2.0 * sd)).collect();
    band(&mut chart, &around, PALE)?;
    if let (Some(&(first, value, _)), true) = (ours.first(), curve.root) {
        let steps = (0..=40).map(|i| first + (most - first) * f64::from(i) / 40.0);
        let fall = steps.map(|n| (n, value * (first / n).sqrt()));
        chart.draw_series(LineSeries::new(fall, FAINT.stroke_width(12)))?;
    }
    chart.draw_series(LineSeries::new(published.iter().copied(), VERMILION.stroke_width(14)))?;
    dots(&mut chart, published, VERMILION, 25)?;
    chart.draw_series(LineSeries::new(ours.iter().map(|p| (p.0, p.1)), BLUE.stroke_width(18)))?;
    dots(&mut chart, ours.iter().map(|p| (p.0, p.1)), BLUE, 25)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawn::{marks, shares, texts};

    #[test]
    fn every_curve_has_its_panel_and_unsound_values_none() {
        let curve = |name: &str| SizeCurve {
            name: name.into(),
            ours: vec![(100, 0.1, 0.01), (400, 0.05, 0.01), (500, f64::NAN, 0.0)],
            published: vec![(100, 0.12), (500, f64::NAN)],
            root: true,
        };
        let svg = size_plot("ricker", &["NRMSE r", "NRMSE sigma", "sd r", "sd sigma"].map(curve));
        assert!(["ricker", "published"].iter().all(|t| svg.contains(t)));
        let place = |name: &str| texts(&svg).into_iter().find(|t| t.text == name).unwrap().bounds;
        assert!(place("NRMSE r")[2] < place("NRMSE sigma")[0] && place("NRMSE sigma")[2] < place("sd r")[0]);
        assert!(place("NRMSE r")[3] < place("sd sigma")[1] && place("sd sigma")[0] == place("NRMSE r")[0]);
        // Two values each, a line between them, and the dot of the legend.
        assert_eq!(marks(&svg, BLUE).len(), 4 * 3 + 1);
    }

    #[test]
    fn values_are_where_they_should_be() {
        let ours = vec![(100, 0.1, 0.01), (400, 0.05, 0.01)];
        let curve = SizeCurve { name: "a".into(), ours, published: vec![(200, 0.08)], root: true };
        let svg = size_plot("b", &[curve]);
        let at = |n: f64, v: f64| (n / 420.0, v / (1.08 * 0.12));
        let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 0.01 && (a.1 - b.1).abs() < 0.01;
        let (line, band, root) = (shares(&svg, BLUE), shares(&svg, PALE), shares(&svg, FAINT));
        assert!(
            line.iter().any(|m| m.len() == 2 && near(m[0], at(100.0, 0.1)) && near(m[1], at(400.0, 0.05)))
        );
        assert!(near(band[0][0], at(100.0, 0.12)) && near(band[0][2], at(400.0, 0.03)), "{band:?}");
        assert!(
            root.iter().any(|m| m.len() > 30 && near(m[0], at(100.0, 0.1)) && near(m[40], at(400.0, 0.05)))
        );
        assert!(shares(&svg, VERMILION).iter().any(|m| near(m[0], at(200.0, 0.08))));
    }
}
