//! Simulations a second of a model: prior, simulator, support transform and standardisation, as in a training step.
use serde::{Deserialize, Serialize};

use super::table::{significant, whole};
use super::timing::{Spread, measure};
use super::workload::Workload;
use crate::error::Result;
use crate::model::network::Rows;
use crate::runtime::Device;
use crate::runtime::exec::Weights;
use crate::runtime::state::RunArgs;

/// Simulations of a pass: on the CPU, where some simulators are slow, and on a GPU, which has to be filled.
const ROWS: [usize; 2] = [1024, 16_384];
/// The same of data sets of many items.
const SETS: [usize; 2] = [256, 1024];

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The model.
    pub model: String,
    /// Parameters of a simulation.
    pub theta_dim: usize,
    /// Data values of a simulation.
    pub x_dim: usize,
    /// Simulations of a pass.
    pub rows: usize,
    /// Time of a pass, seconds.
    pub seconds: Spread,
    /// At the median.
    pub simulations_per_second: f64,
}

/// Measures passes of simulations on a device, all threads, for about `seconds`; of data sets of many items the largest.
///
/// # Errors
/// As [`Workload::open`] and [`super::workload::Opened::train_plan`].
pub fn measure_simulate(workload: &Workload, device: &Device, seconds: f64) -> Result<Row> {
    // The network plays no part: the smallest will do.
    let w = workload.resized(Some(1), Some(4))?.largest()?.open()?;
    w.train_plan(device)?;
    let plan = w.network.source_plan(Rows::Online, w.items);
    let meta = plan.meta;
    let kind = usize::from(!device.is_cpu());
    let rows = match w.items {
        Some(_) => w.chunk(&plan, device.is_cpu(), SETS[kind]),
        None => ROWS[kind],
    };
    let mut exec = w.executor(device)?;
    let id = exec.prepare(plan, rows)?;
    let run = RunArgs { rows: rows as u32, batch: rows as u32, draws: 1, ..RunArgs::default() };
    let spread = measure(seconds, 0.02, |n| {
        for _ in 0..n {
            exec.run(id, &run, Weights::Current)?;
        }
        // waits for the device
        exec.read(id, meta, 1, 4).map(drop)
    })?;
    Ok(Row {
        model: workload.name.clone(),
        theta_dim: w.model.theta_dim(),
        x_dim: w.model.x_dim()?,
        rows,
        seconds: spread,
        simulations_per_second: rows as f64 * spread.per_second(),
    })
}

/// Columns of [`cells`].
pub const HEADER: [&str; 6] = ["model", "parameters", "data", "rows", "a pass (p10 - p90)", "simulations/s"];

/// A row of the table.
pub fn cells(r: &Row) -> Vec<String> {
    vec![
        r.model.clone(),
        r.theta_dim.to_string(),
        r.x_dim.to_string(),
        whole(r.rows),
        r.seconds.text(),
        significant(r.simulations_per_second),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulations_are_counted() {
        let r = measure_simulate(&Workload::find("two-moons").unwrap(), &Device::Cpu, 0.0).unwrap();
        assert_eq!((r.theta_dim, r.x_dim), (2, 2));
        assert!((r.simulations_per_second * r.seconds.median - r.rows as f64).abs() < 1e-3);
        assert_eq!(cells(&r).len(), HEADER.len());
        let sets = Workload::find("normal-mean").unwrap().sized(30).unwrap();
        let r = measure_simulate(&sets, &Device::Cpu, 0.0).unwrap();
        assert_eq!((r.theta_dim, r.x_dim, r.rows), (1, 30, SETS[0]));
    }
}
