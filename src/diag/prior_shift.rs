//! Are the data sets' true parameters draws of the prior that a posterior was trained under?
use super::local::local;
use crate::error::Result;
use crate::sim::Prior;

/// Probability that truths of the right prior are accused, over all parameters together.
const LEVEL: f64 = 1e-4;

/// A sentence for every parameter whose truths do not come from `trained`, the prior of the training, of which `draws`
/// `(n, D)` were drawn independently of the `truths` `(sets, D)`. Two-sample Kolmogorov-Smirnov test of each parameter at
/// 1e-4 / D (Bonferroni), and no truth outside of the prior's bounds.
///
/// `truths` are all parameters that were drawn, also those whose simulation failed (`Examination::drawn`): simulations often
/// fail in one corner of the prior, and what is left is not distributed as the prior is.
pub fn prior_shift(names: &[String], truths: &[f32], trained: &Prior, draws: &[f32]) -> Result<Vec<String>> {
    let (dim, sets) = (names.len(), truths.len() / names.len().max(1));
    let bounds = trained.bounds();
    let found = local(names, truths, draws)?;
    let sentence = |(p, l): (usize, &super::local::Local)| {
        let outside = truths.iter().skip(p).step_by(dim).filter(|v| {
            let v = f64::from(**v);
            !(bounds[p][0] <= v && v <= bounds[p][1])
        });
        let outside = outside.count() as f64 / sets as f64;
        (outside > 0.0 || l.p < LEVEL / dim as f64).then(|| {
            let beyond = if outside > 0.0 {
                format!("{:.0} % of the true values lie outside of it", 100.0 * outside)
            } else {
                let (mean, sd) = (format!("{:+.2} sd", l.shift).replace('-', "−"), l.spread);
                format!("true values are shifted by {mean} and spread {sd:.2} x as wide")
            };
            format!(
                "{} was trained under another prior: {beyond}. Train again under a prior that holds these values",
                names[p]
            )
        })
    };
    Ok(found.iter().enumerate().filter_map(sentence).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::rng::{Rng, streams};

    /// A shift such as one in 13,000 parameters of the right prior has.
    #[test]
    fn parameters_share_the_level() {
        let n = 2000;
        let rows = |dim: usize, shift: f32| -> Vec<f32> {
            let value = |i: usize, p: usize| (i as f32 + 0.5) / n as f32 + if p == 0 { shift } else { 0.0 };
            (0..n).flat_map(|i| (0..dim).map(move |p| value(i, p))).collect()
        };
        // A distance of .071 between 2000 and 2000 draws has p = 8e-5: below 1e-4, and above 1e-4 / 2.
        let found = |dim: usize| {
            let line = |p: usize| format!("[[parameter]]\nname = 'p{p}'\nprior = 'uniform(-1, 2)'\n");
            let text: String = (0..dim).map(line).collect();
            let model = Model::from_toml(&format!("simulator.custom = 'none'\n{text}")).unwrap();
            let names = model.parameter_names();
            prior_shift(names, &rows(dim, 0.071), &model.prior, &rows(dim, 0.0)).unwrap().len()
        };
        assert_eq!([found(1), found(2), found(10)], [1, 0, 0]);
    }

    #[test]
    fn truths_of_another_prior_are_named_and_those_of_the_same_are_not() {
        let model = Model::builtin("two-moons").unwrap();
        let draw = |step: u32, scale: f32| -> Vec<f32> {
            let uniform = |i: u32| 2.0 * Rng::new(3, streams::TEST, step, i).uniform() - 1.0;
            (0..800).map(|i| if i % 2 == 0 { scale * uniform(i) } else { uniform(i) }).collect()
        };
        let names = model.parameter_names();
        let against = |truths: &[f32]| prior_shift(names, truths, &model.prior, &draw(0, 1.0)).unwrap();
        assert!(against(&draw(1, 1.0)).is_empty());
        let wide = against(&draw(1, 2.0));
        assert!(
            wide.len() == 1
                && wide[0].starts_with("theta_1 was trained")
                && wide[0].contains("outside of it")
        );
        // One value beyond either end is enough, as for the density, which is zero there.
        for beyond in [-1.01, 1.01] {
            let mut truths = draw(1, 1.0);
            truths[3] = beyond;
            let found = against(&truths);
            assert!(found.len() == 1 && found[0].starts_with("theta_2 was trained"), "{beyond}: {found:?}");
        }
        let narrow = against(&draw(1, 0.4));
        assert!(narrow.len() == 1 && narrow[0].contains("spread 0.4"), "{narrow:?}");
    }
}
