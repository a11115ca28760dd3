//! Runs every diagnostic on a trained posterior: simulate, draw, compare, in blocks of data sets.
use super::check::{CheckReport, Evidence, judge};
use super::conditional::Summaries;
use super::contraction::mean_sd;
use super::coverage::hpd_ranks;
use super::information::{Information, information};
use super::predictive::predictive_rank;
use super::replicates::{Replicates, seen, sound};
use super::stream::{Kept, Stream};
use super::tarp::Region;
use crate::error::{Error, Result};
use crate::infer::Posterior;
use crate::model::definition::{CHECK_STEP, PRIOR_STEP};
use crate::model::{Model, Pairs};
use crate::rng::{Rng, streams};
use crate::sim::{DataShape, Prior};

/// Draws held at a time, in values: a block of data sets fits the cache's neighbourhood and 8 MiB.
const BLOCK_VALUES: usize = 1 << 21;
/// Draws of a data set whose densities are computed, and whose data are simulated.
const DENSITIES: usize = 100;
const REPLICATES: usize = 40;
/// Replicates of data sets of many items, which are dear.
const ITEM_REPLICATES: usize = 20;
/// Data sets whose draws are kept for figures, and draws of each.
const SHOWN: usize = 3;
const SHOWN_DRAWS: usize = 4000;
/// Prior draws for spreads and figures.
const PRIOR: u32 = 10_000;

/// How much to examine.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Data sets to simulate; those that are not finite are left out.
    pub sets: usize,
    /// Posterior draws for each.
    pub draws: usize,
    /// Seed of simulations and draws.
    pub seed: u64,
}

/// A data set with its draws, for figures.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The parameters that made it, `(D)`.
    pub truth: Vec<f32>,
    /// Posterior draws, `(n, D)`.
    pub draws: Vec<f32>,
    /// Its data, `(V)`: the values of a vector, or statistics of standardised items.
    pub x: Vec<f32>,
    /// The same of data simulated from the posterior, `(m, V)`.
    pub replicates: Vec<f32>,
}

/// Everything an examination found.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The verdict and its numbers.
    pub report: CheckReport,
    /// What was kept of every data set.
    pub kept: Kept,
    /// Summaries of the data sets, `(sets, S)`.
    pub summaries: Vec<f32>,
    /// S.
    pub width: usize,
    /// The first few data sets.
    pub shown: Vec<Shown>,
    /// Prior draws, `(n, D)`.
    pub prior: Vec<f32>,
    /// The parameters of all simulations, `(n, D)`: of those that were not finite too.
    pub drawn: Vec<f32>,
    /// Simulations that were not finite.
    pub failed: usize,
}

/// Simulates data sets from the prior of `model`, draws from the posterior of each, and judges.
///
/// `model` is the posterior's own, or another one with the same parameters and data: whoever trained under a prior or a
/// simulator that is wrong sees what it costs where the other is right.
///
/// Memory does not grow with sets x draws: data sets come in blocks. Block sizes follow from the numbers alone, so the
/// same seed gives the same answer on any machine with the same device arithmetic.
///
/// # Errors
/// A model without a simulator, no finite simulation, too few data sets or draws, and whatever the device reports.
pub fn examine(posterior: &Posterior, model: &Model, size: Size) -> Result<Examination> {
    examine_pairs(posterior, model, &model.simulate(size.seed, CHECK_STEP, size.sets)?, size)
}

/// The same on pairs from elsewhere, which must be draws of prior and simulator that training has not seen. Without a simulator
/// there are no posterior predictive ranks.
///
/// # Errors
/// No finite pair, too few of them or of draws, and whatever the device reports.
pub fn examine_pairs(posterior: &Posterior, model: &Model, pairs: &Pairs, size: Size) -> Result<Examination> {
    let (d, c) = (model.theta_dim(), model.x_dim()?);
    let all = pairs.theta.len() / d;
    let shape = model.shape()?;
    let vector = shape.is_vector();
    let (theta, x) = finite(&pairs.theta, &pairs.x, d, c, &shape);
    let sets = theta.len() / d;
    if sets == 0 {
        return Err(Error::config(
            "simulator",
            format!("none of {all} simulations is finite"),
            "Check priors and simulator",
        ));
    }
    let summaries = posterior.summary(&x)?;
    let width = summaries.len() / sets;
    let seen = if vector { summaries.clone() } else { seen(posterior, &shape, &x)? };
    let most = if vector { REPLICATES } else { ITEM_REPLICATES };
    let prior = prior_draws(&model.prior, size.seed);
    let prior_sd: Vec<f64> = (0..d)
        .map(|p| mean_sd(&prior.iter().skip(p).step_by(d).map(|v| f64::from(*v)).collect::<Vec<_>>()).1)
        .collect();

    let mut stream = Stream::new(&theta, size.draws, d, Region::around(&[&prior], d))?;
    let (mut hpd, mut predictive, mut shown) = (Some(vec![]), vec![], vec![]);
    let densities = DENSITIES.min(size.draws);
    let truth_q = densities_of(posterior, &theta, &x)?;
    let block = (BLOCK_VALUES / (size.draws * d).max(1)).clamp(1, sets);
    for first in (0..sets).step_by(block) {
        let count = block.min(sets - first);
        let own_x = &x[first * c..(first + count) * c];
        // Draw j of set i depends on the seed and i within the call, so each block has a seed of its own.
        let seed = size.seed.wrapping_add((first as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let draws = posterior.sample(own_x, size.draws, seed)?;
        stream.push(&draws)?;
        let sets_of = |n: usize| -> Vec<f32> {
            draws.chunks_exact(size.draws * d).flat_map(|set| set[..n * d].iter().copied()).collect()
        };
        if let (Some(ranks), Some(truth_q)) = (&mut hpd, &truth_q) {
            match densities_of(posterior, &sets_of(densities), own_x)? {
                Some(q) => {
                    let truth_q = &truth_q[first..first + count];
                    ranks.extend(hpd_ranks(truth_q, &q, densities, first, size.seed));
                }
                None => hpd = None,
            }
        }
        let n = most.min(size.draws);
        let again = |theta: &[f32], n| Replicates::new(posterior, model, (own_x, first), theta, n, size.seed);
        let simulated = match model.simulator {
            Some(_) => Some((again(&sets_of(n), n)?, again(&theta[first * d..(first + count) * d], 1)?)),
            None => None,
        };
        for set in 0..count {
            let observed = &seen[(first + set) * (seen.len() / sets)..][..seen.len() / sets];
            if let Some((own, new)) = &simulated {
                let (own, new) = (own.seen_of(set), new.seen_of(set));
                predictive.push(predictive_rank(observed, new, own, first + set, size.seed));
            }
            if shown.len() < SHOWN {
                shown.push(Shown {
                    truth: theta[(first + set) * d..][..d].to_vec(),
                    draws: draws[set * size.draws * d..][..size.draws.min(SHOWN_DRAWS) * d].to_vec(),
                    x: if vector { own_x[set * c..][..c].to_vec() } else { observed.to_vec() },
                    replicates: simulated.as_ref().map_or(vec![], |s| s.0.shown_of(set).to_vec()),
                });
            }
        }
    }
    let information = own_information(posterior, &model.prior, &theta, &x, truth_q.as_deref())?;
    let evidence = Evidence {
        summaries: Some(Summaries { values: &summaries, width }),
        hpd: hpd.filter(|ranks| ranks.len() == sets).map(|ranks| (ranks, densities)),
        predictive: model.simulator.is_some().then_some((predictive, most.min(size.draws))),
        information,
    };
    let (report, kept) = judge(model.parameter_names(), &prior_sd, stream, evidence)?;
    let (drawn, failed) = (pairs.theta.clone(), all - sets);
    Ok(Examination { report, kept, summaries, width, shown, prior, drawn, failed })
}

/// `10000` draws of the prior, `(n, D)`, independent of whatever else is drawn with this seed.
pub fn prior_draws(prior: &Prior, seed: u64) -> Vec<f32> {
    let d = prior.dim();
    let mut draws = vec![0.0; PRIOR as usize * d];
    for (row, theta) in draws.chunks_exact_mut(d).enumerate() {
        prior.draw(&mut Rng::new(seed, streams::PRIOR, PRIOR_STEP, row as u32), theta);
    }
    draws
}

/// The rows whose data are finite; NaN only ends a data set of many items.
fn finite(theta: &[f32], x: &[f32], d: usize, c: usize, shape: &DataShape) -> (Vec<f32>, Vec<f32>) {
    let (mut kept_theta, mut kept_x) = (Vec::new(), Vec::new());
    for (theta, x) in theta.chunks_exact(d).zip(x.chunks_exact(c)) {
        if sound(shape, x) {
            kept_theta.extend_from_slice(theta);
            kept_x.extend_from_slice(x);
        }
    }
    (kept_theta, kept_x)
}

/// Log densities of pairs; none where a value lies on the very edge of its support, in f32, and has none.
fn densities_of(posterior: &Posterior, theta: &[f32], x: &[f32]) -> Result<Option<Vec<f32>>> {
    match posterior.log_prob(theta, x) {
        Ok(q) => Ok(Some(q).filter(|q| !q.iter().any(|v| v.is_nan()))),
        Err(Error::Input { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn own_information(
    posterior: &Posterior,
    prior: &Prior,
    theta: &[f32],
    x: &[f32],
    log_q: Option<&[f32]>,
) -> Result<Option<Information>> {
    let (d, sets) = (prior.dim(), theta.len() / prior.dim());
    let c = x.len() / sets;
    // Each truth with the next data set.
    let other = densities_of(posterior, theta, &[&x[c..], &x[..c]].concat())?;
    let (Some(log_q), Some(other)) = (log_q, other) else { return Ok(None) };
    let log_prior: Vec<f64> = theta
        .chunks_exact(d)
        .map(|row| prior.log_prob(&row.iter().map(|v| f64::from(*v)).collect::<Vec<_>>()))
        .collect();
    Ok(log_prior.iter().all(|p| p.is_finite()).then(|| information(log_q, &other, &log_prior)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws that were the truths would be no reference for them.
    #[test]
    fn prior_draws_are_not_the_truths() {
        let model = Model::builtin("two-moons").unwrap();
        let (draws, truths) =
            (prior_draws(&model.prior, 3), model.simulate(3, CHECK_STEP, 100).unwrap().theta);
        assert!(truths.chunks_exact(2).all(|t| !draws.chunks_exact(2).any(|d| d == t)));
    }

    #[test]
    fn rows_with_a_nan_are_left_out_with_their_parameters() {
        let shape = DataShape::Vector { features: 2 };
        let (theta, x) = finite(&[1.0, 2.0, 3.0], &[1.0, 1.0, f32::NAN, 2.0, 3.0, 3.0], 1, 2, &shape);
        assert_eq!((theta, x), (vec![1.0, 3.0], vec![1.0, 1.0, 3.0, 3.0]));
    }
}
