//! Words for out-of-distribution scores.
use crate::data::draws::label;
use crate::data::problem::excerpt;
use crate::diag::check_words::aligned;
use crate::diag::probability::{binomial_pmf, ln_factorials};
use crate::infer::ood::{Familiarity, OUTSIDE};

/// Data sets listed.
const SHOWN: usize = 10;
/// Chance of so many outside below which one warns.
const CHANCE: f64 = 0.01;

/// A line for each data set (at most 10, the most unusual first where there are more), and a warning if called for.
pub(super) fn table(scores: &[Familiarity], labels: &[String]) -> String {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    if scores.len() > SHOWN {
        order.sort_by(|&a, &b| {
            scores[a].p.total_cmp(&scores[b].p).then(scores[b].distance.total_cmp(&scores[a].distance))
        });
        order.truncate(SHOWN);
    }
    let mut rows = vec![["dataset", "distance", "p", "like the simulated data?"].map(String::from).to_vec()];
    for set in order {
        let s = &scores[set];
        let answer = match (s.far, s.outside()) {
            (true, _) => "no: far outside",
            (_, true) => "no: outside",
            _ => "yes",
        };
        rows.push(vec![
            excerpt(&label(labels, set)),
            format!("{:.2}", s.distance),
            format!("{:.4}", s.p),
            answer.into(),
        ]);
    }
    let mut text = aligned(&rows);
    if scores.len() > SHOWN {
        text += &format!("... the {SHOWN} most unusual of {} data sets\n", scores.len());
    }
    if let Some(warning) = warning(scores) {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// A warning if more data sets are outside than chance explains, or one is far outside.
pub(super) fn warning(scores: &[Familiarity]) -> Option<String> {
    let (n, outside) = (scores.len(), scores.iter().filter(|s| s.outside()).count());
    let far = scores.iter().any(|s| s.far);
    if outside == 0 || (!far && chance(n, outside) > CHANCE + 1e-9) {
        return None;
    }
    let sets = if n == 1 { "the data set is".into() } else { format!("{outside} of {n} data sets are") };
    Some(format!(
        "{sets} outside of what the network was trained on; the posterior there is a guess. Check units, order of values \
         and outliers, widen the prior, or add what the simulator lacks, and train again."
    ))
}

/// `P(X >= count)` for X of Binomial(n, [`OUTSIDE`]).
fn chance(n: usize, count: usize) -> f64 {
    binomial_pmf(n, OUTSIDE, &ln_factorials(n))[count..].iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(p: f64, far: bool) -> Familiarity {
        Familiarity { distance: 3.0, neighbour: 1.0, p, far }
    }

    #[test]
    fn one_unusual_data_set_among_many_is_no_reason_to_warn_but_a_far_one_is() {
        let mut scores = vec![score(0.4, false); 100];
        scores[7] = score(0.005, false);
        assert!(
            warning(&scores).is_none() && table(&scores, &[]).contains("\n7            3.00"),
            "{}",
            table(&scores, &[])
        );
        scores[8] = score(0.001, true);
        assert!(
            table(&scores, &[]).contains("warning: 2 of 100 data sets are outside"),
            "{}",
            table(&scores, &[])
        );
        assert!(warning(&[score(0.002, false)]).is_some() && warning(&[score(0.02, false)]).is_none());
        let many: Vec<_> = (0..100).map(|i| score(if i < 6 { 0.004 } else { 0.5 }, false)).collect();
        assert!(warning(&many).is_some());
    }
}
