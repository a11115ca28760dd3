//! Models whose posterior is known: how far ours is from it.
use super::measure::Measure;
use super::{Effort, sample, test_sets};
use crate::error::Result;
use crate::infer::Posterior;
use crate::sim::{MIXTURE_LABELS, MvnExact, mixture_centre, normal_mean_posterior};

/// A point farther than 4 sd from every centre belongs to no component.
const FAR: f64 = 2.83;
/// Items of the data sets of `normal-mean`.
const SIZES: [usize; 3] = [10, 100, 1000];

/// Mean of ln p - ln q over joint pairs, nats: 0 for the exact posterior.
pub(super) fn mvn(posterior: &Posterior, effort: Effort, seed: u64) -> Result<Vec<Measure>> {
    let d = posterior.model().theta_dim();
    let (exact, pairs) = (MvnExact::new(d), test_sets(posterior.model(), seed, 0, effort.pairs)?);
    let ours = posterior.log_prob(&pairs.theta, &pairs.x)?;
    let rows = pairs.theta.chunks_exact(d).zip(pairs.x.chunks_exact(d)).zip(&ours);
    let gaps: Vec<f64> = rows.map(|((mu, x), ours)| exact.log_posterior(mu, x) - f64::from(*ours)).collect();
    let (mean, error) = mean_and_error(&gaps);
    let target = match d {
        ..=5 => 0.01,
        6..=50 => 0.1,
        _ => 15.0,
    };
    Ok(vec![Measure::new("mean log p - log q", None, mean, error).at_most(target)])
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Draws for each label: how many belong to no component, and how the others are shared.
pub(super) fn mixture(posterior: &Posterior, effort: Effort, seed: u64) -> Result<Vec<Measure>> {
    let mut out = vec![];
    for label in 0..4 {
        let x: Vec<f32> = (0..4).map(|l| if l == label { 1.0 } else { 0.0 }).collect();
        let draws = posterior.sample(&x, effort.pairs, seed)?;
        let components: Vec<usize> = (0..8).filter(|&k| MIXTURE_LABELS[k] == label).collect();
        let (far, shares) = shares(&draws, &components);
        let n = effort.pairs as f64;
        let error = |share: f64| (share * (1.0 - share) / n).sqrt();
        out.push(Measure::new(format!("far, label {label}"), None, far, error(far)).at_most(0.005));
        if components.len() > 1 {
            let right = 1.0 / components.len() as f64;
            for (k, share) in components.iter().zip(shares) {
                let what = format!("share of component {k}");
                let measure = Measure::new(what, None, share, error(share));
                out.push(measure.at_least(right - 0.03).at_most(right + 0.03));
            }
        }
    }
    Ok(out)
}

/// Share of the points `(n, 2)` far from all components, and of those nearest to each.
fn shares(points: &[f32], components: &[usize]) -> (f64, Vec<f64>) {
    let (mut far, mut counts) = (0usize, vec![0usize; components.len()]);
    for point in points.chunks_exact(2) {
        let distance = |k: &usize| {
            let centre = mixture_centre(*k);
            f64::from(point[0] - centre[0]).hypot(f64::from(point[1] - centre[1]))
        };
        let nearest = components.iter().map(distance).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        match nearest {
            Some((k, distance)) if distance <= FAR => counts[k] += 1,
            _ => far += 1,
        }
    }
    let n = (points.len() / 2) as f64;
    (far as f64 / n, counts.iter().map(|&c| c as f64 / n).collect())
}

/// Mean and sd of our posterior against the conjugate one.
pub(super) fn normal_mean(posterior: &Posterior, effort: Effort, seed: u64) -> Result<Vec<Measure>> {
    let mut out = vec![];
    for items in SIZES {
        let pairs = test_sets(posterior.model(), seed, items, effort.sets)?;
        let draws = sample(posterior, &pairs.x, items, effort.draws, seed)?;
        let rows = pairs.x.chunks_exact(items).zip(draws.chunks_exact(effort.draws));
        let (ratios, shifts): (Vec<f64>, Vec<f64>) = rows
            .map(|(x, draws)| {
                let (mean, sd) = normal_mean_posterior(x);
                let draws: Vec<f64> = draws.iter().map(|&v| f64::from(v)).collect();
                let (ours, error) = mean_and_error(&draws);
                (error * (draws.len() as f64).sqrt() / sd, ((ours - mean) / sd).powi(2))
            })
            .unzip();
        let (ratio, error) = mean_and_error(&ratios);
        out.push(Measure::new("sd / exact sd", Some(items), ratio, error).at_least(0.97).at_most(1.03));
        let (square, error) = mean_and_error(&shifts);
        let root = square.sqrt();
        out.push(Measure::new("rms shift, exact sds", Some(items), root, 0.5 * error / root));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, streams};

    /// Draws of components in turn, scaled about their centres.
    fn points(components: &[usize], scale: f32) -> Vec<f32> {
        let mut rng = Rng::new(1, streams::TEST, 0, 0);
        let point = |i: usize| {
            let [a, b] = mixture_centre(components[i % components.len()]);
            let s = scale * 0.5f32.sqrt();
            [a + s * rng.normal(), b + s * rng.normal()]
        };
        (0..40_000).flat_map(point).collect()
    }

    #[test]
    fn the_exact_mixture_has_few_far_points_and_equal_shares() {
        let components = [0, 1, 2, 3];
        let (far, parts) = shares(&points(&components, 1.0), &components);
        // e^-8 = .034 %
        assert!(far < 0.001 && parts.iter().all(|s| (s - 0.25).abs() < 0.003), "{far} {parts:?}");
        assert!(shares(&points(&components, 2.0), &components).0 > 0.02, "a wide one has many");
        let (_, parts) = shares(&points(&[0, 1, 2], 1.0), &components);
        assert!(parts[3] < 0.001, "a lost mode is seen: {parts:?}");
    }
}
