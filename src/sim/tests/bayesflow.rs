//! The models of Radev et al. 2020 against naive f64 code and known distributions.
use super::super::{
    MIXTURE_LABELS, MvnExact, builtin, lotka_volterra_ode, mixture_centre, normal_mean_posterior, task,
};
use super::ode::integrate;
use super::simulators::{N, assert_mean, assert_moments, simulate};
use super::*;

/// `rows` data sets of `items` items at `theta`, in f64.
fn items(name: &str, theta: &[f32], rows: usize, items: usize, width: usize) -> Vec<Vec<f64>> {
    let mut x = vec![f32::NAN; rows * width];
    let simulator = builtin(name).expect("a built-in simulator");
    simulator.simulate_items(5, 9, 0, items, &theta.repeat(rows), &mut x);
    x.chunks_exact(width).map(to_f64).collect()
}

#[test]
fn ricker_counts_before_it_grows() {
    let [r, sigma, rho] = [44.7f64, 0.3, 10.0];
    let x = items("ricker", &[44.7, 0.3, 10.0, 0.5], N, 2, 2);
    // N_1 = 10 r e^-10 e^e, log-normal
    let first = 10.0 * r * (-10.0f64).exp();
    let mean = rho * first * (0.5 * sigma * sigma).exp();
    let square = (rho * first).powi(2) * (2.0 * sigma * sigma).exp();
    assert_moments("ricker", &x, &[10.0 * rho, mean], |i, j| match (i, j) {
        (0, 0) => 10.0 * rho,
        (1, 1) => mean + square - mean * mean,
        _ => 0.0,
    });
    assert!(x.iter().flatten().all(|x| x.fract() == 0.0 && *x >= 0.0), "counts");
}

#[test]
fn ricker_without_noise_follows_the_map() {
    // Through 1e-14 and back: N_1 = 10 * 20 e^-10, later a cycle.
    for (r, rho) in [(5.0f32, 3.0f32), (12.0, 0.4), (20.0, 14.0)] {
        let x = items("ricker", &[r, 1e-6, rho, 0.1], 4000, 25, 25);
        let mut n = 10.0f64;
        for t in 0..25 {
            let mean = f64::from(rho) * n;
            let least = (mean.max(1e-4) / 4000.0).sqrt();
            super::simulators::assert_near(&format!("r = {r}, t = {t}"), &x, mean, least, |x| x[t]);
            n *= f64::from(r) * (-n).exp();
        }
    }
}

#[test]
fn ricker_recovers_from_the_deepest_fall() {
    // N falls to 1e-93 and more, far below f32, and must come back.
    let x = items("ricker", &[90.0, 0.7, 15.0, 0.5], 200, 500, 500);
    assert!(x.iter().all(|x| x[400..].iter().any(|&x| x > 0.0)), "populations do not die");
    assert!(x.iter().flatten().any(|&x| x > 1500.0), "nor stay small");
}

/// Increments given the state are binomial: their standardised residuals have mean 0 and variance 1.
#[test]
fn sir_stochastic_moves_binomial_numbers_from_the_old_state() {
    let (beta, gamma) = (0.8f64, 0.25f64);
    let (rows, times) = (300, 400);
    let x = items("sir-stochastic", &[0.8, 0.25], rows, times, 3 * times);
    let mut residuals = [vec![], vec![]];
    let mut apart = vec![];
    for row in &x {
        let states: Vec<[f64; 3]> =
            row.chunks_exact(3).map(|s| [s[0] * 1e3, s[1] * 1e3, s[2] * 1e3].map(f64::round)).collect();
        assert_eq!(states[0], [999.0, 1.0, 0.0]);
        for pair in states.windows(2) {
            let ([s, i, r], [s1, i1, r1]) = (pair[0], pair[1]);
            assert_eq!((s + i + r, s1 + i1 + r1), (1000.0, 1000.0));
            let mut both = [0.0; 2];
            for (k, (n, p, moved)) in [
                (s, 1.0 - (-0.1 * beta * (i + 0.5) / 1e3).exp(), s - s1),
                (i, 1.0 - (-0.1 * gamma).exp(), r1 - r),
            ]
            .into_iter()
            .enumerate()
            {
                assert!(moved >= 0.0 && moved <= n && moved.fract() == 0.0);
                let variance = n * p * (1.0 - p);
                if variance > 0.5 {
                    both[k] = (moved - n * p) / variance.sqrt();
                    residuals[k].push(vec![both[k]]);
                }
            }
            apart.push(vec![both[0] * both[1]]);
        }
    }
    for (what, z) in ["infections", "recoveries"].iter().zip(&residuals) {
        assert!(z.len() > 10_000, "{what}: {}", z.len());
        assert_mean(what, z, 0.0, |z| z[0]);
        assert_mean(&format!("{what}, variance"), z, 1.0, |z| z[0] * z[0]);
    }
    assert_mean("infections and recoveries are independent", &apart, 0.0, |z| z[0]);
}

/// ln of the populations in f64 at the observation times, `steps` steps between them.
fn naive_lotka(theta: &[f64], steps: u32) -> [[f64; 2]; 500] {
    let [a, b, c, d] = *theta else { panic!("four parameters") };
    let slope = |[p, q]: [f64; 2]| [a - b * q.exp(), d * b * p.exp() - c];
    integrate(slope, [10f64.ln(), 5f64.ln()], 15.0 / 499.0, steps)
}

/// The data as a network sees them, ln(x + 1e-3), against a step ten times as short, and against the same steps in f64:
/// the error is that of the definition's 8 steps, which a few stiff draws feel.
#[test]
fn lotka_volterra_ode_solves_the_system_over_the_prior() {
    let theta = draws(&lotka_volterra_ode::prior(), 512);
    let mut log = vec![[[0.0; super::super::ode::LANES]; 2]; 500];
    let [mut fine, mut same] = [vec![], vec![]];
    let seen = |log: f64| (log.exp() + 1e-3).ln();
    for (first, rows, lanes) in super::super::ode::blocks(&theta) {
        lotka_volterra_ode::solve(&lanes, &mut log);
        for lane in 0..rows {
            let theta = to_f64(&theta[4 * (first + lane)..][..4]);
            for (errors, steps) in [(&mut fine, 80), (&mut same, 8)] {
                let exact = naive_lotka(&theta, steps);
                errors.extend(log.iter().zip(exact).flat_map(|(got, want)| {
                    [0, 1].map(|k| (seen(f64::from(got[k][lane])) - seen(want[k])).abs())
                }));
            }
        }
    }
    for (errors, limits) in [(&mut fine, [2e-4, 3e-3]), (&mut same, [1e-5, 1e-4])] {
        errors.sort_by(f64::total_cmp);
        let n = errors.len();
        let (q99, q999) = (errors[n * 99 / 100], errors[n * 999 / 1000]);
        println!("99 %: {q99:e}, 99.9 %: {q999:e}, largest {:e}", errors[n - 1]);
        assert!(q99 <= limits[0] && q999 <= limits[1], "99 %: {q99:e}, 99.9 %: {q999:e}");
    }
}

/// The nine statistics of a series of pairs in f64, straight from their definitions.
fn naive_statistics(series: &[[f64; 2]]) -> [f64; 9] {
    let column = |k: usize| series.iter().map(|s| s[k]).collect::<Vec<f64>>();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let covariance = |v: &[f64], w: &[f64]| {
        let (a, b) = (mean(v), mean(w));
        v.iter().zip(w).map(|(v, w)| (v - a) * (w - b)).sum::<f64>() / v.len() as f64
    };
    let pearson = |v: &[f64], w: &[f64]| covariance(v, w) / (covariance(v, v) * covariance(w, w)).sqrt();
    let (x, y) = (column(0), column(1));
    let auto = |v: &[f64], lag: usize| pearson(&v[..v.len() - lag], &v[lag..]);
    [
        mean(&x),
        mean(&y),
        covariance(&x, &x).ln_1p(),
        covariance(&y, &y).ln_1p(),
        auto(&x, 6),
        auto(&x, 13),
        auto(&y, 6),
        auto(&y, 13),
        pearson(&x, &y),
    ]
}

#[test]
fn series_and_statistics_of_lotka_volterra_ode_are_those_of_the_solution() {
    let theta = [[1.0f32, 0.5, 1.5, 0.75], [0.2, 0.9, 3.0, 0.3], [4.0, 1.2, 0.3, 2.0]];
    let simulator = builtin("lotka-volterra-ode").expect("built in");
    let (mut x, mut stats) = (vec![0.0; 3 * 1000], vec![0.0; 3 * 9]);
    simulator.simulate(0, 0, 0, theta.as_flattened(), &mut x);
    builtin("lotka-volterra-ode-stats").expect("built in").simulate(
        0,
        0,
        0,
        theta.as_flattened(),
        &mut stats,
    );
    for (row, theta) in theta.iter().enumerate() {
        let exact = naive_lotka(&to_f64(theta), 80).map(|s| s.map(f64::exp));
        let scale = exact.as_flattened().iter().copied().fold(0.0, f64::max);
        for (t, want) in exact.iter().enumerate() {
            for k in 0..2 {
                let got = f64::from(x[row * 1000 + 2 * t + k]);
                assert!(
                    (got - want[k]).abs() <= 2e-4 * want[k] + 1e-5 * scale,
                    "{t}, {k}: {got} is not {}",
                    want[k]
                );
            }
        }
        let want = naive_statistics(&exact);
        for (k, want) in want.iter().enumerate() {
            let got = f64::from(stats[row * 9 + k]);
            assert!((got - want).abs() <= 1e-3, "row {row}, statistic {k}: {got} is not {want}");
        }
    }
}

#[test]
fn statistics_of_populations_that_do_not_vary_are_zero() {
    // Y dies out within the first 13 observations and underflows.
    let mut stats = vec![f32::NAN; 9];
    let theta = [1e-3f32, 1.0, 600.0, 1e-4];
    builtin("lotka-volterra-ode-stats").expect("built in").simulate(0, 0, 0, &theta, &mut stats);
    assert_eq!(stats[7], 0.0, "{stats:?}");
    assert!(stats.iter().all(|s| s.is_finite()), "{stats:?}");
}

#[test]
fn mvn_has_the_covariance_of_its_matrix_and_the_exact_posterior() {
    let d = 5;
    let row = |j: u32| {
        let mut rng = Rng::new(0, streams::MATRIX, d as u32, j);
        (0..d).map(|_| f64::from(rng.normal())).collect::<Vec<_>>()
    };
    let g: Vec<Vec<f64>> = (0..d as u32).map(row).collect();
    let covariance = |i: usize, j: usize| -> f64 { g.iter().map(|g| g[i] * g[j]).sum::<f64>() / d as f64 };
    let mu = [0.5f32, -1.0, 0.0, 2.0, -0.3];
    let x = simulate("mvn-5", &mu);
    assert_moments("mvn-5", &x, &to_f64(&mu), covariance);
    // ln p(mu | x) by Bayes' rule on a fine grid of one coordinate: the density along it must integrate to that of the
    // other coordinates whatever their values, so ratios are checked against prior times likelihood.
    let exact = MvnExact::new(d);
    let x = [0.3f32, 0.1, -0.4, 1.0, 0.7];
    let inverse = invert(&(0..d * d).map(|k| covariance(k / d, k % d)).collect::<Vec<_>>(), d);
    let joint = |mu: &[f32]| {
        let e: Vec<f64> = x.iter().zip(mu).map(|(x, m)| f64::from(*x) - f64::from(*m)).collect();
        let quadratic: f64 = (0..d * d).map(|k| e[k / d] * inverse[k] * e[k % d]).sum::<f64>()
            + to_f64(mu).iter().map(|m| m * m).sum::<f64>();
        -0.5 * quadratic
    };
    let (a, b) = ([0.1f32, 0.2, -0.1, 0.4, 0.2], [0.3f32, -0.2, 0.0, 0.8, 0.6]);
    let (got, want) = (exact.log_posterior(&a, &x) - exact.log_posterior(&b, &x), joint(&a) - joint(&b));
    assert!((got - want).abs() <= 1e-6 * want.abs(), "{got} is not {want}");
    // The constant: at the mode the density is (2 pi)^(-d/2) |I + S^-1|^(1/2).
    let mut precision = inverse;
    (0..d).for_each(|i| precision[i * d + i] += 1.0);
    let lower = super::super::cholesky(&precision, d).expect("positive definite");
    let log_root: f64 = (0..d).map(|i| lower[i * d + i].ln()).sum();
    let posterior_covariance = invert(&precision, d);
    let mut shift = vec![0.0; d];
    for k in 0..d * d {
        shift[k / d] += (precision[k] - f64::from(u8::from(k / d == k % d))) * f64::from(x[k % d]);
    }
    let mode: Vec<f32> = (0..d)
        .map(|i| (0..d).map(|j| posterior_covariance[i * d + j] * shift[j]).sum::<f64>() as f32)
        .collect();
    let want = log_root - 0.5 * d as f64 * std::f64::consts::TAU.ln();
    let got = exact.log_posterior(&mode, &x);
    assert!((got - want).abs() <= 1e-5, "{got} is not {want}");
}

/// Inverse of a symmetric positive definite matrix by Gauss and Jordan.
fn invert(matrix: &[f64], d: usize) -> Vec<f64> {
    let mut a: Vec<Vec<f64>> = (0..d)
        .map(|i| {
            let unit = (0..d).map(|j| f64::from(u8::from(i == j)));
            matrix[i * d..(i + 1) * d].iter().copied().chain(unit).collect()
        })
        .collect();
    for i in 0..d {
        let pivot = a[i][i];
        a[i].iter_mut().for_each(|v| *v /= pivot);
        for k in (0..d).filter(|&k| k != i) {
            let factor = a[k][i];
            let row = a[i].clone();
            a[k].iter_mut().zip(&row).for_each(|(v, r)| *v -= factor * r);
        }
    }
    a.iter().flat_map(|row| row[d..].to_vec()).collect()
}

#[test]
fn mvn_adds_the_same_noise_in_every_dimension() {
    // Against f64 with the same draws, where matrix and noise are large.
    let d = 50;
    let mu: Vec<f32> = (0..d).map(|i| (i as f32 - 25.0) * 0.05).collect();
    let mut x = vec![f32::NAN; d];
    builtin("mvn-50").expect("built in").simulate(8, 3, 11, &mu, &mut x);
    let mut noise = Rng::new(8, streams::SIMULATOR, 3, 11);
    let mut want = to_f64(&mu);
    for j in 0..d as u32 {
        let (e, mut rng) = (f64::from(noise.normal()), Rng::new(0, streams::MATRIX, 50, j));
        want.iter_mut().for_each(|w| *w += f64::from(rng.normal()) * e / 50f64.sqrt());
    }
    for (got, want) in x.iter().zip(&want) {
        assert!((f64::from(*got) - want).abs() <= 3e-6, "{got} is not {want}");
    }
}

#[test]
fn mixture_labels_have_their_shares_and_their_components() {
    let prior = (task("mixture-of-eight").expect("built in").prior)();
    let (n, theta) = (N, draws(&(prior), N));
    let mut x = vec![f32::NAN; 4 * n];
    builtin("mixture-of-eight").expect("built in").simulate(5, 9, 0, &theta, &mut x);
    let rows: Vec<Vec<f64>> =
        theta.chunks(2).zip(x.chunks(4)).map(|(t, x)| to_f64(&[t, x].concat())).collect();
    for (label, share) in [0.5, 0.25, 0.125, 0.125].into_iter().enumerate() {
        assert_mean(&format!("label {label}"), &rows, share, |r| r[2 + label]);
    }
    assert!(
        rows.iter()
            .all(|r| r[2..].iter().sum::<f64>() == 1.0 && r[2..].iter().all(|v| *v == 0.0 || *v == 1.0))
    );
    // P(label | theta) is calibrated: within each label the means of theta are those of its components, up to the
    // overlap of neighbours, which the definition has too.
    let near = |r: &[f64], k: usize| {
        let [a, b] = mixture_centre(k).map(f64::from);
        (r[0] - a).powi(2) + (r[1] - b).powi(2)
    };
    for k in 0..8 {
        // Each component holds an eighth; 1 - exp(-r^2) of a normal with variance 1/2 lies within r.
        let inside = |r: &[f64]| f64::from(u8::from(near(r, k) < 1.0));
        assert_mean(&format!("component {k}"), &rows, (1.0 - (-1.0f64).exp()) / 8.0, inside);
        let right = |r: &[f64]| inside(r) * (1.0 - r[2 + MIXTURE_LABELS[k]]);
        assert_mean(&format!("other labels near {k}"), &rows, 0.0, right);
    }
    // Half way between components 3 and 4, of labels 0 and 1, both are as likely.
    let [a, b] = [mixture_centre(3), mixture_centre(4)];
    let middle = [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])];
    let x = simulate("mixture-of-eight", &middle);
    assert_mean("label 0", &x, 0.5, |x| x[0]);
    assert_mean("label 1", &x, 0.5, |x| x[1]);
    // Log density at a centre: one component of eight, the others are e^-33 away.
    let got = prior.log_prob(&[0.0, 7.5]);
    assert!((got - (1.0 / 8.0 / std::f64::consts::PI).ln()).abs() < 1e-5, "{got}");
}

#[test]
fn normal_mean_has_the_conjugate_posterior() {
    let x = items("normal-mean", &[0.7], 4000, 5, 5);
    assert_moments("normal-mean", &x, &[0.7; 5], |i, j| f64::from(u8::from(i == j)));
    let (mean, sd) = normal_mean_posterior(&[1.0, 2.0, 3.0]);
    assert!((mean - 1.5).abs() < 1e-12 && (sd - 0.5).abs() < 1e-12);
    assert_eq!(normal_mean_posterior(&[]), (0.0, 1.0));
}
