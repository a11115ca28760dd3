//! How much work goes into one submission, from measured times.
//!
//! Long submissions starve the desktop and run into watchdogs (2 s on Windows); short ones cost more host time than
//! they are worth.

/// Aim for a device of our own, seconds.
pub const OWN: f64 = 0.05;
/// Aim for a device lent by a host that draws with it, seconds.
pub const BORROWED: f64 = 0.004;

/// Rounds (chunks of a batch) for the next submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    aim: f64,
    most: usize,
    rounds: usize,
    seconds_per_round: Option<f64>,
}

impl Pace {
    /// Starts with one round. `aim`: seconds of a submission; `most`: rounds at most.
    pub fn new(aim: f64, most: usize) -> Self {
        Self { aim, most: most.max(1), rounds: 1, seconds_per_round: None }
    }
    /// Rounds to submit now.
    pub fn rounds(&self) -> usize {
        self.rounds
    }
    /// A submission of `rounds` has taken `seconds`; `exact` where we saw it end, else it took at most so long.
    pub fn measured(&mut self, rounds: usize, seconds: f64, exact: bool) {
        let new = seconds.max(1e-7) / rounds.max(1) as f64;
        let known = self.seconds_per_round;
        if !exact && known.is_some_and(|old| old <= new) {
            return;
        }
        self.seconds_per_round = Some(new);
        // At most doubled: the first measurements are of little work.
        self.rounds = ((self.aim / new) as usize).clamp(1, 2 * self.rounds.max(rounds)).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_grow_to_the_aim_and_shrink_at_once() {
        let mut p = Pace::new(0.05, 1000);
        let mut seen = vec![];
        for _ in 0..12 {
            seen.push(p.rounds());
            p.measured(p.rounds(), 0.0001 * p.rounds() as f64, true);
        }
        assert_eq!(seen, [1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500, 500]);
        p.measured(500, 0.5, false); // nobody watched: no evidence of slowness
        assert_eq!(p.rounds(), 500);
        p.measured(500, 0.5, true);
        assert_eq!(p.rounds(), 50);
        p.measured(50, 20.0, true);
        assert_eq!(p.rounds(), 1);
        let mut fast = Pace::new(0.05, 20);
        (0..9).for_each(|_| fast.measured(fast.rounds(), 1e-9, true));
        assert_eq!(fast.rounds(), 20);
    }
}
