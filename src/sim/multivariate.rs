//! Multivariate normal factors, given by mean and lower Cholesky factor.
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Lower Cholesky factor `(k, k)` of the symmetric `matrix` `(k, k)`, row-major; `None` if it is not positive definite.
pub fn cholesky(matrix: &[f64], k: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; k * k];
    for i in 0..k {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|l| lower[i * k + l] * lower[j * k + l]).sum();
            let rest = matrix[i * k + j] - dot;
            if i == j {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                lower[i * k + i] = rest.sqrt();
            } else {
                lower[i * k + j] = rest / lower[j * k + j];
            }
        }
    }
    Some(lower)
}

/// `mean + L z`, with z drawn in order.
pub(super) fn draw(mean: &[f32], cholesky: &[f32], rng: &mut Rng, theta: &mut [f32]) {
    let k = mean.len();
    for z in theta.iter_mut() {
        *z = rng.normal();
    }
    // From the last row up: row i needs z_0 ... z_i only, so the sum can replace z_i in place.
    for i in (0..k).rev() {
        let row = &cholesky[i * k..=i * k + i];
        theta[i] = row.iter().zip(&*theta).fold(mean[i], |sum, (l, z)| sum + l * z);
    }
}

/// Log density in nats.
pub(super) fn log_prob(mean: &[f32], cholesky: &[f32], theta: &[f64]) -> f64 {
    let k = mean.len();
    let mut z = vec![0.0; k];
    let mut sum = 0.0;
    for i in 0..k {
        let dot: f64 = (0..i).map(|j| f64::from(cholesky[i * k + j]) * z[j]).sum();
        let diagonal = f64::from(cholesky[i * k + i]);
        z[i] = (theta[i] - f64::from(mean[i]) - dot) / diagonal;
        sum -= 0.5 * z[i] * z[i] + diagonal.ln() + 0.5 * std::f64::consts::TAU.ln();
    }
    if sum.is_nan() { f64::NEG_INFINITY } else { sum }
}

/// A mixture of normals with one covariance `L L'`, for priors with several modes.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalMixture {
    /// Relative weights of the components, `(n)`, > 0.
    pub weights: Vec<f32>,
    /// Their means, `(n, k)` row-major.
    pub means: Vec<f32>,
    /// Lower Cholesky factor `L`, `(k, k)` row-major; entries above the diagonal are 0.
    pub cholesky: Vec<f32>,
}

impl NormalMixture {
    /// How many parameters it covers.
    pub fn dim(&self) -> usize {
        self.means.len() / self.weights.len().max(1)
    }

    fn total(&self) -> f64 {
        self.weights.iter().map(|&w| f64::from(w)).sum()
    }

    /// Component c is drawn where a uniform number lies below entry c and not below an earlier one, the last one where
    /// it lies below none: `(n - 1)` cumulative probabilities.
    pub(super) fn thresholds(&self) -> Vec<f32> {
        let inner = &self.weights[..self.weights.len() - 1];
        let sums = inner.iter().scan(0.0, |sum, &w| {
            *sum += f64::from(w);
            Some(*sum)
        });
        sums.map(|sum| (sum / self.total()) as f32).collect()
    }

    /// One draw: the component from one uniform word, then [`draw`].
    pub(super) fn draw(&self, rng: &mut Rng, theta: &mut [f32]) {
        let (k, pick) = (self.dim(), rng.uniform());
        let component = self.thresholds().iter().filter(|&&below| pick >= below).count();
        draw(&self.means[component * k..(component + 1) * k], &self.cholesky, rng, theta);
    }

    /// Log density in nats; minus infinity at NaN.
    pub(super) fn log_prob(&self, theta: &[f64]) -> f64 {
        let terms: Vec<f64> = self
            .means
            .chunks_exact(self.dim())
            .zip(&self.weights)
            .map(|(mean, &w)| (f64::from(w) / self.total()).ln() + log_prob(mean, &self.cholesky, theta))
            .collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return largest;
        }
        largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()
    }

    pub(super) fn check(&self, names: &[String]) -> Result<()> {
        let (n, k) = (self.weights.len(), names.len());
        let wrong = |problem: String, hint: &str| {
            Err(Error::config(format!("mixture prior of `{}`", names.join("`, `")), problem, hint))
        };
        if let Some(value) = self.weights.iter().find(|w| !(w.is_normal() && **w > 0.0)) {
            return wrong(format!("expected weights above 0, found {value}"), "Leave the component out");
        }
        if n == 0 || self.means.len() != n * k {
            let problem =
                format!("expected {k} numbers for each of {n} components, found {}", self.means.len());
            return wrong(problem, "Give every component a mean");
        }
        self.means.chunks_exact(k).try_for_each(|mean| check(names, mean, &self.cholesky))
    }
}

/// Checks shapes and numbers of the factor that covers `names`.
pub(super) fn check(names: &[String], mean: &[f32], cholesky: &[f32]) -> Result<()> {
    let k = mean.len();
    let wrong = |problem: String, hint: &str| {
        Err(Error::config(format!("multivariate prior of `{}`", names.join("`, `")), problem, hint))
    };
    if cholesky.len() != k * k {
        let problem =
            format!("expected a {k} x {k} Cholesky factor ({} numbers), found {}", k * k, cholesky.len());
        return wrong(problem, "Give it row by row, zeros above the diagonal included");
    }
    if let Some(value) = mean.iter().chain(cholesky).find(|v| !v.is_finite()) {
        return wrong(format!("expected finite numbers, found {value}"), "Check mean and Cholesky factor");
    }
    for i in 0..k {
        let diagonal = cholesky[i * k + i];
        if !(diagonal.is_normal() && diagonal > 0.0) {
            let problem = format!("expected a positive diagonal, found {diagonal} in row {i}");
            return wrong(problem, "Use the lower Cholesky factor of a positive definite covariance");
        }
        if let Some(value) = cholesky[i * k + i + 1..(i + 1) * k].iter().find(|v| **v != 0.0) {
            let problem = format!("expected zeros above the diagonal, found {value} in row {i}");
            return wrong(problem, "Use the lower factor L of the covariance L L'");
        }
    }
    Ok(())
}
