//! The standardisation among the tensors of a weights or state file.
use crate::data::standardise::Standardiser;
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::definition::data_transform;
use crate::model::weights::Weights;

/// Names and values of the tensors.
pub fn moments(s: &Standardiser) -> [(&'static str, &Vec<f32>); 6] {
    [
        ("standardise.u_mean", &s.u_mean),
        ("standardise.u_sd", &s.u_sd),
        ("standardise.x_center", &s.x_center),
        ("standardise.x_inv_scale", &s.x_inv_scale),
        ("standardise.x_mean", &s.x_mean),
        ("standardise.x_sd", &s.x_sd),
    ]
}

/// The standardisation stored in a weights or state file.
pub fn load_moments(w: &Weights, config: &Config) -> Result<Standardiser> {
    let d = config.prior()?.dim();
    let c = w.tensors.get("standardise.x_mean").map_or(0, |t| t.values.len());
    let get = |name: &str, n: usize| Ok::<_, Error>(w.expect(name, &[n])?.values.clone());
    let s = Standardiser {
        u_mean: get("standardise.u_mean", d)?,
        u_sd: get("standardise.u_sd", d)?,
        transform: data_transform(config),
        x_center: get("standardise.x_center", c)?,
        x_inv_scale: get("standardise.x_inv_scale", c)?,
        x_mean: get("standardise.x_mean", c)?,
        x_sd: get("standardise.x_sd", c)?,
    };
    if s.u_sd.iter().chain(&s.x_sd).any(|&v| v <= 0.0) {
        return Err(Error::run(
            &w.path,
            "expected positive standard deviations",
            "The file is damaged; train again",
        ));
    }
    Ok(s)
}
