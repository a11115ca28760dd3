//! Posterior contraction and z-score: how much the data tell, and whether the posterior is centred on the truth.
use rayon::prelude::*;

use super::draw_sets::DrawSets;

/// Mean and sd of each data set's draws of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Posterior means, `(sets)`.
    pub mean: Vec<f64>,
    /// Posterior standard deviations with `1/(n - 1)`, `(sets)`; 0 for a single draw.
    pub sd: Vec<f64>,
}

/// Posterior mean and sd of `parameter` in every data set.
pub fn moments(sets: &DrawSets, parameter: usize) -> Moments {
    let n = sets.n_draws() as f64;
    let (mean, sd) = (0..sets.sets())
        .into_par_iter()
        .map(|set| {
            let mean = sets.column(set, parameter).map(f64::from).sum::<f64>() / n;
            let squares: f64 = sets.column(set, parameter).map(|v| (f64::from(v) - mean).powi(2)).sum();
            (mean, (squares / (n - 1.0).max(1.0)).sqrt())
        })
        .unzip();
    Moments { mean, sd }
}

/// `1 - Var_post / Var_prior` of every data set: 0 where the data tell nothing, 1 where they tell all.
pub fn contraction(moments: &Moments, prior_sd: f64) -> Vec<f64> {
    moments.sd.iter().map(|sd| 1.0 - (sd / prior_sd).powi(2)).collect()
}

/// `(mean_post - truth) / sd_post` of every data set. A posterior without spread gives an infinity, or 0 if it is right.
pub fn z_scores(moments: &Moments, truths: &[f64]) -> Vec<f64> {
    let score = |((mean, sd), truth): ((&f64, &f64), &f64)| {
        let error = mean - truth;
        if error == 0.0 { 0.0 } else { error / sd }
    };
    moments.mean.iter().zip(&moments.sd).zip(truths).map(score).collect()
}

/// Mean and sd (with `1/(n - 1)`) of a list.
pub fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // two sets, three draws, two parameters; parameter 1 is 1 2 3 and 4 4 7
        let draws = [0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0, 4.0, 0.0, 7.0];
        let truths = [0.0, 1.0, 0.0, 5.0];
        let sets = DrawSets::new(&truths, &draws, 3, 2).unwrap();
        let m = moments(&sets, 1);
        assert_eq!(m.mean, [2.0, 5.0]);
        assert!((m.sd[0] - 1.0).abs() < 1e-12 && (m.sd[1] - 3f64.sqrt()).abs() < 1e-12);
        let c = contraction(&m, 2.0);
        assert!((c[0] - 0.75).abs() < 1e-12 && (c[1] - 0.25).abs() < 1e-12);
        assert_eq!(z_scores(&m, &sets.truths_of(1)), [1.0, 0.0]);
    }

    #[test]
    fn no_spread_is_not_a_panic() {
        let sets = DrawSets::new(&[0.0, 1.0], &[1.0, 1.0, 1.0, 1.0], 2, 1).unwrap();
        let m = moments(&sets, 0);
        assert_eq!(contraction(&m, 1.0), [1.0, 1.0]);
        assert_eq!(z_scores(&m, &sets.truths_of(0)), [f64::INFINITY, 0.0]);
        let one = DrawSets::new(&[0.0], &[1.0], 1, 1).unwrap();
        assert_eq!(moments(&one, 0).sd, [0.0]);
    }
}
