//! `check` against posteriors that are known to be right and known to be wrong.
use super::check::{CheckReport, Verdict, check};
use crate::rng::{Rng, streams};

const SETS: usize = 300;

/// theta_i ~ N(0, 1), x_i = theta_i + sd_i N(0, 1): truths, posterior means and posterior sds, each `(sets, dim)`.
struct Toy {
    dim: usize,
    seed: u64,
    truths: Vec<f32>,
    means: Vec<f32>,
    sds: Vec<f32>,
}

fn toy(dim: usize, seed: u64) -> Toy {
    let mut t = Toy { dim, seed, truths: vec![], means: vec![], sds: vec![] };
    for set in 0..SETS {
        let mut rng = Rng::new(seed, streams::TEST, 0, set as u32);
        for i in 0..dim {
            let noise = 0.3 + 0.2 * (i % 3) as f32;
            let theta = rng.normal();
            let x = theta + noise * rng.normal();
            let gain = 1.0 / (1.0 + noise * noise);
            t.truths.push(theta);
            t.means.push(gain * x);
            t.sds.push(noise * gain.sqrt());
        }
    }
    t
}

impl Toy {
    /// Draws `(sets, n_draws, dim)`: `f(mean, sd, standard normal)` for every one.
    fn draws(&self, n_draws: usize, f: impl Fn(f32, f32, f32) -> f32) -> Vec<f32> {
        let mut draws = Vec::with_capacity(SETS * n_draws * self.dim);
        for set in 0..SETS {
            let mut rng = Rng::new(self.seed, streams::TEST, 1, set as u32);
            for _ in 0..n_draws {
                for at in set * self.dim..(set + 1) * self.dim {
                    draws.push(f(self.means[at], self.sds[at], rng.normal()));
                }
            }
        }
        draws
    }

    fn check(&self, draws: &[f32], n_draws: usize) -> CheckReport {
        let names: Vec<String> = (0..self.dim).map(|i| format!("p{i}")).collect();
        check(&names, &vec![1.0; self.dim], &self.truths, draws, n_draws).unwrap()
    }
}

fn texts(report: &CheckReport) -> String {
    report.findings.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_right_posterior_passes_over_seeds() {
    let passed = (0..30)
        .filter(|&seed| {
            let t = toy(4, seed);
            t.check(&t.draws(200, |m, s, e| m + s * e), 200).verdict == Verdict::Pass
        })
        .count();
    assert!(passed >= 29, "{passed} of 30");
}

#[test]
fn wrong_widths_and_shifts_fail_at_every_seed_and_say_the_size() {
    for seed in 0..4 {
        let t = toy(3, seed);
        for (scale, shift, word, low, high) in [
            (0.5, 0.0, "x too narrow", 1.6, 2.4),
            (2.0, 0.0, "x too wide", 1.6, 2.4),
            (1.0, 0.5, "posterior sd too high", 0.3, 0.7),
            (1.0, -0.5, "posterior sd too low", 0.3, 0.7),
        ] {
            let report = t.check(&t.draws(300, |m, s, e| m + s * (scale * e + shift)), 300);
            assert_eq!(report.verdict, Verdict::Fail, "{scale} {shift}");
            for p in &report.parameters {
                assert_eq!(p.verdict, Verdict::Fail, "{scale} {shift} {}", p.name);
            }
            let text = texts(&report);
            assert!(text.contains("posterior of p1 "), "{text}");
            let before = text.split(word).next().unwrap().trim();
            let size: f64 =
                before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{word}: {text}"));
            assert!((low..high).contains(&size), "{size} in {text}");
        }
    }
}

/// Too narrow in the middle and too wide outside: neither word is right, whatever the spread of the ranks says (here 1.3).
#[test]
fn a_wrong_shape_is_neither_narrow_nor_wide() {
    for seed in 0..3 {
        let t = toy(2, seed);
        let shape = |e: f32| if e.abs() < 1.3 { 0.05 * e } else { 3.0 * e.signum() };
        let report = t.check(&t.draws(300, |m, s, e| m + s * shape(e)), 300);
        let text = texts(&report);
        for p in &report.parameters {
            let (spread, [half, _, most, _]) = (p.spread, p.coverage);
            assert!(spread > 1.22 && half < 0.2 && most > 0.93, "{spread} {half} {most}");
        }
        assert!(text.contains("posterior of p0 ") && text.contains("posterior of p1 "), "{text}");
        assert!(!text.contains("too narrow") && !text.contains("too wide"), "{text}");
    }
}

#[test]
fn one_wrong_parameter_among_ten_is_named_alone() {
    let t = toy(10, 1);
    let mut draws = t.draws(200, |m, s, e| m + s * e);
    for (row, draw) in draws.chunks_exact_mut(10).enumerate() {
        let mean = t.means[row / 200 * 10 + 7];
        draw[7] = mean + 0.6 * (draw[7] - mean);
    }
    let report = t.check(&draws, 200);
    assert!(report.findings.len() == 1 && texts(&report).contains("p7 is 1."), "{}", texts(&report));
}

#[test]
fn the_prior_returned_is_flagged_as_uninformative() {
    let t = toy(3, 2);
    let report = t.check(&t.draws(300, |_, _, e| e), 300);
    assert_eq!(report.verdict, Verdict::Warning, "{}", report.table());
    assert!(texts(&report).contains("uninformative"));
}

#[test]
fn swapped_parameters_are_seen_and_named() {
    let t = toy(2, 3);
    let mut draws = t.draws(300, |m, s, e| m + s * e);
    draws.chunks_exact_mut(2).for_each(|d| d.swap(0, 1));
    let report = t.check(&draws, 300);
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(texts(&report).contains("posterior of p0 follows the truth of p1"), "{}", texts(&report));
}

#[test]
fn transposed_axes_are_seen_although_they_look_calibrated() {
    let t = toy(3, 4);
    for n_draws in [300, 1000] {
        let draws = t.draws(n_draws, |m, s, e| m + s * e);
        let mut turned = Vec::with_capacity(draws.len());
        for draw in 0..n_draws {
            for set in 0..SETS {
                turned.extend_from_slice(&draws[(set * n_draws + draw) * 3..][..3]);
            }
        }
        let report = t.check(&turned, n_draws);
        assert!(report.verdict == Verdict::Fail && texts(&report).contains("(draws, sets, parameters)"));
        // The trap: rank by rank this reading looks right.
        assert!(report.parameters.iter().all(|p| p.verdict == Verdict::Pass && p.contraction < 0.2));
    }
}

#[test]
fn data_sets_out_of_order_fail() {
    let t = toy(2, 5);
    let mut draws = t.draws(200, |m, s, e| m + s * e);
    draws.rotate_left(200 * 2);
    assert_eq!(t.check(&draws, 200).verdict, Verdict::Fail);
}

#[test]
fn missed_dependence_fails_the_joint_test_only() {
    let t = toy(2, 6);
    let mut draws = t.draws(300, |m, s, e| m + s * e);
    for (row, draw) in draws.chunks_exact_mut(2).enumerate() {
        let at = row / 300 * 2;
        draw[1] = t.means[at + 1] + t.sds[at + 1] * (draw[0] - t.means[at]) / t.sds[at];
    }
    let report = t.check(&draws, 300);
    assert!(report.parameters.iter().all(|p| p.verdict == Verdict::Pass));
    assert!(report.verdict == Verdict::Fail && texts(&report).contains("joint"), "{}", report.table());
}

/// theta = +-m, m ~ N(2, .5^2), x = m + .5 N(0, 1): two modes, of which `keep` chooses the signs of the draws.
fn bimodal(keep: impl Fn(u32, bool) -> bool) -> CheckReport {
    let n_draws = 300;
    let (mut truths, mut draws) = (Vec::new(), Vec::new());
    for set in 0..SETS as u32 {
        let mut rng = Rng::new(8, streams::TEST, 2, set);
        let m = 2.0 + 0.5 * rng.normal();
        let x = m + 0.5 * rng.normal();
        truths.push(if rng.uniform() < 0.5 { -m } else { m });
        for _ in 0..n_draws {
            let m = 0.5 * (2.0 + x) + 0.125f32.sqrt() * rng.normal();
            draws.push(if keep(set, rng.uniform() < 0.5) { m } else { -m });
        }
    }
    check(&["m".into()], &[2.06], &truths, &draws, n_draws).unwrap()
}

#[test]
fn both_modes_pass_and_a_dropped_mode_fails() {
    assert_eq!(bimodal(|_, coin| coin).verdict, Verdict::Pass);
    for report in [bimodal(|_, _| true), bimodal(|set, _| set.wrapping_mul(0x9E37_79B9) >> 31 == 0)] {
        assert_eq!(report.verdict, Verdict::Fail);
        assert!(texts(&report).contains("mode"), "{}", texts(&report));
    }
}

/// 50 parameters, 30 data sets, a skewed prior that is also the posterior: the reference points of the joint test must not
/// know which of the rows are truths.
#[test]
fn few_sets_of_many_parameters_pass_the_joint_test() {
    let (dim, sets, n_draws) = (50, 30, 40);
    let names: Vec<String> = (0..dim).map(|i| format!("p{i}")).collect();
    for seed in 0..5 {
        let rows = |step: u32, n: usize| -> Vec<f32> {
            let value = |i: usize| Rng::new(seed, streams::TEST, step, i as u32).normal().exp();
            (0..n * dim).map(value).collect()
        };
        let (truths, draws) = (rows(5, sets), rows(6, sets * n_draws));
        let report = check(&names, &vec![2.16; dim], &truths, &draws, n_draws).unwrap();
        assert!(report.joint.inside(), "{seed}: {:?}", report.joint);
    }
}

#[test]
fn degenerate_input_gives_an_error_or_a_row() {
    let t = toy(2, 7);
    let good = t.draws(50, |m, s, e| m + s * e);
    let names = ["a".to_string(), "b".to_string()];
    let run = |sd: &[f64], truths: &[f32], draws: &[f32], n| check(&names, sd, truths, draws, n);
    let sd = [1.0, 1.0];
    let mut bad = good.clone();
    bad[11] = f32::NAN;
    assert!(run(&sd, &t.truths, &bad, 50).is_err());
    assert!(run(&sd, &t.truths, &good, 49).is_err());
    assert!(run(&sd, &t.truths, &good[..SETS * 2], 1).is_err());
    assert!(run(&sd, &t.truths[..2], &good[..100], 50).is_err());
    assert!(run(&[1.0], &t.truths, &good, 50).is_err());
    assert!(run(&[1.0, 0.0], &t.truths, &good, 50).is_err());
    assert!(check(&[], &[], &[], &[], 5).is_err());

    let constant = run(&sd, &t.truths, &t.draws(50, |_, _, _| 0.5), 50).unwrap();
    assert!(
        constant.verdict == Verdict::Fail && texts(&constant).contains("collapsed"),
        "{}",
        constant.table()
    );
    let same = run(&sd, &vec![1.0; SETS * 2], &vec![1.0; SETS * 100], 50).unwrap();
    assert!(
        same.verdict == Verdict::Warning && texts(&same).contains("the same in every"),
        "{}",
        same.table()
    );
    // Numbers that are not finite become null, so the record is JSON whatever happens.
    assert!(serde_json::to_string(&constant).unwrap().contains("\"verdict\":\"fail\""));
}

#[test]
fn the_table_has_a_row_for_every_parameter() {
    let t = toy(3, 9);
    let report = t.check(&t.draws(100, |m, s, e| m + s * e), 100);
    let table = report.table();
    assert_eq!(table.lines().filter(|l| l.starts_with('p') && l.contains("0.")).count(), 3, "{table}");
    assert!(
        table.contains("joint (TARP)") && table.contains("pass (300 data sets, 100 draws each)"),
        "{table}"
    );
    assert!(table.lines().all(|l| l.chars().count() <= 160 && l == l.trim_end()));
}
