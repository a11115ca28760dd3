//! One measurement a line, as Couplet and the scripts in `benches/peers` print them, so that runs can be joined.
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Environment variable with the time (seconds since 1970) at which a command was given.
pub const STARTED: &str = "BENCH_STARTED";

/// A measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Who was measured: `couplet`, `jax`, `bayesflow`, `sbi`.
    pub who: String,
    /// `w`, `ws`, or a model.
    pub workload: String,
    /// Rows of a step or draws of a pass.
    pub batch: usize,
    /// What was measured, e.g. `steps_per_second`.
    pub metric: String,
    /// The value.
    pub value: f64,
}

impl Line {
    /// A measurement of Couplet.
    pub fn new(workload: &str, batch: usize, metric: &str, value: f64) -> Self {
        Self { who: "couplet".into(), workload: workload.into(), batch, metric: metric.into(), value }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Seconds since the command was given, where [`STARTED`] says when that was.
pub fn started() -> Option<f64> {
    since(&std::env::var(STARTED).ok()?, SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

fn since(begun: &str, now: f64) -> Option<f64> {
    begun.trim().parse::<f64>().ok().map(|begun| now - begun).filter(|s| *s >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_comes_back() {
        let line = Line::new("w", 64, "steps_per_second", 512.5);
        let text = line.to_string();
        assert!(text.starts_with(r#"{"who":"couplet","workload":"w","batch":64,"#) && !text.contains('\n'));
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }

    #[test]
    fn time_since_the_command() {
        assert!((since("1000.25\n", 1001.0).unwrap() - 0.75).abs() < 1e-9);
        assert_eq!([since("later", 1.0), since("5", 1.0), since("nan", 1.0)], [None; 3]);
    }
}
