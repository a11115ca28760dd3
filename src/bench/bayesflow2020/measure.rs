//! One number with its uncertainty and what it is compared to.
use serde::Serialize;

/// A measured number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// What it is, e.g. `NRMSE r`.
    pub what: String,
    /// Items of the data sets it was measured on; none for vectors.
    pub items: Option<usize>,
    /// The number.
    pub value: f64,
    /// Its standard deviation over test sets (bootstrap, or the standard error of a mean).
    pub sd: f64,
    /// The published number.
    pub published: Option<f64>,
    /// The target is at least this.
    pub at_least: Option<f64>,
    /// The target is at most this.
    pub at_most: Option<f64>,
}

impl Measure {
    /// A number without comparison.
    pub fn new(what: impl Into<String>, items: Option<usize>, value: f64, sd: f64) -> Self {
        Self { what: what.into(), items, value, sd, published: None, at_least: None, at_most: None }
    }
    /// With the published number.
    pub fn published(mut self, value: f64) -> Self {
        self.published = Some(value);
        self
    }
    /// With the largest value that reaches the target.
    pub fn at_most(mut self, value: f64) -> Self {
        self.at_most = Some(value);
        self
    }
    /// With the smallest value that reaches the target.
    pub fn at_least(mut self, value: f64) -> Self {
        self.at_least = Some(value);
        self
    }
    /// Whether it reaches its target; none without one. NaN reaches none.
    pub fn good(&self) -> Option<bool> {
        let (low, high) = (self.at_least.map(|t| self.value >= t), self.at_most.map(|t| self.value <= t));
        match (low, high) {
            (None, None) => None,
            _ => Some(low.unwrap_or(true) && high.unwrap_or(true)),
        }
    }
    /// One line of the table.
    pub fn line(&self) -> String {
        let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.4}"));
        let target = match (self.at_least, self.at_most) {
            (None, None) => "-".into(),
            (Some(low), None) => format!(">= {low:.4}"),
            (None, Some(high)) => format!("<= {high:.4}"),
            (Some(low), Some(high)) => format!("{low:.3} to {high:.3}"),
        };
        let verdict = match self.good() {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "",
        };
        format!(
            "  {:28} {:>6} {:10.4} +- {:<8.4} {:>9} {:>14} {verdict}",
            self.what,
            self.items.map_or("-".into(), |n| n.to_string()),
            self.value,
            self.sd,
            number(self.published),
            target
        )
        .trim_end()
        .into()
    }
}

/// The header over lines.
pub fn header() -> String {
    format!(
        "  {:28} {:>6} {:>10}    {:8} {:>9} {:>14}",
        "number", "items", "ours", "sd", "published", "target"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_misses_and_both_ends_count() {
        let m = |v: f64| Measure::new("ratio", Some(10), v, 0.1).at_least(0.97).at_most(1.03);
        assert_eq!([1.0, 0.96, 1.04, f64::NAN].map(|v| m(v).good()), [true, false, false, false].map(Some));
        assert_eq!(Measure::new("a", None, 1.0, 0.0).good(), None);
        let line = m(1.0).published(2.5).line();
        assert!(
            line.contains("2.5000") && line.contains("0.970 to 1.030") && line.ends_with("reached"),
            "{line}"
        );
    }
}
