//! Which diagnostic sees which fault? Known-bad posteriors of a model whose right posterior is known, over many seeds.
use rayon::prelude::*;

use super::power_model::{Case, DIM, FAULTS, Fault, Known, shift, simulate};
use crate::diag::c2st::c2st_mlp;
use crate::diag::check::{Evidence, RankTest, Verdict, judge};
use crate::diag::conditional::Summaries;
use crate::diag::contraction::{mean_sd, z_scores};
use crate::diag::coverage::hpd_ranks;
use crate::diag::draw_sets::DrawSets;
use crate::diag::information::information;
use crate::diag::local::local;
use crate::diag::misspecification::mmd_test;
use crate::diag::predictive::predictive_rank;
use crate::diag::stream::Stream;
use crate::diag::tarp::Region;
use crate::error::Result;
use crate::rng::{Rng, streams};

/// Level of every single diagnostic: a right posterior is accused with this probability.
const LEVEL: f64 = 0.01;
/// Draws of a data set whose densities are compared, and replicates of its data.
const DENSITIES: usize = 100;
const REPLICATES: usize = 40;
/// Draws of one data set, and of its known posterior, for the local checks.
const LOCAL: usize = 300;
/// Relabelled splits behind the p-value of MMD.
const RELABELLED: usize = 99;
/// Share of seeds in which a fault must be seen, and in which a right posterior may be accused.
pub const CAUGHT: f64 = 0.95;
/// See [`CAUGHT`].
pub const ACCUSED: f64 = 0.05;

/// Diagnostics by name, with the faults of `FAULTS` that each must catch at 300 data sets.
///
/// What is false here is not seen by design, and the table shows it: whatever looks at ranks alone takes the prior,
/// and transposed axes, for a calibrated posterior.
pub const DIAGNOSTICS: [(&str, [bool; 7]); 13] = [
    ("SBC, ECDF difference", [true, true, true, false, true, true, false]),
    ("SBC, chi-square of the histogram", [true, true, true, false, true, true, false]),
    ("central coverage", [true, true, false, false, true, true, false]),
    ("expected calibration error", [true, true, false, false, true, true, false]),
    ("highest-density coverage", [true, true, false, false, true, true, true]),
    ("TARP", [true, true, false, false, true, true, false]),
    ("z-score", [true, true, true, false, true, true, false]),
    ("dependence on the data", [false, false, false, true, false, true, true]),
    ("information", [false, false, false, true, true, true, false]),
    ("posterior predictive", [true, true, false, true, false, true, true]),
    ("local, against a reference", [true, true, true, true, true, true, true]),
    ("MMD, against a reference", [false, false, false, true, true, false, true]),
    ("C2ST, against a reference", [true, true, false, true, true, false, true]),
];

/// Names of the rows: every diagnostic, then the verdict of `check`.
pub fn rows() -> impl Iterator<Item = (&'static str, [bool; 7])> {
    DIAGNOSTICS.into_iter().chain([("verdict of `check`", [true; 7])])
}

/// How often each row of [`rows`] accused a right posterior and each of `FAULTS`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Seeds.
    pub seeds: usize,
    /// Data sets.
    pub sets: usize,
    /// Draws of each.
    pub draws: usize,
    /// By row; the right posterior first.
    pub counts: Vec<[usize; 8]>,
}

impl Table {
    /// True if every fault that must be seen is, and a right posterior passes.
    pub fn good(&self) -> bool {
        self.counts.iter().zip(rows()).all(|(counts, (_, must))| self.row_good(counts, must))
    }

    fn row_good(&self, counts: &[usize; 8], must: [bool; 7]) -> bool {
        let share = |count: usize| count as f64 / self.seeds as f64;
        share(counts[0]) <= ACCUSED
            && must.iter().zip(&counts[1..]).all(|(must, count)| !must || share(*count) >= CAUGHT)
    }

    /// As markdown: percentages, bold where the fault must be caught.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "Share of {} seeds, in %, in which a diagnostic accuses a posterior ({} data sets, {} draws each). Bold: must \
             be at least {:.0}; right posterior: at most {:.0}.\n\n| diagnostic | right posterior |",
            self.seeds,
            self.sets,
            self.draws,
            100.0 * CAUGHT,
            100.0 * ACCUSED
        );
        FAULTS.iter().for_each(|(_, name)| text += &format!(" {name} |"));
        text += &format!("\n|---|{}\n", "---:|".repeat(8));
        for (counts, (name, must)) in self.counts.iter().zip(rows()) {
            let share = |count: usize| (100.0 * count as f64 / self.seeds as f64).round();
            text += &format!("| {name} | {} |", share(counts[0]));
            for (count, must) in counts[1..].iter().zip(must) {
                text +=
                    &if must { format!(" **{}** |", share(*count)) } else { format!(" {} |", share(*count)) };
            }
            text += if self.row_good(counts, must) { "\n" } else { " ✗\n" };
        }
        text
    }
}

/// Fills the table: `seeds` times, `sets` data sets (at least 20) with `draws` draws each (at least `DENSITIES`).
pub fn power(seeds: usize, sets: usize, draws: usize, first_seed: u64) -> Result<Table> {
    let null = error_limit(sets);
    let faults = [Fault::None].into_iter().chain(FAULTS.map(|f| f.0));
    let work: Vec<(usize, Fault, u64)> = faults
        .enumerate()
        .flat_map(|(column, fault)| (0..seeds as u64).map(move |s| (column, fault, first_seed + s)))
        .collect();
    let accused: Vec<(usize, Vec<bool>)> = work
        .into_par_iter()
        .map(|(column, fault, seed)| Ok((column, accuse(fault, sets, draws, seed, null)?)))
        .collect::<Result<_>>()?;
    let mut counts = vec![[0; 8]; DIAGNOSTICS.len() + 1];
    for (column, flags) in accused {
        counts.iter_mut().zip(flags).for_each(|(row, flag)| row[column] += usize::from(flag));
    }
    Ok(Table { seeds, sets, draws, counts })
}

/// The 99.67 % point of the expected calibration error of `sets` calibrated data sets (three parameters share 1 %).
fn error_limit(sets: usize) -> f64 {
    let mut errors: Vec<f64> = (0..3000)
        .map(|trial| {
            let mut rng = Rng::new(0, streams::DIAGNOSTIC, 2, trial);
            let levels: Vec<u8> = (0..sets).map(|_| 1 + (100.0 * rng.uniform()) as u8).collect();
            crate::diag::coverage::Calibration::from_levels(levels.iter().copied()).mean_error
        })
        .collect();
    errors.sort_unstable_by(f64::total_cmp);
    errors[(errors.len() as f64 * (1.0 - LEVEL / DIM as f64)) as usize]
}

/// Accuracy of one in a hundred guessers (level [`LEVEL`]) on `n` points.
fn guessing(n: usize) -> f64 {
    0.5 - crate::diag::probability::normal_quantile(LEVEL) * 0.5 / (n as f64).sqrt()
}

/// Which rows accuse one case.
fn accuse(fault: Fault, sets: usize, n: usize, seed: u64, error_limit: f64) -> Result<Vec<bool>> {
    let case = Case::new(fault, sets, n, seed);
    let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
    let known: Vec<Known> = case.x.chunks_exact(DIM).map(|x| Known::of(x, fault)).collect();
    let by = shift(fault);
    let all = DrawSets::new(&case.truths, &case.draws, n, DIM)?;

    let log_q = |theta: &[f32], set: usize| known[set % sets].log_density(theta, by);
    let truth_q: Vec<f32> = (0..sets).map(|set| log_q(all.truth(set), set)).collect();
    let draws_q: Vec<f32> = (0..sets)
        .flat_map(|set| all.draws(set).chunks_exact(DIM).take(DENSITIES).map(move |t| (t, set)))
        .map(|(theta, set)| log_q(theta, set))
        .collect();
    let hpd = hpd_ranks(&truth_q, &draws_q, DENSITIES.min(n), 0, seed);
    let other: Vec<f32> = (0..sets).map(|set| log_q(all.truth(set), set + 1)).collect();
    let prior: Vec<f64> =
        (0..sets).map(|set| f64::from(Known::prior().log_density(all.truth(set), 0.0))).collect();
    let information = information(&truth_q, &other, &prior);
    let predictive: Vec<u32> = (0..sets)
        .map(|set| {
            let mut rng = Rng::new(seed, streams::DIAGNOSTIC, 3, set as u32);
            let mut fresh = [0.0; DIM];
            simulate(&mut rng, all.truth(set), &mut fresh);
            let mut replicates = [0.0; REPLICATES * DIM];
            for (theta, x) in all.draws(set).chunks_exact(DIM).zip(replicates.chunks_exact_mut(DIM)) {
                simulate(&mut rng, theta, x);
            }
            predictive_rank(&case.x[set * DIM..][..DIM], &fresh, &replicates, set, seed)
        })
        .collect();

    let share = LEVEL / DIM as f64;
    let mut stream = Stream::new(&case.truths, n, DIM, Region::around(&[&case.truths, &case.draws], DIM))?;
    stream.push(&case.draws)?;
    let evidence = Evidence {
        summaries: Some(Summaries { values: &case.x, width: DIM }),
        hpd: Some((hpd.clone(), DENSITIES.min(n))),
        predictive: Some((predictive.clone(), REPLICATES)),
        information: Some(information),
    };
    let (report, kept) = judge(&names, &[1.0, 1.0, 2.06], stream, evidence)?;

    let outside = |ranks: &[u32], among: usize, level: f64| {
        RankTest::new(ranks.to_vec(), among, level).map(|t| !t.inside())
    };
    let any = |f: &dyn Fn(usize) -> Result<bool>| (0..DIM).try_fold(false, |found, p| Ok(found | f(p)?));
    let levels = |p: usize| kept.marginals[p].iter().map(|m| u32::from(m.narrowest) - 1).collect::<Vec<_>>();
    let scores = crate::diag::conditional::Scores::new(Summaries { values: &case.x, width: DIM });
    let root = (sets as f64).sqrt();
    // Two-sided, two statistics and three parameters share the level.
    let z_limit = -crate::diag::probability::normal_quantile(LEVEL / (4.0 * DIM as f64));
    // Local checks see the first data set: its draws against fresh ones of the right posterior.
    let mut rng = Rng::new(seed, streams::DIAGNOSTIC, 4, 0);
    let right = Known::of(&case.x[..DIM], Fault::None);
    let mut reference = vec![0.0; LOCAL * DIM];
    reference.chunks_exact_mut(DIM).for_each(|theta| right.draw(&mut rng, 0.0, theta));
    let own = &all.draws(0)[..LOCAL.min(n) * DIM];
    Ok(vec![
        any(&|p| outside(&kept.ranks(p), n, share))?,
        report.parameters.iter().any(|r| !(r.sbc_p >= share)),
        any(&|p| outside(&levels(p), 100, share))?,
        report.parameters.iter().any(|r| !(r.mean_calibration_error <= error_limit)),
        outside(&hpd, DENSITIES.min(n), LEVEL)?,
        outside(&kept.tarp, n, LEVEL)?,
        any(&|p| {
            let (mean, sd) = mean_sd(&z_scores(&kept.moments(p), &kept.truths_of(p)));
            Ok(!(mean.abs() * root <= z_limit && (sd - 1.0).abs() * root * 2f64.sqrt() <= z_limit))
        })?,
        any(&|p| Ok(!scores.dependence(&kept.ranks(p), n, share).independent()))?,
        information.ignores_data() || information.worse_than_prior(),
        outside(&predictive, REPLICATES, LEVEL)?,
        local(&names, own, &reference)?.iter().any(|l| !(l.p >= share)),
        !(mmd_test(&reference, own, DIM, RELABELLED, seed)?.p > LEVEL),
        !(c2st_mlp(&reference, own, DIM, seed)? < guessing(reference.len() / DIM + own.len() / DIM)),
        report.verdict == Verdict::Fail,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `couplet bench power` does a hundred seeds.
    #[test]
    fn every_diagnostic_catches_what_it_must_and_spares_the_right_posterior() {
        let table = power(10, 300, 300, 1000).unwrap();
        for (counts, (name, must)) in table.counts.iter().zip(rows()) {
            // At a level of 1 %, three of ten happen once in ten thousand.
            assert!(counts[0] <= 2, "{name} accuses the right posterior {} times of 10", counts[0]);
            for ((must, count), (_, fault)) in must.iter().zip(&counts[1..]).zip(FAULTS) {
                assert!(!must || *count >= 9, "{name} sees `{fault}` {count} times of 10");
            }
        }
        assert_eq!(table.markdown().lines().count(), 4 + rows().count());
    }

    #[test]
    fn a_diagnostic_that_is_blind_makes_the_table_bad() {
        let mut table = Table { seeds: 100, sets: 300, draws: 300, counts: vec![[100; 8]; rows().count()] };
        table.counts.iter_mut().for_each(|row| row[0] = 5);
        assert!(table.good());
        table.counts[13][4] = 94;
        assert!(!table.good() && table.markdown().contains('✗'));
        table.counts[13][4] = 100;
        table.counts[0][0] = 6;
        assert!(!table.good());
    }
}
