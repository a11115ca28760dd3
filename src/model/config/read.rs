//! Reading and writing model files, and the built-in ones.
use std::path::Path;

use toml::{Table, Value};

use super::form::Config;
use super::line::{Fault, line_at};
use super::{rules, schema};
use crate::error::{Error, Result};
use crate::sim::Prior;

/// The version of the form that this program writes, and the newest it reads.
pub const VERSION: u32 = 1;

/// Largest model file that is read, in bytes. A covariance of 1000 x 1000 fits.
const MAX_BYTES: u64 = 64 << 20;

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        /// The built-in models: name and model file.
        pub const BUILTIN: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../models/", $name, ".toml")))),+];
    };
}
embedded!(
    "two-moons",
    "gaussian-linear",
    "gaussian-linear-uniform",
    "gaussian-mixture",
    "slcp",
    "bernoulli-glm",
    "sir",
    "lotka-volterra",
    "mvn-5",
    "mvn-50",
    "mvn-500",
    "mixture-of-eight",
    "ricker",
    "levy-flight",
    "sir-stochastic",
    "lotka-volterra-ode",
    "lotka-volterra-ode-stats",
    "normal-mean",
);

impl Config {
    /// Reads a model file; `origin` names it in messages. A built-in simulator brings its own model file, over which
    /// the keys of `text` are laid; `[[parameter]]` replaces all of its parameters. The result is fully resolved.
    ///
    /// # Errors
    /// [`Error::Config`] with key, line, expected and found, and the nearest known name.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        if text.len() as u64 > MAX_BYTES {
            let problem = format!("expected at most {MAX_BYTES} bytes, found {}", text.len());
            return Err(Error::config(origin, problem, "Is it a model file?"));
        }
        let table: Table = text.parse().map_err(|error| syntax(&error, text, origin))?;
        resolved(table).map_err(|fault| fault.error(text, origin))
    }

    /// Reads the model file at `path`; a relative `simulator.dataset` is taken from the folder of the file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Config`] as [`Config::from_toml`].
    pub fn from_file(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let size = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
        if size.is_dir() {
            let hint = format!("Give a model file, for example `{}`", path.join("model.toml").display());
            return Err(Error::config(origin, "expected a model file, found a folder", hint));
        }
        if size.len() > MAX_BYTES {
            let problem = format!("expected at most {MAX_BYTES} bytes, found {}", size.len());
            return Err(Error::config(origin, problem, "Is it a model file?"));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let line =
                e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            Error::config(
                format!("{origin}, line {line}"),
                "expected UTF-8 text, found other bytes",
                "Save it as UTF-8",
            )
        })?;
        let mut config = Self::from_toml(&text, &origin)?;
        if let Some(dataset) = &mut config.simulator.dataset {
            let beside = path.parent().unwrap_or(Path::new("")).join(&*dataset);
            *dataset = std::path::absolute(&beside).map_err(|e| Error::io("find", &beside, e))?;
        }
        Ok(config)
    }

    /// The built-in model of this name.
    ///
    /// # Errors
    /// [`Error::Config`] that names the nearest one.
    pub fn builtin(name: &str) -> Result<Self> {
        let text = rules::known(name).map_err(|(problem, hint)| Error::config("model", problem, hint))?;
        Self::from_toml(text, &format!("the built-in {name}.toml"))
    }

    /// A built-in model, or the model file at a path. A name without `.toml`, a separator or a file is taken as built in.
    ///
    /// # Errors
    /// As [`Config::builtin`] and [`Config::from_file`].
    pub fn find(name_or_path: &str) -> Result<Self> {
        if rules::known(name_or_path).is_ok() {
            return Self::builtin(name_or_path);
        }
        let path = Path::new(name_or_path);
        let like_path = path.extension().is_some_and(|e| e == "toml") || path.components().count() > 1;
        if like_path || path.exists() {
            Self::from_file(path)
        } else {
            rules::known(name_or_path).map_err(|(problem, hint)| {
                Error::config(
                    "model",
                    problem.replace("a built-in model", "a built-in model or the path of a model file"),
                    hint,
                )
            })?;
            Self::builtin(name_or_path)
        }
    }

    /// The model file that says everything; reading it back gives an equal config.
    pub fn to_toml(&self) -> String {
        // Only a map with non-text keys or a misplaced value could fail, and the form has neither.
        toml::to_string(self).unwrap_or_else(|error| format!("# not representable: {error}\n"))
    }

    /// Checks a config changed in memory as if it had been read, and fills what follows from other keys.
    ///
    /// # Errors
    /// As [`Config::from_toml`]; `origin` says where the changes come from, e.g. `the command line`.
    pub fn checked(&self, origin: &str) -> Result<Self> {
        Self::from_toml(&self.to_toml(), origin).map_err(|error| match error {
            // The line numbers of the text made here would mislead.
            Error::Config { what, problem, hint } => {
                Error::config(what.split(", line ").next().unwrap_or_default(), problem, hint)
            }
            other => other,
        })
    }

    /// The prior over all parameters.
    ///
    /// # Errors
    /// [`Error::Config`] if the config was changed since it was read and no longer fits together.
    pub fn prior(&self) -> Result<Prior> {
        super::prior::build(&self.parameter).map_err(|fault| fault.error("", "the model"))
    }
}

fn syntax(error: &toml::de::Error, text: &str, origin: &str) -> Error {
    let line = error.span().map_or(String::new(), |span| format!(", line {}", line_at(text, span.start)));
    let problem = super::line::short(error.message());
    Error::config(
        format!("{origin}{line}"),
        format!("not valid TOML: {problem}"),
        "Correct the line; a model file is TOML, see `couplet new`",
    )
}

fn resolved(mut user: Table) -> std::result::Result<Config, Fault> {
    if let Some(Value::Integer(version)) = user.get("version")
        && *version > i64::from(VERSION)
    {
        let problem = format!("expected version {VERSION} or older, found version {version}");
        return Err(Fault::new(&["version"], problem, "Update couplet"));
    }
    schema::check(&user)?;
    let name =
        user.get("simulator").and_then(|s| s.get("builtin")).and_then(Value::as_str).map(str::to_string);
    if let Some(name) = name {
        let text = rules::known(&name)
            .map_err(|(problem, hint)| Fault::new(&["simulator", "builtin"], problem, hint))?;
        let base: Table =
            text.parse().map_err(|e: toml::de::Error| Fault::new(&[], e.message(), "Report it"))?;
        user = laid_over(base, user);
    }
    // The table has passed the schema; what serde still refuses is the text of a prior.
    priors(&user)?;
    let mut config: Config = Value::Table(user).try_into().map_err(|e: toml::de::Error| {
        let message = e.message().trim_end_matches('.');
        Fault::new(
            &[],
            if message.contains("missing field") {
                format!("lacks a section: {message}")
            } else {
                message.to_string()
            },
            "See `couplet new` for a complete file",
        )
    })?;
    rules::resolve(&mut config)?;
    Ok(config)
}

fn priors(root: &Table) -> std::result::Result<(), Fault> {
    let none = Vec::new();
    for (i, parameter) in root.get("parameter").and_then(Value::as_array).unwrap_or(&none).iter().enumerate()
    {
        let path = ["parameter", &i.to_string(), "prior"];
        let Some(text) = parameter.get("prior").and_then(Value::as_str) else {
            return Err(Fault::new(
                &path,
                "expected a prior, found none",
                "Add one, for example `prior = \"uniform(0, 1)\"`",
            ));
        };
        super::prior::PriorText::parse(text).map_err(|(problem, hint)| Fault::new(&path, problem, hint))?;
    }
    Ok(())
}

/// Lays the user's keys over the built-in file. A choice that the user makes also drops what only went with the old one.
fn laid_over(mut base: Table, user: Table) -> Table {
    /// Section, keys that a user may give, keys of the built-in file that then no longer hold.
    const REPLACES: &[(&str, &[&str], &[&str])] = &[
        ("flow", &["base"], &["nu", "learn_nu"]),
        ("flow", &["nu"], &["learn_nu"]),
        ("flow", &["learn_nu"], &["nu"]),
        ("flow", &["permutation"], &["reflections"]),
        ("train", &["steps", "minutes", "epochs"], &["steps", "minutes", "epochs"]),
        ("train", &["mode", "simulations"], &["mode", "simulations", "steps", "epochs"]),
        ("train", &["epochs"], &["mode"]),
    ];
    for (section, given, dropped) in REPLACES {
        let table = user.get(*section).and_then(Value::as_table);
        if table.is_some_and(|table| given.iter().any(|key| table.contains_key(*key)))
            && let Some(Value::Table(below)) = base.get_mut(*section)
        {
            dropped.iter().for_each(|key| drop(below.remove(*key)));
        }
    }
    for (key, value) in user {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => below.extend(above),
            (_, value) => drop(base.insert(key, value)),
        }
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_the_user_drops_what_only_went_with_the_old_one() {
        let over = |base: &str, user: &str| laid_over(base.parse().unwrap(), user.parse().unwrap());
        for (base, user, want) in [
            ("[flow]\nbase = 't'\nnu = 5\nbins = 9", "[flow]\nbase = 'n'", "[flow]\nbase = 'n'\nbins = 9"),
            ("[flow]\nlearn_nu = true", "[flow]\nnu = 5", "[flow]\nnu = 5"),
            ("[flow]\nnu = 5", "[flow]\nlearn_nu = true", "[flow]\nlearn_nu = true"),
            ("[flow]\nreflections = 2", "[flow]\npermutation = 'r'", "[flow]\npermutation = 'r'"),
            ("[train]\nsteps = 9\nlr = 1", "[train]\nminutes = 2", "[train]\nminutes = 2\nlr = 1"),
            ("[train]\nmode = 'online'\nsteps = 9", "[train]\nsimulations = 7", "[train]\nsimulations = 7"),
            ("[train]\nmode = 'online'\nlr = 1", "[train]\nepochs = 7", "[train]\nepochs = 7\nlr = 1"),
            ("[train]\nsteps = 9", "[flow]\nbins = 4", "[train]\nsteps = 9\n[flow]\nbins = 4"),
        ] {
            assert_eq!(over(base, user), want.parse::<Table>().unwrap(), "{base} {user}");
        }
    }
}
