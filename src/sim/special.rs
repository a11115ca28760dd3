//! Special functions in f64 that the log densities of priors and transforms need.

/// `ln Gamma(x)` for `x > 0`. Lanczos' sum with g = 7 and nine terms; relative error below 1e-13.
pub(super) fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Small shapes: Gamma(x) = Gamma(x + 1) / x keeps the sum where it is accurate.
        return ln_gamma(x + 1.0) - x.ln();
    }
    let sum = TERMS.iter().zip(0..).fold(0.999_999_999_999_809_9, |sum, (c, i)| sum + c / (x + f64::from(i)));
    let t = x + 6.5;
    0.5 * std::f64::consts::TAU.ln() + (x - 0.5) * t.ln() - t + sum.ln()
}

/// Standard normal quantile of the tail probability `min(p, 1 - p)`, as its magnitude (>= 0), for `0 < tail <= 0.5`.
/// Wichura 1988, algorithm AS 241 (PPND16), relative error 1e-15.
pub(super) fn normal_tail_quantile(tail: f64) -> f64 {
    let q = 0.5 - tail;
    if q <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * horner(&A, r) / horner(&B, r);
    }
    let r = (-tail.ln()).sqrt();
    if r <= 5.0 {
        horner(&C, r - 1.6) / horner(&D, r - 1.6)
    } else {
        horner(&E, r - 5.0) / horner(&F, r - 5.0)
    }
}

fn horner(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

const A: [f64; 8] = [
    3.387_132_872_796_366_6,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const B: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const C: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    7.745_450_142_783_414e-4,
];
const D: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const E: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const F: [f64; 8] = [
    1.0,
    0.599_832_206_555_888,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_has_known_values_and_obeys_the_recurrence() {
        let known = [
            (1.0, 0.0),
            (0.5, 0.572_364_942_924_700_1),
            (10.0, 12.801_827_480_081_469),
            (0.01, 4.599_479_878_042_022),
        ];
        for (x, want) in known {
            let got = ln_gamma(x);
            assert!((got - want).abs() <= 1e-12, "{x}: {got} is not {want}");
        }
        for i in 1..2000 {
            let x = 0.05 * f64::from(i);
            let gap = ln_gamma(x + 1.0) - ln_gamma(x) - x.ln();
            assert!(gap.abs() <= 1e-11, "{x}: {gap}");
        }
    }

    #[test]
    fn normal_tail_quantile_inverts_the_integrated_density() {
        // Simpson's rule from the quantile outwards gives the tail back, on every branch of the algorithm.
        for tail in [0.5, 0.49, 0.2, 0.075, 0.01, 1e-5, 1e-9, 1e-11, 1e-12, 1e-20] {
            let z = normal_tail_quantile(tail);
            let n = 20_000;
            let step = 12.0 / f64::from(n);
            let density = |i: i32| {
                let t = z + step * f64::from(i);
                (-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt()
            };
            let inner: f64 = (1..n).map(|i| density(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
            let got = (density(0) + inner + density(n)) * step / 3.0;
            assert!((got / tail - 1.0).abs() <= 1e-11, "{tail}: {got}");
        }
    }
}
