//! Small panels of a check, one figure each, so that a page can wrap them on a phone.
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::chart::{Chart, Frame, HEIGHT, LABEL, MARGIN, WIDTH, band, dashed, dots, outline, write};
use super::svg::{Drawn, figure};
use super::theme::{BAND, BLUE, FAINT, INK, PALE, RULE, SHADES, VERMILION};

/// Dots of a scatter: more would be a blot.
const MAX_DOTS: usize = 500;

/// A panel whose axes are there; `draw` adds the series.
fn panel(
    title: &str,
    heading: &str,
    note: &str,
    frame: Frame<'_>,
    draw: impl FnOnce(&mut Chart) -> Drawn,
) -> String {
    figure(WIDTH, HEIGHT, title, |area| draw(&mut frame.headed(area, heading, note)?))
}

/// ECDF of ranks minus the uniform one, over the band that right ranks stay in; all at `points` in (0, 1).
pub fn ecdf_difference(
    name: &str,
    points: &[f64],
    lower: &[f64],
    upper: &[f64],
    difference: &[f64],
) -> String {
    let out = |(d, ((l, u), z)): (&f64, ((&f64, &f64), &f64))| {
        // A bound at 0 or 1 can be reached by right ranks.
        !(*d + 1e-9 >= l - z || *l <= 0.0) || !(*d - 1e-9 <= u - z || *u >= 1.0)
    };
    let outside = difference.iter().zip(lower.iter().zip(upper).zip(points)).any(out);
    let note = if outside { "leaves the band" } else { "inside the band" };
    let bounds = points.iter().zip(lower.iter().zip(upper)).map(|(z, (l, u))| (*z, l - z, u - z));
    let ends = |at: f64| std::iter::once((at, 0.0, 0.0));
    let bounds: Vec<_> = ends(0.0).chain(bounds).chain(ends(1.0)).collect();
    let most = bounds.iter().flat_map(|b| [-b.1, b.2]).chain(difference.iter().map(|d| d.abs()));
    let most = most.fold(0.02, f64::max) * 1.1;
    let names = ["rank of the true value, as a share", "ECDF − uniform"];
    let frame = Frame::new(Axis::new(0.0, 1.0), Axis::new(-most, most), names);
    panel("ECDF difference", name, note, frame, |chart| {
        band(chart, &bounds, BAND)?;
        dashed(chart, [(0.0, 0.0), (1.0, 0.0)], RULE, 7)?;
        let path = points.iter().copied().zip(difference.iter().copied());
        let path = [(0.0, 0.0)].into_iter().chain(path).chain([(1.0, 0.0)]);
        let colour = if outside { VERMILION } else { BLUE };
        chart.draw_series(LineSeries::new(path, colour.stroke_width(18))).map(drop)
    })
}

/// Observed against nominal coverage of the central intervals of 1..=100 %, over `sets` data sets.
pub fn coverage(name: &str, covered: &[f64], sets: usize) -> String {
    let at90 = covered.get(89).filter(|share| share.is_finite());
    let note = at90.map_or(String::new(), |share| format!("90 % intervals hold {:.0} %", 100.0 * share));
    let half = |a: f64| 2.576 * (a * (1.0 - a) / sets.max(1) as f64).sqrt();
    let levels = (0..=100).map(|i| f64::from(i) / 100.0);
    let around: Vec<_> = levels.map(|a| (a, (a - half(a)).max(0.0), (a + half(a)).min(1.0))).collect();
    let unit = Axis::new(0.0, 1.0);
    let frame = Frame::new(unit, unit, ["nominal level of the interval", "share of truths inside"]);
    panel("Coverage", name, &note, frame, |chart| {
        band(chart, &around, BAND)?;
        dashed(chart, [(0.0, 0.0), (1.0, 1.0)], RULE, 7)?;
        let path = covered.iter().enumerate().map(|(i, c)| ((i + 1) as f64 / 100.0, *c));
        chart.draw_series(LineSeries::new(path, BLUE.stroke_width(18))).map(drop)
    })
}

/// z-scores against contraction, a dot for each data set; what leaves the axes is at their edge.
pub fn z_contraction(name: &str, contraction: &[f64], z: &[f64]) -> String {
    let finite = |v: &[f64]| v.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>();
    let mean = |v: Vec<f64>| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let note = format!("mean contraction {:.2}, mean z {:.2}", mean(finite(contraction)), mean(finite(z)));
    let low = finite(contraction).into_iter().fold(0.0, f64::min).max(-1.0);
    let every = z.len().div_ceil(MAX_DOTS).max(1);
    let pairs = contraction.iter().copied().zip(z.iter().copied()).step_by(every);
    let pairs: Vec<(f64, f64)> = pairs.filter(|(c, z)| c.is_finite() && !z.is_nan()).collect();
    let names = ["contraction: 0 learned nothing, 1 all", "z-score"];
    let frame = Frame::new(Axis::new(low, 1.0), Axis::new(-4.0, 4.0), names);
    panel("z-score against contraction", name, &note, frame, |chart| {
        band(chart, &[(low, -2.0, 2.0), (1.0, -2.0, 2.0)], BAND)?;
        dashed(chart, [(low, 0.0), (1.0, 0.0)], RULE, 7)?;
        for (colour, inside) in [(BLUE, true), (VERMILION, false)] {
            dots(chart, pairs.iter().filter(|(_, z)| (z.abs() <= 3.0) == inside).copied(), colour, 15)?;
        }
        Ok(())
    })
}

/// Values or statistics of data `(C)` against those of data simulated from the posterior `(m, C)`: medians, 50 and 90 % intervals, in sds about the
/// median. At most 40 values, evenly spaced where there are more; what leaves the axis is at its edge.
pub fn predictive(name: &str, observed: &[f32], replicates: &[f32]) -> String {
    let width = observed.len();
    let shown = width.min(40);
    let mut rows = vec![];
    for i in 0..shown {
        let j = i * width / shown;
        let mut column: Vec<f32> =
            replicates.iter().skip(j).step_by(width).copied().filter(|v| v.is_finite()).collect();
        column.sort_unstable_by(f32::total_cmp);
        let at = |level| crate::diag::quantile::quantile(&column, level);
        let values: Vec<f64> = column.iter().map(|v| f64::from(*v)).collect();
        let (_, sd) = crate::diag::contraction::mean_sd(&values);
        let unit = |v: f64| if v == at(0.5) { 0.0 } else { (v - at(0.5)) / sd.max(1e-30) };
        rows.push((
            (j + 1) as f64,
            [0.05, 0.25, 0.75, 0.95].map(|l| unit(at(l))),
            unit(f64::from(observed[j])),
        ));
    }
    let holds = |e: &[f64; 4], v: f64| e[0] <= v && v <= e[3];
    let missed = rows.iter().filter(|(_, e, v)| !holds(e, *v)).count();
    let note = format!("{missed} of {shown} outside 90 %");
    let names = ["value, or statistic of the items", "sds of the replicates"];
    let x = Axis::new(0.4, width.max(1) as f64 + 0.6).whole();
    let frame = Frame::new(x, Axis::new(-4.0, 4.0), names);
    panel("Posterior predictive check", name, &note, frame, |chart| {
        let thick = (6.0 * (WIDTH - 70.0) / shown.max(1) as f64).clamp(20.0, 220.0) as u32;
        for (colour, [low, high]) in [(PALE, [0, 3]), (SHADES[1], [1, 2])] {
            let sound = rows.iter().filter(|(_, e, _)| e.iter().all(|v| v.is_finite()));
            chart.draw_series(sound.map(|(j, e, _)| {
                PathElement::new([(*j, e[low]), (*j, e[high])], colour.stroke_width(thick))
            }))?;
        }
        for (colour, inside) in [(INK, true), (VERMILION, false)] {
            let chosen = rows.iter().filter(|(_, e, v)| holds(e, *v) == inside && !v.is_nan());
            dots(chart, chosen.map(|(j, _, v)| (*j, *v)), colour, 25)?;
        }
        Ok(())
    })
}

/// Distances of simulated data sets as a histogram, those of other data sets as another, or as marks if there are few; the line is
/// the 1 % point.
pub fn familiarity(name: &str, null: &[f32], others: &[f64], limit: f64) -> String {
    let beyond = others.iter().filter(|v| !(**v <= limit)).count();
    let note = format!("{beyond} of {} beyond the line", others.len());
    let largest = null.iter().map(|v| f64::from(*v)).fold(limit, f64::max);
    let reach = others.iter().copied().filter(|v| v.is_finite()).fold(largest, f64::max);
    // One data set may be a thousand times farther: it is drawn at the edge.
    let x = Axis::new(0.0, reach.min(3.0 * largest) * 1.03);
    const BINS: usize = 40;
    let heights = |values: &mut dyn Iterator<Item = f64>| {
        let (mut bins, mut n) = (vec![0.0; BINS], 0.0);
        for v in values.filter(|v| v.is_finite()) {
            bins[((v / x.hi * BINS as f64) as usize).min(BINS - 1)] += 1.0;
            n += 1.0;
        }
        bins.iter_mut().for_each(|b| *b /= f64::max(n, 1.0));
        bins
    };
    let own = heights(&mut null.iter().map(|v| f64::from(*v)));
    let many = others.len() > 30;
    let theirs = if many { heights(&mut others.iter().copied()) } else { vec![] };
    let most = own.iter().chain(&theirs).copied().fold(1e-9, f64::max);
    let names = ["Mahalanobis distance of the summary", "share of data sets"];
    let frame = Frame { top: 44.0, ..Frame::new(x, Axis::new(0.0, 1.08 * most), names) };
    figure(WIDTH, HEIGHT, "Distance from the simulated data", |area| {
        let mut chart = frame.headed(area, name, &note)?;
        write(area, (MARGIN, 30.0), HPos::Left, (LABEL, FAINT), "grey: simulated for training")?;
        chart.draw_series([Polygon::new(outline(x, &own), BAND)])?;
        chart.draw_series(LineSeries::new(outline(x, &theirs), BLUE.stroke_width(16)))?;
        for (colour, inside) in [(BLUE, true), (VERMILION, false)] {
            let few = others.iter().filter(|v| !many && !v.is_nan() && (**v <= limit) == inside);
            chart.draw_series(
                few.map(|v| PathElement::new([(*v, 0.0), (*v, 0.35 * most)], colour.stroke_width(20))),
            )?;
        }
        dashed(&mut chart, [(limit, 0.0), (limit, 1.08 * most)], VERMILION, 12)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::ecdf::EcdfBand;
    use crate::report::drawn::{close, shares};

    #[test]
    fn a_path_that_leaves_the_band_is_marked() {
        let band = EcdfBand::new(100, 101, 0.05).unwrap();
        let draw = |ranks: &[u32]| {
            let test = band.test(ranks);
            let svg = ecdf_difference("a<b", &band.points, &band.lower, &band.upper, &test.difference);
            assert_eq!(svg.contains("leaves the band"), !test.inside());
            assert_eq!(shares(&svg, VERMILION).len(), usize::from(!test.inside()));
            svg
        };
        assert!(draw(&(0..100).collect::<Vec<_>>()).contains("a&lt;b"));
        assert!(draw(&(0..100).map(|i| i / 2).collect::<Vec<_>>()).contains("leaves"));
        // All ranks 0: the path rises at once to nearly 1 and comes down to 0, above the rule all the way.
        let low = &shares(&draw(&[0; 100]), VERMILION)[0];
        assert!(close(low[0], (0.0, 0.5)) && close(low[low.len() - 1], (1.0, 0.5)));
        assert!(low[1].0 < 0.05 && low[1].1 > 0.9 && low.iter().all(|p| p.1 > 0.499));
    }

    #[test]
    fn the_band_and_the_curve_are_where_the_numbers_say() {
        // Lower bound z - 0.1, upper bound z + 0.2: the axis reaches 0.22 up and down.
        let z: Vec<f64> = (1..10).map(|i| f64::from(i) / 10.0).collect();
        let moved = |by: f64| z.iter().map(|v| v + by).collect::<Vec<_>>();
        let difference: Vec<f64> = z.iter().map(|v| 0.1 * v).collect();
        let svg = ecdf_difference("a", &z, &moved(-0.1), &moved(0.2), &difference);
        let (band, curve) = (&shares(&svg, BAND)[0], &shares(&svg, BLUE)[0]);
        let up = |v: f64| 0.5 + 0.5 * v / 0.22;
        assert_eq!((band.len(), curve.len()), (22, 11));
        assert!(close(band[3], (0.3, up(0.2))) && close(band[22 - 4], (0.3, up(-0.1))), "{band:?}");
        assert!(close(curve[8], (0.8, up(0.08))), "{curve:?}");
    }

    #[test]
    fn coverage_below_the_nominal_one_is_below_the_diagonal() {
        let covered: Vec<f64> = (1..=100).map(|i| (f64::from(i) / 100.0).powi(2)).collect();
        let svg = coverage("a", &covered, 300);
        assert!(svg.contains("90 % intervals hold 81 %"));
        assert!(close(shares(&svg, BLUE)[0][49], (0.5, 0.25)));
        let rule = shares(&svg, RULE);
        assert!(close(rule[0][0], (0.0, 0.0)) && rule.len() > 20);
        assert!(rule.iter().flatten().all(|p| (p.0 - p.1).abs() < 0.01));
        // 2.576 sd of a share of 300 at 0.5.
        let band = &shares(&svg, BAND)[0];
        assert!(close(band[50], (0.5, 0.5744)) && close(band[202 - 51], (0.5, 0.4256)), "{band:?}");
    }

    #[test]
    fn scores_are_over_their_contraction_and_wild_ones_at_the_edge() {
        let svg = z_contraction("a", &[0.5, 0.75, f64::NAN], &[-1.0, f64::INFINITY, 1.0]);
        assert!(svg.contains("mean contraction 0.62, mean z 0.00"), "{svg}");
        assert!(close(shares(&svg, BLUE)[0][0], (0.5, 3.0 / 8.0)) && shares(&svg, BLUE).len() == 1);
        assert!(close(shares(&svg, VERMILION)[0][0], (0.75, 1.0)) && shares(&svg, VERMILION).len() == 1);
        let stripe = &shares(&svg, BAND)[0];
        assert!(close(stripe[0], (0.0, 0.75)) && close(stripe[2], (1.0, 0.25)), "{stripe:?}");
    }

    #[test]
    fn intervals_stand_over_their_value() {
        let replicates: Vec<f32> = (0..=200).flat_map(|i| [i as f32, 5.0]).collect();
        let svg = predictive("a", &[100.0, 9.0], &replicates);
        assert!(svg.contains("1 of 2 outside 90 %"));
        let (wide, narrow) = (shares(&svg, PALE), shares(&svg, SHADES[1]));
        let x = |j: f64| (j - 0.4) / 2.2;
        // Uniform on 0..200: 90 and 50 % in sds of 200 / sqrt(12).
        let up = |level: f64| 0.5 + (level - 0.5) * 12f64.sqrt() / 8.0;
        assert!(close(wide[0][0], (x(1.0), up(0.05))) && close(wide[0][1], (x(1.0), up(0.95))), "{wide:?}");
        assert!(close(narrow[0][0], (x(1.0), up(0.25))) && close(narrow[0][1], (x(1.0), up(0.75))));
        assert!(close(shares(&svg, INK)[0][0], (x(1.0), 0.5)));
        assert!(close(shares(&svg, VERMILION)[0][0], (x(2.0), 1.0)));
    }

    #[test]
    fn distances_are_marks_or_a_second_histogram() {
        let null: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        let few = familiarity("a", &null, &[0.25, 1.5], 0.9);
        assert!(few.contains("1 of 2 beyond the line") && few.contains("grey: simulated"));
        let x = |v: f64| v / (1.5 * 1.03);
        let (inside, beyond) = (shares(&few, BLUE), shares(&few, VERMILION));
        assert!((inside[0][0].0 - x(0.25)).abs() < 5e-3 && (beyond[0][0].0 - x(1.5)).abs() < 5e-3);
        // Dashes of the line at the limit, from bottom to top.
        assert!(beyond[1..].iter().flatten().all(|p| (p.0 - x(0.9)).abs() < 5e-3) && beyond.len() > 10);
        let histogram = &shares(&few, BAND)[0];
        assert!(histogram.iter().all(|p| p.0 < x(1.05) || p.1 < 5e-3) && histogram.iter().any(|p| p.1 > 0.9));
        let many = familiarity("a", &null, &[0.5; 40], 0.9);
        let peak = shares(&many, BLUE)[0].iter().fold((0.0, 0.0), |a, p| if p.1 > a.1 { *p } else { a });
        assert!((peak.0 - 0.5).abs() < 0.03 && (peak.1 - 1.0 / 1.08).abs() < 5e-3, "{peak:?}");
    }
}
