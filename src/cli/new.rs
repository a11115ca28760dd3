//! `couplet new`: a commented model file to start from.
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::run::{Outcome, Result};
use crate::data::atomic::write_atomic;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the model; writes NAME.toml
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result {
    let mut path = args.name.clone();
    if path.extension().is_none_or(|e| e != "toml") {
        path.as_mut_os_string().push(".toml");
    }
    if path.exists() {
        bail!("`{}` exists already. Choose another name, or remove it", path.display());
    }
    write_atomic(&path, |file| file.write_all(TEMPLATE.as_bytes()))?;
    let shown = path.display();
    let run = Path::new("runs").join(path.file_stem().unwrap_or_default());
    writeln!(out, "Wrote {shown}, a copy of two-moons with every key explained. Next:")?;
    writeln!(out, "  couplet train {shown}\n  couplet check {}", run.display())?;
    Ok(Outcome::Done)
}

/// Every key, as a working model.
const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests {
    use super::TEMPLATE;
    use crate::model::Config;

    #[test]
    fn the_template_is_a_model_and_so_is_each_line_that_it_keeps_in_a_comment() {
        let config = Config::from_toml(TEMPLATE, "template").unwrap();
        assert_eq!(config.simulator.builtin.as_deref(), Some("two-moons"));
        // Every key is explained.
        for key in config.to_toml().lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
            assert!(TEMPLATE.contains(&format!("{key} = ")), "{key}");
        }
        let own = TEMPLATE
            .replace("builtin = \"two-moons\"", "")
            .replace("# dataset =", "dataset =")
            .replace("# features =", "features =");
        let config = Config::from_toml(&own, "template").unwrap();
        assert!(config.simulator.dataset.is_some() && config.data.features == Some(2));
    }
}
