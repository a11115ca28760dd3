//! Draws a second from the posterior: base noise, inverse flow, back to theta, on the host again.
use serde::{Deserialize, Serialize};

use super::table::{significant, whole};
use super::timing::{Spread, measure};
use super::workload::Workload;
use crate::error::Result;
use crate::infer::Posterior;
use crate::model::definition::VALIDATION_STEP;
use crate::runtime::{Device, Tiling};

/// Draws of a pass.
const DRAWS: usize = 100_000;

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The workload.
    pub workload: String,
    /// Items of each observation, where it is a data set of many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
    /// Observations of a pass.
    pub observations: usize,
    /// Draws of each.
    pub draws: usize,
    /// Tiling of the row launch on a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiling: Option<Tiling>,
    /// Time of a pass, seconds.
    pub seconds: Spread,
    /// At the median, all observations together.
    pub draws_per_second: f64,
}

/// Measures passes of `draws` draws for each of `observations` data sets (none: 100,000 in all, evenly), summaries included,
/// with the first weights, for about `seconds`.
///
/// # Errors
/// As [`Workload::open`].
pub fn measure_sample(
    workload: &Workload,
    device: &Device,
    observations: usize,
    draws: Option<usize>,
    seconds: f64,
) -> Result<Row> {
    let w = workload.open()?;
    let x = w.model.simulate(1, VALIDATION_STEP, observations)?.x;
    let posterior = Posterior::new(w.model, w.network, w.standardiser, w.start.params, device.clone())?;
    let draws = draws.unwrap_or(DRAWS.div_ceil(observations));
    let spread =
        measure(seconds, 0.0, |n| (0..n).try_for_each(|i| posterior.sample(&x, draws, i as u64).map(drop)))?;
    Ok(Row {
        workload: workload.name.clone(),
        items: workload.items,
        observations,
        draws,
        tiling: posterior.tiling(),
        seconds: spread,
        draws_per_second: (observations * draws) as f64 * spread.per_second(),
    })
}

/// Columns of [`cells`].
pub const HEADER: [&str; 7] =
    ["workload", "items", "observations", "draws each", "tiling", "pass (p10 - p90)", "draws/s"];

/// A row of the table.
pub fn cells(r: &Row) -> Vec<String> {
    vec![
        r.workload.clone(),
        r.items.map_or("-".into(), whole),
        whole(r.observations),
        whole(r.draws),
        r.tiling.map_or("-".into(), |t| t.to_string()),
        r.seconds.text(),
        significant(r.draws_per_second),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_counted_over_all_observations() {
        let w = Workload::find("w").unwrap().resized(Some(1), Some(4)).unwrap();
        let r = measure_sample(&w, &Device::Cpu, 7, None, 0.0).unwrap();
        assert_eq!((r.observations, r.draws), (7, 14_286));
        assert!((r.draws_per_second * r.seconds.median - 7.0 * 14_286.0).abs() < 1e-3);
        assert_eq!(cells(&r).len(), HEADER.len());
        let sets = Workload::find("wd").unwrap().resized(Some(1), Some(4)).unwrap().sized(9).unwrap();
        let r = measure_sample(&sets, &Device::Cpu, 3, Some(5), 0.0).unwrap();
        assert_eq!((r.items, r.observations, r.draws), (Some(9), 3, 5));
    }
}
