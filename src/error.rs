//! The one error type. Every message names the thing, what was expected and found, and what to do next.
use std::path::{Path, PathBuf};

/// What can go wrong, in words a user can act on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model file or an option is wrong.
    #[error("{what}: {problem}. {hint}")]
    Config {
        /// The key or option, e.g. `flow.blocks`.
        what: String,
        /// Expected and found.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A data file cannot be used.
    #[error("cannot use `{}`: {problem}. {hint}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Expected and found.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Values handed to the library have the wrong shape or are not finite.
    #[error("{what}: expected {expected}, found {found}. {hint}")]
    Input {
        /// The argument.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// What to do.
        hint: String,
    },
    /// A run folder is damaged, incomplete or from a newer version.
    #[error("run folder `{}`: {problem}. {hint}", path.display())]
    Run {
        /// The folder or a file in it.
        path: PathBuf,
        /// Expected and found.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Reading or writing failed.
    #[error("cannot {action} `{}`: {source}. {hint}", path.display())]
    Io {
        /// `read`, `write`, `create` ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
        /// What to do.
        hint: String,
    },
    /// No adapter fits the request.
    #[error("no usable GPU: {problem}. {hint}")]
    NoAdapter {
        /// Asked for and found.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// The GPU failed while working.
    #[error("GPU `{device}`: {problem}. {hint}")]
    Gpu {
        /// The adapter's name.
        device: String,
        /// What happened.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Training cannot go on.
    #[error("training stopped at step {step}: {problem}. {hint}")]
    Training {
        /// The step that failed.
        step: u64,
        /// What happened.
        problem: String,
        /// What to do.
        hint: String,
    },
}

/// `Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A wrong key or option.
    pub fn config(what: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Config { what: what.into(), problem: problem.into(), hint: hint.into() }
    }
    /// A data file that cannot be used.
    pub fn data(path: impl AsRef<Path>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Data { path: path.as_ref().into(), problem: problem.into(), hint: hint.into() }
    }
    /// An argument of the wrong shape or value.
    pub fn input(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Input { what: what.into(), expected: expected.into(), found: found.into(), hint: hint.into() }
    }
    /// A damaged run folder.
    pub fn run(path: impl AsRef<Path>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Run { path: path.as_ref().into(), problem: problem.into(), hint: hint.into() }
    }
    /// A failed read or write.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let hint = match source.kind() {
            std::io::ErrorKind::NotFound => "Check the path",
            std::io::ErrorKind::PermissionDenied => "Check the permissions, or choose another folder with -o",
            std::io::ErrorKind::StorageFull => "Free some space, or choose another folder with -o",
            _ => "Check the path and the disk",
        };
        Self::Io { action, path: path.as_ref().into(), source, hint: hint.into() }
    }
}
