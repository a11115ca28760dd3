//! The simulators' WGSL against their Rust, on whatever adapter there is (software too): the same random words, so the
//! same data up to rounding. Where rounding can flip a decision (a rejection, a walk at its boundary, a chaotic
//! population) a share of the rows may differ.
#[path = "common/gpu.rs"]
mod gpu;

use couplet::rng::{self, Rng, streams};
use couplet::sim::{DataShape, task};
use couplet::{math, sim};
use gpu::Gpu;

const SEED: u64 = 0x0123_4567_89ab_cdef;
const STEP: u32 = 3;

/// Prior draws and data of `rows` rows of `width` values, from the device and from Rust; row after row, parameters first.
fn both(gpu: &Gpu, name: &str, rows: usize, items: usize) -> (Vec<f32>, Vec<f32>, usize, usize) {
    let task = task(name).unwrap();
    let (prior, simulator) = ((task.prior)(), (task.simulator)());
    let d = prior.dim();
    let (width, text, call) = match simulator.shape() {
        DataShape::Vector { features } => {
            let copy = "var x: array<f32, SIM_C>; simulate(&r, &theta, &x);
                for (var i = 0u; i < SIM_C; i += 1u) { put_item(at + i, x[i]); }";
            (features, simulator.wgsl().unwrap(), copy.to_string())
        }
        DataShape::Set { features, .. } | DataShape::Series { features, .. } => {
            let call = format!("simulate_items(&r, &theta, at, {features}u, {items}u);");
            (items * features, simulator.wgsl_items().unwrap(), call)
        }
        shape => panic!("{shape:?}"),
    };
    let (low, high) = (SEED as u32, (SEED >> 32) as u32);
    let (stream, entry) = (streams::SIMULATOR, format!("{}u", d + width));
    let wgsl = [
        math::WGSL,
        math::SPECIAL_WGSL,
        rng::WGSL,
        &prior.wgsl(),
        "@group(0) @binding(0) var<storage, read_write> values: array<f32>;
        fn put_item(at: u32, value: f32) { values[at] = value; }
        ",
        &text,
        // The parameters are handed over, so that only the simulator is compared.
        &format!(
            "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
                if (id.x >= {rows}u) {{ return; }}
                var r = rng_new(vec2u({low}u, {high}u), {stream}u, {STEP}u, id.x);
                var theta: array<f32, SIM_D>;
                for (var i = 0u; i < SIM_D; i += 1u) {{ theta[i] = values[id.x * {entry} + i]; }}
                let at = id.x * {entry} + SIM_D;
                {call}
            }}"
        ),
    ]
    .concat();
    let mut theta = vec![0.0; rows * d];
    let mut x = vec![f32::NAN; rows * width];
    let mut contents = vec![f32::NAN; rows * (d + width)];
    for (i, theta) in theta.chunks_exact_mut(d).enumerate() {
        prior.draw(&mut Rng::new(SEED, streams::PRIOR, STEP, i as u32), theta);
        contents[i * (d + width)..][..d].copy_from_slice(theta);
    }
    simulator.simulate_items(SEED, STEP, 0, items, &theta, &mut x);
    let got = gpu.run(&wgsl, rows.div_ceil(64) as u32, bytemuck::cast_slice(&contents));
    let got = got.chunks_exact(d + width).flat_map(|row| &row[d..]).map(|w| f32::from_bits(*w)).collect();
    (got, x, width, d)
}

/// Share of the rows with a value that differs by more than `relative` times the larger of its size and `floor`.
fn differ(gpu: &Gpu, name: &str, rows: usize, items: usize, relative: f32, floor: f32) -> f64 {
    let (got, want, width, _) = both(gpu, name, rows, items);
    assert_eq!(got.len(), want.len());
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= relative * b.abs().max(floor);
    let rows_apart = got
        .chunks_exact(width)
        .zip(want.chunks_exact(width))
        .filter(|(got, want)| !got.iter().zip(*want).all(close))
        .count();
    let share = rows_apart as f64 / rows as f64;
    println!("{name}: {rows_apart} of {rows} rows differ");
    share
}

/// (model, rows, items, tolerance, floor of the size, share of rows that may differ). Items are few: software drivers
/// end loops after 65535 rounds, all loops of a thread together.
type Case = (&'static str, usize, usize, f32, f32, f64);
const CASES: &[Case] = &[
    ("mvn-5", 256, 0, 1e-5, 1.0, 0.0),
    ("mvn-50", 64, 0, 1e-5, 1.0, 0.0),
    ("mixture-of-eight", 2048, 0, 0.0, 1.0, 2e-3),
    ("normal-mean", 256, 20, 1e-5, 1.0, 0.0),
    ("ricker", 512, 6, 0.0, 1.0, 0.05),
    ("sir-stochastic", 256, 100, 1e-6, 1.0, 0.05),
    ("lotka-volterra-ode", 128, 120, 2e-3, 1e-2, 0.02),
    ("lotka-volterra-ode-stats", 64, 0, 5e-3, 1.0, 0.05),
    ("levy-flight", 256, 2, 1e-5, 1.0, 0.05),
];

#[test]
fn simulators_agree_with_rust() {
    let gpu = Gpu::open();
    for &(name, rows, items, tolerance, floor, allowed) in CASES {
        let share = differ(&gpu, name, rows, items, tolerance, floor);
        assert!(share <= allowed, "{name}: {share} of the rows differ");
    }
}

#[test]
fn every_model_of_this_test_is_built_in() {
    assert!(CASES.iter().all(|case| sim::BUILTIN.contains(&case.0)));
}
