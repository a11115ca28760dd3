//! The shaders' random numbers and scalar functions against Rust, on whatever adapter there is (software too).

/// Exact distributions; the unit tests of `rng` use the rest of it.
#[allow(dead_code)]
#[path = "../src/rng/reference.rs"]
mod reference;
#[path = "common/gpu.rs"]
mod gpu;

use couplet::math;
use couplet::rng::{self, Rng, table::DRAWS};
use gpu::Gpu;

/// Rows of one draw.
const ROWS: u32 = 16_384;
/// The probe's generator: see `reference::probe`.
const SEED: u64 = 0x0123_4567_89ab_cdef;
const STEP: u32 = 3;
/// Rounding of a chain of a few functions, relative; GPU exp alone may be off by 3 + 2|x| ULP.
const ROUNDING: f32 = 2e-5;
/// The same for functions that are polynomials and a division on both sides.
const POLYNOMIAL: f32 = 1.2e-6;
/// Share of rows in which rounding may flip a rejection or a comparison and so give another draw.
const FLIPPED: f64 = 1e-3;
/// Chance that right draws fail one goodness-of-fit test.
const LEVEL: f64 = 1e-3;

/// NaN is not close.
fn close(a: f32, b: f32) -> bool {
    (a - b).abs() <= ROUNDING * a.abs().max(b.abs()).max(1e-3)
}

#[test]
fn words_are_bit_identical() {
    let library = [math::WGSL, rng::WGSL].concat();
    let wgsl = library
        + "@group(0) @binding(0) var<storage, read_write> words: array<u32>;
           @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
               let i = id.x;
               var r = rng_new(vec2u(i * 0x9E3779B9u, ~i), i & 15u, i * 77777u, i);
               for (var j = 0u; j < 9u; j += 1u) { words[9u * i + j] = rng_next_u32(&r); }
           }";
    let words = Gpu::open().run(&wgsl, ROWS / 64, &vec![0; 9 * ROWS as usize]);
    for i in 0..ROWS {
        let seed = u64::from(i.wrapping_mul(0x9E37_79B9)) | u64::from(!i) << 32;
        let mut r = Rng::new(seed, i & 15, i.wrapping_mul(77_777), i);
        for j in 0..9 {
            assert_eq!(words[(9 * i + j) as usize], r.next_u32(), "row {i}, word {j}");
        }
    }
}

#[test]
fn draws_agree_with_rust_and_follow_their_distributions() {
    let gpu = Gpu::open();
    for draw in DRAWS {
        let wgsl = reference::probe(&[math::WGSL, rng::WGSL], [draw.wgsl].into_iter());
        let got: Vec<f32> = gpu
            .run(&wgsl, ROWS / 64, &vec![0x7fc0_0000; ROWS as usize])
            .into_iter()
            .map(f32::from_bits)
            .collect();
        let differ = (0..ROWS)
            .filter(|&row| {
                let want = (draw.draw)(&mut Rng::new(SEED, rng::streams::TEST, STEP, row));
                let got = got[row as usize];
                !(if draw.whole { got == want } else { close(got, want) })
            })
            .count();
        let share = differ as f64 / f64::from(ROWS);
        assert!(share <= FLIPPED, "{}: {differ} of {ROWS} rows differ from Rust", draw.name);
        let p = reference::p_value(draw.name, &got);
        assert!(p > LEVEL, "{}: p = {p:e}", draw.name);
    }
}

/// A scalar function, an interval for it, the size below which differences count as absolute, the tolerance.
type Function = (&'static str, fn(f32) -> f32, f32, f32, f32, f32);

const FUNCTIONS: &[Function] = &[
    ("exp_", math::exp_, -87.0, 88.0, 0.0, ROUNDING),
    ("expm1_", math::expm1_, -3.0, 3.0, 0.0, POLYNOMIAL),
    ("log_", math::log_, 1e-30, 5.0, 0.0, POLYNOMIAL),
    ("log1p_", math::log1p_, -0.99, 5.0, 0.0, POLYNOMIAL),
    ("atan_", math::atan_, -9.0, 9.0, 0.0, POLYNOMIAL),
    ("tanh_", math::tanh_, -12.0, 12.0, 0.0, POLYNOMIAL),
    ("sigmoid_", math::sigmoid_, -80.0, 90.0, 0.0, ROUNDING),
    ("softplus_", math::softplus_, -80.0, 90.0, 0.0, ROUNDING),
    ("log_sigmoid_", math::log_sigmoid_, -90.0, 80.0, 0.0, ROUNDING),
    ("sin_2pi", math::sin_2pi, -40.0, 40.0, 0.1, POLYNOMIAL),
    ("cos_2pi", math::cos_2pi, -40.0, 40.0, 0.1, POLYNOMIAL),
    ("sin_", math::sin_, -3.141_592_5, 3.141_592_5, 0.2, POLYNOMIAL),
    ("cos_", math::cos_, -3.141_592_5, 3.141_592_5, 0.2, POLYNOMIAL),
    ("tan_", math::tan_, -1.4, 1.4, 0.0, POLYNOMIAL),
    ("erf_", math::erf_, -5.0, 5.0, 0.0, ROUNDING),
    ("erfc_", math::erfc_, -5.0, 9.0, 0.0, ROUNDING),
    ("normal_cdf", math::normal_cdf, -12.0, 8.0, 0.0, ROUNDING),
    ("normal_icdf", math::normal_icdf, 1e-30, 1.0 - 6e-8, 0.1, POLYNOMIAL),
    ("lgamma_", math::lgamma_, 0.01, 40.0, 5.0, POLYNOMIAL),
    ("digamma_", math::digamma_, 0.01, 40.0, 1.0, POLYNOMIAL),
];

#[test]
fn scalar_functions_agree_with_rust() {
    let gpu = Gpu::open();
    let library = [math::WGSL, math::SPECIAL_WGSL].concat();
    for &(name, function, lo, hi, floor, tolerance) in FUNCTIONS {
        let wgsl = format!(
            "{library}
            @group(0) @binding(0) var<storage, read_write> values: array<f32>;
            @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
                values[id.x] = {name}(values[id.x]);
            }}"
        );
        let x: Vec<f32> = (0..ROWS).map(|i| lo + (hi - lo) * (i as f32 / (ROWS - 1) as f32)).collect();
        let got = gpu.run(&wgsl, ROWS / 64, bytemuck::cast_slice(&x));
        for (x, got) in x.iter().zip(got) {
            let (got, want) = (f32::from_bits(got), function(*x));
            let ok = (got - want).abs() <= tolerance * want.abs().max(floor);
            assert!(ok, "{name}({x}): GPU {got}, Rust {want}");
        }
    }
}
