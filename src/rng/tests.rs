//! Draws against their distributions, independence of the counters, and the shaders' validity.
use super::reference::{moment_scores, moments, p_value};
use super::table::DRAWS;
use super::{Rng, philox, streams};

/// Chance that a right generator fails one test. Seeds are fixed, so it fails always or never.
const LEVEL: f64 = 1e-3;
/// The same for moments, in standard errors.
const SIGMAS: f64 = 4.0;
const SEED: u64 = 0x0123_4567_89ab_cdef;

/// Five draws each of 20,000 rows.
fn sample(draw: fn(&mut Rng) -> f32) -> Vec<f32> {
    (0..20_000)
        .flat_map(|row| {
            let mut rng = Rng::new(SEED, streams::TEST, 3, row);
            std::array::from_fn::<f32, 5, _>(|_| draw(&mut rng))
        })
        .collect()
}

#[test]
fn draws_follow_their_distributions() {
    for draw in DRAWS {
        let x = sample(draw.draw);
        let p = p_value(draw.name, &x);
        assert!(p > LEVEL, "{}: p = {p:e}", draw.name);
        if let Some((mean, variance)) = moments(draw.name) {
            let (a, b) = moment_scores(&x, mean, variance);
            assert!(
                a.abs() < SIGMAS && b.abs() < SIGMAS,
                "{}: mean off by {a:.2} standard errors, variance by {b:.2}",
                draw.name
            );
        }
        assert_eq!(draw.whole, x.iter().all(|x| x.fract() == 0.0), "{}", draw.name);
    }
}

#[test]
fn names_in_the_table_are_distinct() {
    for (i, a) in DRAWS.iter().enumerate() {
        assert!(DRAWS[..i].iter().all(|b| a.name != b.name && a.wgsl != b.wgsl), "{} is there twice", a.name);
    }
}

/// The checks themselves: a distribution next to the right one must be seen.
#[test]
fn a_wrong_distribution_is_seen() {
    for (name, x) in [
        ("normal()", sample(|r| 1.02 * r.normal())),
        ("normal()", sample(|r| r.normal() + 0.02)),
        ("gamma(2.5)", sample(|r| r.gamma(2.55))),
        ("beta(2.0, 5.0)", sample(|r| r.beta(2.05, 5.0))),
        ("alpha_stable(1.5)", sample(|r| r.alpha_stable(1.6))),
        ("student_t(3.5)", sample(|r| r.student_t(5.0))),
        ("poisson(47.3)", sample(|r| r.poisson(47.6))),
        ("poisson(0.0)", sample(|r| r.poisson(0.01))),
        ("binomial(1000.0, 0.25)", sample(|r| r.binomial(1000.0, 0.252))),
        ("normal()", vec![f32::NAN; 100]),
    ] {
        let p = p_value(name, &x);
        assert!(p < LEVEL, "{name}: a wrong sample passes with p = {p}");
    }
    let (a, _) = moment_scores(&sample(|r| r.uniform() + 0.005), 0.5, 1.0 / 12.0);
    let (_, b) = moment_scores(&sample(|r| 1.02 * r.uniform() - 0.01), 0.5, 1.0 / 12.0);
    assert!(a > SIGMAS && b > SIGMAS);
}

#[test]
fn words_come_block_by_block_from_the_documented_counter() {
    let mut rng = Rng::new(0x1111_2222_3333_4444, 5, 7, 9);
    for block in 0..3 {
        for word in philox([9, block, 7, 5], [0x3333_4444, 0x1111_2222]) {
            assert_eq!(rng.next_u32(), word);
        }
    }
}

#[test]
fn seeds_streams_steps_and_rows_are_independent() {
    const N: usize = 50_000;
    // Normals of consecutive rows; the neighbour differs in one coordinate.
    let draw = |seed: u64, stream: u32, step: u32, first: u32| -> Vec<f64> {
        (0..N as u32).map(|i| f64::from(Rng::new(seed, stream, step, first + i).normal())).collect()
    };
    let base = draw(1, 1, 1, 0);
    let skipped: Vec<f64> = (0..N as u32)
        .map(|i| {
            let mut rng = Rng::new(1, 1, 1, i);
            rng.normal();
            f64::from(rng.normal())
        })
        .collect();
    let others = [
        ("low seed word", draw(2, 1, 1, 0)),
        ("high seed word", draw(1 | 1 << 32, 1, 1, 0)),
        ("stream", draw(1, 2, 1, 0)),
        ("step", draw(1, 1, 2, 0)),
        ("row", draw(1, 1, 1, 1)),
        ("next draw of the row", skipped),
    ];
    for (name, other) in &others {
        let r = base.iter().zip(other).map(|(a, b)| a * b).sum::<f64>() / N as f64;
        assert!(r.abs() < SIGMAS / (N as f64).sqrt(), "{name}: correlation {r}");
        let same = base.iter().zip(other).filter(|(a, b)| a == b).count();
        assert!(same < 20, "{name}: {same} equal draws");
    }
}

#[test]
fn edges_are_defined() {
    let mut rng = Rng::new(SEED, streams::TEST, 0, 0);
    for _ in 0..2000 {
        assert_eq!(rng.poisson(-1.0), 0.0);
        assert_eq!(rng.poisson(f32::NAN), 0.0);
        assert_eq!(rng.binomial(7.0, -0.5), 0.0);
        assert_eq!(rng.binomial(7.0, f32::NAN), 0.0);
        assert_eq!(rng.binomial(7.0, 1.5), 7.0);
        assert!(!rng.bernoulli(f32::NAN) && !rng.bernoulli(-1.0) && rng.bernoulli(2.0));
        for shape in [1e-6, 1e-3, 1.0, 1e10] {
            let g = rng.gamma(shape);
            assert!(g >= f32::MIN_POSITIVE && g.is_finite());
            assert!(rng.student_t(shape).is_finite());
            for b in [1e-6, 1.0, 1e10] {
                let x = rng.beta(shape, b);
                assert!(x > 0.0 && x <= 1.0, "beta({shape}, {b}) = {x}");
            }
        }
        for alpha in [0.01, 0.1, 1.0, 2.0] {
            assert!(rng.alpha_stable(alpha).is_finite());
        }
        assert!((rng.gamma(1e10) / 1e10 - 1.0).abs() < 1e-4);
        let k = rng.poisson(1e6);
        assert!((k - 1e6).abs() < 6e3 && k.fract() == 0.0);
    }
}

/// A remainder of rounding after all terms must not run on to the loop's bound: the largest uniforms give counts
/// of the far tail (P < 1e-7), not 64.
#[test]
fn inversion_has_no_stray_counts() {
    for i in 1..5000u16 {
        let mean = 0.002 * f32::from(i);
        for word in [!0u32, !0 - 512, !0 - 1024] {
            let u = super::philox::open_unit(word);
            let top = mean + 6.0 * mean.sqrt() + 6.0;
            let (k, l) =
                (super::discrete::poisson_of(u, mean), super::discrete::binomial_of(u, 1e5, 1e-5 * mean));
            assert!(k >= mean && k < top, "Poisson({mean}) at {u}: {k}");
            assert!(l >= mean && l < top, "Binomial(1e5, {mean}e-5) at {u}: {l}");
        }
    }
}

#[test]
fn shaders_validate_and_translate() {
    let math: Vec<String> = ["exp_", "expm1_", "log_", "log1p_", "atan_", "tanh_", "sigmoid_", "softplus_"]
        .iter()
        .chain(&["log_sigmoid_", "sin_2pi", "cos_2pi", "sin_", "cos_", "tan_", "erf_", "erfc_", "normal_cdf"])
        .chain(&["normal_icdf", "lgamma_", "digamma_"])
        .map(|name| format!("{name}(rng_uniform(r))"))
        .chain(["pow_(rng_uniform(r), 0.3)".into()])
        .collect();
    let all = math.iter().map(String::as_str).chain(DRAWS.iter().map(|d| d.wgsl));
    let source = super::reference::probe(&[crate::math::WGSL, crate::math::SPECIAL_WGSL, super::WGSL], all);
    let module =
        naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
    let (flags, none) = (naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
    let info = naga::valid::Validator::new(flags, none)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
    let spirv = naga::back::spv::write_vec(&module, &info, &Default::default(), None).expect("SPIR-V");
    assert!(spirv.len() > 1000);
    let options = naga::back::msl::Options { fake_missing_bindings: true, ..Default::default() };
    let (msl, _) = naga::back::msl::write_string(&module, &info, &options, &Default::default()).expect("MSL");
    assert!(msl.contains("rng_binomial"));
    let options = naga::back::hlsl::Options { fake_missing_bindings: true, ..Default::default() };
    let mut hlsl = String::new();
    naga::back::hlsl::Writer::new(&mut hlsl, &options, &Default::default())
        .write(&module, &info, None)
        .expect("HLSL");
    assert!(hlsl.contains("rng_binomial"));
}
