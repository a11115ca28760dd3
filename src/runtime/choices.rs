//! The tilings that tuning chose, kept in a small file in the user's cache folder.
//!
//! A choice holds for one adapter with one driver, one text of the kernels and one number of rows: after an update of any
//! of them nobody finds it again, and the default is in use. The file is a convenience: one that is damaged, of another
//! version, or missing counts as empty.
use crate::runtime::adapter::AdapterLine;
use crate::runtime::tiling::Tiling;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Names the folder of the file instead of the user's cache folder.
pub const VARIABLE: &str = "COUPLET_CACHE";
/// Version of the file's form.
const VERSION: u32 = 1;
/// Choices that the file holds at most; the oldest go.
const MOST: usize = 500;

/// What a choice holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Name of the adapter.
    pub adapter: String,
    /// `Vulkan`, `Metal` or `Dx12`.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// Hash of the kernels' text at the default tiling.
    pub kernels: String,
    /// Rows for which the plan was prepared.
    pub rows: usize,
}

impl Key {
    /// `source`: the module's text at the default tiling; `checked`: whether it is compiled with checks.
    pub fn new(adapter: &AdapterLine, source: &str, checked: bool, rows: usize) -> Self {
        // FNV-1a: stable over versions of the compiler, which the standard library's hash is not.
        let bytes = source.bytes().chain([u8::from(checked)]);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            adapter: adapter.name.clone(),
            backend: adapter.backend.clone(),
            driver: adapter.driver.clone(),
            kernels: format!("{hash:016x}"),
            rows,
        }
    }
}

/// What was chosen, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What it holds for.
    #[serde(flatten)]
    pub key: Key,
    /// Name of the plan, for readers.
    pub plan: String,
    /// The tiling.
    pub tiling: Tiling,
    /// Median time of a launch, seconds.
    pub seconds: f64,
    /// The same at the default tiling.
    pub default_seconds: f64,
}

/// All choices of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    version: u32,
    choices: Vec<Choice>,
}

impl Choices {
    /// Where they are kept: `tilings.json` in the folder that `COUPLET_CACHE` names, else in `couplet` in the user's cache
    /// folder; none where the system knows no such folder.
    pub fn file() -> Option<PathBuf> {
        let folder = match std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
            Some(folder) => PathBuf::from(folder),
            None => {
                use etcetera::BaseStrategy;
                etcetera::choose_base_strategy().ok()?.cache_dir().join("couplet")
            }
        };
        Some(folder.join("tilings.json"))
    }

    /// Those of a file, or none and what is wrong with it. A file that is not there is no problem.
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let nothing = |problem: String| (Self::default(), Some(problem));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(e) => return nothing(format!("it cannot be read ({e})")),
        };
        // The version first: another one's form may be another.
        let version = serde_json::from_str::<serde_json::Value>(&text).map(|v| v["version"].clone());
        match version {
            Err(e) => nothing(format!("expected JSON ({e})")),
            Ok(v) if v != VERSION => nothing(format!("expected version {VERSION}, found {v}")),
            Ok(_) => match serde_json::from_str(&text) {
                Ok(choices) => (choices, None),
                Err(e) => nothing(format!("it is incomplete ({e})")),
            },
        }
    }

    /// The tiling for this key. The device or the kernels may not allow it: the file may be from anywhere.
    pub fn find(&self, key: &Key) -> Option<Tiling> {
        self.choices.iter().find(|c| c.key == *key).map(|c| c.tiling)
    }

    /// The tilings chosen for an adapter with its present driver, each once.
    pub fn of(&self, adapter: &AdapterLine) -> Vec<Tiling> {
        let mut found = vec![];
        for c in &self.choices {
            let k = &c.key;
            let same =
                [&k.adapter, &k.backend, &k.driver] == [&adapter.name, &adapter.backend, &adapter.driver];
            if same && !found.contains(&c.tiling) {
                found.push(c.tiling);
            }
        }
        found
    }

    /// Adds a choice, or replaces the one for its key.
    pub fn put(&mut self, choice: Choice) {
        self.choices.retain(|c| c.key != choice.key);
        self.choices.push(choice);
        let surplus = self.choices.len().saturating_sub(MOST);
        self.choices.drain(..surplus);
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let whole = Self { version: VERSION, choices: self.choices.clone() };
        serde_json::to_string_pretty(&whole).expect("plain structs serialise") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter() -> AdapterLine {
        AdapterLine {
            name: "GeForce".into(),
            backend: "Vulkan".into(),
            kind: "discrete",
            driver: "NVIDIA 5".into(),
        }
    }
    fn choice(rows: usize, tiling: Tiling) -> Choice {
        let key = Key::new(&adapter(), "fn main() {}", false, rows);
        Choice { key, plan: "train".into(), tiling, seconds: 0.5e-3, default_seconds: 1e-3 }
    }
    const WIDE: Tiling = Tiling { rows: 16, threads: 128 };

    #[test]
    fn choices_come_back_from_their_file_and_hold_for_their_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tilings.json");
        assert_eq!(Choices::read(&path), (Choices::default(), None));
        let mut all = Choices::default();
        all.put(choice(64, Tiling { rows: 4, threads: 64 }));
        all.put(choice(128, Tiling::default()));
        all.put(choice(64, WIDE)); // replaces the first
        std::fs::write(&path, all.text()).unwrap();
        let (read, problem) = Choices::read(&path);
        assert_eq!((problem, read.choices.len()), (None, 2));
        let key = choice(64, WIDE).key;
        assert_eq!(read.find(&key), Some(WIDE));
        assert_eq!(read.find(&Key { rows: 128, ..key.clone() }), Some(Tiling::default()));
        assert_eq!(read.of(&adapter()), [Tiling::default(), WIDE]);
        assert!(read.of(&AdapterLine { driver: "NVIDIA 6".into(), ..adapter() }).is_empty());
        let text = |source: &str, checked| Key::new(&adapter(), source, checked, 64);
        for other in [
            Key { adapter: "Radeon".into(), ..key.clone() },
            Key { backend: "Dx12".into(), ..key.clone() },
            Key { driver: "NVIDIA 6".into(), ..key.clone() },
            Key { rows: 65, ..key.clone() },
            text("fn main() { }", false),
            text("fn main() {}", true),
        ] {
            assert_eq!(read.find(&other), None, "{other:?}");
        }
    }
    #[test]
    fn a_file_that_is_no_list_of_choices_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tilings.json");
        let good = {
            let mut all = Choices::default();
            all.put(choice(64, WIDE));
            all.text()
        };
        let says = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let (read, problem) = Choices::read(&path);
            assert_eq!(read, Choices::default());
            assert!(problem.as_ref().is_some_and(|p| p.contains(what)), "{problem:?}");
        };
        says(b"", "expected JSON");
        says(&good.as_bytes()[..good.len() / 2], "expected JSON");
        says(&[0xff, 0xfe, 0], "cannot be read");
        says(b"[1, 2]", "expected version 1, found null");
        says(good.replace("\"version\": 1", "\"version\": 2").as_bytes(), "found 2");
        says(good.replace("\"threads\": 128", "\"threads\": -1").as_bytes(), "incomplete");
        says(good.replace("\"kernels\"", "\"colonels\"").as_bytes(), "incomplete");
        std::fs::write(&path, good).unwrap();
        assert_eq!(Choices::read(&path).1, None);
        assert!(Choices::read(folder.path()).1.is_some(), "a folder");
    }
    #[test]
    fn the_file_stays_small() {
        let mut all = Choices::default();
        (0..MOST + 3).for_each(|rows| all.put(choice(rows, WIDE)));
        assert_eq!(all.choices.len(), MOST);
        assert_eq!((all.choices[0].key.rows, all.choices[MOST - 1].key.rows), (3, MOST + 2));
    }
}
