//! Probability functions in f64 that the diagnostics need.

/// `ln n!` for n = 0..=max.
pub fn ln_factorials(max: usize) -> Vec<f64> {
    let mut table = vec![0.0; max + 1];
    for n in 1..=max {
        table[n] = table[n - 1] + (n as f64).ln();
    }
    table
}

/// `ln Gamma(k / 2)` for a positive integer k.
fn ln_gamma_half(k: usize) -> f64 {
    let (mut value, mut x) =
        if k.is_multiple_of(2) { (0.0, 1.0) } else { (0.5 * std::f64::consts::PI.ln(), 0.5) };
    while x + 0.5 < 0.5 * k as f64 {
        value += x.ln();
        x += 1.0;
    }
    value
}

/// `P(X > x)` of the chi-square distribution with `freedom` degrees of freedom.
///
/// The series of the lower incomplete gamma function below its mean, Lentz's continued fraction above
/// (Abramowitz and Stegun 6.5.29, 6.5.31).
pub fn chi_square_tail(x: f64, freedom: usize) -> f64 {
    if !x.is_finite() || freedom == 0 {
        return f64::NAN;
    }
    let (a, x) = (0.5 * freedom as f64, 0.5 * x.max(0.0));
    if x == 0.0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - ln_gamma_half(freedom)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-16 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        (1.0 - scale * sum).clamp(0.0, 1.0)
    } else {
        let mut b = x + 1.0 - a;
        let (mut c, mut d) = (1e300, 1.0 / b);
        let mut h = d;
        for i in 1..10_000 {
            let an = -f64::from(i) * (f64::from(i) - a);
            b += 2.0;
            d = 1.0 / (an * d + b);
            c = b + an / c;
            h *= d * c;
            if (d * c - 1.0).abs() < 1e-15 {
                break;
            }
        }
        (scale * h).clamp(0.0, 1.0)
    }
}

/// The standard normal quantile, Acklam's rational approximation, relative error 1.2e-9; infinite at 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() || p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 {
            f64::NEG_INFINITY
        } else if p >= 1.0 {
            f64::INFINITY
        } else {
            f64::NAN
        };
    }
    let poly = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    const TAIL_TOP: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const TAIL_BOTTOM: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TOP: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const BOTTOM: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    let tail = p.min(1.0 - p);
    if tail < 0.024_25 {
        let q = (-2.0 * tail.ln()).sqrt();
        let z = poly(&TAIL_TOP, q) / poly(&TAIL_BOTTOM, q);
        if p < 0.5 { z } else { -z }
    } else {
        let q = p - 0.5;
        q * poly(&TOP, q * q) / poly(&BOTTOM, q * q)
    }
}

/// `P(X = k)`, k = 0..=n, of Binomial(n, p); `ln_factorial` up to n.
pub fn binomial_pmf(n: usize, p: f64, ln_factorial: &[f64]) -> Vec<f64> {
    if p <= 0.0 || p >= 1.0 {
        let sure = if p <= 0.0 { 0 } else { n };
        return (0..=n).map(|k| if k == sure { 1.0 } else { 0.0 }).collect();
    }
    let (ln_p, ln_q) = (p.ln(), (-p).ln_1p());
    (0..=n)
        .map(|k| {
            let choose = ln_factorial[n] - ln_factorial[k] - ln_factorial[n - k];
            (choose + k as f64 * ln_p + (n - k) as f64 * ln_q).exp()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chi_square_tail_has_known_values() {
        // scipy.stats.chi2.sf
        for (x, freedom, want) in [
            (3.841_458_820_694_124, 1, 0.05),
            (18.307_038_053_275_146, 10, 0.05),
            (5.0, 7, 0.659_963_229_694_282_4),
            (100.0, 12, 5.567_756_260_698_086e-16),
            (0.0, 5, 1.0),
            (60.0, 99, 0.999_319_997_049_848_5),
        ] {
            let got = chi_square_tail(x, freedom);
            assert!((got - want).abs() <= 1e-9 * want.max(1e-7), "{x}, {freedom}: {got} for {want}");
        }
        assert!(chi_square_tail(f64::NAN, 3).is_nan() && chi_square_tail(1.0, 0).is_nan());
    }

    #[test]
    fn normal_quantile_has_known_values() {
        // scipy.stats.norm.ppf
        for (p, want) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.01, -2.326_347_874_040_841),
            (1e-6, -4.753_424_308_822_899),
        ] {
            assert!((normal_quantile(p) - want).abs() <= 2e-8, "{p}: {} for {want}", normal_quantile(p));
        }
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(normal_quantile(f64::NAN).is_nan());
    }

    #[test]
    fn binomial_pmf_sums_to_one_and_has_its_mean() {
        let table = ln_factorials(1000);
        for p in [0.0, 0.001, 0.3, 1.0] {
            let pmf = binomial_pmf(1000, p, &table);
            let mean: f64 = pmf.iter().enumerate().map(|(k, q)| k as f64 * q).sum();
            assert!((pmf.iter().sum::<f64>() - 1.0).abs() < 1e-10 && (mean - 1000.0 * p).abs() < 1e-8);
        }
        assert!((binomial_pmf(4, 0.5, &table)[2] - 0.375).abs() < 1e-13);
    }
}
