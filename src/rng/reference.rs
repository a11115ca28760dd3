//! Test support: exact distributions of the draws in f64, and goodness of fit. Also included by `tests/rng_gpu.rs`.
use statrs::distribution::{
    Bernoulli, Beta, Binomial, ContinuousCDF, Discrete, Exp, Gamma, Normal, Poisson, StudentsT, Uniform,
};
use statrs::function::gamma::{gamma, gamma_ur};

/// What a draw should follow.
pub enum Reference {
    /// Distribution function.
    Continuous(Box<dyn Fn(f64) -> f64>),
    /// Probability of each count, and the counts that can occur for practical purposes.
    Discrete(Box<dyn Fn(u64) -> f64>, u64, u64),
}

/// Parses `gamma(0.3)` and the like; panics on a name it does not know, so that no draw goes untested.
pub fn reference(name: &str) -> Reference {
    let (kind, rest) = name.split_once('(').expect("name(parameters)");
    let list = rest.trim_end_matches(')').split(',').map(str::trim).filter(|s| !s.is_empty());
    let p: Vec<f64> = list.map(|s| s.parse().expect("a number")).collect();
    fn cdf<D: ContinuousCDF<f64, f64> + 'static>(d: D) -> Reference {
        Reference::Continuous(Box::new(move |x| d.cdf(x)))
    }
    fn pmf<D: Discrete<u64, f64> + 'static>(d: D, mean: f64, variance: f64, top: f64) -> Reference {
        let reach = 10.0 * variance.sqrt() + 30.0;
        Reference::Discrete(
            Box::new(move |k| d.pmf(k)),
            (mean - reach).max(0.0) as u64,
            (mean + reach).min(top) as u64,
        )
    }
    match kind {
        "uniform" => cdf(Uniform::new(0.0, 1.0).expect("valid")),
        "normal" => cdf(Normal::new(0.0, 1.0).expect("valid")),
        "exponential" => cdf(Exp::new(1.0).expect("valid")),
        // Far from 0 the incomplete gamma function of statrs does not converge: Wilson and Hilferty (1931), error
        // below 1e-6 there.
        "gamma" if p[0] > 1e5 => {
            let (a, normal) = (p[0], Normal::new(0.0, 1.0).expect("valid"));
            Reference::Continuous(Box::new(move |x| {
                let v = 1.0 / (9.0 * a);
                normal.cdf(((x / a).cbrt() - (1.0 - v)) / v.sqrt())
            }))
        }
        // Below 1 by the power series: statrs takes x < 1e-16 for 0.
        "gamma" => {
            let (a, d) = (p[0], Gamma::new(p[0], 1.0).expect("valid"));
            let series = move |x: f64| {
                let terms = (0..30).scan(1.0, |t, n| {
                    *t *= if n == 0 { 1.0 / a } else { x / (a + f64::from(n)) };
                    Some(*t)
                });
                x.powf(a) * (-x).exp() * terms.sum::<f64>() / gamma(a)
            };
            Reference::Continuous(Box::new(move |x| if x < 1.0 { series(x.max(0.0)) } else { d.cdf(x) }))
        }
        "beta" => cdf(Beta::new(p[0], p[1]).expect("valid")),
        "student_t" => cdf(StudentsT::new(0.0, 1.0, p[0]).expect("valid")),
        "alpha_stable" => Reference::Continuous(stable_cdf(p[0])),
        "poisson" if p[0] == 0.0 => Reference::Discrete(Box::new(|k| f64::from(u8::from(k == 0))), 0, 0),
        "poisson" => pmf(Poisson::new(p[0]).expect("valid"), p[0], p[0], f64::MAX),
        "binomial" => {
            let d = Binomial::new(p[1], p[0] as u64).expect("valid");
            pmf(d, p[0] * p[1], p[0] * p[1] * (1.0 - p[1]), p[0])
        }
        "bernoulli" => pmf(Bernoulli::new(p[0]).expect("valid"), p[0], 1.0, 1.0),
        _ => panic!("no reference for `{name}`"),
    }
}

/// Symmetric stable distribution function, Nolan (1997), theorem 1: an integral over (0, pi/2), tabulated in
/// asinh x.
fn stable_cdf(alpha: f64) -> Box<dyn Fn(f64) -> f64> {
    use std::f64::consts::{FRAC_PI_2, PI};
    if alpha == 1.0 {
        return Box::new(|x| 0.5 + x.atan() / PI);
    }
    let upper = move |x: f64| {
        const N: usize = 1500;
        let power = alpha / (alpha - 1.0);
        let term = |i: usize| {
            let t = (i as f64 + 0.5) / N as f64 * FRAC_PI_2;
            let v = (t.cos() / (alpha * t).sin()).powf(power) * ((alpha - 1.0) * t).cos() / t.cos();
            (-x.powf(power) * v).exp()
        };
        let integral = (0..N).map(term).sum::<f64>() * FRAC_PI_2 / N as f64 / PI;
        if alpha < 1.0 { 0.5 + integral } else { 1.0 - integral }
    };
    const STEP: f64 = 0.02;
    let table: Vec<f64> =
        (0..1500).map(|i| if i == 0 { 0.5 } else { upper((i as f64 * STEP).sinh()) }).collect();
    Box::new(move |x| {
        let at = x.abs().asinh() / STEP;
        let i = (at as usize).min(table.len() - 2);
        let f = (table[i] + (table[i + 1] - table[i]) * (at - i as f64)).min(1.0);
        if x < 0.0 { 1.0 - f } else { f }
    })
}

/// p-value of the draws under `name`: Kolmogorov-Smirnov or chi-square. NaN and impossible values give 0.
pub fn p_value(name: &str, draws: &[f32]) -> f64 {
    if draws.iter().any(|x| !x.is_finite()) {
        return 0.0;
    }
    match reference(name) {
        Reference::Continuous(cdf) => kolmogorov_smirnov(draws, cdf),
        Reference::Discrete(pmf, lo, hi) => chi_square(draws, pmf, lo, hi),
    }
}

/// An f32 stands for all numbers that round to it, so the distribution function is taken half a spacing above and
/// below.
fn kolmogorov_smirnov(draws: &[f32], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = draws.to_vec();
    sorted.sort_by(f32::total_cmp);
    let n = sorted.len() as f64;
    let mut d = 0.0f64;
    for (i, x) in sorted.iter().enumerate() {
        let middle = |other: f32| 0.5 * (f64::from(*x) + f64::from(other));
        d = d.max((i as f64 + 1.0) / n - cdf(middle(x.next_up())));
        d = d.max(cdf(middle(x.next_down())) - i as f64 / n);
    }
    let l = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * d;
    let sum: f64 = (1..=100)
        .map(|j| (if j % 2 == 1 { 2.0 } else { -2.0 }) * (-2.0 * (j * j) as f64 * l * l).exp())
        .sum();
    if l < 0.2 { 1.0 } else { sum.clamp(0.0, 1.0) }
}

/// Neighbouring counts are merged until 10 are expected; what is outside lo..=hi must not occur.
fn chi_square(draws: &[f32], pmf: impl Fn(u64) -> f64, lo: u64, hi: u64) -> f64 {
    let mut seen = vec![0u64; (hi - lo + 1) as usize];
    for &x in draws {
        if x.fract() != 0.0 || x < lo as f32 || x > hi as f32 || pmf(x as u64) == 0.0 {
            return 0.0;
        }
        seen[(x as u64 - lo) as usize] += 1;
    }
    let n = draws.len() as f64;
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (i, count) in seen.iter().enumerate() {
        open.0 += n * pmf(lo + i as u64);
        open.1 += *count as f64;
        if open.0 >= 10.0 {
            bins.push(std::mem::take(&mut open));
        }
    }
    match bins.last_mut() {
        Some(last) => *last = (last.0 + open.0, last.1 + open.1),
        None => return 0.0,
    }
    let statistic: f64 = bins.iter().map(|(want, got)| (got - want).powi(2) / want).sum();
    if bins.len() == 1 { 1.0 } else { gamma_ur((bins.len() - 1) as f64 / 2.0, statistic / 2.0) }
}

/// Mean and variance of the draws of `name` where both are finite and known in closed form.
pub fn moments(name: &str) -> Option<(f64, f64)> {
    let (kind, rest) = name.split_once('(')?;
    let p: Vec<f64> = rest.trim_end_matches(')').split(',').filter_map(|s| s.trim().parse().ok()).collect();
    Some(match kind {
        "uniform" => (0.5, 1.0 / 12.0),
        "normal" => (0.0, 1.0),
        "exponential" => (1.0, 1.0),
        "gamma" | "poisson" => (p[0], p[0]),
        "beta" => {
            let s = p[0] + p[1];
            (p[0] / s, p[0] * p[1] / (s * s * (s + 1.0)))
        }
        "student_t" if p[0] > 4.0 => (0.0, p[0] / (p[0] - 2.0)),
        "alpha_stable" if p[0] == 2.0 => (0.0, 2.0),
        "binomial" => (p[0] * p[1], p[0] * p[1] * (1.0 - p[1])),
        "bernoulli" => (p[0], p[0] * (1.0 - p[0])),
        _ => return None,
    })
}

/// Deviations of sample mean and variance from the given ones, in their standard errors.
pub fn moment_scores(draws: &[f32], mean: f64, variance: f64) -> (f64, f64) {
    let n = draws.len() as f64;
    let average = draws.iter().map(|&x| f64::from(x) - mean).sum::<f64>() / n;
    let squares = || draws.iter().map(|&x| (f64::from(x) - mean).powi(2));
    let second = squares().sum::<f64>() / n;
    let spread = squares().map(|s| (s - variance).powi(2)).sum::<f64>() / n;
    let score = |difference: f64, v: f64| if difference == 0.0 { 0.0 } else { difference / (v / n).sqrt() };
    (score(average, variance), score(second - variance, spread))
}

/// A compute shader of entry `main`, 64 rows a workgroup, over a library text: invocation `row` starts its own
/// generator (seed 0x89abcdef + 2^32 0x01234567, stream 7, step 3) for each expression and stores the value of
/// expression i at i * rows + row. Binding 0: rows x expressions f32.
pub fn probe<'a>(library: &[&str], expressions: impl Iterator<Item = &'a str>) -> String {
    let mut text = library.concat();
    text += "@group(0) @binding(0) var<storage, read_write> probe_out: array<f32>;\n\
        @compute @workgroup_size(64)\n\
        fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n\
        let rows = groups.x * 64u;\n";
    for (i, expression) in expressions.enumerate() {
        text += &format!(
            "{{ var rng = rng_new(vec2u(0x89abcdefu, 0x01234567u), 7u, 3u, id.x);\n\
             let r = &rng;\n\
             probe_out[{i}u * rows + id.x] = {expression}; }}\n"
        );
    }
    text + "}\n"
}
