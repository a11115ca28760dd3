//! Trust, end to end: unfamiliar data are seen, intervals are put right, checks stay small in memory, reports are whole.
use couplet::diag::misspecification::mmd_test;
use couplet::diag::stream::Stream;
use couplet::diag::tarp::Region;
use couplet::infer::ood::Reference;
use couplet::rng::{Rng, streams};
use couplet::sim::HostSimulator;
use couplet::{Model, Posterior, Trainer};
use std::sync::Arc;

const STEPS: usize = 10;

/// A decaying series `x_t = a exp(-b t) + noise`, the noise `scale` times as large as in training; every value is an
/// outlier with probability `dirty`.
fn series(theta: &[f32], rng: &mut Rng, x: &mut [f32], scale: f32, dirty: f32) {
    for (t, x) in x.iter_mut().enumerate() {
        *x = theta[0] * (-theta[1] * t as f32 * 0.3).exp() + 0.1 * scale * rng.normal();
        if rng.uniform() < dirty {
            *x += 3.0 * rng.normal();
        }
    }
}

fn model() -> Model {
    let text = "simulator.custom = 'decay'\n[[parameter]]\nname = 'a'\nprior = 'normal(2, 0.5)'\n\
                [[parameter]]\nname = 'b'\nprior = 'uniform(0.3, 1.5)'\n[flow]\nblocks = 2\nhidden = [16]\n";
    let simulator = HostSimulator::new("decay", 2, STEPS, |theta, rng, x| series(theta, rng, x, 1.0, 0.0));
    Model::from_toml(text).unwrap().with_simulator(Arc::new(simulator)).unwrap()
}

/// Observed data sets of the same prior, with noise `scale`, outliers `dirty`, and time running backward if `turned`.
fn observed(n: u32, step: u32, scale: f32, dirty: f32, turned: bool) -> Vec<f32> {
    let prior = model().prior;
    (0..n)
        .flat_map(|i| {
            let mut rng = Rng::new(12, streams::TEST, step, i);
            let (mut theta, mut x) = ([0.0; 2], [0.0; STEPS]);
            prior.draw(&mut rng, &mut theta);
            series(&theta, &mut rng, &mut x, scale, dirty);
            if turned {
                x.reverse();
            }
            x
        })
        .collect()
}

fn trained() -> Posterior {
    // The network plays no part in what is tested here: a few steps do.
    Trainer::new(model()).steps(20).seed(5).train().unwrap().0
}

#[test]
fn contamination_wrong_noise_and_a_turned_axis_are_seen_and_clean_data_are_not() {
    let posterior = trained();
    let reference: &Reference = posterior.reference().unwrap();
    let simulated = posterior.model().simulate(99, 7, 1000).unwrap().x;
    let white = |x: &[f32]| -> Vec<f32> {
        let summaries = posterior.summary(x).unwrap();
        summaries.chunks_exact(STEPS).flat_map(|row| reference.whitened(row)).collect()
    };
    let known = white(&simulated);
    let look = |x: &[f32]| {
        let scores = posterior.familiarity(x).unwrap().unwrap();
        let outside = scores.iter().filter(|s| s.outside()).count() as f64 / scores.len() as f64;
        (outside, mmd_test(&known, &white(x), STEPS, 199, 1).unwrap().p)
    };
    for step in 0..3 {
        let (outside, p) = look(&observed(100, 10 + step, 1.0, 0.0, false));
        assert!(outside <= 0.05 && p > 0.01, "clean data: {outside} outside, p {p}");
    }
    for (name, x, least) in [
        // 65 % of data sets of ten values have an outlier.
        ("10 % contamination", observed(100, 20, 1.0, 0.1, false), 0.5),
        ("twice the noise", observed(100, 21, 2.0, 0.0, false), 0.4),
        ("a turned time axis", observed(100, 22, 1.0, 0.0, true), 0.9),
    ] {
        let (outside, p) = look(&x);
        assert!(outside >= least && p <= 0.01, "{name}: {outside} outside, p {p}");
    }
    // Too little noise is no outlier, but all data sets together give it away.
    assert!(look(&observed(200, 23, 0.3, 0.0, false)).1 <= 0.01);
}

#[test]
fn the_reference_travels_with_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let text = "simulator.builtin = 'two-moons'\n[[parameter]]\nnames = ['theta_1', 'theta_2']\n\
                prior = 'uniform(-1, 1)'\n[flow]\nblocks = 2\nhidden = [16]\n";
    let train = || Trainer::new(Model::from_toml(text).unwrap()).steps(20).run_folder(folder.path()).train();
    let (posterior, _) = train().unwrap();
    let loaded = Posterior::load(folder.path(), couplet::runtime::Device::Cpu).unwrap();
    assert_eq!(loaded.reference(), posterior.reference());
    let bytes = std::fs::read(folder.path().join("weights.safetensors")).unwrap();
    train().unwrap();
    // The summary holds seconds, so only the length is the same whatever the machine does.
    assert!(
        std::fs::read(folder.path().join("weights.safetensors")).unwrap().len().abs_diff(bytes.len()) < 64
    );
    let [near, far] = loaded.familiarity(&[0.0, 0.0, 50.0, 50.0]).unwrap().unwrap()[..] else { panic!() };
    assert!(!near.outside() && far.outside() && far.far);
}

/// Peak memory of this process in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// 80 million draws are 320 MB as f32, and the check may hold no more than a block of them.
#[test]
#[cfg(target_os = "linux")]
fn a_check_of_2000_sets_4000_draws_and_10_parameters_stays_below_500_megabytes() {
    let (sets, n, dim) = (2000, 4000, 10);
    let row = |step: u32, i: usize| {
        let mut rng = Rng::new(2, streams::TEST, step, i as u32);
        (0..dim).map(|_| rng.normal()).collect::<Vec<_>>()
    };
    let truths: Vec<f32> = (0..sets).flat_map(|i| row(0, i)).collect();
    let mut stream = Stream::new(&truths, n, dim, Region::around(&[&truths], dim)).unwrap();
    // The same block again and again: what matters here is how many draws pass by.
    let block: Vec<f32> = (0..50 * n).flat_map(|i| row(1, i)).collect();
    for _ in 0..sets / 50 {
        stream.push(&block).unwrap();
    }
    assert_eq!(stream.finish().unwrap().marginals[9].len(), sets);
    assert!(peak() < 500_000_000, "{} bytes", peak());
}
