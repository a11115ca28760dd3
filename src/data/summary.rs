//! Means, spreads and quantiles of draws, and a table of them for the terminal.
use super::draws::{Draws, label};
use super::problem::excerpt;
use std::fmt::Write;

/// Probabilities of the reported quantiles.
pub const LEVELS: [f64; 5] = [0.025, 0.25, 0.5, 0.75, 0.975];

/// One parameter's marginal posterior for one data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Marginal {
    /// Index of the data set.
    pub set: usize,
    /// What it is called.
    pub label: String,
    /// Parameter name.
    pub name: String,
    /// Mean of the draws.
    pub mean: f64,
    /// Standard deviation, divisor n - 1; NaN for one draw.
    pub sd: f64,
    /// Quantiles at [`LEVELS`].
    pub quantiles: [f64; 5],
}

/// Marginals of every data set and parameter, data set by data set.
pub fn summarize(draws: &Draws) -> Vec<Marginal> {
    let (n, dim) = (draws.n, draws.dim());
    let mut marginals = Vec::with_capacity(draws.sets * dim);
    let mut column = vec![0.0; n];
    for set in 0..draws.sets {
        let values = draws.set(set);
        for (d, name) in draws.names.iter().enumerate() {
            for (slot, row) in column.iter_mut().zip(values.chunks_exact(dim)) {
                *slot = f64::from(row[d]);
            }
            column.sort_unstable_by(f64::total_cmp);
            let mean = column.iter().sum::<f64>() / n as f64;
            let square = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            marginals.push(Marginal {
                set,
                label: label(&draws.labels, set),
                name: name.clone(),
                mean,
                sd: (square / (n as f64 - 1.0)).sqrt(),
                quantiles: LEVELS.map(|p| quantile(&column, p)),
            });
        }
    }
    marginals
}

/// Quantile of sorted values, type 7 of Hyndman and Fan 1996 (the default of R and numpy); NaN for none.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = p.clamp(0.0, 1.0) * last as f64;
    let below = at.floor();
    let (low, high) = (sorted[below as usize], sorted[(at.ceil() as usize).min(last)]);
    // Without the test, an infinite neighbour would give 0 x inf.
    if at == below { low } else { low + (at - below) * (high - low) }
}

/// A text table of the first `max_sets` data sets, and a line that says how many more there are.
pub fn table(marginals: &[Marginal], max_sets: usize) -> String {
    let sets = marginals.last().map_or(0, |m| m.set + 1);
    let mut rows = vec![vec!["dataset".to_string(), "parameter".into(), "mean".into(), "sd".into()]];
    rows[0].extend(LEVELS.map(|p| format!("{}%", p * 100.0)));
    let mut previous = None;
    for m in marginals.iter().filter(|m| m.set < max_sets) {
        // The number once per data set: the eye finds the blocks.
        let set = if previous == Some(m.set) { String::new() } else { excerpt(&m.label) };
        previous = Some(m.set);
        let mut row = vec![set, m.name.clone(), number(m.mean), number(m.sd)];
        row.extend(m.quantiles.map(number));
        rows.push(row);
    }
    if sets <= 1 {
        rows.iter_mut().for_each(|row| drop(row.remove(0)));
    }
    let mut text = align(&rows, if sets <= 1 { 1 } else { 2 });
    if sets > max_sets {
        let more = sets - max_sets;
        let _ = writeln!(text, "... and {more} more data set{}", if more == 1 { "" } else { "s" });
    }
    text
}

/// Four significant digits.
fn number(v: f64) -> String {
    if !v.is_finite() {
        return "-".into();
    }
    let size = v.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{v:.3e}");
    }
    let digits = if size < 1.0 { 4 } else { 3usize.saturating_sub(size.log10() as usize) };
    format!("{v:.digits$}")
}

/// Columns two spaces apart; the first `left` are left-aligned, numbers right-aligned; a rule under the header.
fn align(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows[0].len();
    let widths: Vec<usize> =
        (0..columns).map(|c| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (r, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if c == 0 { "" } else { "  " };
            let _ = if c < left {
                write!(line, "{gap}{cell:<width$}")
            } else {
                write!(line, "{gap}{cell:>width$}")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if r == 0 {
            let total = widths.iter().sum::<usize>() + 2 * (columns - 1);
            text.push_str(&"─".repeat(total));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_quantiles_are_numpys() {
        // np.quantile([1, 2, 3, 4, 10], [.025, .25, .5, .75, .975]) = [1.1, 2, 3, 4, 9.4]; std(ddof=1) = 3.5355339
        let values = [3.0, -3.0, 10.0, -10.0, 1.0, -1.0, 4.0, -4.0, 2.0, -2.0];
        let draws = Draws::new(vec!["a".into(), "b".into()], 1, 5, values.to_vec()).unwrap();
        let marginals = summarize(&draws);
        let (a, b) = (&marginals[0], &marginals[1]);
        assert_eq!((a.mean, b.mean), (4.0, -4.0));
        assert!((a.sd - 12.5f64.sqrt()).abs() < 1e-12 && a.sd == b.sd);
        for (found, expected) in a.quantiles.iter().zip([1.1, 2.0, 3.0, 4.0, 9.4]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        for (low, high) in a.quantiles.iter().zip(b.quantiles.iter().rev()) {
            assert!((low + high).abs() < 1e-12);
        }
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[0.0, f64::INFINITY], 0.0), 0.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }

    #[test]
    fn data_sets_are_not_mixed() {
        let draws = Draws::new(vec!["a".into()], 2, 2, vec![0.0, 2.0, 10.0, 20.0]).unwrap();
        let means: Vec<_> = summarize(&draws).iter().map(|m| (m.set, m.mean)).collect();
        assert_eq!(means, [(0, 1.0), (1, 15.0)]);
    }

    #[test]
    fn the_table_is_aligned_and_says_how_many_more() {
        let draws =
            Draws::new(vec!["α".into(), "long name".into()], 3, 2, (0..12).map(|v| v as f32).collect());
        let marginals = summarize(&draws.unwrap());
        let text = table(&marginals, 2);
        assert!(text.ends_with("... and 1 more data set\n"), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 4 + 1);
        let width = |line: &str| line.chars().count();
        assert!(lines[..6].iter().all(|line| width(line) == width(lines[0])), "{text}");
        assert!(lines[3].starts_with("         long name  2.000"), "{text}");
        assert!(!table(&marginals[..2], 5).contains("dataset"));
        assert_eq!(table(&[], 5).lines().count(), 2);
    }

    #[test]
    fn numbers_have_four_digits() {
        for (v, text) in [
            (0.0, "0.0000"),
            (0.12345, "0.1235"),
            (-1.23456, "-1.235"),
            (123.456, "123.5"),
            (12345.6, "12346"),
            (1.5e-5, "1.500e-5"),
            (1.5e9, "1.500e9"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(v), text);
        }
    }
}
