//! What a report says about the run itself: model, sizes, times, device, seeds; and its loss curve.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::loss_plot::loss_plot;
use super::page::{Figure, Section};
use crate::model::weights::Weights;
use crate::train::Summary;
use crate::train::run::Metric;

/// A run as its folder tells it.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Its name: that of the folder.
    pub name: String,
    /// The resolved model file.
    pub model: String,
    /// How training ended.
    pub summary: Option<Summary>,
    /// Learning curve.
    pub metrics: Vec<Metric>,
    /// Seed of training.
    pub seed: u64,
}

impl RunFacts {
    /// Reads a run folder or a weights file. What is missing is left out: a report is not worth an error.
    pub fn read(run: &Path) -> Self {
        let folder: PathBuf = if run.is_dir() {
            run.to_path_buf()
        } else {
            run.parent().unwrap_or(Path::new("")).to_path_buf()
        };
        let file = if run.is_dir() { run.join("weights.safetensors") } else { run.to_path_buf() };
        let name = if run.is_dir() { run } else { run.parent().unwrap_or(run) };
        let name = name.file_name().map_or("model".into(), |n| n.to_string_lossy().into_owned());
        let metrics = std::fs::File::open(folder.join("metrics.jsonl")).map(|file| {
            let lines = BufReader::new(file).lines().map_while(Result::ok);
            lines.filter_map(|line| serde_json::from_str(&line).ok()).collect()
        });
        let weights = Weights::load(&file).ok();
        let summary = weights
            .as_ref()
            .and_then(|w| w.metadata.get("training"))
            .and_then(|text| serde_json::from_str(text).ok());
        Self {
            name,
            model: weights.as_ref().map_or(String::new(), |w| w.config.to_toml()),
            summary,
            metrics: metrics.unwrap_or_default(),
            seed: weights.map_or(0, |w| w.config.train.seed),
        }
    }

    /// Name and value of what is known about training.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![];
        if let Some(s) = &self.summary {
            let mut add = |name: &str, value: String| facts.push((name.to_string(), value));
            add("trained on", s.place());
            add("training time", format!("{:.1} s", s.seconds));
            add("steps", s.steps.to_string());
            add("simulations", s.simulations.to_string());
            add("parameters of the network", s.parameters.to_string());
            add("loss", format!("{:.3} nats", s.loss));
            if let Some(v) = s.validation {
                add("validation loss", format!("{v:.3} nats"));
            }
            if s.masked + s.skipped > 0 {
                add("simulations left out", s.masked.to_string());
                add("steps skipped", s.skipped.to_string());
            }
            if s.stopped_early {
                add("stopped early, best step", s.best_step.to_string());
            }
        }
        facts.push(("seed of training".into(), self.seed.to_string()));
        facts.push(("couplet".into(), env!("CARGO_PKG_VERSION").into()));
        facts
    }

    /// The loss curve, if there is one.
    pub fn loss(&self) -> Section {
        let steps: Vec<u64> = self.metrics.iter().map(|m| m.step).collect();
        let losses: Vec<f32> = self.metrics.iter().map(|m| m.loss).collect();
        let (at, validation): (Vec<u64>, Vec<f32>) =
            self.metrics.iter().filter_map(|m| m.validation.map(|v| (m.step, v))).unzip();
        let svg = loss_plot(&steps, &losses, (!at.is_empty()).then_some((&at[..], &validation[..])));
        Section::new(
            "Loss",
            "Both curves should fall and level off together; the loss is in nats, lower is better.",
            "Still falling at the end: train longer. Validation rising while training falls: more simulations, or a \
             smaller network.",
            if steps.len() > 1 { vec![Figure::new("loss", svg)] } else { vec![] },
        )
    }

    /// A sentence if the loss was still falling when training ended, with the first remedy.
    ///
    /// The validation losses of the last tenth of the steps against those of the tenth before: a fall by more than
    /// 0.02 nats and 1 % of the whole descent.
    pub fn still_falling(&self) -> Option<String> {
        let last = self.metrics.last()?.step as f64;
        let mean = |from: f64, to: f64| {
            let part =
                self.metrics.iter().filter(|m| m.step as f64 > from * last && m.step as f64 <= to * last);
            let values: Vec<f64> = part.map(|m| f64::from(m.validation.unwrap_or(m.loss))).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let (before, end) = (mean(0.8, 0.9)?, mean(0.9, 1.0)?);
        let first = f64::from(self.metrics.first()?.loss);
        let fall = before - end;
        (fall > 0.02 && fall > 0.01 * (first - end)).then(|| {
            format!(
                "the loss was still falling when training ended, by {fall:.2} nats over the last tenth of {last} steps. \
                 Train longer"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(loss: impl Fn(u64) -> f32) -> RunFacts {
        let metric = |step| Metric {
            step,
            loss: loss(step),
            validation: Some(loss(step)),
            norm: 1.0,
            lr: 1e-3,
            seconds: 1.0,
        };
        RunFacts { metrics: (1..=40).map(|i| metric(i * 5)).collect(), ..RunFacts::default() }
    }

    #[test]
    fn a_loss_that_falls_to_the_end_is_said_and_a_level_one_is_not() {
        let falling = curve(|step| 3.0 - 0.01 * step as f32).still_falling().unwrap();
        assert!(falling.contains("0.20 nats over the last tenth of 200 steps"), "{falling}");
        assert!(curve(|step| (-(step as f32) / 10.0).exp()).still_falling().is_none());
        assert!(curve(|_| f32::NAN).still_falling().is_none());
        assert!(RunFacts::default().still_falling().is_none());
    }

    #[test]
    fn a_run_that_is_not_there_gives_an_empty_report() {
        let facts = RunFacts::read(Path::new("/absent/run"));
        assert!(facts.summary.is_none() && facts.loss().figures.is_empty() && facts.facts().len() == 2);
    }
}
