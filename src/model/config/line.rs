//! A fault in a model file, and the line it is on.
use toml::de::{DeTable, DeValue};

use crate::error::Error;

/// What is wrong at a key. `path`: table, index of an array (as text) or key, outermost first.
#[derive(Debug)]
pub(super) struct Fault {
    pub path: Vec<String>,
    pub problem: String,
    pub hint: String,
}

impl Fault {
    pub fn new(path: &[&str], problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            path: path.iter().map(|s| s.to_string()).collect(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }

    /// The error for a user: key, file, line if the key is in `text`.
    pub fn error(self, text: &str, origin: &str) -> Error {
        let mut key = String::new();
        for part in &self.path {
            match part.parse::<usize>() {
                Ok(index) => key.push_str(&format!("[{}]", index + 1)),
                Err(_) if key.is_empty() => key.push_str(&short(part)),
                Err(_) => key.push_str(&format!(".{}", short(part))),
            }
        }
        let place = match line_of(text, &self.path) {
            Some(line) => format!("{origin}, line {line}"),
            None => origin.to_string(),
        };
        let what = if key.is_empty() { place } else { format!("`{key}` in {place}") };
        Error::config(what, self.problem, self.hint)
    }
}

/// At most 60 characters, without control characters: what a message quotes of an untrusted file.
pub(super) fn short(text: &str) -> String {
    let mut out: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        out.push_str("...");
    }
    out
}

/// Line (from 1) of byte `at`.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// Line of the deepest part of `path` that the file has; none if it has not even the first.
fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut line = None;
    let mut table = Some(root.get_ref());
    let mut array = None;
    for part in path {
        let value: &toml::Spanned<DeValue> = if let Some(items) = array.take() {
            let items: &toml::de::DeArray = items;
            part.parse::<usize>().ok().and_then(|index| items.get(index))?
        } else {
            match table.take().and_then(|t| t.get_key_value(part.as_str())) {
                Some((key, value)) => {
                    line = Some(line_at(text, key.span().start));
                    value
                }
                None => return line,
            }
        };
        match value.get_ref() {
            DeValue::Table(inner) => {
                if part.parse::<usize>().is_ok() {
                    line = Some(line_at(text, value.span().start));
                }
                table = Some(inner);
            }
            DeValue::Array(inner) => array = Some(inner),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_key_in_a_table_and_in_an_array_of_tables() {
        let text = "version = 1\n\n[flow]\nblocks = 2\n[[parameter]]\nname = 'a'\n[[parameter]]\nname = 'b'\nprior = 3\n";
        let line = |path: &[&str]| line_of(text, &path.iter().map(|s| s.to_string()).collect::<Vec<_>>());
        assert_eq!(line(&["flow", "blocks"]), Some(4));
        assert_eq!(line(&["parameter", "1", "prior"]), Some(9));
        assert_eq!(line(&["parameter", "1", "absent"]), Some(7));
        assert_eq!(line(&["flow", "absent"]), Some(3));
        assert_eq!(line(&["absent"]), None);
        assert_eq!(line(&["parameter", "9"]), None);
    }
}
