//! What is wrong with a file, before its path is known: lets the parsers stay free of paths.
use crate::error::Error;
use std::path::Path;

/// Expected and found, and what to do; becomes [`Error::Data`] with [`Problem::at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Expected and found, without a full stop.
    pub problem: String,
    /// What to do, without a full stop.
    pub hint: String,
}

impl Problem {
    /// A problem and its remedy.
    pub fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }

    /// Puts `prefix` in front, e.g. "array `x`: ".
    pub fn within(mut self, prefix: &str) -> Self {
        self.problem.insert_str(0, prefix);
        self
    }

    /// The error for the file at `path`.
    pub fn at(self, path: &Path) -> Error {
        Error::data(path, self.problem, self.hint)
    }
}

/// Text from a file, made safe for one line of a message: control characters escaped, at most 40 characters.
pub fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        shown.push_str("...");
    }
    shown
}

/// `shape` as numpy prints it: `()`, `(3,)`, `(3, 4)`.
pub fn show_shape(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
