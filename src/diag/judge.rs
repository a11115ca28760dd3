//! From numbers to findings: what is wrong, in the order in which one should look at it.
use super::{
    check::{CheckReport, Finding, ParameterReport, Verdict},
    check_words,
    probability::normal_quantile,
    quantile::median,
    recovery::correlation,
    stream::{Kept, Stream},
};

/// Mean contraction below which the data have told nothing.
const UNINFORMED: f64 = 0.03;

/// Deviation over the allowed one from which a joint test is worth a sentence beside those of parameters.
const FAR: f64 = 2.0;

/// Shift (posterior above truth, in posterior sds) and spread (truth over posterior) from normal scores of the ranks:
/// median and half the distance of the 16 and 84 % points, which ranks at the ends do not spoil.
pub(super) fn shift_and_spread(ranks: &[u32], n_draws: usize) -> (f64, f64) {
    let score = |r: &u32| normal_quantile((f64::from(*r) + 0.5) / (n_draws as f64 + 1.0));
    let mut scores: Vec<f64> = ranks.iter().map(score).collect();
    let shift = -median(&mut scores);
    let at = |level: f64| scores[((scores.len() - 1) as f64 * level).round() as usize];
    (shift, 0.5 * (at(0.8413) - at(0.1587)))
}

/// Everything worth a sentence.
pub(super) fn findings(stream: &Stream, kept: &Kept, report: &CheckReport) -> Vec<Finding> {
    let fail = |text| Finding { verdict: Verdict::Fail, text };
    let warn = |text| Finding { verdict: Verdict::Warning, text };
    let parameters = &report.parameters;
    if let Some(place) = transposed(stream, kept) {
        return vec![fail(check_words::transposed(&parameters[place].name))];
    }
    // Ignoring the data is one fault, not one of every parameter, and no width explains it.
    if report.information.is_some_and(|i| i.ignores_data()) && accused(parameters, false) == parameters.len()
    {
        return vec![fail(check_words::ignores_data())];
    }
    let mut found = Vec::new();
    let truths: Vec<Vec<f64>> = (0..kept.dim()).map(|p| kept.truths_of(p)).collect();
    for (p, r) in parameters.iter().enumerate().filter(|(_, r)| r.verdict == Verdict::Fail) {
        let means = kept.moments(p).mean;
        let follows = |other: usize| correlation(&means, &truths[other]);
        let own = follows(p);
        let best =
            (0..kept.dim()).max_by(|&a, &b| follows(a).abs().total_cmp(&follows(b).abs())).unwrap_or(p);
        if best != p && follows(best).abs() > own.abs() + 0.25 {
            found.push(fail(check_words::swapped(&r.name, &parameters[best].name, own, follows(best))));
        } else if r.ecdf.inside() {
            found.push(fail(check_words::dependent(r)));
        } else {
            found.push(fail(check_words::failure(r, kept.sets())));
        }
    }
    // The joint tests also fail when a parameter does; they are news when none did, or when they fail by far.
    let alone = found.is_empty();
    if let Some(hpd) = report.hpd.as_ref().filter(|h| !h.inside() && (alone || h.test.ratio > FAR)) {
        found.push(fail(check_words::hpd(hpd)));
    }
    if alone {
        if !report.joint.inside() {
            found.push(fail(check_words::joint(&report.joint)));
        }
        if let Some(predictive) = report.predictive.as_ref().filter(|p| !p.inside()) {
            found.push(fail(check_words::predictive(&predictive.test)));
        }
    }
    if let Some(information) = report.information.filter(|i| i.worse_than_prior()) {
        found.push(fail(check_words::worse_than_prior(&information)));
    }
    let same = 1.5 * stream.pool.distance_if_same() + UNINFORMED;
    let uninformed =
        |(p, r): (usize, &ParameterReport)| r.contraction < UNINFORMED && stream.pool.distance(p) < same;
    if found.is_empty() && parameters.iter().enumerate().all(uninformed) {
        found.push(warn(check_words::uninformative()));
    }
    for r in parameters.iter().filter(|r| r.r2.is_nan()) {
        found.push(warn(check_words::constant_truth(&r.name)));
    }
    found
}

/// Parameters whose ranks depend on the data, by centre or by width.
fn accused(parameters: &[ParameterReport], width: bool) -> usize {
    let by = |r: &&ParameterReport| r.dependence.is_some_and(|d| !d.independent() && d.width == width);
    parameters.iter().filter(by).count()
}

/// The parameter by which draws laid out (draws, sets, D) betray themselves, if they are.
///
/// Read the wrong way round, every data set gets draws of all the others: the prior, which looks calibrated. Read the
/// right way round, the means follow the truths. Asked only where the reading given has no contraction worth the name.
fn transposed(stream: &Stream, kept: &Kept) -> Option<usize> {
    let certain = (6.0 / (kept.sets() as f64).sqrt()).max(0.3);
    let follows = |p: usize| {
        let truths = kept.truths_of(p);
        let given = correlation(&kept.moments(p).mean, &truths).abs();
        correlation(&stream.turned_means(p), &truths) > certain.max(2.0 * given)
    };
    (0..kept.dim()).find(|&p| follows(p))
}
