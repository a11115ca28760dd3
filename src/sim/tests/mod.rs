//! Tests of priors, transforms, simulators and their WGSL.
mod bayesflow;
mod items;
mod levy;
mod ode;
mod prior;
mod simulators;
mod transform;
mod wgsl;

use super::{Bound, Factor, Marginal, Prior, Transform, default_transform};
use crate::rng::{Rng, streams};

/// Every marginal with bounds that are numbers.
const MARGINALS: &[Marginal] = &[
    Marginal::Uniform { lo: Bound::Const(-0.25), hi: Bound::Const(7.0) },
    Marginal::Uniform { lo: Bound::Const(300.0), hi: Bound::Const(300.5) },
    Marginal::Normal { mean: -3.0, sd: 0.7 },
    Marginal::LogNormal { mu: -0.5, sigma: 0.8 },
    Marginal::Gamma { shape: 0.4, rate: 2.0 },
    Marginal::Gamma { shape: 3.0, rate: 0.5 },
    Marginal::Beta { a: 0.5, b: 0.7 },
    Marginal::Beta { a: 2.0, b: 5.0 },
    Marginal::Exponential { rate: 1.5 },
    Marginal::HalfNormal { sd: 2.0 },
    Marginal::LogUniform { lo: 0.135_335_28, hi: 7.389_056 },
];

/// Independent parameters p0, p1, ...
fn prior_of(marginals: &[Marginal], transforms: &[Transform]) -> crate::error::Result<Prior> {
    let names = (0..marginals.len()).map(|i| format!("p{i}")).collect();
    Prior::new(names, marginals.iter().map(|&m| Factor::One(m)).collect(), transforms.to_vec())
}

/// The same with default transforms, for priors that must be valid.
fn default_prior(marginals: &[Marginal]) -> Prior {
    let transforms: Vec<_> = marginals.iter().map(|&m| default_transform(&Factor::One(m))).collect();
    prior_of(marginals, &transforms).expect("a valid prior")
}

/// beta ~ U(0.01, 1), gamma ~ U(0, beta), delta ~ U(beta, 2).
fn dependent(transform: Transform) -> Prior {
    let uniform = |lo, hi| Marginal::Uniform { lo, hi };
    let marginals = [
        uniform(Bound::Const(0.01), Bound::Const(1.0)),
        uniform(Bound::Const(0.0), Bound::Param(0)),
        uniform(Bound::Param(0), Bound::Const(2.0)),
    ];
    prior_of(&marginals, &[transform; 3]).expect("a valid prior")
}

/// Three correlated parameters between two independent ones.
fn multivariate() -> Prior {
    let factors = vec![
        Factor::One(Marginal::Exponential { rate: 2.0 }),
        Factor::Multivariate {
            mean: vec![1.0, -2.0, 0.5],
            cholesky: vec![1.5, 0.0, 0.0, -0.4, 0.3, 0.0, 2.0, 0.0, 0.9],
        },
        Factor::One(Marginal::Beta { a: 2.0, b: 2.0 }),
    ];
    let transforms = factors.iter().flat_map(|f| vec![default_transform(f); f.dim()]).collect();
    Prior::new((0..5).map(|i| format!("p{i}")).collect(), factors, transforms).expect("a valid prior")
}

/// Every prior of these tests and of the built-in tasks.
fn all_priors() -> Vec<Prior> {
    let mut priors: Vec<_> = super::TASKS.iter().map(|task| (task.prior)()).collect();
    priors.push(default_prior(MARGINALS));
    priors.extend([dependent(Transform::Logit), dependent(Transform::Probit), multivariate()]);
    priors
}

/// `n` prior draws, row after row.
fn draws(prior: &Prior, n: usize) -> Vec<f32> {
    let mut theta = vec![f32::NAN; n * prior.dim()];
    for (i, theta) in theta.chunks_exact_mut(prior.dim()).enumerate() {
        prior.draw(&mut Rng::new(11, streams::TEST, 0, i as u32), theta);
    }
    theta
}

fn to_f64(theta: &[f32]) -> Vec<f64> {
    theta.iter().map(|&t| f64::from(t)).collect()
}
