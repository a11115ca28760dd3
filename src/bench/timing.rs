//! Repeated timing: median and spread of the time of one repetition.
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::data::summary::quantile;
use crate::error::Result;

/// Fewest samples of a measurement, however long they take.
const FEWEST: usize = 5;

/// Time of one repetition over the samples of a measurement, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// A tenth of the samples were faster.
    pub p10: f64,
    /// A tenth of the samples were slower.
    pub p90: f64,
    /// Samples.
    pub samples: usize,
}

impl Spread {
    /// Of these times; NaN for none.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let at = |p| quantile(&times, p);
        Self { median: at(0.5), p10: at(0.1), p90: at(0.9), samples: times.len() }
    }
    /// Repetitions per second at the median time.
    pub fn per_second(&self) -> f64 {
        1.0 / self.median
    }
    /// `2.01 ms (1.95 - 2.20)`.
    pub fn text(&self) -> String {
        let (unit, scale) = match self.median {
            m if m < 1e-6 => ("ns", 1e9),
            m if m < 1e-3 => ("us", 1e6),
            m if m < 1.0 => ("ms", 1e3),
            _ => ("s", 1.0),
        };
        let n = |v: f64| super::table::significant(v * scale);
        format!("{} {unit} ({} - {})", n(self.median), n(self.p10), n(self.p90))
    }
}

/// Times `run(n)`, which does `n` repetitions and waits for their end, for about `seconds`. The first calls, not
/// counted, find the `n` for which a sample lasts `sample_seconds`.
///
/// # Errors
/// Those of `run`.
pub fn measure(
    seconds: f64,
    sample_seconds: f64,
    mut run: impl FnMut(usize) -> Result<()>,
) -> Result<Spread> {
    let mut timed = |n: usize| -> Result<f64> {
        let begun = Instant::now();
        run(n)?;
        Ok(begun.elapsed().as_secs_f64())
    };
    timed(1)?;
    let mut n = 1;
    loop {
        let took = timed(n)?;
        if took >= sample_seconds || n >= 1 << 24 {
            break;
        }
        let wanted = sample_seconds / took.max(1e-9) * n as f64;
        n = (wanted.ceil() as usize).clamp(n + 1, 8 * n);
    }
    let (begun, mut times) = (Instant::now(), vec![]);
    while times.len() < FEWEST || begun.elapsed().as_secs_f64() < seconds {
        times.push(timed(n)? / n as f64);
    }
    Ok(Spread::of(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_of_sorted_times() {
        let s = Spread::of((0..=10).rev().map(f64::from).collect());
        assert_eq!((s.median, s.p10, s.p90, s.samples), (5.0, 1.0, 9.0, 11));
        assert_eq!(s.per_second(), 0.2);
        assert!(Spread::of(vec![]).median.is_nan());
        let t = Spread { median: 0.00201, p10: 0.0019, p90: 0.0122, samples: 3 };
        assert_eq!(t.text(), "2.01 ms (1.90 - 12.2)");
    }

    #[test]
    fn samples_are_long_enough_and_time_is_per_repetition() {
        let mut most = 0;
        let s = measure(0.0, 0.004, |n| {
            most = most.max(n);
            std::thread::sleep(std::time::Duration::from_micros(500 * n as u64));
            Ok(())
        })
        .unwrap();
        // On a machine that is busy a sleep may be as long as a sample.
        assert!((most >= 4 || s.median >= 0.001) && s.samples == FEWEST, "{most} {s:?}");
        assert!(s.median >= 0.0005 && s.p10 <= s.median && s.median <= s.p90, "{s:?}");
        let fails = |_| Err(crate::error::Error::config("a", "b", "c"));
        assert!(measure(0.0, 0.0, fails).is_err());
    }
}
