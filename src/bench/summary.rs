//! Records as tables in Markdown: what README shows is made from these and from nothing else.
use std::path::Path;

use super::machine::Machine;
use super::ratios::{self, value, words};
use super::speed::load;
use super::table::{markdown, significant};
use super::{sample, simulate, step};
use crate::error::{Error, Result};

/// The tables of a record, with a line about the machine.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] where the file is no record of a known kind.
pub fn markdown_of(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let head: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let (machine, table) = match head["kind"].as_str() {
        Some("peers") => {
            let record = load::<ratios::Row>(path, "peers")?;
            (record.machine, peers(&record.rows))
        }
        Some("step") => {
            let record = load::<step::Row>(path, "step")?;
            (record.machine, rows(&step::HEADER, &record.rows, step::cells))
        }
        Some("sample") => {
            let record = load::<sample::Row>(path, "sample")?;
            (record.machine, rows(&sample::HEADER, &record.rows, sample::cells))
        }
        Some("simulate") => {
            let record = load::<simulate::Row>(path, "simulate")?;
            (record.machine, rows(&simulate::HEADER, &record.rows, simulate::cells))
        }
        _ => {
            let problem = "expected a record of kind peers, step, sample or simulate";
            return Err(Error::data(path, problem, "Records are written by `couplet bench ... -o FILE`"));
        }
    };
    Ok(format!("{table}\n{}\n", about(&machine)))
}

fn about(machine: &Machine) -> String {
    format!("({}.)", machine.line())
}

fn rows<R>(header: &[&str], all: &[R], cells: fn(&R) -> Vec<String>) -> String {
    markdown(header, &all.iter().map(cells).collect::<Vec<_>>())
}

/// One row a measure, one column a peer: the peer's median and how much better Couplet is.
fn peers(all: &[ratios::Row]) -> String {
    let mut names: Vec<&str> = vec![];
    let mut lines: Vec<(&str, usize, &str)> = vec![];
    for r in all {
        if !names.contains(&r.peer.as_str()) {
            names.push(&r.peer);
        }
        let line = (r.workload.as_str(), r.batch, r.metric.as_str());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let mut table = vec![];
    for (workload, batch, metric) in lines {
        let of = |name: &str| {
            all.iter().find(|r| {
                (r.workload.as_str(), r.batch, r.metric.as_str()) == (workload, batch, metric)
                    && r.peer == name
            })
        };
        let ours = names.iter().find_map(|n| of(n)).map_or(f64::NAN, |r| r.ours.median);
        let mut row =
            vec![format!("{}, {}, {batch}", workload.to_uppercase(), words(metric)), value(metric, ours)];
        row.extend(names.iter().map(|name| match of(name) {
            Some(r) => {
                let show = |v| format!("{}x", significant(v));
                let ratio = [r.ratio.median, r.ratio.least, r.ratio.most].map(show);
                format!("{} ({}; {} - {})", value(metric, r.theirs.median), ratio[0], ratio[1], ratio[2])
            }
            None => "-".into(),
        }));
        table.push(row);
    }
    let header: Vec<&str> =
        ["workload, measure, batch or draws", "couplet"].into_iter().chain(names).collect();
    markdown(&header, &table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::lines::Line;
    use crate::bench::speed::Speed;

    #[test]
    fn a_record_becomes_a_table() {
        let line =
            |who: &str, batch, v| Line { who: who.into(), ..Line::new("w", batch, "steps_per_second", v) };
        let lines = [
            line("couplet", 64, 500.0),
            line("jax", 64, 250.0),
            line("bayesflow", 64, 12.5),
            line("couplet", 256, 150.0),
            line("jax", 256, 75.0),
        ];
        let path = std::env::temp_dir().join(format!("couplet-peers-{}.json", std::process::id()));
        let machine = Machine { device: "some CPU".into(), ..Machine::default() };
        Speed::new("peers", machine, None, ratios::ratios(&lines)).save(&path).unwrap();
        let text = markdown_of(&path).unwrap();
        let found: Vec<&str> = text.lines().collect();
        assert_eq!(found[0], "| workload, measure, batch or draws | couplet | jax | bayesflow |");
        let first = "| W, steps/s, 64 | 500 | 250 (2.00x; 2.00x - 2.00x) | 12.5 (40.0x; 40.0x - 40.0x) |";
        assert_eq!(found[2], first);
        assert_eq!(found[3], "| W, steps/s, 256 | 150 | 75.0 (2.00x; 2.00x - 2.00x) | - |");
        assert!(text.contains("some CPU"));
        std::fs::write(&path, r#"{"kind": "kernels"}"#).unwrap();
        assert!(markdown_of(&path).unwrap_err().to_string().contains("expected a record"));
        std::fs::remove_file(&path).unwrap();
    }
}
