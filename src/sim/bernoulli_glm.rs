//! `bernoulli-glm`: spikes of a neuron with a linear filter of nine lags and an offset, driven by a fixed stimulus.
//! y_t ~ Bernoulli(sigmoid((V theta)_t)), t = 0..99; the data are the sufficient statistics x = V' y. Column 0 of V is
//! ones, column 1 + j holds the stimulus j steps back (0 before its start).
use std::fmt::Write as _;
use std::sync::Arc;

use multiversion::multiversion;

use super::marginal::Marginal;
use super::prior::{Factor, Prior};
use super::simulator::{Simulator, Task, for_rows, known_prior};
use crate::math::sigmoid_;
use crate::rng::Rng;

pub(super) const TASK: Task = Task {
    name: "bernoulli-glm",
    about: "offset and 9-lag filter of a neuron from its 100-bin spike train, sufficient statistics",
    prior,
    simulator: || Arc::new(BernoulliGlm),
};

/// Time bins.
const BINS: usize = 100;
/// Filter lags.
const LAGS: usize = 9;

/// Standard normal white noise (numpy, seed 42), the stimulus of the benchmark.
#[rustfmt::skip]
const STIMULUS: [f32; BINS] = [
    0.496_714_14, -0.138_264_3, 0.647_688_57, 1.523_029_8, -0.234_153_38, -0.234_136_95, 1.579_212_8,
    0.767_434_7, -0.469_474_38, 0.542_560_04, -0.463_417_68, -0.465_729_74, 0.241_962_27, -1.913_280_2,
    -1.724_917_9, -0.562_287_5, -1.012_831_1, 0.314_247_34, -0.908_024_1, -1.412_303_7, 1.465_648_8,
    -0.225_776_3, 0.067_528_2, -1.424_748_2, -0.544_382_75, 0.110_922_59, -1.150_993_6, 0.375_698_03,
    -0.600_638_7, -0.291_693_75, -0.601_706_6, 1.852_278_2, -0.013_497_225, -1.057_710_9, 0.822_544_93,
    -1.220_843_7, 0.208_863_6, -1.959_670_1, -1.328_186, 0.196_861_24, 0.738_466_56, 0.171_368_29,
    -0.115_648_285, -0.301_103_68, -1.478_522, -0.719_844_2, -0.460_638_76, 1.057_122_2, 0.343_618_3,
    -1.763_040_2, 0.324_083_98, -0.385_082_27, -0.676_922, 0.611_676_3, 1.030_999_5, 0.931_280_14,
    -0.839_217_54, -0.309_212_4, 0.331_263_42, 0.975_545_1, -0.479_174_23, -0.185_658_98, -1.106_334_9,
    -1.196_206_6, 0.812_525_8, 1.35624, -0.072_010_12, 1.003_532_9, 0.361_636, -0.645_119_7, 0.361_395_6,
    1.538_036_6, -0.035_826_04, 1.564_643_6, -2.619_745, 0.821_902_5, 0.087_047_07, -0.299_007_36,
    0.091_760_78, -1.987_568_9, -0.219_671_89, 0.357_112_56, 1.477_894_1, -0.518_270_2, -0.808_493_6,
    -0.501_757, 0.915_402_1, 0.328_751_12, -0.529_760_2, 0.513_267_46, 0.097_077_55, 0.968_645,
    -0.702_053_07, -0.327_662_14, -0.392_108_14, -1.463_514_9, 0.296_120_3, 0.261_055_26, 0.005_113_457,
    -0.234_587_13,
];

/// The stimulus after `LAGS - 1` zeros: entry `t + k` is the stimulus `LAGS - 1 - k` steps before bin t.
const PADDED: [f32; BINS + LAGS - 1] = {
    let mut padded = [0.0; BINS + LAGS - 1];
    let mut t = 0;
    while t < BINS {
        padded[t + LAGS - 1] = STIMULUS[t];
        t += 1;
    }
    padded
};

/// theta_0 ~ N(0, 2) (variance); filter ~ N(0, (F'F)^-1), F = D^2 + diag(sqrt(i/9)), with D the identity minus ones
/// on the sub-diagonal: smooth filters.
fn prior() -> Prior {
    let difference = |i: usize, j: usize| match i.wrapping_sub(j) {
        0 => 1.0,
        1 => -1.0,
        _ => 0.0,
    };
    let f = |i: usize, j: usize| -> f64 {
        let square: f64 = (0..LAGS).map(|l| difference(i, l) * difference(l, j)).sum();
        if i == j { square + (i as f64 / LAGS as f64).sqrt() } else { square }
    };
    // F is lower triangular with a positive diagonal, and (F'F)^-1 = F^-1 F^-T: its Cholesky factor is F^-1.
    let mut inverse = vec![0.0f64; LAGS * LAGS];
    for column in 0..LAGS {
        for i in column..LAGS {
            let unit = if i == column { 1.0 } else { 0.0 };
            let dot: f64 = (column..i).map(|l| f(i, l) * inverse[l * LAGS + column]).sum();
            inverse[i * LAGS + column] = (unit - dot) / f(i, i);
        }
    }
    let cholesky = inverse.iter().map(|&value| value as f32).collect();
    let offset = Factor::One(Marginal::Normal { mean: 0.0, sd: std::f32::consts::SQRT_2 });
    let filter = Factor::Multivariate { mean: vec![0.0; LAGS], cholesky };
    let names = [
        "theta_0", "theta_1", "theta_2", "theta_3", "theta_4", "theta_5", "theta_6", "theta_7", "theta_8",
        "theta_9",
    ];
    known_prior(&names, vec![offset, filter])
}

struct BernoulliGlm;

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn spikes(rng: &mut Rng, theta: &[f32; LAGS + 1], x: &mut [f32; LAGS + 1]) {
    let mut rate = [theta[0]; BINS];
    for (j, weight) in theta[1..].iter().enumerate() {
        for (rate, stimulus) in rate.iter_mut().zip(&PADDED[LAGS - 1 - j..]) {
            *rate += stimulus * weight;
        }
    }
    for rate in &mut rate {
        *rate = sigmoid_(*rate);
    }
    // Statistics in the order of memory: entry k belongs to lag LAGS - 1 - k.
    let mut sums = [0.0; LAGS];
    let mut count = 0.0;
    for (t, rate) in rate.iter().enumerate() {
        let spike = f32::from(u8::from(rng.bernoulli(*rate)));
        count += spike;
        for (sum, stimulus) in sums.iter_mut().zip(&PADDED[t..t + LAGS]) {
            *sum += stimulus * spike;
        }
    }
    x[0] = count;
    for (x, sum) in x[1..].iter_mut().zip(sums.iter().rev()) {
        *x = *sum;
    }
}

impl Simulator for BernoulliGlm {
    fn name(&self) -> &str {
        TASK.name
    }

    fn dims(&self) -> (usize, usize) {
        (LAGS + 1, LAGS + 1)
    }

    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        for_rows(seed, step, row0, theta, x, spikes);
    }

    fn wgsl(&self) -> Option<String> {
        let mut text = format!("const GLM_STIMULUS = array<f32, {}>(\n", PADDED.len());
        for value in PADDED {
            let _ = writeln!(text, "    {value:?},");
        }
        Some(text + ");\n" + include_str!("../../shaders/sim/bernoulli_glm.wgsl"))
    }
}
