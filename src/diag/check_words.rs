//! The words of a check: sentences for what was found, and the table.
use super::{
    check::{CheckReport, LEVELS, ParameterReport, RankTest, Verdict},
    ecdf::EcdfTest,
    information::Information,
};

/// What is wrong with a parameter that failed, from shift and spread of its ranks, and the first remedy.
pub(super) fn failure(r: &ParameterReport, sets: usize) -> String {
    let name = &r.name;
    if r.collapsed > 0.5 {
        return format!(
            "posterior of {name} has collapsed: in {:.0} % of the data sets all its draws are the same. Lower the \
             learning rate, and look for parameters whose true posterior is a point",
            100.0 * r.collapsed
        );
    }
    let root = (sets as f64).sqrt();
    let shifted = r.shift.abs() > 3.75 / root;
    // Of a wrong shape, wide here and narrow there, the spread alone may say either.
    let narrow = r.spread > 1.0 && r.spread.ln() > 3.3 / root && r.coverage[2] < LEVELS[2] as f64 / 100.0;
    let wide =
        r.spread < 1.0 && -r.spread.max(1e-3).ln() > 3.3 / root && r.coverage[0] > LEVELS[0] as f64 / 100.0;
    let mut what = Vec::new();
    let mut proof = Vec::new();
    if shifted {
        let side = if r.shift > 0.0 { "high" } else { "low" };
        what.push(format!("sits {:.2} posterior sd too {side}", r.shift.abs()));
    }
    if narrow {
        what.push(format!("is {} x too narrow", factor(r.spread)));
        proof.push(format!("its 90 % intervals hold {:.0} %", 100.0 * r.coverage[2]));
    } else if wide {
        what.push(format!("is {} x too wide", factor(1.0 / r.spread)));
        proof.push(format!("its 50 % intervals hold {:.0} %", 100.0 * r.coverage[0]));
    }
    if what.is_empty() {
        what.push("has the wrong shape".into());
        proof.push(format!(
            "its 50 % intervals hold {:.0} %, its 90 % intervals {:.0} %, and its ranks deviate by {:.2} where {:.2} is allowed",
            100.0 * r.coverage[0],
            100.0 * r.coverage[2],
            r.ecdf.deviation,
            r.ecdf.allowed
        ));
    }
    if r.outside > 0.2 {
        proof.push(format!("{:.0} % of the truths lie beyond all draws", 100.0 * r.outside));
    }
    let remedy = if r.outside > 0.2 {
        "Check the order and scale of parameters; a mode may be missing: use splines and the forward KL"
    } else if narrow {
        "Use more simulations or stop earlier if the validation loss rises; otherwise train longer"
    } else if wide {
        "Train longer, then give the flow more blocks or spline bins"
    } else if shifted {
        "Train longer, and check that data are prepared the same way as in training"
    } else {
        "Use splines or more blocks, and train longer"
    };
    let proof = if proof.is_empty() { String::new() } else { format!(": {}", proof.join(", and ")) };
    format!("posterior of {name} {}{proof}. {remedy}", what.join(" and "))
}

fn factor(x: f64) -> String {
    // Ranks saturate about three sds out, so beyond this the size is only a bound.
    if x > 3.0 { "more than 3".into() } else { format!("{x:.1}") }
}

pub(super) fn swapped(name: &str, other: &str, own: f64, follows: f64) -> String {
    format!(
        "posterior of {name} follows the truth of {other} (correlation {follows:.2}) rather than its own ({own:.2}). \
         Check that parameters come in the same order everywhere"
    )
}

pub(super) fn transposed(name: &str) -> String {
    format!(
        "draws seem to be laid out (draws, sets, parameters): read that way, the posterior of {name} follows its \
         truth. Pass them as (sets, draws, parameters)"
    )
}

pub(super) fn joint(test: &EcdfTest) -> String {
    format!(
        "the joint posterior is wrong although every parameter alone looks right: TARP deviates by {:.2} where {:.2} \
         is allowed. Dependence between parameters is missed: use more blocks or a learned permutation",
        test.deviation, test.allowed
    )
}

pub(super) fn hpd(hpd: &RankTest) -> String {
    let mean = hpd.ranks.iter().map(|r| f64::from(*r)).sum::<f64>() / (hpd.ranks.len() * hpd.among) as f64;
    // Truths among the densest draws: there is too much posterior around them.
    let (what, remedy) = if mean < 0.5 {
        ("spread too far", "Train longer; then use splines or more blocks")
    } else {
        (
            "too concentrated",
            "Use more simulations or stop earlier if the validation loss rises; otherwise train longer",
        )
    };
    format!(
        "the posterior as a whole is {what}: its highest-density regions miss their level by {:.3} where {:.3} is allowed. \
         {remedy}",
        hpd.test.deviation, hpd.test.allowed
    )
}

pub(super) fn predictive(test: &EcdfTest) -> String {
    format!(
        "data simulated from the posterior lie at the wrong distance from the data it was given: their ranks deviate by \
         {:.2} where {:.2} is allowed. Train longer; then use more blocks",
        test.deviation, test.allowed
    )
}

pub(super) fn worse_than_prior(i: &Information) -> String {
    let how = if i.impossible > 0.0 {
        format!("{:.0} % of the true parameters are impossible under it", 100.0 * i.impossible)
    } else {
        format!("the true parameters are {:.2} nats less likely under it", -i.gain)
    };
    format!(
        "the posterior knows less than the prior: {how}. Check that this is the model it was trained for, and that \
         training has converged"
    )
}

pub(super) fn ignores_data() -> String {
    "the posterior does not use the data, although they tell about the parameters: draws for another data set serve as \
     well. Check the shape of the draws (sets, draws, parameters) and that data reach the network; then train longer"
        .into()
}

/// Ranks that are right on average and wrong given the data.
pub(super) fn dependent(r: &ParameterReport) -> String {
    let name = &r.name;
    let Some(d) = r.dependence else { return format!("posterior of {name} is wrong for some data sets") };
    let (what, remedy) = if d.width {
        ("width", "Use splines or more blocks, and train longer")
    } else {
        ("centre", "Train longer; then use more blocks or wider layers, and look at that summary's scale")
    };
    format!(
        "posterior of {name} is right on average but not for each data set: its {what} goes with summary {} of the data \
         (correlation {:.2}, chance explains {:.2}). {remedy}",
        d.summary + 1,
        d.correlation,
        d.allowed
    )
}

pub(super) fn uninformative() -> String {
    "the posterior is uninformative: it is as wide as the prior for every parameter. Check that the data reach the \
     network and vary with the parameters; train longer; if the data truly tell nothing, this is the right answer"
        .into()
}

pub(super) fn constant_truth(name: &str) -> String {
    format!(
        "the true {name} is the same in every data set, so its recovery cannot be judged. Draw truths from the prior"
    )
}

/// Plain text: one row a parameter, the joint test, the findings, the verdict.
pub(super) fn table(report: &CheckReport) -> String {
    let mut rows = vec![
        ["parameter", "R2", "NRMSE", "contraction", "z mean", "z sd", "SBC p", "ECDF", "allowed", "Err_cal"]
            .map(String::from)
            .to_vec(),
    ];
    rows[0].extend(LEVELS.map(|level| format!("{level} %")));
    rows[0].push("verdict".into());
    for r in &report.parameters {
        let mut row = vec![r.name.clone()];
        row.extend([r.r2, r.nrmse, r.contraction, r.z_mean, r.z_sd].map(|v| format!("{v:.3}")));
        row.push(if r.sbc_p < 1e-4 { "<1e-4".into() } else { format!("{:.4}", r.sbc_p) });
        row.extend([r.ecdf.deviation, r.ecdf.allowed, r.calibration_error].map(|v| format!("{v:.3}")));
        row.extend(r.coverage.map(|c| format!("{:.1}", 100.0 * c)));
        row.push(word(r.verdict).into());
        rows.push(row);
    }
    let mut text = aligned(&rows);
    let joint = &report.joint;
    text += &format!(
        "joint (TARP): ECDF {:.3}, allowed {:.3}, {}\n",
        joint.deviation,
        joint.allowed,
        word(if joint.inside() { Verdict::Pass } else { Verdict::Fail })
    );
    let line = |name: &str, test: &RankTest| {
        let verdict = word(if test.inside() { Verdict::Pass } else { Verdict::Fail });
        format!("{name}: ECDF {:.3}, allowed {:.3}, {verdict}\n", test.test.deviation, test.test.allowed)
    };
    text += &report.hpd.as_ref().map_or(String::new(), |t| line("highest-density regions", t));
    text += &report.predictive.as_ref().map_or(String::new(), |t| line("posterior predictive", t));
    if let Some(i) = &report.information {
        let impossible = if i.impossible > 0.0 { " (some truths are impossible)" } else { "" };
        text += &format!(
            "information{impossible}: {:.2} ± {:.2} nats more than the prior, {:.2} ± {:.2} lost with another's data\n",
            i.gain, i.gain_error, i.own, i.own_error
        );
    }
    for finding in &report.findings {
        text += &format!("{}: {}.\n", word(finding.verdict), finding.text);
    }
    text += &format!("{} ({} data sets, {} draws each)\n", word(report.verdict), report.sets, report.draws);
    text
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warning => "warning",
        Verdict::Fail => "FAIL",
    }
}

/// Columns padded to their widest entry: the first to the left, the others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |cell: &String| cell.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(length).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - length(cell));
            text += &if c == 0 { format!("{cell}{pad}") } else { format!("  {pad}{cell}") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
