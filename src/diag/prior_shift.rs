//! Are the data sets' true parameters draws of the prior that a posterior was trained under?
use super::local::local;
use crate::error::Result;
use crate::sim::Prior;

/// Probability below which a Kolmogorov-Smirnov distance is no chance.
const LEVEL: f64 = 1e-4;

/// A sentence for every parameter whose truths do not come from `trained`, the prior of the training, of which `draws`
/// `(n, D)` were drawn; `truths` `(sets, D)`.
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
        (outside > 0.0 || l.p < LEVEL).then(|| {
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
