//! The report of `sample`: posteriors of observed data; and the short one of `train`.
use super::page::{Figure, Page, Section, Tone};
use super::pair_plot::pair_plot;
use super::panels;
use super::run_facts::RunFacts;
use crate::data::draws::{Draws, label};
use crate::data::summary::summarize;
use crate::diag::certificate::Certificate;
use crate::diag::check::Verdict;
use crate::diag::replicates::Compared;
use crate::infer::ood::{Familiarity, OUTSIDE, Reference};

/// Data sets that get pictures, and rows in the table.
const SHOWN: usize = 3;
const ROWS: usize = 60;
/// Draws in a pair plot.
const PAIR_DRAWS: usize = 4000;

/// What the page is made of.
pub struct Observed<'a> {
    /// The run.
    pub run: &'a RunFacts,
    /// Posterior draws.
    pub draws: &'a Draws,
    /// Prior draws, `(n, D)`.
    pub prior: &'a [f32],
    /// The first data sets beside data simulated from their posterior; none without a simulator.
    pub compared: &'a [Compared],
    /// P-values of the predictive check, as many.
    pub predictive_p: &'a [f64],
    /// The last check.
    pub certificate: Option<&'a Certificate>,
    /// What familiar data look like, and how these compare.
    pub familiarity: Option<(&'a Reference, &'a [Familiarity])>,
    /// A warning about unfamiliar data.
    pub warning: Option<String>,
    /// Seed, device and the like.
    pub facts: Vec<(String, String)>,
}

/// The page for observed data.
pub fn sample_page(o: &Observed<'_>) -> Page {
    let checked = o.certificate.map(|c| c.verdict);
    let (tone, verdict) = match (&o.warning, checked) {
        (Some(_), _) => {
            (Tone::Bad, "These data are unlike the simulated ones: treat the posterior as a guess.")
        }
        (None, Some(Verdict::Fail)) => (Tone::Bad, "The model failed its last check."),
        (None, None) => (Tone::Neutral, "The model was never checked."),
        (None, Some(Verdict::Warning)) => (Tone::Caution, "The model passed its check with a warning."),
        (None, Some(Verdict::Pass)) => {
            (Tone::Good, "The model passed its check, and these data are like the simulated ones.")
        }
    };
    let mut findings: Vec<String> = o.warning.iter().cloned().collect();
    findings.extend(o.certificate.map(Certificate::line));
    let unlikely = o.predictive_p.iter().filter(|p| **p < 0.01).count();
    if unlikely > 0 {
        findings.push(format!(
            "The posterior's own simulations do not look like the data in {unlikely} of {} data sets (p below 0.01).",
            o.predictive_p.len()
        ));
    }
    let names = &o.draws.names;
    let pairs = (0..o.draws.sets.min(SHOWN)).map(|set| {
        let draws = o.draws.set(set);
        let draws = &draws[..draws.len().min(PAIR_DRAWS * names.len())];
        let prior = &o.prior[..o.prior.len().min(PAIR_DRAWS / 2 * names.len())];
        Figure::new(&format!("pairs-{set}"), pair_plot(draws, names, None, Some(prior)))
    });
    let predictive = o.compared.iter().enumerate().map(|(set, compared)| {
        let called = label(&o.draws.labels, set);
        let name =
            format!("data set {called}, p = {:.2}", o.predictive_p.get(set).copied().unwrap_or(f64::NAN));
        let svg = panels::predictive(&name, &compared.observed, &compared.replicates);
        Figure::new(&format!("predictive-{set}"), svg)
    });
    let familiar = o.familiarity.map(|(reference, scores)| {
        let null = reference.null_distances();
        let limit = f64::from(null[((1.0 - OUTSIDE) * (null.len() as f64 - 1.0)) as usize]);
        let own: Vec<f64> = scores.iter().map(|s| s.distance).collect();
        Figure::new("familiarity", panels::familiarity("observed data", null, &own, limit))
    });
    let mut facts = o.facts.clone();
    facts.extend(o.run.facts());
    Page {
        title: format!("Posterior of {} data set{}", o.draws.sets, if o.draws.sets == 1 { "" } else { "s" }),
        tone,
        verdict: verdict.into(),
        findings,
        tables: vec![marginals(o.draws)],
        sections: vec![
            Section::new(
                "Posterior",
                "Histograms with median and central 95 % interval above them, pairs of parameters below; grey is the prior.",
                "Where posterior and prior agree, the data tell nothing about that parameter.",
                pairs.collect(),
            ),
            Section::new(
                "Posterior predictive",
                "Data simulated from the posterior: the observed values, dots, should lie inside the pale bars.",
                "Dots far outside: the simulator cannot make these data; do not trust the posterior.",
                predictive.collect(),
            ),
            Section::new(
                "Out-of-distribution score",
                "Where the observed data lie among the simulated ones of the training; beyond the line is unusual.",
                "Check units, order of values and outliers; widen the prior or extend the simulator, and train again.",
                familiar.into_iter().collect(),
            ),
        ],
        facts,
        model: o.run.model.clone(),
    }
}

fn marginals(draws: &Draws) -> (String, Vec<Vec<String>>) {
    let head = ["data set", "parameter", "mean", "sd", "2.5 %", "25 %", "50 %", "75 %", "97.5 %"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for m in summarize(draws).into_iter().take(ROWS) {
        let mut row = vec![m.label, m.name];
        let numbers = [m.mean, m.sd].into_iter().chain(m.quantiles);
        row.extend(numbers.map(|v| format!("{v:.4}").replace('-', "−")));
        rows.push(row);
    }
    let all = draws.sets * draws.dim();
    let more = if all > ROWS { format!("; the first {ROWS} of {all}") } else { String::new() };
    (format!("Marginals: {} draws each{more}", draws.n), rows)
}

/// The short page that training leaves: nothing has been judged yet.
pub fn train_page(run: &RunFacts, folder: &str) -> Page {
    let falling = run.still_falling();
    let verdict = match falling {
        Some(_) => "Trained, but not to the end; not checked yet.",
        None => "Trained; not checked yet.",
    };
    let mut findings: Vec<String> = falling.map(|text| format!("Note: {text}.")).into_iter().collect();
    findings.push(format!(
        "`couplet check {folder}` says whether the posterior can be trusted and replaces this page."
    ));
    Page {
        title: format!("Training of {}", run.name),
        tone: if findings.len() > 1 { Tone::Caution } else { Tone::Neutral },
        verdict: verdict.into(),
        findings,
        tables: vec![],
        sections: vec![run.loss()],
        facts: run.facts(),
        model: run.model.clone(),
    }
}
