//! Every key of the model file with the values it takes. One table drives the messages about unknown keys, wrong types,
//! unknown names and numbers out of range; a test holds it against the serde form.
use toml::{Table, Value};

use super::choice::{self, one_of};
use super::line::{Fault, short};
use crate::model::suggest;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A whole number in a closed range.
    Count(u64, u64),
    /// A list of 1 to `.2` whole numbers in a closed range.
    Counts(u64, u64, usize),
    /// A number x with lo < x <= hi.
    Above(f64, f64),
    /// A number x with lo <= x <= hi.
    Within(f64, f64),
    /// A number x with 0 <= x < 1.
    Share,
    /// `true` or `false`.
    Flag,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Any text of at most so many bytes.
    Text(usize),
    /// A whole number from 0 to 2^64 - 1; as text where it is above 2^63 - 1.
    Seed,
    /// A list of numbers.
    Numbers,
    /// A list of lists of numbers.
    Rows,
    /// A list of texts.
    Texts,
}
use Kind::*;

type Keys = &'static [(&'static str, Kind)];

pub(super) const TOP: Keys = &[("version", Count(1, u32::MAX as u64)), ("description", Text(1000))];
pub(super) const SIMULATOR: Keys =
    &[("builtin", Text(1000)), ("dataset", Text(10_000)), ("custom", Text(1000))];
pub(super) const PARAMETER: Keys = &[
    ("name", Text(1000)),
    ("names", Texts),
    ("prior", Text(10_000)),
    ("mean", Numbers),
    ("means", Rows),
    ("weights", Numbers),
    ("covariance", Rows),
    ("transform", Choice(choice::Support::NAMES)),
];
pub(super) const DATA: Keys = &[
    ("transform", Choice(choice::DataTransform::NAMES)),
    ("kind", Choice(choice::DataKind::NAMES)),
    ("features", Count(1, super::rules::MAX_DIM as u64)),
    ("size", Counts(1, super::data::MAX_ITEMS, 2)),
    ("shape", Counts(1, super::data::MAX_ITEMS, 2)),
];
pub(super) const SUMMARY: Keys = &[
    ("kind", Choice(choice::SummaryKind::NAMES)),
    ("width", Count(4, 1024)),
    ("modules", Count(1, 16)),
    ("outputs", Count(1, 512)),
    ("heads", Count(1, 64)),
    ("time_stamps", Flag),
    ("bidirectional", Flag),
    ("activation", Choice(choice::Activation::NAMES)),
    ("dropout", Share),
];
pub(super) const FLOW: Keys = &[
    ("blocks", Count(1, 64)),
    ("transform", Choice(choice::TransformKind::NAMES)),
    ("bins", Count(2, 64)),
    ("bound", Above(0.0, 1000.0)),
    ("hidden", Counts(4, 4096, 16)),
    ("activation", Choice(choice::Activation::NAMES)),
    ("residual", Flag),
    ("linear_skip", Flag),
    ("dropout", Share),
    ("permutation", Choice(choice::Permutation::NAMES)),
    ("reflections", Count(1, 64)),
    ("actnorm", Flag),
    ("base", Choice(choice::Base::NAMES)),
    ("nu", Within(1.0, 1e6)),
    ("learn_nu", Flag),
];
pub(super) const OBJECTIVE: Keys = &[("kind", Choice(choice::ObjectiveKind::NAMES))];
pub(super) const TRAIN: Keys = &[
    ("mode", Choice(choice::Mode::NAMES)),
    ("steps", Count(1, 1_000_000_000_000)),
    ("minutes", Above(0.0, 1e6)),
    ("epochs", Count(1, 1_000_000)),
    ("batch", Count(1, 1_000_000)),
    ("lr", Above(0.0, 10.0)),
    ("weight_decay", Within(0.0, 10.0)),
    ("clip", Above(0.0, 1e9)),
    ("warmup", Share),
    ("ema", Flag),
    ("seed", Seed),
    ("simulations", Count(2, u32::MAX as u64)),
    ("pool", Count(1, u32::MAX as u64)),
    ("windows", Flag),
    ("rounds", Count(1, crate::model::definition::MAX_ROUNDS as u64)),
    ("validation", Within(0.0, 0.9)),
    ("patience", Count(1, 1_000_000)),
    ("max_bad", Within(0.0, 1.0)),
];
/// Sections with their keys, in the order of a model file; `parameter` is an array of tables.
pub(super) const SECTIONS: &[(&str, Keys)] = &[
    ("simulator", SIMULATOR),
    ("parameter", PARAMETER),
    ("data", DATA),
    ("summary", SUMMARY),
    ("flow", FLOW),
    ("objective", OBJECTIVE),
    ("train", TRAIN),
];

/// Checks every key and value of a model file on its own.
pub(super) fn check(root: &Table) -> Result<(), Fault> {
    for (key, value) in root {
        match (SECTIONS.iter().find(|(name, _)| name == key), value) {
            (Some(("parameter", keys)), Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    let path = ["parameter", &i.to_string()];
                    match item {
                        Value::Table(table) => section(table, keys, &path)?,
                        other => {
                            return Err(Fault::new(
                                &path,
                                found("a table", other),
                                "Write `[[parameter]]` before its keys",
                            ));
                        }
                    }
                }
            }
            (Some(("parameter", _)), other) => {
                return Err(Fault::new(
                    &[key],
                    found("an array of tables", other),
                    "Write `[[parameter]]`, with two brackets",
                ));
            }
            (Some((_, keys)), Value::Table(table)) => section(table, keys, &[key])?,
            (Some(_), other) => {
                return Err(Fault::new(
                    &[key],
                    found("a table", other),
                    format!("Write `[{key}]` on a line of its own"),
                ));
            }
            (None, value) => match TOP.iter().find(|(name, _)| name == key) {
                Some((_, kind)) => {
                    kind.check(value).map_err(|(problem, hint)| Fault::new(&[key], problem, hint))?
                }
                None => {
                    let known: Vec<&str> =
                        TOP.iter().map(|k| k.0).chain(SECTIONS.iter().map(|s| s.0)).collect();
                    return Err(unknown(&[], key, &known));
                }
            },
        }
    }
    Ok(())
}

fn section(table: &Table, keys: Keys, path: &[&str]) -> Result<(), Fault> {
    for (key, value) in table {
        match keys.iter().find(|(name, _)| name == key) {
            Some((_, kind)) => {
                kind.check(value)
                    .map_err(|(problem, hint)| Fault::new(&[path, &[key]].concat(), problem, hint))?;
            }
            None => return Err(unknown(path, key, &keys.iter().map(|k| k.0).collect::<Vec<_>>())),
        }
    }
    Ok(())
}

fn unknown(path: &[&str], key: &str, known: &[&str]) -> Fault {
    let home = SECTIONS.iter().find(|(_, keys)| keys.iter().any(|k| k.0 == key));
    let hint = match home {
        Some(("parameter", _)) => "It belongs under `[[parameter]]`".to_string(),
        Some((section, _)) => format!("It belongs under `[{section}]`"),
        None => suggest::hint(key, known),
    };
    let place = match path.first() {
        Some(section) => format!("expected a key of `{section}`"),
        None => "expected a section or a top-level key".to_string(),
    };
    Fault::new(&[path, &[key]].concat(), format!("{place}, found the unknown key `{}`", short(key)), hint)
}

fn found(expected: &str, value: &Value) -> String {
    let text = match value {
        Value::Table(_) => "a table".to_string(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(text) => format!("the text \"{}\"", short(text)),
        other => short(&other.to_string()),
    };
    format!("expected {expected}, found {text}")
}

/// A whole number, also when written `1e5`.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(n) => u64::try_from(*n).ok(),
        Value::Float(r) if *r >= 0.0 && r.fract() == 0.0 && *r <= 9e15 => Some(*r as u64),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(r) => Some(*r).filter(|r| r.is_finite()),
        _ => None,
    }
}

impl Kind {
    fn check(self, value: &Value) -> Result<(), (String, String)> {
        let all = |value: &Value, good: &dyn Fn(&Value) -> bool| {
            value.as_array().is_some_and(|v| v.iter().all(good))
        };
        let (good, expected): (bool, String) = match self {
            Count(lo, hi) => (
                whole(value).is_some_and(|n| (lo..=hi).contains(&n)),
                format!("a whole number from {lo} to {hi}"),
            ),
            Counts(lo, hi, most) => (
                all(value, &|v| whole(v).is_some_and(|n| (lo..=hi).contains(&n)))
                    && value.as_array().is_some_and(|v| (1..=most).contains(&v.len())),
                format!("a list of 1 to {most} whole numbers from {lo} to {hi}"),
            ),
            Above(lo, hi) => {
                (real(value).is_some_and(|r| r > lo && r <= hi), format!("a number above {lo}, at most {hi}"))
            }
            Within(lo, hi) => {
                (real(value).is_some_and(|r| r >= lo && r <= hi), format!("a number from {lo} to {hi}"))
            }
            Share => {
                (real(value).is_some_and(|r| (0.0..1.0).contains(&r)), "a number from 0 to below 1".into())
            }
            Flag => (value.is_bool(), "true or false".into()),
            Choice(names) => {
                let text = value.as_str();
                if let Some(text) = text
                    && let Some(near) = suggest::nearest(text, names)
                    && near != text
                {
                    return Err((found(&one_of(names), value), format!("Did you mean `{near}`?")));
                }
                (text.is_some_and(|text| names.contains(&text)), one_of(names))
            }
            Text(most) => {
                (value.as_str().is_some_and(|t| t.len() <= most), format!("text of at most {most} bytes"))
            }
            Seed => (
                whole(value).is_some() || value.as_str().is_some_and(|t| t.parse::<u64>().is_ok()),
                "a whole number from 0 to 2^64 - 1".into(),
            ),
            Numbers => (all(value, &|v| real(v).is_some()), "a list of finite numbers".into()),
            Rows => (
                all(value, &|row| all(row, &|v| real(v).is_some())),
                "a list of rows, each a list of finite numbers".into(),
            ),
            Texts => (all(value, &|v| v.is_str()), "a list of texts".into()),
        };
        if good { Ok(()) } else { Err((found(&expected, value), "Change the value".into())) }
    }
}
