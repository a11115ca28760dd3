//! What training tells its caller.
use crate::runtime::Tiling;
use serde::{Deserialize, Serialize};

/// Where training is, given to the progress callback a few times a second.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// Steps done.
    pub step: u64,
    /// Steps in all; early stopping may end sooner.
    pub steps: u64,
    /// Mean loss of the last steps, nats of u space.
    pub loss: f32,
    /// Latest validation loss.
    pub validation: Option<f32>,
    /// Steps per second so far.
    pub steps_per_second: f64,
    /// Seconds spent.
    pub seconds: f64,
    /// Seconds left at this speed.
    pub eta_seconds: f64,
    /// Steps whose gradient was not finite.
    pub skipped: u64,
    /// Rows whose simulation was not finite.
    pub masked: u64,
    /// While a pool is simulated: data sets that are there, and that the next steps want.
    pub pool: Option<(u64, u64)>,
    /// Something worth saying once.
    pub message: Option<&'a str>,
}

/// How training ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps done.
    pub steps: u64,
    /// Seconds of training, earlier sessions of a resumed run included.
    pub seconds: f64,
    /// Mean loss of the last steps, nats of u space.
    pub loss: f32,
    /// Validation loss of the weights that were kept.
    pub validation: Option<f32>,
    /// Step the kept weights are from.
    pub best_step: u64,
    /// Whether early stopping ended the run.
    pub stopped_early: bool,
    /// Whether the callback ended the run.
    pub interrupted: bool,
    /// Simulations drawn or used.
    pub simulations: u64,
    /// Steps whose gradient was not finite.
    pub skipped: u64,
    /// Rows whose simulation was not finite.
    pub masked: u64,
    /// Parameters of the network.
    pub parameters: u64,
    /// The device.
    pub device: String,
    /// Tilings of the row launches of its steps, each once; none on the CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tilings: Vec<Tiling>,
}

impl Summary {
    /// The device and, of a GPU, the tilings: `GeForce, tiling 8x256`.
    pub fn place(&self) -> String {
        let tilings: Vec<String> = self.tilings.iter().map(ToString::to_string).collect();
        match tilings.is_empty() {
            true => self.device.clone(),
            false => format!("{}, tiling {}", self.device, tilings.join(" and ")),
        }
    }
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Steps done.
    pub step: u64,
    /// Mean loss since the line before.
    pub loss: f32,
    /// Validation loss at this step.
    pub validation: Option<f32>,
    /// Mean gradient norm since the line before.
    pub norm: f32,
    /// Learning rate.
    pub lr: f32,
    /// Seconds of training.
    pub seconds: f64,
}
