//! Histograms of simulation-based calibration (Talts et al. 2018).
use super::axis::{Scale, bottom_axis, left_axis};
use super::svg::{Anchor, BLUE, FAINT, INK, LABEL, Svg, TITLE, VERMILION, fit};

const MAX_PANELS: usize = 24;

/// Ranks of the truth among `l` posterior draws, each in 0..=l, shape (sets, D) with D the number of names.
///
/// Bars are counts divided by what a calibrated posterior gives, so 1 is right; the grey band holds 99 % of the bars
/// of a calibrated posterior (binomial quantiles, bin by bin). A bar outside it is vermilion. Bins divide l + 1 where
/// they can, else they differ by one rank and band and expectation follow.
pub fn rank_histograms(ranks: &[u32], names: &[String], l: u32) -> String {
    let dim = names.len();
    let sets = ranks.len() / dim.max(1);
    if sets == 0 {
        let mut svg = Svg::new(320.0, 60.0, "Rank histograms");
        svg.text((20.0, 35.0), Anchor::Start, TITLE, FAINT, "No ranks to show");
        return svg.finish();
    }
    let shown = dim.min(MAX_PANELS);
    let columns = shown.min(if shown == 4 { 2 } else { 3 });
    let rows = shown.div_ceil(columns);
    let (width, height) = if shown == 1 { (324.0, 210.0) } else { (228.0, 178.0) };
    let (left, top) = (44.0, 8.0);
    let size = (left + columns as f64 * width + 8.0, top + rows as f64 * height + 34.0);
    let mut svg = Svg::new(size.0.max(350.0), size.1, "Rank histograms of simulation-based calibration");
    let bins = Bins::new(l, sets);
    let panels: Vec<Vec<f64>> = (0..shown).map(|d| bins.heights(ranks.iter().skip(d).step_by(dim))).collect();
    let tallest = panels.iter().flatten().chain(bins.band.iter().map(|b| &b.1)).copied().fold(1.5, f64::max);
    for (d, heights) in panels.iter().enumerate() {
        let x0 = left + (d % columns) as f64 * width;
        let y0 = top + (d / columns) as f64 * height;
        let x = Scale::new(0.0, f64::from(l), x0, x0 + width - 26.0);
        let y = Scale::new(0.0, tallest * 1.04, y0 + height - 28.0, y0 + 24.0);
        let edge = |b: usize| x0 + (x.to - x0) * b as f64 / bins.count as f64;
        let stairs = |ends: Vec<f64>| {
            let steps =
                ends.into_iter().enumerate().flat_map(|(b, v)| [(edge(b), y.at(v)), (edge(b + 1), y.at(v))]);
            steps.collect::<Vec<_>>()
        };
        let upper = stairs(bins.band.iter().map(|band| band.1).collect());
        let lower = stairs(bins.band.iter().map(|band| band.0).collect());
        let outline = upper.iter().chain(lower.iter().rev()).copied();
        svg.area(outline, "#E3E6E9");
        let wide = (edge(1) - edge(0) - 1.6).max(1.0);
        for (colour, wanted) in [(BLUE, true), (VERMILION, false)] {
            let bars = heights.iter().enumerate().filter(|(b, h)| bins.inside(*b, **h) == wanted);
            svg.bars(bars.map(|(b, h)| ((edge(b) + edge(b + 1)) / 2.0, y.from, y.at(*h))), colour, wide);
        }
        // The band's edges again, over the bars: its lower one would be hidden.
        svg.polyline(upper, "#4A5056", 0.7);
        svg.polyline(lower, "#4A5056", 0.7);
        svg.line((x.from, y.at(1.0)), (x.to, y.at(1.0)), "#4A5056", 0.7, "4 3");
        let outside = heights.iter().enumerate().filter(|(b, h)| !bins.inside(*b, **h)).count();
        svg.bold((x.from, y.to - 8.0), Anchor::Start, TITLE, INK, &fit(&names[d], TITLE, 110.0));
        let note = format!("{outside} of {} outside", bins.count);
        svg.text((x.to, y.to - 8.0), Anchor::End, 10.0, FAINT, &note);
        let last_row = d + columns >= shown;
        bottom_axis(&mut svg, x, y.from, if last_row { "rank of the true value" } else { "" });
        left_axis(&mut svg, y, x.from, if d % columns == 0 { "relative frequency" } else { "" });
    }
    let note = format!("{sets} data sets, {l} draws; grey: 99 % of the bars if calibrated");
    let note = if dim > shown { format!("{note}; the first {shown} of {dim} parameters") } else { note };
    svg.text((left, size.1 - 8.0), Anchor::Start, LABEL - 1.0, FAINT, &note);
    svg.finish()
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

    fn names(dim: usize) -> Vec<String> {
        (0..dim).map(|d| format!("p{d}")).collect()
    }

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
        assert!(rank_histograms(&uniform, &names(1), 99).contains("0 of 25 outside"));
        assert!(!rank_histograms(&narrow, &names(1), 99).contains("0 of 25 outside"));
    }

    #[test]
    fn any_input_gives_a_small_figure() {
        for dim in [0, 1, 2, 4, 10, 40] {
            for l in [0, 1, 1000, u32::MAX] {
                let svg = rank_histograms(&vec![u32::MAX; dim * 30], &names(dim), l);
                assert!(svg.ends_with("</svg>\n") && svg.len() < 300 * 1024 && !svg.contains("NaN"));
            }
        }
    }
}
