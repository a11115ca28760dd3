//! Couplet against its peers: measurements taken in turns in one go, joined into ratios.
//!
//! Machines differ and are noisy, so a ratio is formed from measurements of the same round and the median of the rounds is
//! what counts.
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lines::Line;
use super::table::{bytes, significant};
use crate::data::summary::quantile;
use crate::error::{Error, Result};

/// Who everything is compared with.
const OURS: &str = "couplet";

/// Median and extremes over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rounds {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub least: f64,
    /// Largest.
    pub most: f64,
    /// Rounds.
    pub rounds: usize,
}

impl Rounds {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |p| quantile(&sorted, p);
        Self { median: at(0.5), least: at(0.0), most: at(1.0), rounds: sorted.len() }
    }
}

/// One measure of Couplet and of a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The workload.
    pub workload: String,
    /// Rows of a step or draws of a pass.
    pub batch: usize,
    /// The measure.
    pub metric: String,
    /// The peer.
    pub peer: String,
    /// Couplet's values.
    pub ours: Rounds,
    /// The peer's values.
    pub theirs: Rounds,
    /// How much better Couplet is, round by round: faster, or less time or memory.
    pub ratio: Rounds,
}

/// Whether less is better.
fn is_cost(metric: &str) -> bool {
    metric.ends_with("_seconds") || metric.ends_with("_bytes")
}

/// A value in the unit of its measure.
pub fn value(metric: &str, v: f64) -> String {
    match metric {
        m if m.ends_with("_bytes") => bytes(v.max(0.0) as u64),
        m if m.ends_with("_seconds") => format!("{} s", significant(v)),
        _ => significant(v),
    }
}

/// A measure in words.
pub fn words(metric: &str) -> String {
    let plain = ["_bytes", "_seconds"].iter().find_map(|unit| metric.strip_suffix(unit)).unwrap_or(metric);
    plain.replace("_per_second", "/s").replace('_', " ")
}

/// Measurements of a file, one JSON object a line; other lines are left out, as programs print more than that.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] where there is no measurement, or one is not finite.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let lines: Vec<Line> = text.lines().filter_map(|l| serde_json::from_str(l.trim()).ok()).collect();
    let hint = "`couplet bench step --lines` and the scripts in benches/peers print them";
    if lines.is_empty() {
        let problem = "expected lines with who, workload, batch, metric and value, found none";
        return Err(Error::data(path, problem, hint));
    }
    match lines.iter().find(|l| !(l.value > 0.0 && l.value.is_finite())) {
        Some(bad) => Err(Error::data(path, format!("expected values above 0, found {bad}"), hint)),
        None => Ok(lines),
    }
}

/// Ratios of all peers, in the order of their first measurement. The n-th measurement of one kind belongs to round n.
pub fn ratios(lines: &[Line]) -> Vec<Row> {
    let same = |a: &Line, b: &Line| a.workload == b.workload && a.batch == b.batch && a.metric == b.metric;
    let values = |of: &Line, who: &str| -> Vec<f64> {
        lines.iter().filter(|l| l.who == who && same(l, of)).map(|l| l.value).collect()
    };
    let mut rows: Vec<Row> = vec![];
    for line in lines.iter().filter(|l| l.who != OURS) {
        let known = rows.iter().any(|r| {
            r.peer == line.who
                && (&r.workload, r.batch, &r.metric) == (&line.workload, line.batch, &line.metric)
        });
        let (ours, theirs) = (values(line, OURS), values(line, &line.who));
        if known || ours.is_empty() {
            continue;
        }
        let ratio = |(a, b): (&f64, &f64)| if is_cost(&line.metric) { b / a } else { a / b };
        let each: Vec<f64> = ours.iter().zip(&theirs).map(ratio).collect();
        rows.push(Row {
            workload: line.workload.clone(),
            batch: line.batch,
            metric: line.metric.clone(),
            peer: line.who.clone(),
            ours: Rounds::of(&ours),
            theirs: Rounds::of(&theirs),
            ratio: Rounds::of(&each),
        });
    }
    rows.sort_by(|a, b| (&a.metric, &a.workload, a.batch).cmp(&(&b.metric, &b.workload, b.batch)));
    rows
}

/// Columns of [`cells`].
pub const HEADER: [&str; 7] = [
    "workload",
    "measure",
    "peer",
    "batch",
    "couplet (least - most)",
    "peer (least - most)",
    "ratio (least - most)",
];

/// A row of the table.
pub fn cells(r: &Row) -> Vec<String> {
    let range = |x: &Rounds, show: &dyn Fn(f64) -> String| {
        format!("{} ({} - {})", show(x.median), show(x.least), show(x.most))
    };
    let unit = |v| value(&r.metric, v);
    vec![
        r.workload.clone(),
        words(&r.metric),
        r.peer.clone(),
        r.batch.to_string(),
        range(&r.ours, &unit),
        range(&r.theirs, &unit),
        range(&r.ratio, &significant),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(who: &str, metric: &str, value: f64) -> Line {
        Line { who: who.into(), ..Line::new("w", 64, metric, value) }
    }

    #[test]
    fn ratios_are_of_rounds_and_costs_are_turned_round() {
        let lines = [
            line("couplet", "steps_per_second", 500.0),
            line("jax", "steps_per_second", 250.0),
            line("couplet", "steps_per_second", 300.0),
            line("jax", "steps_per_second", 100.0),
            line("couplet", "steps_per_second", 400.0),
            line("jax", "steps_per_second", 160.0),
            line("couplet", "peak_memory_bytes", 1e6),
            line("jax", "peak_memory_bytes", 5e6),
            line("sbi", "nobody_else_has_this", 5e6),
        ];
        let rows = ratios(&lines);
        assert_eq!(
            rows.iter().map(|r| r.metric.as_str()).collect::<Vec<_>>(),
            ["peak_memory_bytes", "steps_per_second"]
        );
        assert_eq!(rows[0].ratio.median, 5.0);
        // the ratio of the medians would be 2.5 too, but the extremes are of rounds
        let r = rows[1].ratio;
        assert_eq!((r.median, r.least, r.most, r.rounds), (2.5, 2.0, 3.0, 3));
        assert_eq!((rows[1].ours.median, rows[1].theirs.median), (400.0, 160.0));
        assert_eq!(cells(&rows[1])[1..4], ["steps/s", "jax", "64"]);
        assert_eq!(cells(&rows[0])[4], "977 KiB (977 KiB - 977 KiB)");
        assert_eq!(value("first_step_seconds", 0.25), "0.250 s");
    }

    #[test]
    fn batches_are_not_mixed() {
        let other = Line { batch: 256, ..line("jax", "steps_per_second", 100.0) };
        assert!(ratios(&[line("couplet", "steps_per_second", 500.0), other]).is_empty());
    }

    #[test]
    fn files_may_hold_other_lines_but_no_nonsense() {
        let path = std::env::temp_dir().join(format!("couplet-lines-{}.jsonl", std::process::id()));
        std::fs::write(&path, format!("warming up\n{}\n{{}}\n", line("jax", "m", 2.0))).unwrap();
        assert_eq!(read(&path).unwrap(), [line("jax", "m", 2.0)]);
        std::fs::write(&path, "nothing\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("found none"));
        std::fs::write(&path, line("jax", "m", 0.0).to_string()).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("above 0"));
        std::fs::remove_file(&path).unwrap();
    }
}
