//! The range of an axis. plotters finds the ticks and maps to pixels; here is what it leaves open: ranges that are empty or unsound,
//! values far from 1 (its search for ticks compares with 2e-16), labels short enough for a phone, and the room they take.
use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use super::chart::{EDGE, LABEL, TICK, TICK_MARK};
use super::svg::text_width;

/// A linear axis over a finite range that is not empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Least value shown.
    pub lo: f64,
    /// Greatest value shown, above `lo`.
    pub hi: f64,
    whole: bool,
}

impl Axis {
    /// An axis over [lo, hi]; an empty or unsound range is widened.
    pub fn new(lo: f64, hi: f64) -> Self {
        let (lo, hi) = if (hi - lo).is_finite() && lo <= hi { (lo, hi) } else { (0.0, 1.0) };
        // Room for ticks even where all values agree.
        let least = (lo.abs().max(hi.abs()) * 1e-6).max(1e-30);
        let half =
            if hi - lo > least { 0.0 } else { (lo.abs() * 0.05).max(if lo == 0.0 { 0.5 } else { 1e-30 }) };
        Self { lo: lo - half, hi: hi + half, whole: false }
    }

    /// The same with ticks at whole numbers only.
    pub fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// True if `v` is in the range.
    pub fn holds(&self, v: f64) -> bool {
        (self.lo..=self.hi).contains(&v)
    }

    /// Place of `v` between `lo`, 0, and `hi`, 1.
    pub fn share(&self, v: f64) -> f64 {
        (v - self.lo) / (self.hi - self.lo)
    }

    /// Round values in the range, at most `most`.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        let unit = 10f64.powf((self.hi - self.lo).log10().floor());
        let found = RangedCoordf64::from(self.lo / unit..self.hi / unit).key_points(most);
        let found = found.into_iter().map(|v| v * unit);
        found.filter(|v| !self.whole || (v - v.round()).abs() < 1e-6 * unit).collect()
    }

    /// A tick's label: as many decimals as it needs; k and M for thousands; powers of ten for the rest.
    pub fn label(&self, v: f64) -> String {
        let (span, largest) = (self.hi - self.lo, self.lo.abs().max(self.hi.abs()));
        if v.abs() < span * 1e-6 {
            return "0".into();
        }
        // Ticks are at least a hundredth of the span's power of ten apart.
        let power = |v: f64| (v.log10() + 1e-9).floor();
        let (text, suffix) = if (1e-3..1e9).contains(&largest) {
            let (unit, suffix) = match largest {
                l if l >= 2e6 => (1e6, "M"),
                l if l >= 1e4 => (1e3, "k"),
                _ => (1.0, ""),
            };
            let decimals = (2.0 - power(span / unit)).clamp(0.0, 9.0) as usize;
            (format!("{:.decimals$}", v / unit), suffix.to_string())
        } else {
            let decimals = (2.0 + power(largest) - power(span)).clamp(0.0, 9.0) as usize;
            let text = format!("{v:.decimals$e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            (digits.to_string(), format!("e{exponent}"))
        };
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text}{suffix}").replace('-', "−")
    }

    /// Ticks, at most, of an axis that runs to the right over `pixels`: the labels must not touch.
    pub fn most_along(&self, pixels: f64) -> usize {
        let fits = |most: &usize| {
            let ticks = self.ticks(*most);
            let widest = ticks.iter().map(|v| text_width(&self.label(*v), TICK)).fold(0.0, f64::max);
            ticks.windows(2).all(|pair| self.share(pair[1]) - self.share(pair[0]) > (widest + 8.0) / pixels)
        };
        (2..=8).rev().find(fits).unwrap_or(1)
    }

    /// Ticks, at most, of an axis that runs up over `pixels`.
    pub fn most_up(pixels: f64) -> usize {
        ((pixels / 32.0) as usize).clamp(3, 8)
    }

    /// Pixels left of an axis that runs up over `pixels`, for its ticks, labels and name.
    pub fn room(&self, pixels: f64) -> f64 {
        let labels = self.ticks(Self::most_up(pixels)).into_iter().map(|v| text_width(&self.label(v), TICK));
        (2.0 * TICK_MARK + labels.fold(0.0, f64::max) + 1.4 * LABEL + EDGE).max(46.0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// Far outside is as good as just outside, and does not overflow.
    fn map(&self, v: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(0.0..1.0).map(&self.share(*v).clamp(-1.0, 2.0), limit)
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        self.ticks(hint.max_num_points())
    }

    fn range(&self) -> Range<f64> {
        self.lo..self.hi
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, v: &f64) -> String {
        self.label(*v)
    }
}

/// The finite values of `values`, sorted.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    finite
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64) -> Vec<String> {
        let axis = Axis::new(lo, hi);
        axis.ticks(6).into_iter().map(|v| axis.label(v)).collect()
    }

    #[test]
    fn labels_are_round_and_differ() {
        assert_eq!(labels(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(-0.31, 0.29), ["−0.3", "−0.2", "−0.1", "0", "0.1", "0.2"]);
        assert_eq!(labels(0.0, 50_000.0), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(labels(0.0, 4e6), ["0", "1M", "2M", "3M", "4M"]);
        assert_eq!(labels(1e-5, 4e-5), ["1e−5", "2e−5", "3e−5", "4e−5"]);
        assert_eq!(labels(1e-25, 1.2e-25), ["1e−25", "1.05e−25", "1.1e−25", "1.15e−25", "1.2e−25"]);
        for (lo, hi) in [
            (3.0, 3.0),
            (0.0, 0.0),
            (1e30, 1e30),
            (-1e-35, 1e-35),
            (1e6, 1e6 + 2.0),
            (f64::NAN, 1.0),
            (-1e300, 1e300),
            (f64::MIN, f64::MAX),
            (0.51, 1.49),
            (1e-15, 2e-15),
        ] {
            let found = labels(lo, hi);
            assert!((2..=6).contains(&found.len()), "{lo} {hi}: {found:?}");
            assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "{lo} {hi}: {found:?}");
        }
        assert_eq!(Axis::new(0.4, 3.6).whole().ticks(8), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn long_labels_are_fewer_and_get_more_room() {
        let (short, long) = (Axis::new(0.0, 1.0), Axis::new(100.001, 100.002));
        assert!(short.most_along(200.0) > long.most_along(200.0));
        assert!(long.room(200.0) > short.room(200.0));
        assert_eq!(Axis::new(0.0, 1.0).map(&f64::INFINITY, (10, 20)), 30);
        assert_eq!(Axis::new(0.0, 1.0).map(&0.5, (20, 10)), 15);
    }
}
