//! Ranges, round ticks and the frame of a panel.
use super::svg::{Anchor, FAINT, LABEL, Svg, TICK};

/// A linear scale from values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Least value shown.
    pub lo: f64,
    /// Greatest value shown, above `lo`.
    pub hi: f64,
    /// Pixel of `lo`.
    pub from: f64,
    /// Pixel of `hi`.
    pub to: f64,
}

impl Scale {
    /// A scale over the finite range [lo, hi]; an empty or unsound range is widened.
    pub fn new(lo: f64, hi: f64, from: f64, to: f64) -> Self {
        let (lo, hi) = if lo.is_finite() && hi.is_finite() && lo <= hi { (lo, hi) } else { (0.0, 1.0) };
        // Room for ticks even where all values agree.
        let least = (lo.abs().max(hi.abs()) * 1e-6).max(1e-30);
        let (lo, hi) = if hi - lo > least {
            (lo, hi)
        } else {
            let half = (lo.abs() * 0.05).max(if lo == 0.0 { 0.5 } else { 1e-30 });
            (lo - half, hi + half)
        };
        Self { lo, hi, from, to }
    }

    /// The pixel of `v`.
    pub fn at(&self, v: f64) -> f64 {
        self.from + (v - self.lo) / (self.hi - self.lo) * (self.to - self.from)
    }

    /// True if `v` is in the range.
    pub fn holds(&self, v: f64) -> bool {
        (self.lo..=self.hi).contains(&v)
    }

    /// The same range on other pixels.
    pub fn over(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// Round values in the range with their labels: about `count`, and at least two.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let mut rough = (self.hi - self.lo) / count.max(1) as f64;
        let mut found = Vec::new();
        // Each round allows a finer step; the third gives two ticks in any range.
        for _ in 0..4 {
            let power = 10f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.8);
            let step = step.unwrap_or(10.0 * power);
            let first = (self.lo / step - 1e-9).ceil();
            found = (0..3 * count as u32 + 6)
                .map(|i| (first + f64::from(i)) * step)
                .take_while(|v| *v <= self.hi + step * 1e-9)
                .map(|v| (v, label(v, step, self.lo.abs().max(self.hi.abs()))))
                .collect();
            if found.len() >= 2 {
                break;
            }
            rough *= 0.5;
        }
        found
    }
}

/// A tick label: as many decimals as the step needs; k and M for thousands; powers of ten for the rest.
fn label(v: f64, step: f64, largest: f64) -> String {
    let v = if v.abs() < step * 1e-6 { 0.0 } else { v };
    if v == 0.0 {
        return "0".into();
    }
    let decimals = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
    if !(1e-3..1e9).contains(&largest) {
        let spare = (largest.log10().floor() - step.log10().floor()).clamp(0.0, 4.0) as usize;
        let text = format!("{v:.spare$e}");
        return text.replace('-', "−");
    }
    let (unit, suffix) = match largest {
        l if l >= 2e6 => (1e6, "M"),
        l if l >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let text = format!("{:.*}{suffix}", decimals(step / unit), v / unit);
    text.replace('-', "−")
}

/// Axes left and below a panel, with ticks outside and labels.
pub fn frame(svg: &mut Svg, x: Scale, y: Scale, x_label: &str, y_label: &str) {
    bottom_axis(svg, x, y.from, x_label);
    left_axis(svg, y, x.from, y_label);
}

/// An axis at height `at`; ticks as dense as the width allows.
pub fn bottom_axis(svg: &mut Svg, x: Scale, at: f64, name: &str) {
    svg.line((x.from, at), (x.to, at), FAINT, 1.0, "");
    let ticks = x.ticks((((x.to - x.from) / 62.0) as usize).clamp(2, 8));
    svg.bars(ticks.iter().map(|(v, _)| (x.at(*v), at, at + 4.0)), FAINT, 1.0);
    for (v, text) in &ticks {
        // Narrow panels stand close together: a label must not run into the neighbour's.
        let half = 2.9 * text.chars().count() as f64;
        if x.to - x.from < 100.0 && (x.at(*v) - half < x.from - 2.0 || x.at(*v) + half > x.to + 2.0) {
            continue;
        }
        svg.text((x.at(*v), at + 15.0), Anchor::Middle, TICK, FAINT, text);
    }
    svg.text(((x.from + x.to) / 2.0, at + 31.0), Anchor::Middle, LABEL, super::svg::INK, name);
}

/// An axis at `at` from the left.
pub fn left_axis(svg: &mut Svg, y: Scale, at: f64, name: &str) {
    svg.line((at, y.from), (at, y.to), FAINT, 1.0, "");
    let mut widest = 0;
    for (v, text) in y.ticks((((y.from - y.to) / 45.0) as usize).clamp(2, 8)) {
        svg.line((at - 4.0, y.at(v)), (at, y.at(v)), FAINT, 1.0, "");
        svg.text((at - 7.0, y.at(v) + 3.5), Anchor::End, TICK, FAINT, &text);
        widest = widest.max(text.chars().count());
    }
    if !name.is_empty() {
        let middle = (y.from + y.to) / 2.0;
        svg.vertical((at - 16.0 - 5.8 * widest as f64, middle), LABEL, super::svg::INK, name);
    }
}

/// The finite values of `values` as f64, sorted.
pub fn sorted(values: impl IntoIterator<Item = f32>) -> Vec<f64> {
    let mut finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).map(f64::from).collect();
    finite.sort_unstable_by(f64::total_cmp);
    finite
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64) -> Vec<String> {
        Scale::new(lo, hi, 0.0, 100.0).ticks(4).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_labels_differ() {
        assert_eq!(labels(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-0.31, 0.29), ["−0.2", "0", "0.2"]);
        assert_eq!(labels(0.0, 50_000.0), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(labels(0.0, 4e6), ["0", "1M", "2M", "3M", "4M"]);
        assert_eq!(labels(1e-5, 4e-5), ["1e−5", "2e−5", "3e−5", "4e−5"]);
        for (lo, hi) in
            [(3.0, 3.0), (0.0, 0.0), (1e30, 1e30), (-1e-35, 1e-35), (1e6, 1e6 + 2.0), (f64::NAN, 1.0)]
        {
            let found = labels(lo, hi);
            assert!((2..=15).contains(&found.len()), "{lo} {hi}: {found:?}");
            assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "{lo} {hi}: {found:?}");
        }
    }
}
