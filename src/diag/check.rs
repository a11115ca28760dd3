//! The verdict on a posterior: every diagnostic over a test set of fresh simulations, and one rule.
//!
//! The rule: for every parameter the ranks of the truths must stay inside a simultaneous ECDF band, and so must the
//! TARP ranks of the joint posterior. The bands share [`FAMILY_ERROR`], so a right posterior passes in 99 % of checks
//! however many parameters it has. Everything else (recovery, contraction, coverage) describes, and explains a failure.
use serde::Serialize;

use super::{
    check_words,
    contraction::{Moments, contraction, distance_from_pool, mean_sd, moments, z_scores},
    coverage::calibration,
    draw_sets::DrawSets,
    ecdf::{EcdfBand, EcdfTest},
    probability::normal_quantile,
    quantile::median,
    recovery::{correlation, recovery},
    sbc,
    tarp::{ranges, tarp_ranks},
};
use crate::error::{Error, Result};

/// Probability that a right posterior fails, over all parameters and the joint test together.
pub const FAMILY_ERROR: f64 = 0.01;
/// Share of [`FAMILY_ERROR`] for the joint test; the parameters divide the rest.
const JOINT_SHARE: f64 = 0.2;
/// Levels of the central intervals in the report, in percent.
pub const LEVELS: [usize; 4] = [50, 80, 90, 95];
/// Fewest data sets and fewest draws that can say anything.
const FEWEST: usize = 20;
/// Mean contraction below which the data have told nothing.
const UNINFORMED: f64 = 0.03;
/// Seed of ties and reference points: the same draws always get the same verdict.
const SEED: u64 = 0;

/// The answer, in order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing wrong was seen.
    Pass,
    /// Calibrated, but something should be looked at.
    Warning,
    /// Wrong.
    Fail,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What it is, how large, and what to try first.
    pub text: String,
}

/// Diagnostics of one parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterReport {
    /// Its name.
    pub name: String,
    /// `1 - SS_res / SS_tot` of the posterior mean; NaN where the truth does not vary.
    pub r2: f64,
    /// Root mean squared error of the posterior mean, in the parameter's unit.
    pub rmse: f64,
    /// The same over the range of the truths.
    pub nrmse: f64,
    /// P-value of rank uniformity (chi-square), informative only: the rule uses the ECDF.
    pub sbc_p: f64,
    /// Rank histogram behind it.
    pub rank_histogram: Vec<u64>,
    /// Rank ECDF against the band.
    pub ecdf: EcdfTest,
    /// Observed coverage of the central [`LEVELS`].
    pub coverage: [f64; 4],
    /// Observed coverage of the central intervals of 1, 2, ..., 100 %.
    pub covered: Vec<f64>,
    /// Median over the 100 levels of |nominal - observed|.
    pub calibration_error: f64,
    /// Mean of the same.
    pub mean_calibration_error: f64,
    /// Mean of `1 - Var_post / Var_prior`.
    pub contraction: f64,
    /// Mean of `(mean_post - truth) / sd_post`.
    pub z_mean: f64,
    /// Sd of the same; 1 for a right Gaussian posterior.
    pub z_sd: f64,
    /// How far the posterior lies above the truth, in posterior sds, from the median rank.
    pub shift: f64,
    /// Spread of the truth over that of the posterior, from the ranks: above 1 the posterior is too narrow.
    pub spread: f64,
    /// Share of data sets whose truth lies beyond all draws.
    pub outside: f64,
    /// Share of data sets whose draws are all the same.
    pub collapsed: f64,
    /// The rule applied to this parameter.
    pub verdict: Verdict,
}

/// What `check` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// Number of data sets.
    pub sets: usize,
    /// Draws per data set.
    pub draws: usize,
    /// One entry per parameter.
    pub parameters: Vec<ParameterReport>,
    /// The band of every parameter's rank ECDF.
    pub band: EcdfBand,
    /// TARP of the joint posterior against its own band.
    pub joint: EcdfTest,
    /// The worst of all findings.
    pub verdict: Verdict,
    /// Sentences for the user, worst first; empty if there is nothing to say.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// True unless the verdict is a failure.
    pub fn passed(&self) -> bool {
        self.verdict < Verdict::Fail
    }

    /// The report as a plain text table with the verdict below.
    pub fn table(&self) -> String {
        check_words::table(self)
    }
}

/// Judges posterior draws `(sets, n_draws, D)` against the `truths` `(sets, D)` that made the data sets.
///
/// Truths are drawn from the prior, whose standard deviations are `prior_sd` `(D)`. Shapes that do not fit, values
/// that are not finite, fewer than 20 data sets or 20 draws are errors.
pub fn check(
    names: &[String],
    prior_sd: &[f64],
    truths: &[f32],
    draws: &[f32],
    n_draws: usize,
) -> Result<CheckReport> {
    let dim = names.len();
    let sets = DrawSets::new(truths, draws, n_draws, dim)?;
    let n = sets.sets();
    if prior_sd.len() != dim || !prior_sd.iter().all(|s| *s > 0.0 && s.is_finite()) {
        return Err(Error::input(
            "prior standard deviations",
            format!("{dim} positive numbers"),
            format!("{prior_sd:?}"),
            "Pass one for each parameter",
        ));
    }
    if n < FEWEST || n_draws < FEWEST {
        return Err(Error::input(
            "posterior check",
            format!("at least {FEWEST} data sets with {FEWEST} draws each"),
            format!("{n} data sets with {n_draws} draws"),
            "Use more; 300 data sets with 1000 draws see a width that is wrong by a half",
        ));
    }
    let band = EcdfBand::new(n, n_draws + 1, FAMILY_ERROR * (1.0 - JOINT_SHARE) / dim as f64)?;
    let joint_band = EcdfBand::new(n, n_draws + 1, FAMILY_ERROR * JOINT_SHARE)?;
    let (low, high) = ranges(truths, dim);
    let joint = joint_band.test(&tarp_ranks(&sets, &low, &high, SEED));
    let all_moments: Vec<Moments> = (0..dim).map(|p| moments(&sets, p)).collect();
    let mut parameters = Vec::with_capacity(dim);
    for (p, name) in names.iter().enumerate() {
        parameters.push(parameter(name, p, &sets, &all_moments[p], prior_sd[p], &band)?);
    }
    let findings = findings(&sets, &parameters, &all_moments, &joint);
    let verdict = findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::Pass);
    Ok(CheckReport { sets: n, draws: n_draws, parameters, band, joint, verdict, findings })
}

fn parameter(
    name: &str,
    p: usize,
    sets: &DrawSets,
    moments: &Moments,
    prior_sd: f64,
    band: &EcdfBand,
) -> Result<ParameterReport> {
    let (n, n_draws) = (sets.sets() as f64, sets.n_draws());
    let truths = sets.truths_of(p);
    let ranks = sbc::ranks(sets, p, n_draws, SEED);
    let ecdf = band.test(&ranks);
    let (bins, used) = sbc::bins_and_draws(sets.sets(), n_draws);
    let rank_histogram = sbc::histogram(&sbc::ranks(sets, p, used, SEED), used + 1, bins)?;
    let calibration = calibration(sets, p);
    let recovered = recovery(&moments.mean, &truths);
    let (z_mean, z_sd) = mean_sd(&z_scores(moments, &truths));
    let (shift, spread) = shift_and_spread(&ranks, n_draws);
    let outside = ranks.iter().filter(|&&r| r == 0 || r as usize == n_draws).count() as f64 / n;
    let collapsed = moments.sd.iter().filter(|s| **s == 0.0).count() as f64 / n;
    Ok(ParameterReport {
        name: name.into(),
        r2: recovered.r2,
        rmse: recovered.rmse,
        nrmse: recovered.nrmse,
        sbc_p: sbc::uniformity_p(&rank_histogram),
        rank_histogram,
        verdict: if ecdf.inside() { Verdict::Pass } else { Verdict::Fail },
        ecdf,
        coverage: LEVELS.map(|level| calibration.at(level)),
        covered: calibration.covered,
        calibration_error: calibration.median_error,
        mean_calibration_error: calibration.mean_error,
        contraction: mean_sd(&contraction(moments, prior_sd)).0,
        z_mean,
        z_sd,
        shift,
        spread,
        outside,
        collapsed,
    })
}

/// Shift (posterior above truth, in posterior sds) and spread (truth over posterior) from normal scores of the ranks:
/// median and half the distance of the 16 and 84 % points, which ranks at the ends do not spoil.
fn shift_and_spread(ranks: &[u32], n_draws: usize) -> (f64, f64) {
    let score = |r: &u32| normal_quantile((f64::from(*r) + 0.5) / (n_draws as f64 + 1.0));
    let mut scores: Vec<f64> = ranks.iter().map(score).collect();
    let shift = -median(&mut scores);
    let at = |level: f64| scores[((scores.len() - 1) as f64 * level).round() as usize];
    (shift, 0.5 * (at(0.8413) - at(0.1587)))
}

fn findings(
    sets: &DrawSets,
    parameters: &[ParameterReport],
    moments: &[Moments],
    joint: &EcdfTest,
) -> Vec<Finding> {
    let fail = |text| Finding { verdict: Verdict::Fail, text };
    let warn = |text| Finding { verdict: Verdict::Warning, text };
    if let Some(place) = transposed(sets, moments) {
        return vec![fail(check_words::transposed(&parameters[place].name))];
    }
    let mut found = Vec::new();
    let truths: Vec<Vec<f64>> = (0..sets.dim()).map(|p| sets.truths_of(p)).collect();
    for (p, report) in parameters.iter().enumerate().filter(|(_, r)| r.verdict == Verdict::Fail) {
        let follows = |other: usize| correlation(&moments[p].mean, &truths[other]);
        let own = follows(p);
        let best =
            (0..sets.dim()).max_by(|&a, &b| follows(a).abs().total_cmp(&follows(b).abs())).unwrap_or(p);
        if best != p && follows(best).abs() > own.abs() + 0.25 {
            found.push(fail(check_words::swapped(&report.name, &parameters[best].name, own, follows(best))));
        } else {
            found.push(fail(check_words::failure(report, sets.sets())));
        }
    }
    if found.is_empty() && !joint.inside() {
        found.push(fail(check_words::joint(joint)));
    }
    let same = 1.5 * 0.87 / (sets.n_draws() as f64).sqrt() + UNINFORMED;
    let uninformed =
        |(p, r): (usize, &ParameterReport)| r.contraction < UNINFORMED && distance_from_pool(sets, p) < same;
    if parameters.iter().enumerate().all(uninformed) {
        found.push(warn(check_words::uninformative()));
    }
    for report in parameters.iter().filter(|r| r.r2.is_nan()) {
        found.push(warn(check_words::constant_truth(&report.name)));
    }
    found
}

/// The parameter by which draws laid out (draws, sets, D) betray themselves, if they are.
///
/// Read the wrong way round, every data set gets draws of all the others: the prior, which looks calibrated. Read the
/// right way round, the means follow the truths. Asked only where the reading given has no contraction worth the name.
fn transposed(sets: &DrawSets, moments: &[Moments]) -> Option<usize> {
    let (n, dim) = (sets.sets(), sets.dim());
    let certain = (6.0 / (n as f64).sqrt()).max(0.3);
    let follows = |p: usize| {
        let mut means = vec![0.0; n];
        for (row, draw) in sets.all_draws().chunks_exact(dim).enumerate() {
            means[row % n] += f64::from(draw[p]);
        }
        let truths = sets.truths_of(p);
        correlation(&means, &truths) > certain.max(2.0 * correlation(&moments[p].mean, &truths).abs())
    };
    (0..dim).find(|&p| follows(p))
}
