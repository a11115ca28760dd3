use super::*;
use crate::error::Error;
use crate::rng::Rng;
use std::cell::Cell;

const DEFAULT: Tiling = Tiling { rows: 8, threads: 256 };
const A: Tiling = Tiling { rows: 16, threads: 256 };
const B: Tiling = Tiling { rows: 4, threads: 64 };
const C: Tiling = Tiling { rows: 32, threads: 128 };

fn candidate(tiling: Tiling, times: &[f64]) -> Candidate {
    Candidate { tiling, times: Ok(times.to_vec()) }
}
/// `n` times around `mean` with noise of so large a part, and a drift that all candidates share.
fn noisy(seed: u32, n: usize, mean: f64, part: f64) -> Vec<f64> {
    let mut rng = Rng::new(1, 2, 3, seed);
    (0..n).map(|i| mean * (1.0 + 0.02 * i as f64) * (1.0 + part * f64::from(rng.normal()))).collect()
}

#[test]
fn what_is_truly_faster_is_chosen() {
    for seed in 0..50 {
        let all = [
            candidate(DEFAULT, &noisy(3 * seed, 15, 1.0, 0.02)),
            candidate(A, &noisy(3 * seed + 1, 15, 0.80, 0.02)),
            candidate(B, &noisy(3 * seed + 2, 15, 1.3, 0.02)),
            candidate(C, &noisy(3 * seed + 3, 15, 0.60, 0.02)),
        ];
        assert_eq!(decide(&all), C, "{seed}");
        assert_eq!(decide(&all[..3]), A, "{seed}");
    }
}
#[test]
fn noise_and_ties_keep_the_default() {
    let mut left = 0;
    for seed in 0..200 {
        let all = [DEFAULT, A, B, C]
            .map(|t| candidate(t, &noisy(100 + 4 * seed + t.rows as u32 + t.threads as u32, 15, 1.0, 0.03)));
        left += u32::from(decide(&all) != DEFAULT);
    }
    assert!(left <= 4, "{left} of 200 choices by noise alone");
    let equal = [candidate(DEFAULT, &[1.0; 9]), candidate(A, &[1.0; 9]), candidate(B, &[0.98; 9])];
    assert_eq!(decide(&equal), DEFAULT, "2 % is no gain");
    // far faster, but only in some rounds
    let mixed: Vec<f64> = (0..9).map(|i| if i % 3 == 0 { 2.0 } else { 0.5 }).collect();
    assert_eq!(decide(&[candidate(DEFAULT, &[1.0; 9]), candidate(A, &mixed)]), DEFAULT);
    // equal to the best: the one nearest to the default, which comes first
    let tie = [candidate(DEFAULT, &[1.0; 9]), candidate(A, &[0.605; 9]), candidate(B, &[0.6; 9])];
    assert_eq!(decide(&tie), A);
}
#[test]
fn too_few_rounds_failures_and_nonsense_choose_nothing() {
    let few = [candidate(DEFAULT, &[1.0, 1.0, 1.0]), candidate(A, &[0.1, 0.1])];
    assert_eq!(decide(&few), DEFAULT);
    let failed = [candidate(DEFAULT, &[1.0; 9]), Candidate { tiling: A, times: Err("no".into()) }];
    assert_eq!(decide(&failed), DEFAULT);
    assert_eq!(decide(&[candidate(DEFAULT, &[1.0; 9]), candidate(A, &[f64::NAN; 9])]), DEFAULT);
    assert_eq!(decide(&[candidate(DEFAULT, &[0.0; 9]), candidate(A, &[0.0; 9])]), DEFAULT);
    assert_eq!(decide(&[]), DEFAULT);
    assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0])), (2.0, 2.5));
}

/// What a tiling does on the device of these tests.
#[derive(Clone, Copy)]
enum Does {
    Takes(f64),
    CannotCompile,
    FailsLater,
    IsWrong,
    IsSlowToCompile,
    BreaksTheDevice,
}
use Does::*;

/// A device with a clock of its own.
struct Fake {
    does: Vec<(Tiling, Does)>,
    clock: Cell<f64>,
    last: Tiling,
    broken: bool,
    longest: f64,
}

impl Fake {
    fn new(does: &[(Tiling, Does)]) -> Self {
        Self { does: does.to_vec(), clock: Cell::new(0.0), last: DEFAULT, broken: false, longest: 0.0 }
    }
    fn of(&self, tiling: Tiling) -> Does {
        self.does.iter().find(|(t, _)| *t == tiling).unwrap().1
    }
    fn measured(&mut self, seconds: f64) -> Result<Vec<Candidate>> {
        let tilings: Vec<Tiling> = self.does.iter().map(|(t, _)| *t).collect();
        measure(self, &tilings, seconds)
    }
}
fn fault() -> Error {
    Error::config("a", "it failed", "b")
}

impl Launches for Fake {
    fn prepare(&mut self, tiling: Tiling) -> Result<()> {
        let compiling = if let IsSlowToCompile = self.of(tiling) { 8.0 } else { 0.1 };
        self.clock.set(self.clock.get() + compiling);
        if let CannotCompile = self.of(tiling) { Err(fault()) } else { Ok(()) }
    }
    fn run(&mut self, tiling: Tiling, times: usize) -> Result<f64> {
        self.last = tiling;
        let each = match self.of(tiling) {
            Takes(seconds) => seconds,
            FailsLater if self.clock.get() > 0.45 => return Err(fault()),
            BreaksTheDevice => {
                self.broken = true;
                1.0
            }
            _ => 1e-3,
        };
        if self.broken {
            return Err(fault());
        }
        let took = each * times as f64;
        self.longest = self.longest.max(took);
        self.clock.set(self.clock.get() + took);
        Ok(took)
    }
    fn result(&mut self) -> Result<Vec<f32>> {
        Ok(if let IsWrong = self.of(self.last) { vec![1.0, 2.5, f32::NAN] } else { vec![1.0, 2.0, f32::NAN] })
    }
    fn clock(&self) -> f64 {
        self.clock.get()
    }
}

#[test]
fn candidates_take_turns_and_samples_have_their_length() {
    let mut on = Fake::new(&[(DEFAULT, Takes(2e-4)), (A, Takes(1e-4)), (B, Takes(1.9e-4)), (C, Takes(3e-4))]);
    let all = on.measured(1e3).unwrap();
    for (c, expected) in all.iter().zip([2e-4, 1e-4, 1.9e-4]) {
        let times = c.times.as_ref().unwrap();
        assert_eq!(times.len(), ROUNDS);
        assert!(times.iter().all(|t| (t / expected - 1.0).abs() < 1e-9), "{times:?}");
    }
    assert!(on.longest <= 8.0 * SAMPLE, "no sample is far longer than it should be");
    assert!(all[3].times.as_ref().unwrap_err().contains("too slow: 0.3 ms"), "{:?}", all[3]);
    assert_eq!(decide(&all), A);
    assert_eq!(all[1].against(&all[0]).map(|(_, won)| won), Some(1.0));
    let mut fast = Fake::new(&[(DEFAULT, Takes(1e-9)), (A, Takes(0.5e-9))]);
    assert_eq!(decide(&fast.measured(10.0).unwrap()), A, "more launches than a submission may have");
}
#[test]
fn what_fails_is_passed_over() {
    let mut on = Fake::new(&[
        (DEFAULT, Takes(2e-3)),
        (A, CannotCompile),
        (B, IsWrong),
        (C, FailsLater),
        (Tiling { rows: 8, threads: 128 }, Takes(1e-3)),
    ]);
    let all = on.measured(1e3).unwrap();
    let why = |i: usize| all[i].times.clone().unwrap_err();
    assert!(why(1).contains("it failed") && why(3).contains("it failed"));
    assert!(why(2).contains("1 of 3 values differ"), "{}", why(2));
    assert_eq!(decide(&all), Tiling { rows: 8, threads: 128 });
    let mut on = Fake::new(&[(DEFAULT, Takes(2e-3)), (A, BreaksTheDevice), (B, Takes(1e-3))]);
    assert!(on.measured(1e3).is_err(), "nothing runs any more");
    assert!(Fake::new(&[(DEFAULT, CannotCompile)]).measured(1.0).is_err());
}
#[test]
fn time_is_kept() {
    // the candidate after the slow one comes too late
    let mut on = Fake::new(&[(DEFAULT, Takes(2e-3)), (A, IsSlowToCompile), (B, Takes(1e-3))]);
    let all = on.measured(9.0).unwrap();
    assert!(all[2].times.as_ref().unwrap_err().contains("no time") && decide(&all) == A);
    // no time for any round: the default
    let mut on = Fake::new(&[(DEFAULT, Takes(2e-3)), (A, Takes(1e-3))]);
    let all = on.measured(0.01).unwrap();
    assert_eq!((on.clock() < 0.3, decide(&all)), (true, DEFAULT));
    // four candidates of a second: rounds of two fit
    let each = 1.0;
    let of = |rows| (Tiling { rows, threads: 64 }, Takes(each));
    let mut on = Fake::new(&[(DEFAULT, Takes(each)), of(4), of(8), of(16), of(32)]);
    let all = on.measured(20.0).unwrap();
    let ready = all.iter().filter(|c| c.times.is_ok()).count();
    assert!(ready > 1 && ready < 5 && all[1].against(&all[0]).is_some(), "{all:?}");
    // an end within the rounds
    let mut on = Fake::new(&[(DEFAULT, Takes(0.2)), (A, Takes(0.1))]);
    let all = on.measured(2.5).unwrap();
    assert!(on.clock() < 2.8 && all[0].times.as_ref().unwrap().len() < ROUNDS);
    assert_eq!(decide(&all), A, "{all:?}");
}
#[test]
fn an_entry_says_what_was_measured() {
    let candidates = vec![candidate(DEFAULT, &[4.0, 2.0, 3.0]), candidate(A, &[1.0, 1.5, 2.0])];
    let tuned = Tuned { plan: "train".into(), key: Key::default(), chosen: decide(&candidates), candidates };
    let choice = tuned.choice();
    assert_eq!((choice.tiling, choice.seconds, choice.default_seconds), (A, 1.5, 3.0));
    assert!(tuned.says_something());
    let few = vec![candidate(DEFAULT, &[4.0, 2.0, 3.0]), candidate(A, &[1.0, 1.5])];
    assert!(!Tuned { candidates: few, ..tuned }.says_something());
}
#[test]
fn results_that_differ_are_seen() {
    let all: Vec<f32> = (0..300).map(|i| i as f32).collect();
    let with = |count: usize, value: fn(f32) -> f32| {
        let mut other = all.clone();
        other[10..10 + count].iter_mut().for_each(|v| *v = value(*v));
        differs(&all, &other)
    };
    assert_eq!(with(290, |v| v * 1.0005), None, "last bits");
    assert_eq!(with(3, |v| v + 9.0), None, "a few rows");
    assert!(with(4, |v| v + 9.0).is_some() && with(4, |_| f32::NAN).is_some() && with(4, |v| -v).is_some());
    assert!(differs(&all, &all[1..]).is_some() && differs(&[f32::NAN; 9], &[f32::NAN; 9]).is_none());
}
