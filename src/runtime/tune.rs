//! Which tiling a plan's row launch is fastest with on a device: the candidates are timed in turns.
//!
//! A sample is many launches in one submission with one wait, about 20 ms, since the wait costs more than a small launch.
//! The candidates take turns, so that a clock that changes meets all of them, and are compared round by round. The row
//! launch reads parameters and state and writes slots only, so repeating it changes nothing that counts. Another tiling
//! may form a sum of a matrix product in other pieces: last bits differ, which is why nothing is tuned unless asked for.
use crate::error::Result;
use crate::runtime::choices::{Choice, Key};
use crate::runtime::exec::Weights;
use crate::runtime::gpu::Gpu;
use crate::runtime::gpu_plan::{GpuPlan, Shared};
use crate::runtime::pipeline::Pipeline;
use crate::runtime::state::RunArgs;
use crate::runtime::tile::Slot;
use crate::runtime::tiling::Tiling;
use std::sync::Arc;
use std::time::Instant;

/// Length of a sample, seconds: short for watchdogs and desktops, long beside the wait at its end.
const SAMPLE: f64 = 0.02;
/// Most launches of a sample.
const MOST_LAUNCHES: usize = 4096;
/// Rounds, where time does not end before, and fewest that a choice may rest on.
const ROUNDS: usize = 15;
const FEWEST: usize = 3;
/// Part of the time in which candidates are compiled, if not so many rounds of those that are ready need more than the rest;
/// candidates that it does not reach are left out.
const COMPILING: f64 = 0.7;
const RESERVED: usize = 5;
/// A candidate is not worth rounds if its first sample is so many times as slow as another's.
const HOPELESS: f64 = 2.0;
/// The default is left only for a gain beyond the noise of such measurements, in so large a part of the rounds.
const LEAST_GAIN: f64 = 0.03;
const MOST_ROUNDS_WON: f64 = 0.75;
/// Candidates so near to the best count as equal to it; the one nearest to the default is taken.
const TIE: f64 = 0.01;

/// How to tune.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Time after which the best so far is taken. What is being compiled is waited for.
    pub seconds: f64,
    /// The candidates after the default; none: all that the device allows.
    pub candidates: Option<Vec<Tiling>>,
}

/// What a launch works on.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Rows and counters.
    pub run: RunArgs,
    /// The weights.
    pub weights: Weights,
    /// A slot that the plan writes, and how many of its columns: a candidate must leave the default's values there. None: the
    /// metadata of the rows, which hold the losses.
    pub result: Option<(Slot, usize)>,
}

/// A tiling and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The tiling.
    pub tiling: Tiling,
    /// Seconds of a launch, one value a round; or why it was passed over.
    pub times: std::result::Result<Vec<f64>, String>,
}

/// What was measured and chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// Name of the plan.
    pub plan: String,
    /// What the choice holds for.
    pub key: Key,
    /// All candidates, the default first.
    pub candidates: Vec<Candidate>,
    /// The choice.
    pub chosen: Tiling,
}

impl Tuned {
    /// Whether anything but the default was timed often enough to say something: else there is nothing to keep.
    pub fn says_something(&self) -> bool {
        self.candidates.iter().skip(1).any(|c| c.against(&self.candidates[0]).is_some())
    }
    /// The entry for the file of choices.
    pub fn choice(&self) -> Choice {
        let median_of = |tiling: Tiling| {
            let found = self.candidates.iter().find(|c| c.tiling == tiling);
            median(found.and_then(|c| c.times.clone().ok()).unwrap_or_default())
        };
        Choice {
            key: self.key.clone(),
            plan: self.plan.clone(),
            tiling: self.chosen,
            seconds: median_of(self.chosen),
            default_seconds: median_of(Tiling::default()),
        }
    }
}

impl Candidate {
    /// Median over the rounds of its time over the default's in the same round, and the part of rounds that it won. None where
    /// there are too few rounds.
    pub fn against(&self, default: &Candidate) -> Option<(f64, f64)> {
        let (Ok(own), Ok(its)) = (&self.times, &default.times) else { return None };
        let ratios: Vec<f64> = own.iter().zip(its).map(|(a, b)| a / b).collect();
        if ratios.len() < FEWEST {
            return None;
        }
        let won = ratios.iter().filter(|r| **r < 1.0).count() as f64 / ratios.len() as f64;
        Some((median(ratios), won))
    }
}

/// The tiling to take; `candidates` begin with the default.
fn decide(candidates: &[Candidate]) -> Tiling {
    let Some(default) = candidates.first() else { return Tiling::default() };
    let better: Vec<(f64, Tiling)> = candidates
        .iter()
        .filter_map(|c| {
            let (ratio, won) = c.against(default)?;
            (ratio < 1.0 - LEAST_GAIN && won >= MOST_ROUNDS_WON).then_some((ratio, c.tiling))
        })
        .collect();
    let best = better.iter().fold(f64::INFINITY, |best, (ratio, _)| best.min(*ratio));
    let near = better.iter().find(|(ratio, _)| *ratio <= best + TIE);
    near.map_or(default.tiling, |(_, tiling)| *tiling)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n => 0.5 * (values[(n - 1) / 2] + values[n / 2]),
    }
}

/// Row launches that can be made in several tilings.
trait Launches {
    /// Compiles.
    fn prepare(&mut self, tiling: Tiling) -> Result<()>;
    /// Makes `times` launches in one submission and waits; seconds.
    fn run(&mut self, tiling: Tiling, times: usize) -> Result<f64>;
    /// What the last launch left.
    fn result(&mut self) -> Result<Vec<f32>>;
    /// Seconds since the beginning.
    fn clock(&self) -> f64;
}

/// Times the candidates, the first of which is the default.
///
/// # Errors
/// If the default does not run, at first or after a candidate has failed: then the device is in no state to go on.
fn measure(on: &mut impl Launches, tilings: &[Tiling], seconds: f64) -> Result<Vec<Candidate>> {
    let default = tilings[0];
    on.prepare(default)?;
    on.run(default, 1)?;
    let expected = on.result()?;
    let mut samples = vec![first_sample(on, default)?];
    let mut all = vec![Candidate { tiling: default, times: Ok(vec![]) }];
    for &tiling in &tilings[1..] {
        let reserved = RESERVED as f64 * samples.iter().map(|s| s.seconds).sum::<f64>();
        let ready = if on.clock() > (COMPILING * seconds).min(seconds - reserved) {
            Err("no time was left".into())
        } else {
            let ready = ready(on, tiling, &expected);
            if ready.is_err() {
                on.run(default, 1)?;
            }
            let best = samples.iter().filter_map(Sample::each).fold(f64::INFINITY, f64::min);
            ready.and_then(|s| match s.each() {
                Some(each) if each > HOPELESS * best => {
                    Err(format!("too slow: {:.1} ms in its first sample", 1e3 * each))
                }
                _ => Ok(s),
            })
        };
        samples.push(*ready.as_ref().unwrap_or(&Sample::default()));
        all.push(Candidate { tiling, times: ready.map(|_| vec![]) });
    }
    for round in 0..ROUNDS {
        for turn in 0..all.len() {
            // Back and forth, so that nobody always comes after the same one.
            let i = if round % 2 == 0 { turn } else { all.len() - 1 - turn };
            if on.clock() > seconds {
                return Ok(all);
            }
            let (c, n) = (&mut all[i], samples[i].launches);
            let Ok(times) = &mut c.times else { continue };
            match on.run(c.tiling, n) {
                Ok(took) => times.push(took / n as f64),
                Err(e) if i == 0 => return Err(e),
                Err(e) => {
                    c.times = Err(e.to_string());
                    on.run(default, 1)?;
                }
            }
        }
    }
    Ok(all)
}

/// Launches and the time they took together.
#[derive(Clone, Copy, Default)]
struct Sample {
    launches: usize,
    seconds: f64,
}

impl Sample {
    /// Time of one launch.
    fn each(&self) -> Option<f64> {
        (self.launches > 0).then(|| self.seconds / self.launches as f64)
    }
}

/// Compiles a candidate and compares its result with the default's; its first sample, or why it is passed over.
fn ready(on: &mut impl Launches, tiling: Tiling, expected: &[f32]) -> std::result::Result<Sample, String> {
    let mut run = || -> Result<Vec<f32>> {
        on.prepare(tiling)?;
        on.run(tiling, 1)?;
        on.result()
    };
    let found = run().map_err(|e| e.to_string())?;
    if let Some(problem) = differs(expected, &found) {
        return Err(problem);
    }
    first_sample(on, tiling).map_err(|e| e.to_string())
}

/// As many launches as take the time of a sample.
fn first_sample(on: &mut impl Launches, tiling: Tiling) -> Result<Sample> {
    let mut n = 1;
    loop {
        let took = on.run(tiling, n)?;
        if took >= SAMPLE || n >= MOST_LAUNCHES {
            return Ok(Sample { launches: n, seconds: took });
        }
        let wanted = SAMPLE / took.max(1e-9) * n as f64;
        n = (wanted.ceil() as usize).clamp(n + 1, 8 * n).min(MOST_LAUNCHES);
    }
}

/// What is wrong with a candidate's result. Last bits may differ, and in a few places an ill-conditioned row by more; a driver
/// that compiles a kernel wrongly is off nearly everywhere.
fn differs(expected: &[f32], found: &[f32]) -> Option<String> {
    let same = |a: f32, b: f32| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-3 * (1.0 + a.abs().min(b.abs()))
    };
    let off = expected.iter().zip(found).filter(|(a, b)| !same(**a, **b)).count();
    (expected.len() != found.len() || 100 * off > expected.len())
        .then(|| format!("{off} of {} values differ from the default's", expected.len()))
}

/// The row launch of a plan on a device.
struct OnGpu<'a> {
    gpu: &'a Gpu,
    shared: &'a Shared,
    plan: &'a mut GpuPlan,
    pass: &'a Pass,
    compiled: Vec<(Tiling, Arc<Pipeline>)>,
    begun: Instant,
}

impl OnGpu<'_> {
    /// Waits for all work: reading anything does.
    fn wait(&self) -> Result<()> {
        self.gpu.read(&[(&self.shared.state, 0, 16)]).map(drop)
    }
}

impl Launches for OnGpu<'_> {
    fn prepare(&mut self, tiling: Tiling) -> Result<()> {
        let rows = self.plan.compile(self.gpu, tiling)?;
        self.compiled.push((tiling, rows));
        Ok(())
    }
    fn run(&mut self, tiling: Tiling, times: usize) -> Result<f64> {
        if let Some((_, rows)) = self.compiled.iter().find(|(t, _)| *t == tiling) {
            self.plan.use_rows(tiling, rows.clone());
        }
        // Bind groups are made here and not in the sample.
        self.plan.bind(self.gpu, self.shared, self.pass.weights)?;
        self.wait()?;
        let begun = Instant::now();
        self.plan.repeat(self.gpu, self.shared, &self.pass.run, self.pass.weights, times)?;
        self.wait()?;
        Ok(begun.elapsed().as_secs_f64())
    }
    fn result(&mut self) -> Result<Vec<f32>> {
        let meta = self.plan.plan.meta;
        let (slot, width) = self.pass.result.unwrap_or((meta, meta.width as usize));
        self.plan.read(self.gpu, slot, self.pass.run.rows as usize, width)
    }
    fn clock(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

/// Tunes the row launch of a plan, whose table, index and weights are in place. The plan keeps its tiling.
pub(crate) fn on_gpu(
    gpu: &Gpu,
    shared: &Shared,
    plan: &mut GpuPlan,
    pass: &Pass,
    options: &Options,
) -> Result<Tuned> {
    let default = Tiling::default();
    let others = options.candidates.clone().unwrap_or_else(|| Tiling::candidates(gpu.most()));
    let mut tilings = vec![default];
    tilings.extend(others.into_iter().filter(|t| *t != default));
    let before = plan.tiling();
    let own = plan.compile(gpu, before)?;
    let mut on = OnGpu { gpu, shared, plan, pass, compiled: vec![], begun: Instant::now() };
    let measured = measure(&mut on, &tilings, options.seconds);
    plan.use_rows(before, own);
    let candidates = measured?;
    let chosen = decide(&candidates);
    Ok(Tuned { plan: plan.plan.name.clone(), key: plan.key.clone(), candidates, chosen })
}

#[cfg(test)]
#[path = "tune_tests.rs"]
mod tests;
