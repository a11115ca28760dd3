//! The record of a speed measurement: what was measured on what, as JSON.
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ceiling::Ceiling;
use super::machine::Machine;
use crate::data::atomic::write_atomic;
use crate::error::{Error, Result};

/// Version of the form.
const VERSION: u32 = 1;

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed<R> {
    /// Version of the form, 1.
    pub version: u32,
    /// `step`, `sample`, `kernels`, `simulate` or `peers`.
    pub kind: String,
    /// Device, driver, versions, commit.
    pub machine: Machine,
    /// What the machine could do, measured in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
    /// The measurements.
    pub rows: Vec<R>,
}

impl<R: Serialize> Speed<R> {
    /// A record of these rows.
    pub fn new(kind: &str, machine: Machine, ceiling: Option<Ceiling>, rows: Vec<R>) -> Self {
        Self { version: VERSION, kind: kind.into(), machine, ceiling, rows }
    }
    /// Writes the record.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let problem = |e: serde_json::Error| Error::data(path, e.to_string(), "Report it");
        let json = serde_json::to_string_pretty(self).map_err(problem)?;
        write_atomic(path, |w| writeln!(w, "{json}"))
    }
}

/// Reads a record of this kind.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] where the file is no such record.
pub fn load<R: for<'de> Deserialize<'de>>(path: &Path, kind: &str) -> Result<Speed<R>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let hint = format!("Records are written by `couplet bench ... -o FILE`; this needs one of kind `{kind}`");
    let head: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| Error::data(path, format!("expected JSON ({e})"), hint.clone()))?;
    let found = (head["version"].as_u64(), head["kind"].as_str());
    if found != (Some(u64::from(VERSION)), Some(kind)) {
        let [version, other] = [&head["version"], &head["kind"]];
        let problem = format!("expected version {VERSION} and kind \"{kind}\", found {version} and {other}");
        return Err(Error::data(path, problem, hint));
    }
    serde_json::from_value(head).map_err(|e| Error::data(path, format!("it is incomplete ({e})"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_others_are_refused() {
        let path = std::env::temp_dir().join(format!("couplet-speed-{}.json", std::process::id()));
        let ceiling = Some(Ceiling { gemm_gflops: 64.0, bandwidth_gbs: 20.0 });
        let record = Speed::new("step", Machine::default(), ceiling, vec![1.5, 2.5]);
        record.save(&path).unwrap();
        assert_eq!(load::<f64>(&path, "step").unwrap(), record);
        let says = |kind: &str| load::<f64>(&path, kind).unwrap_err().to_string();
        assert!(says("peers").contains("kind \"peers\", found 1 and \"step\""), "{}", says("peers"));
        assert!(load::<String>(&path, "step").unwrap_err().to_string().contains("incomplete"));
        std::fs::write(&path, "[1]").unwrap();
        assert!(says("step").contains("found null and null"), "{}", says("step"));
        std::fs::write(&path, "no").unwrap();
        assert!(says("step").contains("expected JSON"));
        std::fs::remove_file(&path).unwrap();
        assert!(says("step").contains("cannot read"));
    }
}
