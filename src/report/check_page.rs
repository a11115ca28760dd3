//! The report of a check.
use super::page::{Figure, Page, Section, Tone};
use super::pair_plot::pair_plot;
use super::panels;
use super::rank_plot::rank_histogram;
use super::recovery_plot::recovery_plot;
use super::run_facts::RunFacts;
use crate::diag::check::{RankTest, Verdict};
use crate::diag::contraction::{contraction, mean_sd, z_scores};
use crate::diag::examine::Examination;
use crate::infer::ood::{OUTSIDE, Reference};
use crate::model::Model;

/// Parameters that get pictures: the worst first where there are more.
const SHOWN: usize = 12;
/// Draws of a pair plot, so that three of them stay small.
const PAIR_DRAWS: usize = 2000;
/// Probability of the intervals in the recovery plot, and its place among the kept ones.
const LEVEL: (f64, usize) = (0.9, 2);

/// What the page is made of besides the examination.
pub struct Context<'a> {
    /// The run.
    pub run: &'a RunFacts,
    /// The model, for names and the file.
    pub model: &'a Model,
    /// What familiar data look like, if training left it.
    pub reference: Option<&'a Reference>,
    /// Findings of the command itself, such as misspecification; each a failure.
    pub more: &'a [String],
    /// Device, seed, seconds and the like.
    pub facts: &'a [(String, String)],
}

/// The page of an examination.
pub fn check_page(found: &Examination, context: &Context<'_>) -> Page {
    let report = &found.report;
    let names: Vec<String> = report.parameters.iter().map(|p| p.name.clone()).collect();
    let mut order: Vec<usize> = (0..names.len()).collect();
    if names.len() > SHOWN {
        order.sort_by(|&a, &b| report.parameters[b].ecdf.ratio.total_cmp(&report.parameters[a].ecdf.ratio));
        order.truncate(SHOWN);
    }
    let failed = report.verdict == Verdict::Fail || !context.more.is_empty();
    let (tone, verdict) = match report.verdict {
        _ if failed => (Tone::Bad, "Do not trust this posterior yet."),
        Verdict::Warning => (Tone::Caution, "Calibrated, but look at this first."),
        _ => (Tone::Good, "This posterior can be trusted on data like the simulated ones."),
    };
    let mut findings: Vec<String> = report.findings.iter().map(|f| sentence(&f.text)).collect();
    findings.extend(context.more.iter().map(|text| sentence(text)));
    if failed || report.verdict == Verdict::Warning {
        findings.extend(context.run.still_falling().map(|text| sentence(&text)));
    } else {
        findings.push(format!(
            "{} data sets with {} draws each: the posterior covers the true parameters as often as it says, for every \
             parameter, jointly, and whatever the data.",
            report.sets, report.draws
        ));
    }
    let mut facts = context.facts.to_vec();
    facts.extend(context.run.facts());
    Page {
        title: format!("Check of {}", context.run.name),
        tone,
        verdict: verdict.into(),
        findings,
        tables: vec![parameters(found), tests(found)],
        sections: sections(found, context, &order, &names),
        facts,
        model: context.run.model.clone(),
    }
}

/// A capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map_or(String::new(), |c| c.to_uppercase().collect());
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

fn word(good: bool) -> String {
    if good { "pass".into() } else { "FAIL".into() }
}

fn parameters(found: &Examination) -> (String, Vec<Vec<String>>) {
    let head =
        ["parameter", "R²", "NRMSE", "contraction", "mean z", "sd z", "50 %", "90 %", "CRPS", "verdict"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for p in &found.report.parameters {
        let mut row = vec![p.name.clone()];
        row.extend(
            [p.r2, p.nrmse, p.contraction, p.z_mean, p.z_sd].map(|v| format!("{v:.2}").replace('-', "−")),
        );
        row.extend([p.coverage[0], p.coverage[2]].map(|c| format!("{:.1}", 100.0 * c)));
        row.push(format!("{:.3}", p.crps));
        row.push(word(p.verdict < Verdict::Fail));
        rows.push(row);
    }
    ("Parameters: 50 % and 90 % intervals should hold so many of the truths".into(), rows)
}

fn tests(found: &Examination) -> (String, Vec<Vec<String>>) {
    let report = &found.report;
    let mut rows = vec![["test of the whole", "deviation", "allowed", "verdict"].map(String::from).to_vec()];
    let mut add = |name: &str, deviation: f64, allowed: f64, good: bool| {
        rows.push(vec![name.into(), format!("{deviation:.3}"), format!("{allowed:.3}"), word(good)]);
    };
    add("TARP (joint)", report.joint.deviation, report.joint.allowed, report.joint.inside());
    for (name, test) in
        [("highest-density regions", &report.hpd), ("posterior predictive", &report.predictive)]
    {
        if let Some(t) = test {
            add(name, t.test.deviation, t.test.allowed, t.inside());
        }
    }
    for p in &report.parameters {
        if let Some(d) = p.dependence {
            let name = format!("{} given the data", p.name);
            add(&name, d.correlation.abs(), d.allowed, d.independent());
        }
    }
    let note = report.information.map_or(String::new(), |i| {
        format!(
            ". Information: {:.2} ± {:.2} nats more than the prior; {:.2} ± {:.2} nats are lost with another's data",
            i.gain, i.gain_error, i.own, i.own_error
        )
    });
    (format!("Tests{note}"), rows)
}

fn sections(found: &Examination, context: &Context<'_>, order: &[usize], names: &[String]) -> Vec<Section> {
    let (report, kept) = (&found.report, &found.kept);
    let each = |kind: &str, draw: &dyn Fn(usize) -> String| -> Vec<Figure> {
        order.iter().map(|&p| Figure::new(&format!("{kind}-{}", names[p]), draw(p))).collect()
    };
    let recovery = each("recovery", &|p| {
        let rows = kept.marginals[p].iter().zip(kept.truths_of(p));
        let rows: Vec<_> =
            rows.map(|(m, truth)| [truth, m.mean, m.ends[LEVEL.1][0], m.ends[LEVEL.1][1]]).collect();
        recovery_plot(&names[p], &rows, LEVEL.0)
    });
    let ranks = each("ranks", &|p| {
        let short: Vec<u32> = kept.marginals[p].iter().map(|m| m.short_rank).collect();
        rank_histogram(&names[p], &short, kept.histogram.1 as u32)
    });
    let ecdf = each("ecdf", &|p| {
        let (band, test) = (&report.band, &report.parameters[p].ecdf);
        panels::ecdf_difference(&names[p], &band.points, &band.lower, &band.upper, &test.difference)
    });
    let coverage =
        each("coverage", &|p| panels::coverage(&names[p], &report.parameters[p].covered, kept.sets()));
    let contracted = each("z-contraction", &|p| {
        let (moments, truths) = (kept.moments(p), kept.truths_of(p));
        let d = names.len();
        let prior: Vec<f64> = found.prior.iter().skip(p).step_by(d).map(|v| f64::from(*v)).collect();
        panels::z_contraction(
            &names[p],
            &contraction(&moments, mean_sd(&prior).1),
            &z_scores(&moments, &truths),
        )
    });
    let whole = |name: &str, test: &RankTest| {
        let (b, d) = (&test.band, &test.test.difference);
        panels::ecdf_difference(name, &b.points, &b.lower, &b.upper, d)
    };
    let b = &report.joint_band;
    let tarp = panels::ecdf_difference("TARP", &b.points, &b.lower, &b.upper, &report.joint.difference);
    let mut joint = vec![Figure::new("tarp", tarp)];
    joint.extend(report.hpd.as_ref().map(|t| Figure::new("hpd", whole("highest-density ranks", t))));
    let mut predictive: Vec<Figure> = report
        .predictive
        .iter()
        .map(|t| Figure::new("predictive-ranks", whole("all data sets", t)))
        .collect();
    let replicated = found.shown.iter().enumerate().filter(|(_, s)| !s.replicates.is_empty());
    predictive.extend(replicated.map(|(i, s)| {
        let svg = panels::predictive(&format!("data set {i}"), &s.x, &s.replicates);
        Figure::new(&format!("predictive-{i}"), svg)
    }));
    let pairs = found.shown.iter().enumerate().map(|(i, s)| {
        let draws = &s.draws[..s.draws.len().min(PAIR_DRAWS * names.len())];
        let prior = &found.prior[..found.prior.len().min(PAIR_DRAWS * names.len())];
        Figure::new(&format!("pairs-{i}"), pair_plot(draws, names, Some(&s.truth), Some(prior)))
    });
    vec![
        context.run.loss(),
        Section::new(
            "Recovery",
            "Dots on the diagonal are estimates that hit the truth; bars are 90 % intervals.",
            "A flat cloud means that the data say little about the parameter, or that training was too short.",
            recovery,
        ),
        Section::new(
            "Ranks of the truth (SBC)",
            "Bars should stay in the grey band: ∪ is a posterior too narrow, ∩ too wide, a slope is a shift.",
            "Too narrow: more simulations or longer training. Too wide or skewed: train longer, then splines or more blocks.",
            ranks,
        ),
        Section::new(
            "ECDF difference",
            "The same ranks as a curve, which should stay in the band as a whole; this test decides.",
            "See the sentences at the top for size and direction.",
            ecdf,
        ),
        Section::new(
            "Coverage",
            "The curve should follow the diagonal: below it, intervals are too short.",
            "`couplet sample --conformal` corrects intervals until the model is better.",
            coverage,
        ),
        Section::new(
            "z-score against contraction",
            "Dots belong in the grey stripe; to the right the data told much, at 0 nothing.",
            "Outside the stripe at high contraction: overconfident; train longer or simulate more.",
            contracted,
        ),
        Section::new(
            "Joint posterior: TARP and highest-density ranks",
            "Curves that stay in the band say that the dependence between parameters is right too.",
            "If only these fail, use more blocks or a learned permutation (householder).",
            joint,
        ),
        Section::new(
            "Posterior predictive",
            "Data simulated from the posterior should surround the data it was given: dots inside the pale bars.",
            "Many dots outside: the posterior is wrong or the network misses part of the data.",
            predictive,
        ),
        Section::new(
            "Prior, posterior and truth for some data sets",
            "The true value should lie inside the cloud, most often in its dark part.",
            "A truth far outside in several of them: see coverage.",
            pairs.collect(),
        ),
        familiarity(found, context),
    ]
}

fn familiarity(found: &Examination, context: &Context<'_>) -> Section {
    let figures = context.reference.map_or(vec![], |reference| {
        let null = reference.null_distances();
        let limit = f64::from(null[((1.0 - OUTSIDE) * (null.len() as f64 - 1.0)) as usize]);
        let own: Vec<f64> = reference.familiarity(&found.summaries).iter().map(|f| f.distance).collect();
        vec![Figure::new("familiarity", panels::familiarity("these data sets", null, &own, limit))]
    });
    Section::new(
        "Out-of-distribution scores",
        "How far data sets lie from those of the training; about 1 % of simulated ones lie beyond the line.",
        "Observed data beyond it (`couplet sample` says so) get a posterior that is a guess: mend data or simulator.",
        figures,
    )
}
