//! The certificate: what the last check found, kept with the weights it is about.
//!
//! It stands in the metadata of `weights.safetensors` under `check`. Training writes the file anew, so weights that
//! changed have none.
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::check::{CheckReport, RankTest, Verdict};
use super::conformal::Conformal;
use crate::error::{Error, Result};
use crate::model::weights::Weights;

const KEY: &str = "check";

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// When, UTC: `2026-01-31 12:00`.
    pub date: String,
    /// Seed of simulations and draws.
    pub seed: u64,
    /// Data sets.
    pub sets: usize,
    /// Draws of each.
    pub draws: usize,
    /// The verdict on everything.
    pub verdict: Verdict,
    /// Every diagnostic that decides, with its verdict.
    pub diagnostics: Vec<(String, Verdict)>,
    /// What was found, in words.
    pub findings: Vec<String>,
    /// Corrections of central intervals.
    pub conformal: Conformal,
}

impl Certificate {
    /// Of a check made now.
    pub fn new(report: &CheckReport, seed: u64, conformal: Conformal) -> Self {
        let judged = |good: bool| if good { Verdict::Pass } else { Verdict::Fail };
        let mut diagnostics = vec![];
        for p in &report.parameters {
            diagnostics.push((format!("ranks of {}", p.name), judged(p.ecdf.inside())));
            if let Some(d) = p.dependence {
                diagnostics.push((format!("dependence of {}", p.name), judged(d.independent())));
            }
        }
        diagnostics.push(("TARP".into(), judged(report.joint.inside())));
        let tests: [(&str, &Option<RankTest>); 2] =
            [("highest-density regions", &report.hpd), ("posterior predictive", &report.predictive)];
        for (name, test) in tests {
            diagnostics.extend(test.as_ref().map(|t| (name.to_string(), judged(t.inside()))));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self {
            date: date(now.as_secs()),
            seed,
            sets: report.sets,
            draws: report.draws,
            verdict: report.verdict,
            diagnostics,
            findings: report.findings.iter().map(|f| f.text.clone()).collect(),
            conformal,
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let good = self.diagnostics.iter().filter(|(_, v)| *v < Verdict::Fail).count();
        let all = self.diagnostics.len();
        let verdict = match self.verdict {
            Verdict::Pass => "passed",
            Verdict::Warning => "passed with a warning",
            Verdict::Fail => "FAILED",
        };
        let why = match (self.verdict, self.findings.first()) {
            (Verdict::Pass, _) | (_, None) => String::new(),
            (_, Some(first)) => format!(": {}", first.split(". ").next().unwrap_or(first)),
        };
        format!(
            "Checked {} UTC (seed {}, {} data sets, {} draws each): {verdict}, {good} of {all} tests{why}",
            self.date, self.seed, self.sets, self.draws
        )
    }

    /// Adds the certificate to the weights of a run, in place of an earlier one.
    pub fn store(&self, run: &Path) -> Result<()> {
        let file = weights_file(run);
        let mut weights = Weights::load(&file)?;
        let text = serde_json::to_string(self).map_err(|e| {
            Error::run(&file, format!("the certificate cannot be written ({e})"), "Report this")
        })?;
        weights.metadata.insert(KEY.into(), text);
        weights.save_atomic(&file)
    }

    /// The certificate of a run; none if these weights were never checked, or by a version with another certificate.
    pub fn find(run: &Path) -> Result<Option<Self>> {
        let weights = Weights::load(&weights_file(run))?;
        Ok(weights.metadata.get(KEY).and_then(|text| serde_json::from_str(text).ok()))
    }
}

/// The weights of a run folder, or the file itself.
pub fn weights_file(run: &Path) -> PathBuf {
    if run.is_dir() { run.join("weights.safetensors") } else { run.to_path_buf() }
}

/// `1970-01-01 00:00` and so on, the Gregorian calendar without leap seconds (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn date(seconds: u64) -> String {
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds % 86_400 / 3600, seconds % 3600 / 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::check::check;
    use crate::model::Config;
    use crate::rng::{Rng, streams};

    #[test]
    fn dates_are_the_calendars() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_251_199, "2024-02-29 23:59"),
            (4_102_444_800, "2100-01-01 00:00"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }

    #[test]
    fn it_is_stored_with_the_weights_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut weights = Weights::new(Config::builtin("sir").unwrap());
        weights.insert("w", &[2], vec![1.0, 2.0]);
        weights.save_atomic(&folder.path().join("weights.safetensors")).unwrap();
        assert!(Certificate::find(folder.path()).unwrap().is_none());
        // One draw is far off in every set: some numbers of the report are not finite.
        let truths: Vec<f32> = (0..40).map(|i| Rng::new(1, streams::TEST, 0, i).normal()).collect();
        let report = check(&["a".into()], &[1.0], &truths, &[0.5; 40 * 50], 50).unwrap();
        let widen = vec![[0.0, 0.1, -0.2, 1e30]];
        let certificate = Certificate::new(&report, 7, Conformal { sets: 40, widen });
        certificate.store(folder.path()).unwrap();
        certificate.store(folder.path()).unwrap();
        assert_eq!(Certificate::find(folder.path()).unwrap().as_ref(), Some(&certificate));
        let line = certificate.line();
        assert!(
            line.contains("FAILED") && line.contains("collapsed") && line.contains("40 data sets"),
            "{line}"
        );
        assert_eq!(
            Weights::load(&folder.path().join("weights.safetensors")).unwrap().tensors,
            weights.tensors
        );
    }
}
