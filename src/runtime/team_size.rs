//! How many threads a training step runs on, measured as it goes.
//!
//! Threads that share a step hand each other weights, activations and gradients. Where their cores have no cache in common
//! this can take longer than what they save: a small step is then faster on one of them. Nobody can know this beforehand, and
//! it changes while a program runs, as systems move threads about; so from time to time a few steps are run on fewer or more
//! threads, and those that took less are kept. Trials may cost a hundredth of the time. Bits do not depend on the number of
//! threads.

/// Steps of a trial. The first of them moves everything to other caches and is not counted.
const TRIAL: usize = 3;
/// Steps that are remembered.
const RECENT: usize = 3;
/// Seconds between trials, and what they may cost: one in so many.
const REST: f64 = 0.1;
const COST: f64 = 100.0;
/// What is gained must be more than this part.
const WORTH: f64 = 0.03;

/// Chooses the number of threads of each step.
#[derive(Clone, Debug)]
pub struct TeamSize {
    /// Numbers of threads, increasing.
    choices: Vec<usize>,
    /// The place of the one in use.
    chosen: usize,
    /// Seconds of its last steps.
    recent: [f64; RECENT],
    /// Steps since it is in use.
    steps: usize,
    /// Steps before the next trial: before the first as many as make its cost a small part even if they take twice as long.
    fewest: usize,
    trial: Option<Trial>,
    /// Whether the next trial is of more threads.
    more: bool,
    /// Seconds until then.
    rest: f64,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    /// The place of the choice.
    of: usize,
    steps: usize,
    seconds: f64,
    shortest: f64,
}

impl TeamSize {
    /// From all of `threads` on; 1, 2, 4, ... are tried.
    pub fn new(threads: usize) -> Self {
        let mut choices: Vec<usize> =
            std::iter::successors(Some(1), |n| Some(2 * n)).take_while(|&n| n < threads).collect();
        choices.push(threads.max(1));
        let chosen = choices.len() - 1;
        Self {
            choices,
            chosen,
            recent: [f64::INFINITY; RECENT],
            steps: 0,
            fewest: COST as usize * TRIAL,
            trial: None,
            more: false,
            rest: 0.0,
        }
    }

    /// Threads of the next step.
    pub fn threads(&self) -> usize {
        self.choices[self.trial.map_or(self.chosen, |t| t.of)]
    }

    /// Says how long the step took.
    pub fn took(&mut self, seconds: f64) {
        if self.choices.len() == 1 {
            return;
        }
        let Some(trial) = &mut self.trial else {
            // The first finds nothing in its caches.
            if self.steps > 0 {
                self.recent[self.steps % RECENT] = seconds;
            }
            self.steps += 1;
            self.rest -= seconds;
            if self.steps >= self.fewest && self.rest <= 0.0 {
                self.trial =
                    Some(Trial { of: self.neighbour(), steps: 0, seconds: 0.0, shortest: f64::INFINITY });
            }
            return;
        };
        trial.steps += 1;
        trial.seconds += seconds;
        if trial.steps > 1 {
            trial.shortest = trial.shortest.min(seconds);
        }
        if trial.steps == TRIAL {
            let trial = *trial;
            self.end(&trial);
        }
    }

    /// One step up or down; at the ends there is one way only.
    fn neighbour(&self) -> usize {
        let up = self.chosen == 0 || (self.more && self.chosen + 1 < self.choices.len());
        if up { self.chosen + 1 } else { self.chosen - 1 }
    }

    fn end(&mut self, trial: &Trial) {
        let shortest = self.recent.iter().copied().fold(f64::INFINITY, f64::min);
        if trial.shortest < (1.0 - WORTH) * shortest {
            // On in the same direction next time.
            self.more = trial.of > self.chosen;
            self.chosen = trial.of;
        } else {
            self.more = trial.of < self.chosen;
        }
        let cost = trial.seconds - TRIAL as f64 * shortest;
        self.rest = REST.max(COST * cost);
        (self.trial, self.steps, self.recent) = (None, 0, [f64::INFINITY; RECENT]);
        self.fewest = RECENT + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for `seconds` where a step on n threads takes `time(n)`; seconds by number of threads, and the mean of a step.
    fn run(size: &mut TeamSize, seconds: f64, time: impl Fn(usize) -> f64) -> (Vec<f64>, f64) {
        let (mut spent, mut steps) = (vec![0.0; 33], 0.0);
        while spent.iter().sum::<f64>() < seconds {
            let n = size.threads();
            spent[n] += time(n);
            steps += 1.0;
            size.took(time(n));
        }
        let mean = spent.iter().sum::<f64>() / steps;
        (spent, mean)
    }

    #[test]
    fn it_finds_the_fastest_and_follows_when_that_changes() {
        let mut size = TeamSize::new(2);
        assert_eq!(size.threads(), 2);
        let near = |n: usize| if n == 2 { 0.7e-3 } else { 1.2e-3 };
        let far = |n: usize| if n == 2 { 1.6e-3 } else { 1.2e-3 };
        for _ in 0..3 {
            let (spent, mean) = run(&mut size, 20.0, near);
            assert!(spent[2] > 18.0 && mean < 1.02 * 0.7e-3, "{mean}, {spent:?}");
            let (spent, mean) = run(&mut size, 20.0, far);
            assert!(spent[1] > 18.0 && mean < 1.02 * 1.2e-3, "{mean}, {spent:?}");
        }
        // Of many, the one in between.
        let mut size = TeamSize::new(24);
        assert_eq!(size.choices, [1, 2, 4, 8, 16, 24]);
        let valley = |n: usize| 1e-3 * (8.0 / n as f64 + n as f64 / 8.0);
        let (spent, mean) = run(&mut size, 20.0, valley);
        assert!(spent[8] > 17.0 && mean < 1.05 * 2e-3, "{mean}, {spent:?}");
    }

    #[test]
    fn trials_are_rare_where_they_cost_much_and_never_where_there_is_no_choice() {
        let mut size = TeamSize::new(2);
        let slow = |n: usize| if n == 2 { 0.1 } else { 0.2 };
        assert_eq!(run(&mut size, 29.0, slow).0[1], 0.0);
        let (spent, mean) = run(&mut size, 100.0, slow);
        assert!(spent[1] > 0.5 && mean < 1.02 * 0.1, "{mean}, {spent:?}");
        let mut size = TeamSize::new(1);
        assert_eq!(run(&mut size, 1.0, |_| 1e-3).0.iter().filter(|s| **s > 0.0).count(), 1);
    }

    #[test]
    fn equally_good_is_no_reason_to_change() {
        let mut size = TeamSize::new(2);
        assert!(run(&mut size, 20.0, |_| 1e-3).0[2] > 18.0);
    }
}
