//! Reads figures back for the tests: what was drawn, where, in which colour; and a gallery of every figure, usual and unusual.
use plotters::style::RGBColor;

use super::svg::text_width;
use super::theme::FAINT;
use super::{loss_plot, pair_plot, panels, rank_plot, recovery_plot, size_plot};

/// A polyline, dot or outline, in pixels or in shares of the axes.
pub type Mark = Vec<(f64, f64)>;

/// A line of text and the box around it: left, top, right, bottom in pixels.
#[derive(Debug)]
pub struct Text {
    pub text: String,
    pub bounds: [f64; 4],
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(&format!(" {name}=\"")).nth(1)?.split('"').next()
}

fn number(line: &str, name: &str) -> f64 {
    attribute(line, name).map_or(f64::NAN, |v| v.parse().unwrap())
}

/// Width and height.
pub fn size(svg: &str) -> (f64, f64) {
    (number(svg, "width"), number(svg, "height"))
}

/// Every colour named.
pub fn colours(svg: &str) -> Vec<&str> {
    let named = svg.lines().flat_map(|line| [attribute(line, "fill"), attribute(line, "stroke")]);
    named.flatten().filter(|c| *c != "none").collect()
}

/// Marks of one path, in pixels.
fn path(line: &str) -> Vec<Mark> {
    let (mut marks, mut at): (Vec<Mark>, (f64, f64)) = (vec![], (0.0, 0.0));
    let data = attribute(line, "d").unwrap_or("");
    let starts: Vec<usize> = data.char_indices().filter(|(_, c)| c.is_alphabetic()).map(|(i, _)| i).collect();
    for (k, &i) in starts.iter().enumerate() {
        let end = starts.get(k + 1).copied().unwrap_or(data.len());
        let n: Vec<f64> =
            data[i + 1..end].split_whitespace().map(|v| v.parse::<f64>().unwrap() / 10.0).collect();
        at = match &data[i..i + 1] {
            "M" | "L" => (n[0], n[1]),
            "H" => (n[0], at.1),
            "V" => (at.0, n[0]),
            "h" => (at.0 + n[0], at.1),
            "z" => at,
            other => panic!("{other} in a path"),
        };
        match &data[i..i + 1] {
            "M" => marks.push(vec![at]),
            "z" => {}
            _ => marks.last_mut().unwrap().push(at),
        }
    }
    marks
}

/// Everything of a colour, in pixels.
pub fn marks(svg: &str, RGBColor(r, g, b): RGBColor) -> Vec<Mark> {
    let colour = format!("\"#{r:02X}{g:02X}{b:02X}\"");
    svg.lines().filter(|l| l.starts_with("<path") && l.contains(&colour)).flat_map(path).collect()
}

/// Everything of a colour as shares of the (only) chart: 0 at the left and at the bottom of the axes, 1 at their other ends.
pub fn shares(svg: &str, colour: RGBColor) -> Vec<Mark> {
    let axes = marks(svg, FAINT);
    let across =
        axes.iter().find(|m| m.len() == 2 && m[0].1 == m[1].1 && (m[1].0 - m[0].0).abs() > 40.0).unwrap();
    let up =
        axes.iter().find(|m| m.len() == 2 && m[0].0 == m[1].0 && (m[1].1 - m[0].1).abs() > 40.0).unwrap();
    let (x0, x1) = (across[0].0.min(across[1].0), across[0].0.max(across[1].0));
    let (y0, y1) = (up[0].1.max(up[1].1), up[0].1.min(up[1].1));
    let share = |p: (f64, f64)| ((p.0 - x0) / (x1 - x0), (p.1 - y0) / (y1 - y0));
    marks(svg, colour).into_iter().map(|mark| mark.into_iter().map(share).collect()).collect()
}

/// Whether two places agree to 0.5 % of the axes.
pub fn close(a: (f64, f64), b: (f64, f64)) -> bool {
    (a.0 - b.0).abs() < 5e-3 && (a.1 - b.1).abs() < 5e-3
}

/// Every line of text.
pub fn texts(svg: &str) -> Vec<Text> {
    let lines = svg.lines().filter(|line| line.starts_with("<text"));
    lines
        .map(|line| {
            let text = line.split('>').nth(1).unwrap().split('<').next().unwrap();
            let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
            let text = entities.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to));
            let [x, y, size] = ["x", "y", "font-size"].map(|name| number(line, name) / 10.0);
            let width = text_width(&text, size) * if line.contains("font-weight") { 1.1 } else { 1.0 };
            let (start, end) = match attribute(line, "text-anchor") {
                None => (0.0, width),
                Some("middle") => (-width / 2.0, width / 2.0),
                _ => (-width, 0.0),
            };
            let (above, below) = (-0.76 * size, 0.2 * size);
            let bounds = match attribute(line, "transform") {
                None => [x + start, y + above, x + end, y + below],
                Some(turn) => {
                    // rotate(-90 x v): to the right becomes up, below becomes to the right.
                    let at: Vec<f64> = turn[11..turn.len() - 1]
                        .split(' ')
                        .map(|v| v.parse::<f64>().unwrap() / 10.0)
                        .collect();
                    let (u, v) = (at[0], at[1]);
                    [u + y + above - v, v - x - end + u, u + y + below - v, v - x - start + u]
                }
            };
            Text { text, bounds }
        })
        .collect()
}

fn waves(n: usize, dim: usize, scale: f32) -> Vec<f32> {
    (0..n * dim).map(|i| scale * ((i * i) as f32 * 0.37).sin() * (1 + i % dim) as f32).collect()
}

/// Every kind of figure; with usual data, with few, with none, with unsound ones and far from 1.
pub fn gallery() -> Vec<(String, String)> {
    let mut all = vec![];
    let mut add = |name: &str, svg: String| all.push((format!("{name} {}", all.len()), svg));
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300, 1e300, 0.0];
    let odd32 = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN, f32::MAX, 0.0];
    let wave: Vec<f64> = (0..700).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let grid: Vec<f64> = (1..100).map(|i| f64::from(i) / 100.0).collect();
    let long = "a parameter with a long name <&>";
    for (name, scale) in [("a", 1.0f64), (long, 1e-9), ("b", 1e12), ("c", 1e-22)] {
        let near = |by: f64| grid.iter().map(|z| z + by * (z * (1.0 - z)).sqrt()).collect::<Vec<_>>();
        let curve: Vec<f64> = wave[..99].iter().map(|w| 0.3 * scale.min(1.0) * w).collect();
        add("ecdf", panels::ecdf_difference(name, &grid, &near(-0.1), &near(0.1), &curve));
        add("coverage", panels::coverage(name, &grid, 400));
        let many: Vec<f64> = wave.iter().map(|w| 1.0 - w * w).collect();
        let high: Vec<f64> = wave.iter().map(|w| 3.3 * w).collect();
        add("z-contraction", panels::z_contraction(name, &many, &high));
        let values: Vec<f32> = wave.iter().map(|w| (w * scale) as f32).collect();
        add("predictive", panels::predictive(name, &values[..7], &values));
        let far: Vec<f32> = values.iter().map(|v| v.abs()).collect();
        let few: Vec<f64> = wave[..9].iter().map(|w| 2.0 * (w * scale).abs()).collect();
        add("familiarity", panels::familiarity(name, &far, &few, 0.9 * scale));
        add("familiarity of many", panels::familiarity(name, &far, &[&few[..]; 9].concat(), 0.9 * scale));
        add(
            "ranks",
            rank_plot::rank_histogram(name, &(0..1000).map(|i| i * i % 700).collect::<Vec<_>>(), 999),
        );
        let row = |i: usize| {
            [wave[i], 0.9 * wave[i] + 0.05, wave[i] - 0.4, wave[i] + 0.3].map(|v| scale * v + scale)
        };
        add("recovery", recovery_plot::recovery_plot(name, &(0..700).map(row).collect::<Vec<_>>(), 0.9));
        let steps: Vec<u64> = (1..=700).map(|i| i * 1000).collect();
        let loss: Vec<f32> =
            steps.iter().zip(&values).map(|(s, v)| (5e4 * scale) as f32 / *s as f32 + 0.1 * v).collect();
        add("loss", loss_plot::loss_plot(&steps, &loss, Some((&steps[..50], &loss[..50]))));
        let curve = size_plot::SizeCurve {
            name: name.into(),
            ours: vec![
                (100, 0.1 * scale, 0.01 * scale),
                (400, 0.05 * scale, 0.01 * scale),
                (500, f64::NAN, 0.0),
            ],
            published: vec![(100, 0.12 * scale), (500, f64::NAN)],
            root: true,
        };
        add("sizes", size_plot::size_plot(name, &vec![curve; 4]));
        for dim in [1, 2, 3, 7, 12, 14] {
            let draws = waves(3000, dim, scale as f32);
            let names: Vec<String> = (0..dim).map(|d| format!("{name} {d}")).collect();
            let (truth, prior) = (&draws[..dim], waves(900, dim, 2.0 * scale as f32));
            add("pairs", pair_plot::pair_plot(&draws, &names, Some(truth), Some(&prior)));
        }
    }
    for (values, values32) in [(&[][..], &[][..]), (&odd[..], &odd32[..]), (&[0.3; 9][..], &[0.3; 9][..])] {
        add("ecdf", panels::ecdf_difference("", values, values, values, values));
        add("coverage", panels::coverage("", values, 0));
        add("z-contraction", panels::z_contraction("", values, values));
        add("predictive", panels::predictive("", values32, values32));
        add("familiarity", panels::familiarity("", values32, values, f64::NAN));
        add("familiarity", panels::familiarity("", values32, &vec![1e9; 4000], 1.0));
        let ranks: Vec<u32> = values32.iter().map(|v| *v as u32).collect();
        for l in [0, 1, u32::MAX] {
            add("ranks", rank_plot::rank_histogram("", &ranks, l));
        }
        add(
            "recovery",
            recovery_plot::recovery_plot("", &values.iter().map(|v| [*v; 4]).collect::<Vec<_>>(), 0.5),
        );
        let steps: Vec<u64> = (0..values.len() as u64).collect();
        add("loss", loss_plot::loss_plot(&steps, values32, Some((&steps, values32))));
        let ours = values.iter().map(|v| (3, *v, *v)).collect();
        let curve = size_plot::SizeCurve { ours, root: true, ..Default::default() };
        add("sizes", size_plot::size_plot("", &[curve]));
        add("sizes", size_plot::size_plot("", &[]));
        let names = ["a".to_string(), "b".to_string()];
        add("pairs", pair_plot::pair_plot(values32, &names, Some(&[f32::NAN]), Some(values32)));
        add("pairs", pair_plot::pair_plot(&[1.0; 8], &names, Some(&[7.0, 1.0]), None));
        add("pairs", pair_plot::pair_plot(values32, &[], None, None));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_drawn_has_its_dark_one_and_every_dark_one_is_used() {
        let figures = gallery();
        let rules = super::super::theme::dark_rules();
        for (name, svg) in &figures {
            assert!(colours(svg).len() > 1, "{name}");
            for colour in colours(svg) {
                assert!(rules.contains(&format!("svg [fill=\"{colour}\"]{{fill:#")), "{name}: {colour}");
                assert!(rules.contains(&format!("svg [stroke=\"{colour}\"]{{stroke:#")), "{name}: {colour}");
            }
        }
        for (RGBColor(r, g, b), _) in super::super::theme::DARK {
            let colour = format!("\"#{r:02X}{g:02X}{b:02X}\"");
            assert!(figures.iter().any(|(_, svg)| svg.contains(&colour)), "{colour}");
        }
    }

    #[test]
    fn every_figure_is_small_sound_and_named() {
        for (name, svg) in gallery() {
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
            assert!(svg.contains(" role=\"img\"><title>"), "{name}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}: {svg}");
            assert!(
                svg.len() < if name.starts_with("pairs") { 300 * 1024 } else { 40_000 },
                "{name}: {}",
                svg.len()
            );
            let (width, height) = size(&svg);
            for mark in svg.lines().filter(|l| l.starts_with("<path")).flat_map(path).flatten() {
                assert!(
                    (0.0..=width).contains(&mark.0) && (0.0..=height).contains(&mark.1),
                    "{name}: {mark:?}"
                );
            }
        }
    }

    #[test]
    fn texts_stay_in_the_figure_and_off_each_other() {
        for (name, svg) in gallery() {
            let (width, height) = size(&svg);
            let texts = texts(&svg);
            assert!(!texts.is_empty(), "{name}");
            for (i, a) in texts.iter().enumerate() {
                let [left, top, right, bottom] = a.bounds;
                let inside = left >= -1.0 && top >= 0.0 && right <= width + 1.0 && bottom <= height;
                assert!(inside, "{name}: {a:?} leaves {width} x {height}");
                for b in &texts[..i] {
                    let apart = a.bounds[0].max(b.bounds[0]) + 1.0 > a.bounds[2].min(b.bounds[2])
                        || a.bounds[1].max(b.bounds[1]) + 0.5 > a.bounds[3].min(b.bounds[3]);
                    assert!(apart, "{name}: {a:?} touches {b:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_data_give_the_same_text() {
        assert!(gallery() == gallery());
    }
}
