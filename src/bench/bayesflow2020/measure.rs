//! One number with its uncertainty and what it is compared to.
use serde::Serialize;

use crate::report::size_plot::SizeCurve;

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

/// Numbers that were measured at several sizes, in their order: NRMSE with the published curve, posterior sd with what it should
/// fall as.
pub fn curves(measures: &[Measure]) -> Vec<SizeCurve> {
    let mut curves: Vec<SizeCurve> = vec![];
    for kind in ["NRMSE", "mean posterior sd"] {
        for m in measures.iter().filter(|m| m.what.starts_with(kind)) {
            let Some(items) = m.items else { continue };
            let at = curves.iter().position(|c| c.name == m.what).unwrap_or_else(|| {
                let root = kind != "NRMSE";
                curves.push(SizeCurve { name: m.what.clone(), root, ..SizeCurve::default() });
                curves.len() - 1
            });
            curves[at].ours.push((items, m.value, m.sd));
            curves[at].published.extend(m.published.map(|v| (items, v)));
        }
    }
    curves.retain(|c| c.ours.len() > 1);
    curves
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
    fn curves_join_what_was_measured_at_several_sizes() {
        let m = |what: &str, items, value| Measure::new(what, Some(items), value, 0.1).published(2.0 * value);
        let all = [m("NRMSE r", 10, 1.0), m("R2 r", 10, 1.0), m("NRMSE r", 20, 0.5), m("NRMSE u", 10, 1.0)];
        let found = curves(&all);
        assert_eq!((found.len(), found[0].name.as_str(), found[0].root), (1, "NRMSE r", false));
        assert_eq!(found[0].ours, [(10, 1.0, 0.1), (20, 0.5, 0.1)]);
        assert_eq!(found[0].published, [(10, 2.0), (20, 1.0)]);
    }

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
