//! Joint priors of a model file: `multivariate-normal` and `normal-mixture`, whose numbers are keys of the parameter.
use super::form::ParameterConfig;
use super::line::Fault;
use crate::sim::{Factor, NormalMixture, cholesky};

/// Makes a fault of (key, problem, hint).
type MakeFault<'a> = &'a dyn Fn(&str, String, &str) -> Fault;

fn lacks(key: &str, parameter: &ParameterConfig, fault: MakeFault) -> Fault {
    fault(
        key,
        format!("expected `{key}` for a {} prior, found none", parameter.prior.family.name()),
        "Add it",
    )
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// A multivariate normal.
pub(super) fn multivariate(parameter: &ParameterConfig, fault: MakeFault) -> Result<Factor, Fault> {
    let k = parameter.names().len();
    let mean = parameter.mean.as_ref().ok_or_else(|| lacks("mean", parameter, fault))?;
    if mean.len() != k || mean.iter().any(|v| !(*v as f32).is_finite()) {
        let problem = format!("expected {k} finite numbers, one per name, found {}", mean.len());
        return Err(fault("mean", problem, "Give one number per name"));
    }
    Ok(Factor::Multivariate { mean: single(mean), cholesky: covariance(parameter, fault)? })
}

/// A mixture of normals with one covariance.
pub(super) fn mixture(parameter: &ParameterConfig, fault: MakeFault) -> Result<Factor, Fault> {
    let k = parameter.names().len();
    let means = parameter.means.as_ref().ok_or_else(|| lacks("means", parameter, fault))?;
    let fits = |mean: &Vec<f64>| mean.len() == k && mean.iter().all(|v| (*v as f32).is_finite());
    if means.is_empty() || !means.iter().all(fits) {
        let problem = format!("expected lists of {k} finite numbers, one list per component, found others");
        return Err(fault("means", problem, "Give every component one number per name"));
    }
    let weights = match &parameter.weights {
        None => vec![1.0; means.len()],
        Some(weights) => single(weights),
    };
    if weights.len() != means.len() || weights.iter().any(|w| !(w.is_normal() && *w > 0.0)) {
        let problem = format!("expected {} weights above 0, one per component, found others", means.len());
        return Err(fault("weights", problem, "Give one per component, or leave them out"));
    }
    let cholesky = covariance(parameter, fault)?;
    Ok(Factor::Mixture(NormalMixture { weights, means: single(&means.concat()), cholesky }))
}

/// The Cholesky factor of `covariance`.
fn covariance(parameter: &ParameterConfig, fault: MakeFault) -> Result<Vec<f32>, Fault> {
    let k = parameter.names().len();
    let covariance = parameter.covariance.as_ref().ok_or_else(|| lacks("covariance", parameter, fault))?;
    if covariance.len() != k || covariance.iter().any(|row| row.len() != k) {
        let found = covariance.iter().map(Vec::len).find(|len| *len != k).unwrap_or(k);
        let problem =
            format!("expected {k} rows of {k} numbers, found {} rows, one of {found}", covariance.len());
        return Err(fault("covariance", problem, "Give a square matrix, one row per name"));
    }
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (a.abs() + b.abs());
    for (i, row) in covariance.iter().enumerate() {
        if let Some(j) = (0..i).find(|&j| !close(row[j], covariance[j][i])) {
            let (below, above) = (row[j], covariance[j][i]);
            let problem =
                format!("expected a symmetric matrix, found {below} and {above} at ({}, {})", i + 1, j + 1);
            return Err(fault("covariance", problem, "Make both entries equal"));
        }
    }
    let flat: Vec<f64> = covariance.concat();
    let lower = cholesky(&flat, k).ok_or_else(|| {
        let problem = "expected a positive definite matrix, found one without a Cholesky factor".to_string();
        fault("covariance", problem, "Check variances and correlations")
    })?;
    Ok(single(&lower))
}
