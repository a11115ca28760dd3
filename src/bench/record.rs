//! The record of a comparison: one row a task, as a text table and as JSON.
use serde::Serialize;

use super::published::Published;

/// One task's outcome beside the published values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The task.
    pub task: String,
    /// Simulations for training: a number, or `online`.
    pub budget: String,
    /// Our mean MLP-C2ST; 0.5 is perfect.
    pub c2st: f64,
    /// Ours for each observation.
    pub observations: Vec<f64>,
    /// NPE at this budget on the same observations; at 10^5 simulations where training was online.
    pub npe: Option<f64>,
    /// The best amortised posterior published at 10^5 simulations, over ten observations.
    pub amortised: f64,
    /// The best known with 3.2e7 simulations, over ten observations.
    pub ceiling: f64,
    /// Training time, seconds.
    pub seconds: f64,
    /// Training steps.
    pub steps: u64,
    /// The device that trained.
    pub device: String,
}

impl Row {
    /// A row from the C2ST of every observation. `simulations`: the size of the table, or none for online training.
    pub fn new(
        published: &Published,
        simulations: Option<u64>,
        observations: Vec<f64>,
        seconds: f64,
        steps: u64,
        device: impl Into<String>,
    ) -> Self {
        let column = match simulations {
            Some(1_000) => Some(0),
            Some(10_000) => Some(1),
            Some(100_000) | None => Some(2),
            Some(_) => None,
        };
        Self {
            task: published.task.into(),
            budget: simulations.map_or("online".into(), |n| n.to_string()),
            c2st: observations.iter().sum::<f64>() / observations.len() as f64,
            observations,
            npe: column.map(|c: usize| published.npe[c]),
            amortised: published.amortised,
            ceiling: published.ceiling,
            seconds,
            steps,
            device: device.into(),
        }
    }
}

/// The header of the table.
pub fn header() -> String {
    format!(
        "{:24} {:>7} {:>6} {:>6} {:>6} {:>7} {:>8} {:>8}  observations 1 to 5",
        "task", "budget", "C2ST", "NPE", "best", "ceiling", "seconds", "steps"
    )
}

/// One row of the table.
pub fn line(r: &Row) -> String {
    let each: Vec<String> = r.observations.iter().map(|c| format!("{c:.3}")).collect();
    let npe = r.npe.map_or("-".into(), |npe| format!("{npe:.3}"));
    format!(
        "{:24} {:>7} {:6.3} {npe:>6} {:6.3} {:7.3} {:8.1} {:8}  {}",
        r.task,
        r.budget,
        r.c2st,
        r.amortised,
        r.ceiling,
        r.seconds,
        r.steps,
        each.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::published::PUBLISHED;

    fn row(simulations: Option<u64>) -> Row {
        let moons = PUBLISHED.iter().find(|p| p.task == "two-moons").unwrap();
        Row::new(moons, simulations, vec![0.5, 0.6, 0.55, 0.5, 0.6], 61.25, 20_000, "some CPU")
    }

    #[test]
    fn a_row_has_its_mean_and_the_published_value_of_its_budget() {
        assert!((row(None).c2st - 0.55).abs() < 1e-12);
        let npe = [Some(1_000), Some(10_000), Some(100_000), Some(5_000), None].map(|n| row(n).npe);
        assert_eq!(npe, [Some(0.697), Some(0.604), Some(0.526), None, Some(0.526)]);
    }

    #[test]
    fn table_and_json_hold_every_value() {
        let rows = [row(Some(1_000)), row(Some(7)), row(None)];
        let text = rows.iter().map(line).collect::<Vec<_>>().join("\n");
        assert!(header().contains("ceiling"));
        assert!(text.contains("two-moons") && text.contains("0.697") && text.contains("online"), "{text}");
        assert!(text.lines().nth(1).unwrap().contains(" - "), "{text}");
        let json = serde_json::to_value(&rows).unwrap();
        assert_eq!(json[0]["observations"].as_array().unwrap().len(), 5);
        assert!(json[1]["npe"].is_null() && json[2]["steps"] == 20_000 && json[2]["ceiling"] == 0.504);
    }
}
