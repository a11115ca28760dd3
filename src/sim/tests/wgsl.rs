//! The generated text of every prior and simulator is valid and translates for every backend.
use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::super::{DataShape, TASKS};
use super::*;

/// A compute shader around prior and simulator, so that translators keep every function.
fn module(prior: &Prior, simulator: &str) -> String {
    let entry = "
@group(0) @binding(0) var<storage, read_write> test_out: array<f32>;
@compute @workgroup_size(64)
fn test_main(@builtin(global_invocation_id) id: vec3u) {
    var r = rng_new(vec2u(1u, 2u), 1u, 0u, id.x);
    var theta: array<f32, SIM_D>;
    var u: array<f32, SIM_D>;
    var x: array<f32, SIM_C>;
    prior_draw(&r, &theta);
    simulate(&r, &theta, &x);
    to_unconstrained(&theta, &u);
    from_unconstrained(&u, &theta);
    for (var i = 0u; i < SIM_D; i += 1u) {
        test_out[i] = theta[i];
    }
    for (var i = 0u; i < SIM_C; i += 1u) {
        test_out[SIM_D + i] = x[i];
    }
}
";
    [crate::math::WGSL, crate::math::SPECIAL_WGSL, crate::rng::WGSL, &prior.wgsl(), simulator, entry].concat()
}

fn assert_translates(what: &str, text: &str) {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|error| panic!("{what}: {}\n{text}", error.emit_to_string(text)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{what}: {}\n{text}", error.emit_to_string(text)));
    spv::write_vec(&module, &info, &spv::Options::default(), None)
        .unwrap_or_else(|e| panic!("{what}: SPIR-V: {e}"));
    msl::write_string(&module, &info, &msl_options(), &msl::PipelineOptions::default())
        .unwrap_or_else(|e| panic!("{what}: MSL: {e}"));
    let (mut out, options, pipeline) =
        (String::new(), hlsl::Options::default(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut out, &options, &pipeline)
        .write(&module, &info, None)
        .unwrap_or_else(|e| panic!("{what}: HLSL: {e}"));
    // No infinities or NaN among the literals, and no rolled loop that a software driver would cut short.
    assert!(!text.contains("inff") && !text.contains("NaNf"), "{what}: {text}");
}

fn msl_options() -> msl::Options {
    msl::Options { fake_missing_bindings: true, ..Default::default() }
}

/// A simulator with one data value, for priors that have none of their own.
const COPY: &str = "
const SIM_C: u32 = 1u;
fn simulate(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>, x: ptr<function, array<f32, SIM_C>>) {
    (*x)[0] = (*theta)[0] + rng_uniform(r);
}
";

/// Stores the items of a data set in the buffer of [`module`], and stands in for a simulator of vectors.
const ONE_ITEM: &str = "
const SIM_C: u32 = 1u;
fn put_item(at: u32, value: f32) {
    test_out[at] = value;
}
fn simulate(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>, x: ptr<function, array<f32, SIM_C>>) {
    simulate_items(r, theta, 64u, 3u, 7u);
}
";

#[test]
fn every_builtin_model_is_valid_wgsl() {
    for task in TASKS {
        let simulator = (task.simulator)();
        let prior = (task.prior)();
        assert!(prior.wgsl().contains(&format!("const SIM_D: u32 = {}u;", prior.dim())));
        let c = simulator.dims().1;
        match simulator.shape() {
            DataShape::Vector { features } => {
                let text = simulator.wgsl().expect("built-in simulators run on the device");
                assert_eq!(features, c);
                assert!(
                    text.contains(&format!("const SIM_C: u32 = {c}u;")),
                    "{}: SIM_C is not {c}",
                    task.name
                );
                assert_translates(task.name, &module(&prior, &text));
            }
            DataShape::Set { features, min, max } | DataShape::Series { features, min, max } => {
                assert!(0 < min && min <= max && features * max == c, "{}", task.name);
                let text = simulator.wgsl_items().expect("built-in simulators run on the device") + ONE_ITEM;
                assert_translates(task.name, &module(&prior, &text));
            }
            shape => panic!("{}: {shape:?}", task.name),
        }
    }
}

#[test]
fn every_prior_is_valid_wgsl() {
    for prior in all_priors() {
        assert_translates("prior", &module(&prior, COPY));
    }
    for marginal in MARGINALS {
        assert_translates(&format!("{marginal:?}"), &module(&default_prior(&[*marginal]), COPY));
    }
    let extreme = [
        Marginal::Uniform { lo: Bound::Const(-1e-40), hi: Bound::Const(3e38) },
        Marginal::Normal { mean: -1e30, sd: 1e-30 },
        Marginal::Gamma { shape: 1e6, rate: 1e-6 },
    ];
    assert_translates("extreme", &module(&default_prior(&extreme), COPY));
}

#[test]
fn literals_read_back_as_the_same_floats() {
    // The draw of a normal is `mean + sd * z`: both numbers stand in the text.
    for value in
        [0.1f32, 0.316_227_77, 1e-10, 16_777_216.0, 1.0 / 3.0, -1.0 / 3.0, f32::MIN_POSITIVE, f32::MAX]
    {
        let text = default_prior(&[Marginal::Normal { mean: value, sd: 1.0 }]).wgsl();
        let line = text.lines().find(|line| line.contains("rng_normal")).expect("the draw");
        let literal = line.split(['=', '+']).nth(1).expect("the mean");
        let literal = literal.trim_matches(|c: char| " ()f".contains(c));
        assert_eq!(literal.parse::<f32>().map(f32::to_bits), Ok(value.to_bits()), "{line}");
    }
}

#[test]
fn a_text_that_is_wrong_is_seen() {
    let prior = dependent(Transform::Logit);
    let broken = module(&prior, COPY).replace("fn sim_logistic", "fn sim_lost");
    assert!(naga::front::wgsl::parse_str(&broken).is_err());
}
