//! Rules between keys, and the defaults that depend on other keys. After `resolve` a model file says everything.
use super::choice::{Base, Mode, Permutation, SummaryKind, TransformKind};
use super::data;
use super::form::Config;
use super::line::{Fault, short};
use super::prior::{self, Family};
use super::read::BUILTIN;
use crate::model::suggest;
use crate::sim::Prior;

/// Most parameters, and most features of the data.
pub(super) const MAX_DIM: usize = 1000;
/// Most network weights; 1 GiB as f32, of which training needs several.
const MAX_WEIGHTS: f64 = 268_435_456.0;
const DEFAULT_STEPS: u64 = 20_000;
const DEFAULT_EPOCHS: u64 = 300;
const DEFAULT_SIMULATIONS: u64 = 10_000;

/// Fills what follows from other keys, and refuses what does not fit together.
pub(super) fn resolve(config: &mut Config) -> Result<Prior, Fault> {
    simulator(config)?;
    let prior = parameters(config)?;
    data::resolve(config, prior.dim())?;
    flow(config, prior.dim())?;
    train(config)?;
    data::pool(config)?;
    Ok(prior)
}

fn simulator(config: &Config) -> Result<(), Fault> {
    let simulator = &config.simulator;
    let given = [simulator.builtin.is_some(), simulator.dataset.is_some(), simulator.custom.is_some()];
    match given.iter().filter(|given| **given).count() {
        1 => {}
        0 => {
            let problem = "expected `builtin = \"NAME\"` or `dataset = \"FILE.npz\"`, found neither";
            let hint = format!("Add one; built in are {}", names().join(", "));
            return Err(Fault::new(&["simulator"], problem, hint));
        }
        more => {
            let problem = format!("expected one of `builtin`, `dataset` and `custom`, found {more}");
            return Err(Fault::new(&["simulator"], problem, "Keep one"));
        }
    }
    if let Some(name) = &simulator.builtin {
        known(name).map_err(|(problem, hint)| Fault::new(&["simulator", "builtin"], problem, hint))?;
        if config.data.features.is_some() {
            return Err(Fault::new(
                &["data", "features"],
                "expected no `features` with a built-in simulator, found one",
                "Remove it: the simulator knows the length of its data",
            ));
        }
    }
    let empty_file = simulator.dataset.as_ref().is_some_and(|file| file.as_os_str().is_empty());
    if empty_file || simulator.custom.as_ref().is_some_and(String::is_empty) {
        let key = if empty_file { "dataset" } else { "custom" };
        return Err(Fault::new(&["simulator", key], "expected a name, found an empty text", "Write one"));
    }
    Ok(())
}

pub(super) fn names() -> Vec<&'static str> {
    BUILTIN.iter().map(|(name, _)| *name).collect()
}

/// Whether there is such a built-in model; the error is (problem, hint).
pub(super) fn known(name: &str) -> Result<&'static str, (String, String)> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| {
        (format!("expected a built-in model, found `{}`", short(name)), suggest::hint(name, &names()))
    })
}

fn parameters(config: &mut Config) -> Result<Prior, Fault> {
    let mut seen = std::collections::HashSet::new();
    for (i, parameter) in config.parameter.iter_mut().enumerate() {
        let index = i.to_string();
        let fault = |key: &str, problem: String, hint: &str| {
            Err(Fault::new(&["parameter", &index, key], problem, hint))
        };
        if parameter.name.is_some() == parameter.names.is_some() || parameter.names().is_empty() {
            return fault(
                "name",
                "expected either `name` or a list `names`".into(),
                "Give the parameter one of them",
            );
        }
        for name in parameter.names() {
            if !prior::is_name(name) || name == "dataset" {
                let problem = format!("expected a name, found `{}`", short(name));
                return fault(
                    "name",
                    problem,
                    "Use letters, digits and `_`, beginning with a letter; `dataset` is a column of the draws",
                );
            }
            if !seen.insert(name.clone()) {
                return fault(
                    "name",
                    format!("the name `{name}` occurs twice"),
                    "Give every parameter its own name",
                );
            }
        }
        let (normal, mixture) = (Family::MultivariateNormal, Family::NormalMixture);
        for (key, present, families) in [
            ("mean", parameter.mean.is_some(), &[normal][..]),
            ("means", parameter.means.is_some(), &[mixture]),
            ("weights", parameter.weights.is_some(), &[mixture]),
            ("covariance", parameter.covariance.is_some(), &[normal, mixture]),
        ] {
            if present && !families.contains(&parameter.prior.family) {
                let names: Vec<String> =
                    families.iter().map(|f| format!("`prior = \"{}\"`", f.name())).collect();
                let problem = format!(
                    "expected `{key}` only with {}, found it with `{}`",
                    names.join(" or "),
                    parameter.prior
                );
                return fault(key, problem, "Remove it, or change the prior");
            }
        }
        parameter.transform.get_or_insert(parameter.prior.family.transform());
    }
    let dim = seen.len();
    if dim == 0 {
        return Err(Fault::new(
            &["parameter"],
            "expected at least one parameter, found none",
            "Add `[[parameter]]` with `name = \"a\"` and `prior = \"uniform(0, 1)\"`",
        ));
    }
    if dim > MAX_DIM {
        return Err(Fault::new(
            &["parameter"],
            format!("expected at most {MAX_DIM} parameters, found {dim}"),
            "Infer fewer",
        ));
    }
    if let Some(name) = &config.simulator.builtin
        && let Some(simulator) = crate::sim::builtin(name)
        && simulator.dims().0 != dim
    {
        let problem = format!("expected {} parameters for `{name}`, found {dim}", simulator.dims().0);
        return Err(Fault::new(
            &["parameter"],
            problem,
            "Give every parameter a prior, or leave all of them out",
        ));
    }
    prior::build(&config.parameter)
}

fn flow(config: &mut Config, dim: usize) -> Result<(), Fault> {
    let features = match config.summary.kind {
        Some(SummaryKind::Identity) | None => config.data.features.unwrap_or(MAX_DIM),
        Some(_) => config.summary.outputs.unwrap_or(64) + 1,
    };
    let flow = &mut config.flow;
    let fault = |key: &str, problem: &str, hint: &str| Err(Fault::new(&["flow", key], problem, hint));
    match (flow.permutation, flow.reflections) {
        (Permutation::Householder, None) => flow.reflections = Some(dim.min(8)),
        (Permutation::Householder, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let problem = "expected `reflections` only with `permutation = \"householder\"`";
            return fault("reflections", problem, "Remove it, or change the permutation");
        }
    }
    match (flow.base, flow.nu, flow.learn_nu) {
        (Base::Normal, None, false) => {}
        (Base::Normal, nu, _) => {
            let key = if nu.is_some() { "nu" } else { "learn_nu" };
            let problem = format!("expected `{key}` only with `base = \"student-t\"`");
            return fault(key, &problem, "Remove it, or change the base");
        }
        (Base::StudentT, Some(_), true) => {
            return fault(
                "nu",
                "expected either a fixed `nu` or `learn_nu = true`, found both",
                "Remove one",
            );
        }
        (Base::StudentT, None, _) => flow.learn_nu = true,
        (Base::StudentT, Some(_), false) => {}
    }
    if flow.residual && flow.hidden.windows(2).any(|w| w[0] != w[1]) {
        return fault(
            "hidden",
            "expected equal widths with `residual = true`",
            "Make the widths equal, or set residual = false",
        );
    }
    if flow.residual && flow.hidden.len() == 1 {
        return fault(
            "hidden",
            "expected at least two layers with `residual = true`, found one",
            "Add a layer, or set residual = false",
        );
    }
    // An upper bound on the weights, before anything is allocated for them.
    let outputs = if flow.transform == TransformKind::Spline { 3 * flow.bins - 1 } else { 2 };
    let hidden = if flow.hidden.is_empty() { &[128, 128][..] } else { &flow.hidden };
    let widths: Vec<f64> =
        [dim + features].iter().chain(hidden).chain(&[dim * outputs]).map(|w| *w as f64).collect();
    let skip = if flow.linear_skip { widths[0] * widths[widths.len() - 1] } else { 0.0 };
    let weights = 2.0 * flow.blocks as f64 * (widths.windows(2).map(|w| w[0] * w[1]).sum::<f64>() + skip);
    if weights > MAX_WEIGHTS {
        let problem =
            format!("the network would have about {weights:.1e} weights, expected at most {MAX_WEIGHTS:.1e}");
        return fault("hidden", &problem, "Use fewer blocks, bins or smaller widths");
    }
    Ok(())
}

fn train(config: &mut Config) -> Result<(), Fault> {
    let table = config.simulator.dataset.is_some();
    let train = &mut config.train;
    let fault = |key: &str, problem: &str, hint: &str| Err(Fault::new(&["train", key], problem, hint));
    let offline = table || train.simulations.is_some() || train.epochs.is_some();
    let mode = *train.mode.get_or_insert(if offline { Mode::Offline } else { Mode::Online });
    if mode == Mode::Online {
        let given = [("simulations", train.simulations.is_some()), ("epochs", train.epochs.is_some())];
        if table {
            return fault("mode", "expected `offline` with a dataset, found `online`", "Remove `mode`");
        }
        if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
            let problem = format!("expected `{key}` only with `mode = \"offline\"`");
            return fault(key, &problem, "Remove it, or train offline");
        }
    }
    let lengths = [
        ("minutes", train.minutes.is_some()),
        ("epochs", train.epochs.is_some()),
        ("steps", train.steps.is_some()),
    ];
    let mut given = lengths.iter().filter(|(_, given)| *given);
    match (given.next(), given.next()) {
        (Some((first, _)), Some((second, _))) => {
            return fault(
                first,
                &format!("expected one of `steps`, `minutes` and `epochs`, found `{first}` and `{second}`"),
                "Keep one",
            );
        }
        (None, _) if mode == Mode::Offline => train.epochs = Some(DEFAULT_EPOCHS),
        (None, _) => train.steps = Some(DEFAULT_STEPS),
        _ => {}
    }
    if mode == Mode::Offline && !table && train.simulations.is_none() {
        train.simulations = Some(DEFAULT_SIMULATIONS);
    }
    Ok(())
}
