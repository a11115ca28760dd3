//! `levy-flight` against one trial at a time in f64, and against what is known of Brownian motion.
use super::super::builtin;
use super::*;

/// Signed response times `(rows, items, 2)`, all rows at `theta`.
fn times(theta: &[f32; 6], rows: usize, items: usize) -> Vec<f64> {
    let mut x = vec![f32::NAN; rows * items * 2];
    builtin("levy-flight").expect("built in").simulate_items(5, 9, 40, items, &theta.repeat(rows), &mut x);
    to_f64(&x)
}

/// Chambers, Mallows and Stuck in f64.
fn stable(alpha: f64, u: f64, w: f64) -> f64 {
    let u = std::f64::consts::PI * (u - 0.5);
    if alpha == 1.0 {
        return u.tan();
    }
    (alpha * u).sin() / u.cos().powf(1.0 / alpha)
        * (((1.0 - alpha) * u).cos() / w).powf((1.0 - alpha) / alpha)
}

#[test]
fn every_trial_is_the_walk_of_its_definition() {
    let mut differ = 0;
    let parameters = [
        [1.5f32, -0.5, 0.4, 0.8, 0.35, 1.0],
        [0.3, -3.0, 0.65, 1.1, 0.5, 1.37],
        [5.0, -0.1, 0.5, 1.4, 0.9, 1.82],
        [0.01, -0.02, 0.5, 3.0, 0.3, 2.0],
    ];
    let (rows, items) = (3, 40);
    for theta in parameters {
        let got = times(&theta, rows, items);
        let [v1, v2, zr, a, t0, alpha] = theta.map(f64::from);
        for (at, got) in got.iter().enumerate() {
            let (row, trial) = (at / (2 * items), at % (2 * items));
            let mut rng = Rng::new(5, streams::SIMULATOR, 9, 40 + row as u32);
            rng.jump(4096 * trial as u32);
            let v = if trial % 2 == 0 { v1 } else { v2 };
            let (mut x, mut steps) = (a * zr, 0);
            while x > 0.0 && x < a && steps < 5000 {
                let (u, w) = (f64::from(rng.uniform()), -f64::from(rng.uniform()).ln());
                x += 0.001 * v + 0.001f64.powf(1.0 / alpha) * stable(alpha, u, w) / 2f64.sqrt();
                steps += 1;
            }
            let want = (f64::from(steps) * 0.001 + t0) * if x > 0.0 { 1.0 } else { -1.0 };
            differ += usize::from(!((got - want).abs() < 1e-5));
        }
    }
    // Rounding may carry a walk across a boundary one step sooner or later.
    assert!(differ <= 5, "{differ} of {} trials", parameters.len() * rows * items * 2);
}

/// At alpha = 2 the walk is Brownian with drift v and unit variance between 0 and a. The mean exit time is
/// (a P(upper) - z)/v, P(upper) = (1 - e^(-2 v z))/(1 - e^(-2 v a)); a walk in steps overshoots each boundary by
/// 0.5826 sqrt dt on average (Siegmund 1979), as if it were so much farther.
#[test]
fn brownian_exit_times_and_choices_are_known() {
    let theta = [2.0f32, -1.0, 0.4, 1.2, 0.3, 2.0];
    let got = times(&theta, 40, 250);
    let (a, z) = (1.2f64, 0.48f64);
    let over = 0.5826 * 0.001f64.sqrt();
    for (condition, v) in [2.0f64, -1.0].into_iter().enumerate() {
        let sample: Vec<f64> = got.iter().skip(condition).step_by(2).copied().collect();
        let n = sample.len() as f64;
        let (a, z) = (a + 2.0 * over, z + over);
        let upper = (1.0 - (-2.0 * v * z).exp()) / (1.0 - (-2.0 * v * a).exp());
        let time = (a * upper - z) / v;
        let share = sample.iter().filter(|t| **t > 0.0).count() as f64 / n;
        let mean = sample.iter().map(|t| t.abs() - 0.3).sum::<f64>() / n;
        let spread = (sample.iter().map(|t| (t.abs() - 0.3 - mean).powi(2)).sum::<f64>() / n / n).sqrt();
        assert!((share - upper).abs() <= 4.0 * (upper * (1.0 - upper) / n).sqrt(), "{share} is not {upper}");
        assert!((mean - time).abs() <= 4.0 * spread, "{mean} is not {time} +- {spread}");
    }
}

#[test]
fn a_walk_that_does_not_end_times_out() {
    // Without drift and with a far threshold: 5000 steps, positive, as x stays above 0.
    let got = times(&[0.0, 0.0, 0.5, 1e6, 0.4, 2.0], 1, 20);
    assert!(got.iter().all(|t| (t - 5.4).abs() < 1e-5), "{got:?}");
    let bad = times(&[f32::NAN, -1.0, 0.5, 1.0, 0.4, 2.0], 1, 3);
    assert!(bad.iter().all(|t| t.abs() <= 5.4 || t.is_nan()));
}
