//! The run folder: `model.toml`, `weights.safetensors`, `state.safetensors`, `metrics.jsonl`.
//!
//! `weights` holds what inference needs (averaged weights, moments of the standardisation), `state` everything that
//! training changes, so that a run goes on bit for bit. Every file is replaced at once; the state is written last,
//! and a state without its weights is never used.
use crate::data::standardise::Standardiser;
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::moments::{load_moments, moments};
use crate::model::weights::Weights;
use crate::runtime::args::Args;
use crate::runtime::exec::Snapshot;
use crate::runtime::params::ParamTable;
use crate::runtime::state::State;
use crate::runtime::tiling::Tiling;
use crate::train::run::{Metric, Summary};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Counters of training on the host.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Steps in all, fixed when the run began.
    pub total: u64,
    /// Best validation loss so far.
    pub best: Option<f32>,
    /// Its step.
    pub best_step: u64,
    /// Latest validation loss.
    pub validation: Option<f32>,
    /// Factor on the learning rate, lowered by roll-backs.
    pub lr_factor: f32,
    /// Roll-backs so far.
    pub rollbacks: u32,
    /// Times the learning rate was dropped because the validation loss stood still.
    pub drops: u32,
    /// Step of the last drop.
    pub drop_step: u64,
    /// Seconds spent.
    pub seconds: f64,
    /// Steps whose gradient was not finite.
    pub skipped: u64,
    /// Masked rows.
    pub masked: u64,
    /// Loss summed since the last metric, and steps and norms.
    pub loss_sum: f64,
    /// Steps in that sum.
    pub loss_steps: u64,
    /// Gradient norms since the last metric.
    pub norm_sum: f64,
    /// Mean loss of the last metric.
    pub loss: f32,
    /// Checksum of the pairs of a fixed table that somebody else made; none of one that is simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Tilings of the row launches on a GPU, one for each plan of a step: what the run began with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tilings: Vec<Tiling>,
}

/// Names of the files.
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
}

/// A run that goes on has the network that it had and sees the data that it would have seen; its length and its rate may change.
fn same_run(was: &Config, now: &Config) -> Result<()> {
    let hint = "Ask for the same, or start another run in a folder of its own";
    let (a, b) = (&was.train, &now.train);
    let number = |n: Option<u64>| n.map_or("none".into(), |n| n.to_string());
    let flag = |on: Option<bool>| on.unwrap_or_default().to_string();
    let data = [
        ("seed", number(Some(a.seed)), number(Some(b.seed))),
        ("simulations", number(a.simulations), number(b.simulations)),
        ("pool", number(a.pool), number(b.pool)),
        ("rounds", number(a.rounds), number(b.rounds)),
        ("windows", flag(a.windows), flag(b.windows)),
        ("validation", a.validation.to_string(), b.validation.to_string()),
    ];
    if let Some((name, was, now)) = data.iter().find(|(_, was, now)| was != now) {
        let problem = format!("expected {was}, as in the run so far, found {now}");
        return Err(Error::config(format!("train.{name}"), problem, hint));
    }
    let network = [
        ("parameter", was.parameter == now.parameter),
        ("data", was.data == now.data),
        ("summary", was.summary == now.summary),
        ("flow", was.flow == now.flow),
    ];
    match network.iter().find(|(_, same)| !same) {
        Some((name, _)) => {
            let problem = format!("expected the settings of `[{name}]` in the run so far, found others");
            Err(Error::config(*name, problem, hint))
        }
        None => Ok(()),
    }
}

impl Folder {
    /// Creates the folder where it is missing and proves that it can be written.
    pub fn create(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|e| Error::io("create", path, e))?;
        Ok(Self { path: path.into() })
    }
    /// `model.toml`
    pub fn model(&self) -> PathBuf {
        self.path.join("model.toml")
    }
    /// `weights.safetensors`
    pub fn weights(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }
    /// `state.safetensors`
    pub fn state(&self) -> PathBuf {
        self.path.join("state.safetensors")
    }
    /// `metrics.jsonl`
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Writes the model file.
    pub fn save_model(&self, config: &Config) -> Result<()> {
        crate::data::atomic::write_atomic(&self.model(), |w| w.write_all(config.to_toml().as_bytes()))
    }

    /// Writes the weights file from values in storage layout.
    pub fn save_weights(
        &self,
        config: &Config,
        table: &ParamTable,
        values: &[f32],
        standardiser: &Standardiser,
        summary: &Summary,
    ) -> Result<()> {
        let mut w = Weights::new(config.clone());
        for p in &table.entries {
            let shape = if p.matrix { vec![p.rows, p.cols] } else { vec![p.cols] };
            w.insert(p.name.clone(), &shape, ParamTable::unpad(p, values));
        }
        for (name, v) in moments(standardiser) {
            w.insert(name, &[v.len()], v.clone());
        }
        w.metadata.insert("training".into(), json(summary));
        w.save_atomic(&self.weights())
    }

    /// Writes the state file.
    pub fn save_state(
        &self,
        config: &Config,
        now: &Snapshot,
        best: Option<&[f32]>,
        standardiser: &Standardiser,
        counters: &Counters,
    ) -> Result<()> {
        let mut w = Weights::new(config.clone());
        let parts = [
            ("params", &now.params),
            ("average", &now.average),
            ("first_moment", &now.first),
            ("second_moment", &now.second),
        ];
        for (name, v) in parts {
            w.insert(name, &[v.len()], v.clone());
        }
        if let Some(best) = best {
            w.insert("best", &[best.len()], best.to_vec());
        }
        for (name, v) in moments(standardiser) {
            w.insert(name, &[v.len()], v.clone());
        }
        w.metadata.insert("state".into(), json(&now.state.to_words()));
        w.metadata.insert("counters".into(), json(counters));
        w.save_atomic(&self.state())
    }

    /// That a run of `config` can go on from the state, where there is one: before anything is simulated for it.
    pub fn check_same(&self, config: &Config) -> Result<()> {
        let path = self.state();
        if path.exists() { same_run(&Weights::load(&path)?.config, config) } else { Ok(()) }
    }

    /// Reads the state file: everything [`Folder::save_state`] wrote. Batches are as large as they were, or it is an error.
    pub fn load_state(&self, table: &ParamTable, config: &Config) -> Result<Resumed> {
        let path = self.state();
        let w = Weights::load(&path)?;
        let (was, now) = (w.config.train.rows(), config.train.rows());
        if was != now {
            let problem = format!("expected {was}, as in the run so far, found {now}");
            return Err(Error::config("train.batch", problem, "Ask for the same, or start another run"));
        }
        let text = |key: &str| {
            w.metadata.get(key).ok_or_else(|| {
                Error::run(
                    &path,
                    format!("expected a metadata entry `{key}`, found none"),
                    "Train again without --resume",
                )
            })
        };
        let bad = |key: &str, e: serde_json::Error| {
            Error::run(
                &path,
                format!("the metadata entry `{key}` cannot be read ({e})"),
                "Train again without --resume",
            )
        };
        let words: Vec<u32> = serde_json::from_str(text("state")?).map_err(|e| bad("state", e))?;
        if words.len() != State::WORDS {
            let problem = format!("expected {} state words, found {}", State::WORDS, words.len());
            return Err(Error::run(
                &path,
                problem,
                "It is from another version; train again without --resume",
            ));
        }
        let counters: Counters = serde_json::from_str(text("counters")?).map_err(|e| bad("counters", e))?;
        let get = |name: &str| Ok::<_, Error>(w.expect(name, &[table.len])?.values.clone());
        let now = Snapshot {
            params: get("params")?,
            average: get("average")?,
            first: get("first_moment")?,
            second: get("second_moment")?,
            state: State::from_words(&words),
        };
        let best = w.tensors.contains_key("best").then(|| get("best")).transpose()?;
        let standardiser = load_moments(&w, config)?;
        Ok(Resumed { now, best, standardiser, counters })
    }

    /// Removes what an earlier run left, so that a new run never goes on from the state of another.
    pub fn clear(&self) -> Result<()> {
        for path in [self.state(), self.weights(), self.metrics(), self.path.join("report.html")] {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Appends a line to the metrics.
    pub fn append_metric(&self, metric: &Metric) -> Result<()> {
        let path = self.metrics();
        let fail = |e| Error::io("write", &path, e);
        let mut f = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(fail)?;
        f.write_all((json(metric) + "\n").as_bytes()).map_err(fail)
    }
    /// Keeps the metrics up to a step: what came after is trained anew.
    pub fn truncate_metrics(&self, step: u64) -> Result<()> {
        let kept: Vec<Metric> = self.read_metrics()?.into_iter().filter(|m| m.step <= step).collect();
        crate::data::atomic::write_atomic(&self.metrics(), |w| {
            kept.iter().try_for_each(|m| w.write_all((json(m) + "\n").as_bytes()))
        })
    }
    /// The metrics; a last line that was cut off by a kill is left out.
    pub fn read_metrics(&self) -> Result<Vec<Metric>> {
        let path = self.metrics();
        let file = match std::fs::File::open(&path) {
            Ok(f) => f,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        let lines = BufReader::new(file).lines();
        Ok(lines.map_while(|l| l.ok()).filter_map(|l| serde_json::from_str(&l).ok()).collect())
    }
}

/// What a state file holds.
pub struct Resumed {
    /// Weights, moments, counters of the device.
    pub now: Snapshot,
    /// Best averaged weights so far.
    pub best: Option<Vec<f32>>,
    /// The standardisation.
    pub standardiser: Standardiser,
    /// Counters of the host.
    pub counters: Counters,
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain structs of numbers serialise")
}
