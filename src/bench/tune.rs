//! Tables of tilings, and the file in which choices are kept.
use std::io::Write;
use std::path::Path;

use super::table::significant;
use super::timing::Spread;
use crate::data::atomic::write_atomic;
use crate::error::{Error, Result};
use crate::runtime::choices::Choices;
use crate::runtime::tune::Tuned;

/// Columns of [`cells`].
pub const HEADER: [&str; 6] = ["tiling", "", "rows", "threads", "launch (p10 - p90)", "of default"];

/// Rows of the table: one a candidate.
pub fn cells(tuned: &Tuned) -> Vec<Vec<String>> {
    let default = &tuned.candidates[0];
    tuned
        .candidates
        .iter()
        .map(|c| {
            let ratio = c.against(default).map_or(f64::NAN, |(ratio, _)| ratio);
            let (time, mut note) = match &c.times {
                Ok(times) if times.is_empty() => ("-".into(), "no time was left".to_string()),
                Ok(times) => (Spread::of(times.clone()).text(), String::new()),
                // The reason is a sentence or two; a table has room for one line.
                Err(problem) => ("-".into(), problem.lines().next().unwrap_or_default().to_string()),
            };
            if c.tiling == tuned.chosen && tuned.says_something() {
                note = "chosen".into();
            }
            let t = c.tiling;
            vec![t.to_string(), note, t.rows.to_string(), t.threads.to_string(), time, significant(ratio)]
        })
        .collect()
}

/// Adds choices, as far as they rest on measurements, to the file at `path`, whose folder is made where it is missing. A sentence where what was in the file could
/// not be used and is replaced.
///
/// # Errors
/// [`Error::Io`].
pub fn store(all: &[Tuned], path: &Path) -> Result<Option<String>> {
    let (mut choices, problem) = Choices::read(path);
    all.iter().filter(|tuned| tuned.says_something()).for_each(|tuned| choices.put(tuned.choice()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    }
    write_atomic(path, |w| w.write_all(choices.text().as_bytes()))?;
    Ok(problem.map(|problem| format!("`{}` held nothing of use and was replaced: {problem}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::choices::Key;
    use crate::runtime::tiling::Tiling;
    use crate::runtime::tune::Candidate;

    fn tuned(rows: usize) -> Tuned {
        let chosen = Tiling { rows: 16, threads: 64 };
        let of = |tiling, times| Candidate { tiling, times };
        let candidates = vec![
            of(Tiling::default(), Ok(vec![1e-3; 5])),
            of(chosen, Ok(vec![0.5e-3; 5])),
            of(Tiling { rows: 4, threads: 64 }, Err("it cannot\ncompile".into())),
            of(Tiling { rows: 32, threads: 64 }, Ok(vec![])),
        ];
        Tuned { plan: "train".into(), key: Key { rows, ..Key::default() }, candidates, chosen }
    }

    #[test]
    fn the_table_says_what_became_of_each() {
        let cells = cells(&tuned(64));
        assert!(cells.iter().all(|row| row.len() == HEADER.len()));
        assert_eq!(cells[0], ["8x256", "", "8", "256", "1.00 ms (1.00 - 1.00)", "1.00"]);
        assert_eq!((cells[1][1].as_str(), cells[1][5].as_str()), ("chosen", "0.500"));
        assert_eq!((cells[2][1].as_str(), cells[2][4].as_str()), ("it cannot", "-"));
        assert_eq!((cells[3][1].as_str(), cells[3][5].as_str()), ("no time was left", "-"));
    }
    #[test]
    fn choices_are_added_and_what_is_no_use_is_replaced_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/tilings.json");
        assert_eq!(store(&[tuned(64), tuned(32)], &path).unwrap(), None);
        assert_eq!(store(&[tuned(64), tuned(16)], &path).unwrap(), None);
        for rows in [64, 32, 16] {
            assert_eq!(Choices::read(&path).0.find(&tuned(rows).key), Some(tuned(rows).chosen));
        }
        std::fs::write(&path, "{").unwrap();
        let said = store(&[tuned(64)], &path).unwrap().unwrap();
        assert!(said.contains("tilings.json` held nothing") && said.contains("expected JSON"), "{said}");
        assert_eq!(Choices::read(&path).0.find(&tuned(32).key), None);
        let e = store(&[tuned(64)], &path.join("c/tilings.json")).unwrap_err().to_string();
        assert!(e.contains("tilings.json"), "{e}");
    }
}
