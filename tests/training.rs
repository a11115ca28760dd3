//! Training end to end: determinism, kill and resume, early stopping, bad simulations, bad gradients, bad disks.
use couplet::error::Error;
use couplet::infer::Posterior;
use couplet::model::Model;
use couplet::model::weights::Weights;
use couplet::runtime::device::Device;
use couplet::sim::HostSimulator;
use couplet::train::offline;
use couplet::train::{Summary, Trainer};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Two moons with a small network.
fn small() -> Model {
    Model::from_toml(
        "[simulator]\nbuiltin = \"two-moons\"\n[flow]\nblocks = 2\nbins = 5\nhidden = [20, 12]\n[train]\nbatch = 50\n",
    )
    .unwrap()
}

/// One normal parameter seen through noise, and what `fail` makes of the data.
fn noisy(toml: &str, fail: fn(f32, f32) -> f32) -> Model {
    let head = "[simulator]\ncustom = \"noisy\"\n[[parameter]]\nname = \"a\"\nprior = \"normal(0, 1)\"\n";
    let simulator = HostSimulator::new("noisy", 1, 1, move |theta, rng, x| {
        x[0] = theta[0] + 0.5 * rng.normal();
        x[0] = fail(x[0], rng.uniform());
    });
    Model::from_toml(&format!("{head}{toml}")).unwrap().with_simulator(Arc::new(simulator)).unwrap()
}
const TINY: &str = "[flow]\nblocks = 1\nbins = 4\nhidden = [8]\n";

/// Tensors of a file as bits.
fn bits(file: &Path) -> BTreeMap<String, Vec<u32>> {
    let w = Weights::load(file).unwrap_or_else(|e| panic!("{e}"));
    w.tensors.into_iter().map(|(name, t)| (name, t.values.iter().map(|v| v.to_bits()).collect())).collect()
}
fn weights(folder: &Path) -> BTreeMap<String, Vec<u32>> {
    bits(&folder.join("weights.safetensors"))
}

/// Weights of 500 steps on this many threads.
fn trained(threads: usize, seed: u64) -> BTreeMap<String, Vec<u32>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let folder = tempfile::tempdir().unwrap();
        Trainer::new(small()).seed(seed).steps(500).run_folder(folder.path()).train().unwrap();
        weights(folder.path())
    })
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let one = trained(1, 5);
    assert!(one.len() > 20 && one.values().flatten().any(|v| *v != 0));
    assert_eq!(one, trained(1, 5), "twice");
    assert_eq!(one, trained(2, 5), "two threads");
    assert_eq!(one, trained(5, 5), "five threads");
    let other = trained(1, 6);
    let differ = one.iter().filter(|(name, v)| other[*name] != **v).count();
    assert!(differ > one.len() / 2, "another seed gives other weights: {differ} of {}", one.len());
}

#[test]
fn a_simulator_that_uses_threads_itself_trains_the_same() {
    let trained = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let folder = tempfile::tempdir().unwrap();
            let slow = |x: f32, u: f32| (0..200).fold(x, |y, i| y + 1e-9 * (u * i as f32).sin());
            Trainer::new(noisy(TINY, slow)).batch(512).steps(60).run_folder(folder.path()).train().unwrap();
            weights(folder.path())
        })
    };
    let one = trained(1);
    for _ in 0..3 {
        assert_eq!(one, trained(4));
    }
}

#[test]
fn a_complete_run_comes_back_with_the_programs_own_simulator() {
    let folder = tempfile::tempdir().unwrap();
    let trained = || {
        let model = noisy(TINY, |x, _| x);
        Trainer::new(model).steps(20).run_folder(folder.path()).resume(true).train().unwrap()
    };
    let ((first, summary), (again, same)) = (trained(), trained());
    assert_eq!(summary, same);
    assert!(again.model().simulator.is_some());
    assert_eq!(first.sample(&[0.3], 50, 1).unwrap(), again.sample(&[0.3], 50, 1).unwrap());
}

/// Trains in the folder named by the environment; other tests run it in a process of its own.
#[test]
#[ignore = "other tests run it in a process of its own"]
fn child() {
    let get = |name: &str| std::env::var(format!("COUPLET_TEST_{name}"));
    let (Ok(folder), Ok(steps)) = (get("FOLDER"), get("STEPS")) else { return };
    let mut trainer = Trainer::new(small()).run_folder(folder).resume(true).checkpoint_seconds(0.03);
    trainer = trainer.steps(steps.parse().unwrap()).simulations_if(get("SIMULATIONS").ok());
    if let Err(e) = trainer.train() {
        eprintln!("error: {e}");
        std::process::exit(2);
    }
}

trait SimulationsIf {
    /// Offline on this many simulations, where a number is given.
    fn simulations_if(self, n: Option<String>) -> Self;
}
impl SimulationsIf for Trainer<'_> {
    fn simulations_if(self, n: Option<String>) -> Self {
        match n {
            // the number of steps is asked for again: another mode forgets it
            Some(n) => {
                let steps = std::env::var("COUPLET_TEST_STEPS").unwrap().parse().unwrap();
                self.simulations(n.parse().unwrap()).steps(steps)
            }
            None => self,
        }
    }
}

fn run_child(folder: &Path, steps: u32, simulations: Option<u32>, shell: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell}\nexec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", "child", "--ignored", "--nocapture"]);
    command.env("COUPLET_TEST_FOLDER", folder).env("COUPLET_TEST_STEPS", steps.to_string());
    simulations.map(|n| command.env("COUPLET_TEST_SIMULATIONS", n.to_string()));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills a training run `kills` times, lets it end, and compares with an undisturbed one.
fn kill_and_resume(steps: u32, simulations: Option<u32>, kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let (mut killed, mut with_state, mut wait) = (0, 0, 97u64);
    while killed < kills {
        let mut child = run_child(&one, steps, simulations, "");
        wait = (wait * 7919 + 131) % 331;
        std::thread::sleep(Duration::from_millis(150 + wait));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break; // faster than expected: what was killed until here counts
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        // whatever the moment of the kill, the files are whole
        for name in ["weights.safetensors", "state.safetensors"] {
            let file = one.join(name);
            if file.exists() {
                Weights::load(&file).unwrap_or_else(|e| panic!("after a kill: {e}"));
            }
        }
        with_state += usize::from(one.join("state.safetensors").exists());
    }
    assert!(with_state >= 2, "killed {killed} times, with a state to go on from {with_state} times");
    assert!(run_child(&one, steps, simulations, "").wait().unwrap().success());
    assert!(run_child(&two, steps, simulations, "").wait().unwrap().success());
    assert_eq!(weights(&one), weights(&two), "weights");
    let state = |folder: &Path| bits(&folder.join("state.safetensors"));
    assert_eq!(state(&one), state(&two), "state");
    let metrics = |folder: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        text.lines().map(|l| l.split(",\"seconds\"").next().unwrap().to_string()).collect()
    };
    assert_eq!(metrics(&one), metrics(&two), "metrics, each step once");
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_bit_for_bit() {
    kill_and_resume(6000, None, 4);
}
#[cfg(unix)]
#[test]
fn a_killed_offline_run_goes_on_bit_for_bit() {
    kill_and_resume(6000, Some(700), 4);
}

#[test]
fn early_stopping_keeps_the_best_weights() {
    let folder = tempfile::tempdir().unwrap();
    let toml = "[flow]\nblocks = 2\nbins = 8\nhidden = [64, 64]\n[train]\nlr = 3e-3\nbatch = 20\npatience = 10\nvalidation = 0.4\n";
    let trainer = || Trainer::new(noisy(toml, |x, _| x)).simulations(120).seed(3);
    let (posterior, s) = trainer().run_folder(folder.path()).train().unwrap();
    assert!(s.stopped_early && !s.interrupted && s.best_step > 0 && s.best_step < s.steps, "{s:?}");
    let metrics: Vec<serde_json::Value> = std::fs::read_to_string(folder.path().join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let losses: Vec<f64> = metrics.iter().map(|m| m["validation"].as_f64().unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((best - f64::from(s.validation.unwrap())).abs() < 1e-6, "{s:?} {best}");
    let train = |m: &serde_json::Value| m["loss"].as_f64().unwrap();
    assert!(
        train(&metrics[metrics.len() - 1]) < train(&metrics[0]),
        "the toy overfits: training goes on to fall"
    );

    // The weights that were kept have the loss that was best, on the very rows that were held out.
    let pairs = small_table(posterior.model(), 120, 3);
    let held_out = offline::split(&pairs, 2, 0.4, 3).validation;
    let (theta, x): (Vec<f32>, Vec<f32>) = held_out.chunks_exact(2).map(|r| (r[0], r[1])).unzip();
    for posterior in [posterior, Posterior::load(folder.path(), Device::Cpu).unwrap()] {
        let sd = f64::from(f32::from_bits(weights(folder.path())["standardise.u_sd"][0]));
        let log_q = posterior.log_prob(&theta, &x).unwrap();
        let loss = -log_q.iter().map(|&l| f64::from(l)).sum::<f64>() / log_q.len() as f64 - sd.ln();
        assert!((loss - best).abs() < 1e-5, "{loss} {best}");
    }
    let state = bits(&folder.path().join("state.safetensors"));
    assert_ne!(state["best"], state["average"], "the last weights are others");
}

/// The rows `(theta, x)` of a simulated table.
fn small_table(model: &Model, n: usize, seed: u64) -> Vec<f32> {
    let _ = model;
    let pairs = noisy(TINY, |x, _| x).table(seed, Some(n)).unwrap();
    pairs.theta.iter().zip(&pairs.x).flat_map(|(t, x)| [*t, *x]).collect()
}

fn summary(model: Model, steps: u64) -> Result<Summary, Error> {
    Trainer::new(model).steps(steps).train().map(|(_, s)| s)
}

#[test]
fn some_bad_simulations_are_left_out_and_counted() {
    let steps = 1500;
    for fail in [|x, u| if u < 0.03 { f32::NAN } else { x }, |x, u| if u < 0.03 { f32::INFINITY } else { x }]
    {
        let s = summary(noisy(TINY, fail), steps).unwrap();
        let share = s.masked as f64 / (64 * steps) as f64;
        assert!((0.027..0.033).contains(&share), "{share}");
        assert_eq!((s.steps, s.skipped), (steps, 0));
        // the entropy of the posterior, N(0.8 x, 0.2); the loss of the prior would be 1.42
        let exact = 0.5 * (1.0 + (2.0 * std::f64::consts::PI).ln()) + (0.2f64).sqrt().ln();
        let loss = f64::from(s.validation.unwrap());
        assert!((loss - exact).abs() < 0.1, "learns from the others: {loss} {exact}");
    }
}

#[test]
fn many_bad_simulations_are_an_error_that_says_so() {
    let fail = |x, u| if u < 0.2 { f32::NAN } else { x };
    let e = summary(noisy(TINY, fail), 100).unwrap_err().to_string();
    assert!(
        e.contains("simulations (") && e.contains("NaN, infinity or values") && e.contains("5.0 %"),
        "{e}"
    );
    // where the model file tolerates it, it trains
    let tolerant = format!("{TINY}[train]\nmax_bad = 0.3\n");
    assert_eq!(summary(noisy(&tolerant, fail), 300).unwrap().steps, 300);
    // offline the table is looked at before
    let e = Trainer::new(noisy(TINY, fail)).simulations(500).train().map(|_| ()).unwrap_err().to_string();
    assert!(e.contains("of 500 simulations"), "{e}");
    let always = summary(noisy(TINY, |_, _| f32::NAN), 10).unwrap_err().to_string();
    assert!(always.contains("10000 of 10000"), "{always}");
}

#[test]
fn poisoned_gradients_roll_back_and_then_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    Trainer::new(noisy(TINY, |x, _| x)).steps(200).run_folder(folder.path()).train().unwrap();
    let before = weights(folder.path());
    let mut messages = vec![];
    let e = Trainer::new(noisy(TINY, |x, _| x))
        .steps(4000)
        .lr(1e30)
        .resume(true)
        .run_folder(folder.path())
        .on_progress(|p| {
            messages.extend(p.message.map(str::to_string));
            ControlFlow::Continue(())
        })
        .train()
        .map(|(_, s)| s)
        .unwrap_err();
    let Error::Training { problem, hint, .. } = &e else { panic!("{e}") };
    assert!(
        problem.contains("not finite") && problem.contains("learning rate") && hint.contains("train.lr"),
        "{e}"
    );
    assert_eq!(messages.iter().filter(|m| m.contains("rolled back")).count(), 3, "{messages:?}");
    assert_eq!(before, weights(folder.path()), "the run folder is as it was");
    let posterior = Posterior::load(folder.path(), Device::Cpu).unwrap();
    assert!(posterior.sample(&[0.3], 100, 1).unwrap().iter().all(|t| t.is_finite()));
    // and goes on at a sane rate
    let (_, s) = Trainer::new(noisy(TINY, |x, _| x))
        .steps(300)
        .resume(true)
        .run_folder(folder.path())
        .train()
        .unwrap();
    assert_eq!((s.steps, s.skipped), (300, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_the_last_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run_child(folder.path(), 200, None, "").wait().unwrap().success());
    let before = weights(folder.path());
    // files of more than a few kilobytes cannot be written: the model file can, weights cannot
    let limited = run_child(folder.path(), 100_000, None, "trap '' XFSZ; ulimit -f 8");
    let out = limited.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(text.contains("error: cannot write `") && text.contains("disk"), "{text}");
    assert_eq!(before, weights(folder.path()));
    assert!(Posterior::load(folder.path(), Device::Cpu).is_ok());
    let hidden = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(hidden.count(), 0, "no half a file is left");
    // with room again the run goes on
    assert!(run_child(folder.path(), 250, None, "").wait().unwrap().success());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for target in [file.join("run"), file.clone()] {
        let e = Trainer::new(noisy(TINY, |x, _| x))
            .steps(1_000_000)
            .run_folder(&target)
            .train()
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(e, Error::Io { .. }) && e.to_string().contains("file"), "{e}");
    }
    #[cfg(target_os = "linux")]
    {
        // nobody can make files here, not even root
        let t = Trainer::new(noisy(TINY, |x, _| x)).steps(1_000_000).run_folder("/proc/couplet");
        let e = t.train().map(|_| ()).unwrap_err().to_string();
        assert!(e.contains("cannot create `/proc/couplet`"), "{e}");
    }
}

/// A resumed run may be made longer and shorter; what was asked for last holds from then on; steps made are not taken back.
#[test]
fn a_resumed_run_takes_another_length() {
    let folder = tempfile::tempdir().unwrap();
    let kept = || Model::from_file(&folder.path().join("model.toml"));
    // Stops at the first look, or never.
    let train = |steps: u64, stop: bool| {
        let mut model = kept().unwrap_or_else(|_| small());
        model.config.train.set_steps(steps);
        let trainer = Trainer::new(model).run_folder(folder.path()).resume(true).on_progress(move |p| {
            if stop && p.step > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        trainer.train().map(|(_, summary)| summary)
    };
    let begun = train(1_000_000, true).unwrap();
    assert!(begun.interrupted && begun.steps > 0, "{begun:?}");

    let cut = begun.steps + 300;
    assert_eq!(train(cut, false).unwrap().steps, cut);
    let metrics = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    let (_, rate) = metrics.rsplit_once("\"lr\":").unwrap();
    let last: f64 = rate.split(',').next().unwrap().parse().unwrap();
    assert!(last < 1e-8, "the schedule ends: {last}");
    let e = train(cut - 1, false).unwrap_err().to_string();
    assert!(e.contains("train.steps") && e.contains(&cut.to_string()), "{e}");

    // a program that asks for minutes each time goes on to the end it had
    let in_time = Trainer::new(kept().unwrap()).minutes(5.0).run_folder(folder.path()).resume(true).train();
    assert_eq!((in_time.unwrap().1.steps, kept().unwrap().config.train.steps), (cut, Some(cut)));

    let longer = train(1_000_000, true).unwrap();
    assert!(longer.interrupted && longer.steps > cut, "{longer:?}");
    assert_eq!(
        kept().unwrap().config.train.steps,
        Some(1_000_000),
        "what a resumed run without a number takes"
    );
}
