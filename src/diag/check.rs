//! The verdict on a posterior: every diagnostic over a test set of fresh simulations, and one rule.
//!
//! The rule: for every parameter the ranks of the truths must stay inside a simultaneous ECDF band and must not depend
//! on the data; the TARP ranks of the joint posterior, its highest-density ranks and the ranks of the posterior
//! predictive must stay inside theirs. The tests share [`FAMILY_ERROR`], so a right posterior passes in 99 % of checks
//! however many parameters it has. Everything else (recovery, contraction, coverage) describes, and explains a failure.
use serde::{Deserialize, Serialize};

use super::{
    check_words,
    conditional::{Dependence, Scores, Summaries},
    contraction::{contraction, mean_sd, z_scores},
    coverage::Calibration,
    draw_sets::DrawSets,
    ecdf::{EcdfBand, EcdfTest},
    information::Information,
    judge::{findings, shift_and_spread},
    recovery::recovery,
    sbc,
    stream::{Kept, Stream},
    tarp::Region,
};
use crate::error::{Error, Result};

/// Probability that a right posterior fails, over all tests together.
pub const FAMILY_ERROR: f64 = 0.01;
/// Shares of [`FAMILY_ERROR`]: the parameters' ranks divide theirs, as do their dependences on the data.
const RANK_SHARE: f64 = 0.5;
const JOINT_SHARE: f64 = 0.15;
const DEPENDENCE_SHARE: f64 = 0.15;
const HPD_SHARE: f64 = 0.1;
const PREDICTIVE_SHARE: f64 = 0.1;
/// Levels of the central intervals in the report, in percent.
pub const LEVELS: [usize; 4] = [50, 80, 90, 95];
/// Fewest data sets and fewest draws that can say anything.
const FEWEST: usize = 20;

/// The answer, in order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Mean continuous ranked probability score, in the parameter's unit.
    pub crps: f64,
    /// Mean score of the 90 % interval, in the parameter's unit.
    pub interval_score: f64,
    /// Dependence of the ranks on the data, where summaries were given.
    pub dependence: Option<Dependence>,
    /// The rule applied to this parameter.
    pub verdict: Verdict,
}

/// Ranks of the data sets, the band for uniform ones, and the comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankTest {
    /// Each rank was taken among so many, so it is in `0..=among`.
    pub among: usize,
    /// The ranks, `(sets)`.
    pub ranks: Vec<u32>,
    /// The band.
    pub band: EcdfBand,
    /// The ranks against it.
    pub test: EcdfTest,
}

impl RankTest {
    /// Compares ranks in `0..=among` with the band that uniform ones leave with probability `error_rate`.
    pub fn new(ranks: Vec<u32>, among: usize, error_rate: f64) -> Result<Self> {
        let band = EcdfBand::new(ranks.len(), among + 1, error_rate)?;
        let test = band.test(&ranks);
        Ok(Self { among, ranks, band, test })
    }

    /// True if the ranks are as uniform as they should be.
    pub fn inside(&self) -> bool {
        self.test.inside()
    }
}

/// What is known about the data sets beyond truths and draws; all of it is optional and sharpens the verdict.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    /// What the posterior sees of each data set.
    pub summaries: Option<Summaries<'a>>,
    /// Highest-density ranks, and among how many draws they were taken.
    pub hpd: Option<(Vec<u32>, usize)>,
    /// Posterior predictive ranks, and among how many replicates.
    pub predictive: Option<(Vec<u32>, usize)>,
    /// Information in nats.
    pub information: Option<Information>,
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
    /// That band.
    pub joint_band: EcdfBand,
    /// Highest-density ranks of the truths, where log densities were given.
    pub hpd: Option<RankTest>,
    /// Posterior predictive ranks, where there was a simulator.
    pub predictive: Option<RankTest>,
    /// Information in nats, where log densities were given.
    pub information: Option<Information>,
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
    // The whole is looked at first, so that a message says what the shape should be.
    DrawSets::new(truths, draws, n_draws, names.len())?;
    let within = Region::around(&[truths, draws], names.len());
    let mut stream = Stream::new(truths, n_draws, names.len(), within)?;
    stream.push(draws)?;
    Ok(judge(names, prior_sd, stream, Evidence::default())?.0)
}

/// Judges what has streamed by, with further evidence; also hands back what was kept of every data set.
///
/// # Errors
/// As [`check`], and evidence for another number of data sets.
pub fn judge(
    names: &[String],
    prior_sd: &[f64],
    stream: Stream,
    evidence: Evidence,
) -> Result<(CheckReport, Kept)> {
    let kept = stream.kept()?;
    let (n, dim, n_draws) = (kept.sets(), names.len(), kept.n_draws);
    if prior_sd.len() != dim || dim != kept.dim() || !prior_sd.iter().all(|s| *s > 0.0 && s.is_finite()) {
        return Err(Error::input(
            "prior standard deviations",
            format!("{} positive numbers", kept.dim()),
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
    fits(&evidence, n)?;
    let band = EcdfBand::new(n, n_draws + 1, FAMILY_ERROR * RANK_SHARE / dim as f64)?;
    let joint_band = EcdfBand::new(n, n_draws + 1, FAMILY_ERROR * JOINT_SHARE)?;
    let joint = joint_band.test(&kept.tarp);
    let scores = evidence.summaries.map(Scores::new);
    let mut parameters = Vec::with_capacity(dim);
    for (p, name) in names.iter().enumerate() {
        parameters.push(parameter(name, p, kept, prior_sd[p], &band, scores.as_ref())?);
    }
    let test = |ranks: Option<(Vec<u32>, usize)>, share: f64| {
        ranks.map(|(ranks, among)| RankTest::new(ranks, among, FAMILY_ERROR * share)).transpose()
    };
    let mut report = CheckReport {
        sets: n,
        draws: n_draws,
        parameters,
        band,
        joint,
        joint_band,
        hpd: test(evidence.hpd, HPD_SHARE)?,
        predictive: test(evidence.predictive, PREDICTIVE_SHARE)?,
        information: evidence.information,
        verdict: Verdict::Pass,
        findings: vec![],
    };
    report.findings = findings(&stream, kept, &report);
    report.verdict = report.findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::Pass);
    Ok((report, stream.finish()?))
}

fn fits(evidence: &Evidence, sets: usize) -> Result<()> {
    let counts = [
        evidence.summaries.map(|s| s.values.len() / s.width.max(1)),
        evidence.hpd.as_ref().map(|h| h.0.len()),
        evidence.predictive.as_ref().map(|p| p.0.len()),
    ];
    match counts.into_iter().flatten().find(|count| *count != sets) {
        None => Ok(()),
        Some(found) => Err(Error::input(
            "evidence",
            format!("{sets} data sets"),
            found.to_string(),
            "Pass summaries and ranks of the same data sets as the draws",
        )),
    }
}

fn parameter(
    name: &str,
    p: usize,
    kept: &Kept,
    prior_sd: f64,
    band: &EcdfBand,
    scores: Option<&Scores>,
) -> Result<ParameterReport> {
    let (n, n_draws) = (kept.sets() as f64, kept.n_draws);
    let (truths, marginals) = (kept.truths_of(p), &kept.marginals[p]);
    let moments = kept.moments(p);
    let ranks = kept.ranks(p);
    let ecdf = band.test(&ranks);
    let (bins, used) = kept.histogram;
    let short: Vec<u32> = marginals.iter().map(|m| m.short_rank).collect();
    let rank_histogram = sbc::histogram(&short, used + 1, bins)?;
    let calibration = Calibration::from_levels(marginals.iter().map(|m| m.narrowest));
    let recovered = recovery(&moments.mean, &truths);
    let (z_mean, z_sd) = mean_sd(&z_scores(&moments, &truths));
    let (shift, spread) = shift_and_spread(&ranks, n_draws);
    let outside = ranks.iter().filter(|&&r| r == 0 || r as usize == n_draws).count() as f64 / n;
    let collapsed = moments.sd.iter().filter(|s| **s == 0.0).count() as f64 / n;
    let share = FAMILY_ERROR * DEPENDENCE_SHARE / kept.dim() as f64;
    let dependence = scores.map(|s| s.dependence(&ranks, n_draws, share));
    let good = ecdf.inside() && dependence.is_none_or(|d| d.independent());
    Ok(ParameterReport {
        name: name.into(),
        r2: recovered.r2,
        rmse: recovered.rmse,
        nrmse: recovered.nrmse,
        sbc_p: sbc::uniformity_p(&rank_histogram),
        rank_histogram,
        verdict: if good { Verdict::Pass } else { Verdict::Fail },
        ecdf,
        coverage: LEVELS.map(|level| calibration.at(level)),
        covered: calibration.covered,
        calibration_error: calibration.median_error,
        mean_calibration_error: calibration.mean_error,
        contraction: mean_sd(&contraction(&moments, prior_sd)).0,
        z_mean,
        z_sd,
        shift,
        spread,
        outside,
        collapsed,
        crps: marginals.iter().map(|m| m.crps).sum::<f64>() / n,
        interval_score: marginals.iter().map(|m| m.interval_score).sum::<f64>() / n,
        dependence,
    })
}
