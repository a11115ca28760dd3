//! Small panels of a check, one figure each, so that a page can wrap them on a phone.
use super::axis::{Scale, frame};
use super::svg::{Anchor, BLUE, FAINT, INK, LABEL, PALE, Svg, TICK, TITLE, VERMILION, fit};

/// Size of a panel in pixels.
const WIDTH: f64 = 350.0;
const HEIGHT: f64 = 260.0;
const BAND: &str = "#E3E6E9";
const RULE: &str = "#4A5056";
/// Dots of a scatter: more would be a blot.
const MAX_DOTS: usize = 500;

/// A panel with a bold heading, a note at its right, and the pixels of its axes: x from-to, y from-to.
fn panel(title: &str, heading: &str, note: &str) -> (Svg, [f64; 4]) {
    let mut svg = Svg::new(WIDTH, HEIGHT, title);
    svg.bold((50.0, 17.0), Anchor::Start, TITLE, INK, &fit(heading, TITLE, 150.0));
    svg.text((WIDTH - 12.0, 17.0), Anchor::End, TICK, FAINT, &note.replace('-', "−").replace("NaN", "?"));
    (svg, [50.0, WIDTH - 12.0, HEIGHT - 38.0, 26.0])
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
    let (mut svg, [x0, x1, y0, y1]) = panel("ECDF difference", name, note);
    let bounds = || points.iter().zip(lower.iter().zip(upper));
    let most = bounds().flat_map(|(z, (l, u))| [z - l, u - z]).chain(difference.iter().map(|d| d.abs()));
    let most = most.fold(0.02, f64::max) * 1.1;
    let (x, y) = (Scale::new(0.0, 1.0, x0, x1), Scale::new(-most, most, y0, y1));
    let top = bounds().map(|(z, (_, u))| (x.at(*z), y.at(u - z)));
    let bottom = bounds().rev().map(|(z, (l, _))| (x.at(*z), y.at(l - z)));
    let ends = |at: f64| [(x.at(at), y.at(0.0))];
    svg.area(ends(0.0).into_iter().chain(top).chain(ends(1.0)).chain(bottom), BAND);
    svg.line((x0, y.at(0.0)), (x1, y.at(0.0)), RULE, 0.7, "4 3");
    let path = points.iter().zip(difference).map(|(z, d)| (x.at(*z), y.at(*d)));
    let colour = if outside { VERMILION } else { BLUE };
    svg.polyline(ends(0.0).into_iter().chain(path).chain(ends(1.0)), colour, 1.8);
    frame(&mut svg, x, y, "rank of the true value, as a share", "ECDF − uniform");
    svg.finish()
}

/// Observed against nominal coverage of the central intervals of 1..=100 %, over `sets` data sets.
pub fn coverage(name: &str, covered: &[f64], sets: usize) -> String {
    let at90 = covered.get(89).filter(|share| share.is_finite());
    let note = at90.map_or(String::new(), |share| format!("90 % intervals hold {:.0} %", 100.0 * share));
    let (mut svg, [x0, x1, y0, y1]) = panel("Coverage", name, &note);
    let (x, y) = (Scale::new(0.0, 1.0, x0, x1), Scale::new(0.0, 1.0, y0, y1));
    let half = |a: f64| 2.576 * (a * (1.0 - a) / sets.max(1) as f64).sqrt();
    let levels = || (0..=100).map(|i| f64::from(i) / 100.0);
    let up = levels().map(|a| (x.at(a), y.at((a + half(a)).min(1.0))));
    let down = levels().rev().map(|a| (x.at(a), y.at((a - half(a)).max(0.0))));
    svg.area(up.chain(down), BAND);
    svg.line((x0, y0), (x1, y1), RULE, 0.7, "4 3");
    let path = covered.iter().enumerate().map(|(i, c)| (x.at((i + 1) as f64 / 100.0), y.at(*c)));
    svg.polyline(path, BLUE, 1.8);
    frame(&mut svg, x, y, "nominal level of the interval", "share of truths inside");
    svg.finish()
}

/// z-scores against contraction, a dot for each data set.
pub fn z_contraction(name: &str, contraction: &[f64], z: &[f64]) -> String {
    let finite = |v: &[f64]| v.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>();
    let mean = |v: Vec<f64>| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let note = format!("mean contraction {:.2}, mean z {:.2}", mean(finite(contraction)), mean(finite(z)));
    let (mut svg, [x0, x1, y0, y1]) = panel("z-score against contraction", name, &note);
    let low = finite(contraction).into_iter().fold(0.0, f64::min).max(-1.0);
    let (x, y) = (Scale::new(low, 1.0, x0, x1), Scale::new(-4.0, 4.0, y0, y1));
    svg.rect(x0, y.at(2.0), x1 - x0, y.at(-2.0) - y.at(2.0), BAND);
    svg.line((x0, y.at(0.0)), (x1, y.at(0.0)), RULE, 0.7, "4 3");
    let every = z.len().div_ceil(MAX_DOTS).max(1);
    let dots: Vec<(f64, f64)> = contraction
        .iter()
        .zip(z)
        .step_by(every)
        .filter(|(c, z)| c.is_finite() && !z.is_nan())
        .map(|(c, z)| (*c, z.clamp(-4.0, 4.0)))
        .collect();
    for (colour, inside) in [(BLUE, true), (VERMILION, false)] {
        let chosen = dots.iter().filter(|(_, z)| (z.abs() <= 3.0) == inside);
        svg.dots(chosen.map(|(c, z)| (x.at(*c), y.at(*z))), colour, 3.0);
    }
    frame(&mut svg, x, y, "contraction: 0 learned nothing, 1 all", "z-score");
    svg.finish()
}

/// Values or statistics of data `(C)` against those of data simulated from the posterior `(m, C)`: medians, 50 and 90 % intervals, in sds about the
/// median. At most 40 values, evenly spaced where there are more.
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
        rows.push((j, [0.05, 0.25, 0.75, 0.95].map(|l| unit(at(l))), unit(f64::from(observed[j]))));
    }
    let missed = rows.iter().filter(|(_, e, v)| !(e[0] <= *v && *v <= e[3])).count();
    let note = format!("{missed} of {shown} values outside 90 %");
    let (mut svg, [x0, x1, y0, y1]) = panel("Posterior predictive check", name, &note);
    let x = Scale::new(0.4, width.max(1) as f64 + 0.6, x0, x1);
    let y = Scale::new(-4.0, 4.0, y0, y1);
    let thick = ((x1 - x0) / shown.max(1) as f64 * 0.6).clamp(2.0, 22.0);
    let bar = |svg: &mut Svg, ends: [usize; 2], colour: &str| {
        let bars = rows.iter().filter(|(_, e, _)| e.iter().all(|v| v.is_finite()));
        let clamp = |v: f64| y.at(v.clamp(-4.0, 4.0));
        svg.bars(
            bars.map(|(j, e, _)| (x.at(*j as f64 + 1.0), clamp(e[ends[0]]), clamp(e[ends[1]]))),
            colour,
            thick,
        );
    };
    bar(&mut svg, [0, 3], PALE);
    bar(&mut svg, [1, 2], "#6FAED6");
    for (colour, inside) in [(INK, true), (VERMILION, false)] {
        let chosen = rows.iter().filter(|(_, e, v)| (e[0] <= *v && *v <= e[3]) == inside && !v.is_nan());
        svg.dots(chosen.map(|(j, _, v)| (x.at(*j as f64 + 1.0), y.at(v.clamp(-4.0, 4.0)))), colour, 5.0);
    }
    frame(&mut svg, x, y, "value, or statistic of the items", "sds of the replicates");
    svg.finish()
}

/// Distances of simulated data sets as a histogram, those of other data sets as marks; the line is the 1 % point.
pub fn familiarity(name: &str, null: &[f32], others: &[f64], limit: f64) -> String {
    let beyond = others.iter().filter(|v| !(**v <= limit)).count();
    let note = format!("{beyond} of {} beyond the line", others.len());
    let (mut svg, [x0, x1, y0, y1]) = panel("Distance from the simulated data", name, &note);
    let largest = null.iter().map(|v| f64::from(*v)).fold(limit, f64::max);
    let reach = others.iter().copied().filter(|v| v.is_finite()).fold(largest, f64::max);
    // One data set may be a thousand times farther: it is drawn at the edge.
    let x = Scale::new(0.0, reach.min(3.0 * largest) * 1.03, x0, x1);
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
    let others_are_many = others.len() > 30;
    let theirs = heights(&mut others.iter().copied());
    let shown: &[f64] = if others_are_many { &theirs } else { &[] };
    let most = own.iter().chain(shown).copied().fold(1e-9, f64::max) * 1.08;
    let y = Scale::new(0.0, most, y0, y1);
    let stairs = |bins: &[f64]| {
        let edge = |b: usize| x0 + (x1 - x0) * b as f64 / BINS as f64;
        let steps = bins.iter().enumerate().flat_map(|(b, h)| [(edge(b), y.at(*h)), (edge(b + 1), y.at(*h))]);
        [(x0, y0)].into_iter().chain(steps).chain([(x1, y0)]).collect::<Vec<_>>()
    };
    svg.area(stairs(&own), BAND);
    if others_are_many {
        svg.polyline(stairs(&theirs), BLUE, 1.6);
    } else {
        for (colour, inside) in [(BLUE, true), (VERMILION, false)] {
            let chosen = others.iter().filter(|v| (**v <= limit) == inside);
            svg.bars(chosen.map(|v| (x.at(v.min(x.hi)), y0, y0 - 0.35 * (y0 - y1))), colour, 2.0);
        }
    }
    svg.line((x.at(limit), y0), (x.at(limit), y1), VERMILION, 1.2, "4 3");
    frame(&mut svg, x, y, "Mahalanobis distance of the summary", "share of data sets");
    svg.text((x1, y1 + 12.0), Anchor::End, LABEL - 1.5, FAINT, "grey: simulated for training");
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::ecdf::EcdfBand;

    #[test]
    fn a_path_that_leaves_the_band_is_marked() {
        let band = EcdfBand::new(100, 101, 0.05).unwrap();
        let draw = |ranks: &[u32]| {
            let test = band.test(ranks);
            let svg = ecdf_difference("a<b", &band.points, &band.lower, &band.upper, &test.difference);
            assert_eq!(svg.contains("leaves the band"), !test.inside());
            svg
        };
        assert!(draw(&(0..100).collect::<Vec<_>>()).contains("a&lt;b"));
        assert!(draw(&[0; 100]).contains(VERMILION));
        assert!(draw(&(0..100).map(|i| i / 2).collect::<Vec<_>>()).contains("leaves"));
    }

    #[test]
    fn numbers_in_the_notes_are_right() {
        let covered: Vec<f64> = (1..=100).map(|i| f64::from(i) / 200.0).collect();
        assert!(coverage("a", &covered, 300).contains("90 % intervals hold 45 %"));
        let svg = z_contraction("a", &[0.5, 0.7], &[-1.0, f64::INFINITY]);
        assert!(svg.contains("mean contraction 0.60, mean z −1.00"), "{svg}");
        let replicates: Vec<f32> = (0..200).flat_map(|i| [i as f32, 5.0]).collect();
        assert!(predictive("a", &[100.0, 9.0], &replicates).contains("1 of 2 values outside"));
        assert!(familiarity("a", &[1.0, 2.0], &[1.0, 3.5], 2.0).contains("1 of 2 beyond"));
    }

    #[test]
    fn any_input_gives_a_small_figure() {
        let odd = [f64::NAN, f64::INFINITY, -1e300, 0.0];
        let odd32 = [f32::NAN, f32::INFINITY, f32::MIN, 0.0];
        for svg in [
            ecdf_difference("", &[], &[], &[], &[]),
            ecdf_difference("", &odd, &odd, &odd, &odd),
            coverage("", &odd, 0),
            coverage("", &[], 9),
            z_contraction("", &odd, &odd),
            z_contraction("", &vec![0.3; 9000], &vec![0.1; 9000]),
            predictive("", &odd32, &odd32),
            predictive("", &[], &[]),
            predictive("", &[0.0; 500], &[0.0; 5000]),
            familiarity("", &odd32, &odd, f64::NAN),
            familiarity("", &[], &vec![1e9; 4000], 1.0),
        ] {
            assert!(svg.ends_with("</svg>\n") && svg.len() < 40_000 && !svg.contains("NaN"), "{svg}");
        }
    }
}
