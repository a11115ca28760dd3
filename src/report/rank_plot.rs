//! Histograms of simulation-based calibration (Talts et al. 2018).
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::chart::{Frame, HEIGHT, MARGIN, TICK, WIDTH, band, dashed, empty, outline, write};
use super::svg::figure;
use super::theme::{BAND, BLUE, FAINT, RULE, VERMILION};

/// Ranks of the truth among `l` posterior draws, each in 0..=l, one for each data set.
///
/// Bars are counts divided by what a calibrated posterior gives, so 1 is right; the grey band holds 99 % of the bars
/// of a calibrated posterior (binomial quantiles, bin by bin). A bar outside it is vermilion. Bins divide l + 1 where
/// they can, else they differ by one rank and band and expectation follow.
pub fn rank_histogram(name: &str, ranks: &[u32], l: u32) -> String {
    if ranks.is_empty() {
        return empty("Rank histogram", "No ranks to show");
    }
    let bins = Bins::new(l, ranks.len());
    let heights = bins.heights(ranks.iter());
    let tallest = heights.iter().chain(bins.band.iter().map(|b| &b.1)).copied().fold(1.5, f64::max);
    let outside = heights.iter().enumerate().filter(|(b, h)| !bins.inside(*b, **h)).count();
    let (lower, upper): (Vec<f64>, Vec<f64>) = bins.band.iter().copied().unzip();
    let x = Axis::new(0.0, f64::from(l));
    let steps = |heights: &[f64]| outline(x, heights)[1..=2 * bins.count].to_vec();
    let (lower, upper) = (steps(&lower), steps(&upper));
    let between: Vec<_> = lower.iter().zip(&upper).map(|(a, b)| (a.0, a.1, b.1)).collect();
    let frame =
        Frame::new(x, Axis::new(0.0, tallest * 1.04), ["rank of the true value", "relative frequency"]);
    let title = "Rank histogram of simulation-based calibration";
    figure(WIDTH, HEIGHT + 16.0, title, |area| {
        let (panel, foot) = area.split_vertically(super::svg::px(HEIGHT));
        let mut chart = frame.headed(&panel, name, &format!("{outside} of {} outside", bins.count))?;
        band(&mut chart, &between, BAND)?;
        chart.draw_series(steps(&heights).chunks_exact(2).enumerate().map(|(b, ends)| {
            let colour = if bins.inside(b, ends[0].1) { BLUE } else { VERMILION };
            let mut bar = Rectangle::new([(ends[0].0, 0.0), ends[1]], colour.filled());
            bar.set_margin(0, 0, 8, 8);
            bar
        }))?;
        // The band's edges again, over the bars: its lower one would be hidden.
        chart.draw_series(LineSeries::new(upper, RULE.stroke_width(7)))?;
        chart.draw_series(LineSeries::new(lower, RULE.stroke_width(7)))?;
        dashed(&mut chart, [(x.lo, 1.0), (x.hi, 1.0)], RULE, 7)?;
        let note = format!("{} data sets, {l} draws; grey: 99 % if calibrated", ranks.len());
        write(&foot, (MARGIN, 6.0), HPos::Left, (TICK, FAINT), &note)
    })
}

struct Bins {
    count: usize,
    ranks: u64,
    /// Expected count in each bin.
    expected: Vec<f64>,
    /// Binomial quantiles .005 and .995 over the expected count.
    band: Vec<(f64, f64)>,
}

impl Bins {
    fn new(l: u32, sets: usize) -> Self {
        let ranks = u64::from(l) + 1;
        // About 20 expected in a bin, so that the band means something.
        let wanted = (sets as u64 / 20).clamp(5, 25).min(ranks);
        let divides = (wanted.div_ceil(2)..=wanted + wanted / 3).filter(|b| ranks.is_multiple_of(*b));
        let count = divides.min_by_key(|b| b.abs_diff(wanted)).unwrap_or(wanted) as usize;
        let mut sizes = vec![0u64; count];
        for (b, size) in sizes.iter_mut().enumerate() {
            // Ranks r with r * count / ranks == b.
            let first = |b: u64| (b * ranks).div_ceil(count as u64);
            *size = first(b as u64 + 1) - first(b as u64);
        }
        let shares = sizes.iter().map(|&size| size as f64 / ranks as f64);
        let expected: Vec<f64> = shares.clone().map(|share| share * sets as f64).collect();
        let band = shares
            .zip(&expected)
            .map(|(share, e)| {
                let at = |p| binomial_quantile(sets as u64, share, p) as f64 / e;
                (at(0.005), at(0.995))
            })
            .collect();
        Self { count, ranks, expected, band }
    }

    fn heights<'a>(&self, ranks: impl Iterator<Item = &'a u32>) -> Vec<f64> {
        let mut heights = vec![0.0; self.count];
        for &rank in ranks {
            let rank = u64::from(rank).min(self.ranks - 1);
            let bin = (rank * self.count as u64 / self.ranks) as usize;
            heights[bin] += 1.0 / self.expected[bin];
        }
        heights
    }

    /// With room for rounding in sums of 1/expected.
    fn inside(&self, bin: usize, height: f64) -> bool {
        let (lo, hi) = self.band[bin];
        height >= lo - 1e-6 && height <= hi + 1e-6
    }
}

/// Least k with P(X <= k) >= p for X ~ Binomial(n, share), by the recursion of the probabilities in logarithms.
fn binomial_quantile(n: u64, share: f64, p: f64) -> u64 {
    if share >= 1.0 {
        return n;
    }
    let odds = (share / (1.0 - share)).ln();
    let (mut log, mut sum) = (n as f64 * (-share).ln_1p(), 0.0);
    for k in 0..n {
        sum += log.exp();
        if sum >= p {
            return k;
        }
        log += ((n - k) as f64 / (k + 1) as f64).ln() + odds;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawn::{close, shares};

    #[test]
    fn quantiles_are_scipys() {
        // scipy.stats.binom.ppf
        for (n, share, p, k) in [
            (500, 0.05, 0.005, 13),
            (500, 0.05, 0.995, 38),
            (10, 0.5, 0.5, 5),
            (3, 0.2, 0.995, 3),
            (10_000, 0.04, 0.995, 451),
        ] {
            assert_eq!(binomial_quantile(n, share, p), k, "{n} {share} {p}");
        }
        assert_eq!(binomial_quantile(9, 1.0, 0.5), 9);
    }

    #[test]
    fn bins_divide_and_hold_every_rank() {
        for (l, sets, count) in [(99, 500, 25), (999, 200, 10), (100, 500, 25), (0, 10, 1), (63, 10_000, 32)]
        {
            let bins = Bins::new(l, sets);
            assert_eq!(bins.count, count, "{l} {sets}");
            // One set at every rank: every bar is exactly as expected.
            let all: Vec<u32> = (0..=l).collect();
            let scale = sets as f64 / f64::from(l + 1);
            assert!(bins.heights(all.iter()).iter().all(|h| (h * scale - 1.0).abs() < 1e-9));
        }
    }

    #[test]
    fn uniform_ranks_pass_and_a_narrow_posterior_fails() {
        let uniform: Vec<u32> = (0..1000).map(|i| i * 37 % 100).collect();
        let narrow: Vec<u32> =
            uniform.iter().map(|&r| if r < 50 { r / 2 } else { 99 - (99 - r) / 2 }).collect();
        assert!(rank_histogram("a", &uniform, 99).contains("0 of 25 outside"));
        assert!(!rank_histogram("a", &narrow, 99).contains("0 of 25 outside"));
    }

    #[test]
    fn bars_stand_at_their_ranks_and_the_band_is_drawn() {
        // 400 at rank 0, 600 spread over the others: one bar much too high, the rest too low.
        let ranks: Vec<u32> = (0..1000).map(|i| if i < 400 { 0 } else { i % 99 + 1 }).collect();
        let svg = rank_histogram("a", &ranks, 99);
        let bars = shares(&svg, VERMILION);
        let top = |bar: &[(f64, f64)]| bar.iter().map(|p| p.1).fold(0.0, f64::max);
        // 25 bins of 4 ranks expect 40 each; the first has 400 + 18 or 19, the axis ends at 1.04 of it.
        assert!(
            bars[0].iter().all(|p| p.0 < 0.04) && (top(&bars[0]) - 1.0 / 1.04).abs() < 5e-3,
            "{:?}",
            bars[0]
        );
        assert!(bars[1..].iter().all(|bar| top(bar) < 0.08 && bar.iter().all(|p| p.0 >= 0.04)));
        let bins = Bins::new(99, 1000);
        let tallest = bins.heights(ranks.iter())[0] * 1.04;
        let band = &shares(&svg, BAND)[0];
        let extremes = band.iter().fold((1.0, 0.0), |e: (f64, f64), p| (e.0.min(p.1), e.1.max(p.1)));
        assert!(close(extremes, (bins.band[0].0 / tallest, bins.band[0].1 / tallest)), "{extremes:?}");
        assert!(band.iter().any(|p| p.0 < 5e-3) && band.iter().any(|p| p.0 > 0.995));
        // Two edges of the band over the bars, and the dashes at 1.
        assert_eq!(shares(&svg, RULE).iter().filter(|m| m.len() > 2).count(), 2);
        assert!(
            shares(&svg, RULE).iter().filter(|m| m.len() == 2).all(|m| close(m[0], (m[0].0, 1.0 / tallest)))
        );
    }
}
