//! Data sets of any size, from training to draws: the mean of a normal, whose posterior is known for every size.
#[path = "common/normal_mean.rs"]
mod normal_mean;
use couplet::diag::examine::{Size, examine};
use couplet::model::ragged::simulate;
use couplet::model::summaries::Stage;
use couplet::optim;
use couplet::rng::{Rng, streams};
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::{Executor, Weights};
use couplet::runtime::state::RunArgs;
use couplet::sim::{DataShape, Simulator};
use couplet::{Model, Posterior, Trainer};
use normal_mean::{NormalMean, text};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

fn model(rest: &str, min: usize, max: usize) -> Model {
    let model = Model::from_toml(&text(rest)).unwrap();
    model.with_simulator(Arc::new(NormalMean { min, max })).unwrap()
}

fn trained(steps: u64) -> Posterior {
    let small = "[summary]\nwidth = 16\nmodules = 1\noutputs = 4\n[flow]\nblocks = 2\ntransform = 'affine'\nhidden = [16, 16]\n";
    let trainer = Trainer::new(model(small, 1, 60)).steps(steps).batch(32).lr(4e-3);
    trainer.train().unwrap().0
}

/// A data set of `n` items about `mu`, filled up to `most` by NaN.
fn data_set(mu: f32, n: usize, most: usize, row: u32) -> Vec<f32> {
    let mut rng = Rng::new(5, streams::TEST, 0, row);
    let mut x: Vec<f32> = (0..n).map(|_| mu + rng.normal()).collect();
    x.resize(most, f32::NAN);
    x
}

fn mean_sd(draws: &[f32]) -> (f64, f64) {
    let n = draws.len() as f64;
    let mean = draws.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    (mean, (draws.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn the_posterior_of_every_size_is_the_known_one() {
    let posterior = trained(2500);
    for n in [1usize, 4, 15, 60] {
        let (mut sd_ratio, mut shift) = (0.0, 0.0);
        for row in 0..20 {
            let x = data_set(0.1 * row as f32 - 1.0, n, 60, row);
            let draws = posterior.sample(&x, 2000, 3).unwrap();
            let (mean, sd) = mean_sd(&draws);
            let sum: f64 = x[..n].iter().map(|&v| f64::from(v)).sum();
            let exact = (sum / (n as f64 + 1.0), (1.0 / (n as f64 + 1.0)).sqrt());
            sd_ratio += sd / exact.1 / 20.0;
            shift += ((mean - exact.0) / exact.1).abs() / 20.0;
        }
        println!("n = {n}: sd / exact {sd_ratio:.3}, |mean - exact| / sd {shift:.3}");
        assert!((sd_ratio - 1.0).abs() < 0.08, "n = {n}: sd is {sd_ratio} times the exact one");
        assert!(shift < 0.25, "n = {n}: the mean is {shift} sd off");
    }
}

#[test]
fn replicates_of_sets_look_like_them_if_the_posterior_is_right() {
    let posterior = trained(1500);
    let size = Size { sets: 300, draws: 100, seed: 4 };
    let right = examine(&posterior, posterior.model(), size).unwrap();
    let test = right.report.predictive.as_ref().unwrap();
    assert!(test.inside(), "{test:?}");
    // 7 statistics of the one feature
    assert_eq!((right.shown[0].x.len(), right.shown[0].replicates.len()), (7, 20 * 7));
    // Data that scatter more than those of the training: the posterior is too narrow for them.
    let six_times = Then(NormalMean { min: 1, max: 60 }, |n, theta, x| {
        for (x, t) in x.chunks_exact_mut(n).zip(theta) {
            x.iter_mut().for_each(|v| *v = t + 6.0 * (*v - t));
        }
    });
    let wide = posterior.model().clone().with_simulator(Arc::new(six_times)).unwrap();
    let wrong = examine(&posterior, &wide, size).unwrap();
    assert!(!wrong.report.predictive.as_ref().unwrap().inside());
}

/// The normal mean with an afterthought on (items, theta, x) of each block of data sets.
struct Then(NormalMean, fn(usize, &[f32], &mut [f32]));

impl Simulator for Then {
    fn name(&self) -> &str {
        "then"
    }
    fn dims(&self) -> (usize, usize) {
        self.0.dims()
    }
    fn shape(&self) -> DataShape {
        self.0.shape()
    }
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, self.dims().1, theta, x);
    }
    fn simulate_items(&self, seed: u64, step: u32, row0: u32, n: usize, theta: &[f32], x: &mut [f32]) {
        self.0.simulate_items(seed, step, row0, n, theta, x);
        self.1(n, theta, x);
    }
    fn wgsl(&self) -> Option<String> {
        None
    }
}

/// Summaries of standardised data sets in rows `n | items`, by a plan for `items` items.
fn summaries(model: &Model, table: &[f32], rows: usize, items: usize) -> Vec<f32> {
    let pairs = model.simulate(1, 0, 200).unwrap();
    let network = model.network(model.standardiser(&pairs).unwrap()).unwrap();
    let start = network.initial(1, &[]).unwrap();
    let mut exec = CpuExec::new(network.table.clone(), &optim::STEP);
    exec.restore(&start).unwrap();
    let p = network.summary_plan(network.summary.as_ref().unwrap(), items, Stage::Condition);
    let id = exec.prepare(p.plan, rows).unwrap();
    exec.set_table(id, table).unwrap();
    let n = rows as u32;
    let run = RunArgs { rows: n, batch: n, draws: 1, ..RunArgs::default() };
    exec.run(id, &run, Weights::Average).unwrap();
    exec.read(id, p.result, rows, network.dims().1).unwrap()
}

/// Rows `n | items` of 24 items at most, with 1 to 6 of them.
fn ragged() -> Vec<f32> {
    let x = data_set(0.3, 6 * 6, 36, 9);
    (0..6)
        .flat_map(|r| [vec![r as f32 + 1.0], x[6 * r..7 * r + 1].to_vec(), vec![0.0; 23 - r]].concat())
        .collect()
}

const SERIES: &str = "[simulator]\ncustom = 'series'\n[data]\nkind = 'series'\nfeatures = 1\nsize = [1, 24]\n[[parameter]]\nname = 'mu'\nprior = 'normal(0, 1)'\n";

fn of_kind(kind: &str) -> Model {
    if ["deep-set", "ecdf", "set-transformer"].contains(&kind) {
        return model(&format!("[summary]\nkind = '{kind}'\nwidth = 8\noutputs = 4"), 1, 24);
    }
    struct Series;
    impl Simulator for Series {
        fn name(&self) -> &str {
            "series"
        }
        fn dims(&self) -> (usize, usize) {
            (1, 24)
        }
        fn shape(&self) -> DataShape {
            DataShape::Series { features: 1, min: 1, max: 24 }
        }
        fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
            self.simulate_items(seed, step, row0, 24, theta, x);
        }
        fn simulate_items(&self, seed: u64, step: u32, row0: u32, n: usize, theta: &[f32], x: &mut [f32]) {
            NormalMean { min: 1, max: 24 }.simulate_items(seed, step, row0, n, theta, x);
        }
        fn wgsl(&self) -> Option<String> {
            None
        }
    }
    let text = format!("{SERIES}[summary]\nkind = '{kind}'\nwidth = 8\noutputs = 4");
    Model::from_toml(&text).unwrap().with_simulator(Arc::new(Series)).unwrap()
}

#[test]
fn padding_changes_no_bit() {
    for kind in ["deep-set", "ecdf", "set-transformer", "lstm", "gru", "conv", "conv-gru", "transformer"] {
        let model = of_kind(kind);
        let want = summaries(&model, &ragged(), 6, 8);
        for items in [12, 24] {
            assert_eq!(summaries(&model, &ragged(), 6, items), want, "{kind}, {items} items");
        }
        assert!(want.iter().all(|v| v.is_finite()), "{kind}");
    }
}

#[test]
fn the_order_of_items_matters_to_series_only() {
    for kind in ["deep-set", "ecdf", "set-transformer", "lstm", "gru", "conv", "conv-gru", "transformer"] {
        let model = of_kind(kind);
        let mut table = ragged();
        let before = summaries(&model, &table, 6, 8);
        table.chunks_exact_mut(25).for_each(|row| {
            let n = row[0] as usize;
            row[1..=n].reverse();
        });
        let after = summaries(&model, &table, 6, 8);
        let size = before.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        // the data set of one item has only one order
        let off = before.iter().zip(&after).skip(5).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / size;
        let unordered = ["deep-set", "ecdf", "set-transformer"].contains(&kind);
        assert_eq!(off < 1e-5, unordered, "{kind}: {off}");
    }
}

#[test]
fn draws_of_a_data_set_depend_on_its_items_alone() {
    let posterior = trained(3);
    let x = data_set(0.5, 9, 60, 1);
    let alone = posterior.sample(&x, 50, 7).unwrap();
    // beside a larger one, with its gaps elsewhere
    let mut moved = vec![f32::NAN; 60];
    (0..9).for_each(|i| moved[3 * i + 2] = x[i]);
    let both = [moved, data_set(0.1, 60, 60, 2)].concat();
    assert_eq!(posterior.sample(&both, 50, 7).unwrap()[..50], alone[..]);
    let text = posterior.sample(&[f32::NAN; 60], 5, 1).unwrap_err().to_string();
    assert!(text.contains("at least one item"), "{text}");
    let mut bad = x.clone();
    bad[3] = f32::INFINITY;
    let text = posterior.sample(&bad, 5, 1).unwrap_err().to_string();
    assert!(text.contains("data set 0, value 3"), "{text}");
}

#[test]
fn a_pool_that_grows_trains_and_is_the_same_every_time() {
    let rest = "[summary]\nwidth = 8\nmodules = 1\noutputs = 4\n[flow]\nblocks = 1\ntransform = 'affine'\nhidden = [16]\n[train]\npool = 300\nrounds = 3\nsteps = 600\nbatch = 16\nlr = 4e-3";
    let run = || Trainer::new(model(rest, 2, 30)).train().unwrap();
    let ((a, summary), (b, _)) = (run(), run());
    let x = data_set(1.0, 12, 30, 3);
    assert_eq!(a.sample(&x, 20, 1).unwrap(), b.sample(&x, 20, 1).unwrap());
    // Standardised, the prior has an entropy of 1.42 nats; the data leave about 0.
    assert!(summary.loss < 0.8, "{}", summary.loss);
}

/// A line that begins at the parameter, x_t = mu + t/2 + noise: what a window says of mu depends on where it lies.
struct Line;
impl Simulator for Line {
    fn name(&self) -> &str {
        "series"
    }
    fn dims(&self) -> (usize, usize) {
        (1, 24)
    }
    fn shape(&self) -> DataShape {
        DataShape::Series { features: 1, min: 2, max: 24 }
    }
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        self.simulate_items(seed, step, row0, 24, theta, x);
    }
    fn simulate_items(&self, seed: u64, step: u32, row0: u32, n: usize, theta: &[f32], x: &mut [f32]) {
        NormalMean { min: 2, max: 24 }.simulate_items(seed, step, row0, n, theta, x);
        for (mu, x) in theta.iter().zip(x.chunks_exact_mut(n)) {
            x.iter_mut().enumerate().for_each(|(t, x)| *x = mu + 0.3 * (*x - mu) + 0.5 * t as f32);
        }
    }
    fn wgsl(&self) -> Option<String> {
        None
    }
}

#[test]
fn a_pool_of_series_is_read_from_their_start_unless_windows_are_asked_for() {
    let loss = |windows: &str| {
        let rest = format!(
            "[flow]\nblocks = 1\ntransform = 'affine'\nhidden = [16]\n[train]\npool = 300\nsteps = 500\nbatch = 16\nlr = 4e-3\n{windows}"
        );
        let text = SERIES.replace("size = [1, 24]", "size = [2, 24]")
            + "[summary]\nkind = 'conv-gru'\nwidth = 8\nmodules = 1\noutputs = 4\n"
            + &rest;
        let model = Model::from_toml(&text).unwrap().with_simulator(Arc::new(Line)).unwrap();
        Trainer::new(model).train().unwrap().1.loss
    };
    let (start, window) = (loss(""), loss("windows = true"));
    // Standardised, the prior has an entropy of 1.42 nats; the start leaves about 0 of them, a window hides most.
    assert!(start < 0.6 && window > start + 0.5, "{start} {window}");
}

/// Steps and whitening come from simulated items, some of whose data sets have a single one.
#[test]
fn distribution_functions_learn() {
    let rest = "[summary]\nkind = 'ecdf'\nwidth = 12\noutputs = 4\n[flow]\nblocks = 1\ntransform = 'affine'\nhidden = [16]\n[train]\nsteps = 600\nbatch = 32\nlr = 4e-3";
    let (posterior, summary) = Trainer::new(model(rest, 1, 30)).train().unwrap();
    // Standardised, the prior has an entropy of 1.42 nats; the data leave about 0.
    assert!(summary.loss < 0.5, "{}", summary.loss);
    let mean = |mu: f32| {
        let draws = posterior.sample(&data_set(mu, 30, 30, 3), 400, 1).unwrap();
        draws.iter().sum::<f32>() / 400.0
    };
    assert!(mean(1.5) - mean(-1.5) > 2.5, "{} {}", mean(1.5), mean(-1.5));
    let wide = "[simulator]\ndataset = 'x.npz'\n[data]\nkind = 'set'\nfeatures = 40\nsize = [1, 9]\n[[parameter]]\nname = 'a'\nprior = 'normal(0, 1)'\n[summary]\nkind = 'ecdf'";
    let text = Model::from_toml(wide).map(drop).unwrap_err().to_string();
    assert!(text.contains("summary.width") && text.contains("2048"), "{text}");
}

#[test]
fn zero_has_no_reciprocal() {
    let file = text("[summary]\nwidth = 4\noutputs = 4\n[flow]\nblocks = 1\n[train]\nsteps = 4");
    let file = file.replace("kind = 'set'", "kind = 'set'\ntransform = 'reciprocal'");
    let m = Model::from_toml(&file).unwrap().with_simulator(Arc::new(NormalMean { min: 2, max: 9 })).unwrap();
    let (posterior, _) = Trainer::new(m).train().unwrap();
    let mut x = data_set(1.0, 7, 9, 3);
    posterior.sample(&x, 5, 1).unwrap();
    for (value, what) in [(0.0, "`reciprocal`: not 0"), (f32::INFINITY, "a finite number")] {
        x[4] = value;
        let e = posterior.sample(&x, 5, 1).unwrap_err().to_string();
        assert!(e.contains("data set 0, value 4") && e.contains(what), "{e}");
    }
}

/// A table has no pool: its rows are read one by one, whatever the model file says of pools.
#[test]
fn a_table_takes_the_place_of_a_pool() {
    let rest = "[summary]\nwidth = 8\nmodules = 1\noutputs = 4\n[flow]\nblocks = 1\ntransform = 'affine'\nhidden = [16]\n[train]\nsteps = 60\nbatch = 16";
    let pooled = rest.replace("[train]", "[train]\npool = 50");
    let train = |rest: &str| {
        let m = model(rest, 2, 30);
        let pairs = m.simulate(3, 0, 400).unwrap();
        Trainer::new(m).data(pairs).train().unwrap().1.validation
    };
    assert_eq!(train(&pooled), train(rest));
}

/// Parts of a pool draw from the generators of their rows, and a person who waits for one sees it grow and may break it off.
#[test]
fn a_pool_is_filled_in_parts() {
    let rest = "[summary]\nwidth = 4\noutputs = 4\n[flow]\nblocks = 1\n[train]\npool = 100000\nsteps = 10";
    let slow = Arc::new(Then(NormalMean { min: 2, max: 30 }, |_, _, _| sleep(Duration::from_millis(2))));
    let m = Model::from_toml(&text(rest)).unwrap().with_simulator(slow).unwrap();
    let mut seen = vec![];
    let trainer = Trainer::new(m).on_progress(|p| {
        seen.extend(p.pool);
        if seen.len() > 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let (_, summary) = trainer.train().unwrap();
    assert!(summary.interrupted && summary.steps == 0, "{summary:?}");
    assert!(seen[..3].windows(2).all(|w| w[0].0 < w[1].0 && w[1].1 == 100_000), "{seen:?}");

    let m = Model::builtin("normal-mean").unwrap();
    let (simulator, shape) = (m.simulator().unwrap().as_ref(), m.shape().unwrap());
    let part = |rows| simulate(&m.prior, simulator, &shape, 7, 3, rows, None);
    let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let (theta, x) = part(0..50);
    let (first, last) = (part(0..32), part(32..50));
    assert_eq!(theta, [first.0, last.0].concat());
    assert!(bits(&x) == bits(&[first.1, last.1].concat()));
}

#[test]
fn a_table_of_ragged_pairs_trains_offline() {
    let rest = "[summary]\nwidth = 8\nmodules = 1\noutputs = 4\n[flow]\nblocks = 1\ntransform = 'affine'\nhidden = [16]\n[train]\nsteps = 300\nbatch = 16";
    let m = model(rest, 1, 30);
    let pairs = m.simulate(3, 0, 1000).unwrap();
    assert!(pairs.x.iter().any(|v| v.is_nan()));
    let (_, summary) = Trainer::new(m).data(pairs).train().unwrap();
    assert!(summary.validation.unwrap() < 1.0, "{summary:?}");
}
