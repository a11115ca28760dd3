//! Tuning and its choices end to end, on software Vulkan: what is stored is used, what does not fit is not, runs keep theirs.
use couplet::bench::workload::Workload;
use couplet::model::Config;
use couplet::model::weights::Weights as File;
use couplet::runtime::exec::{Executor, Weights};
use couplet::runtime::gpu::Gpu;
use couplet::runtime::state::RunArgs;
use couplet::runtime::tune::{Options, Pass};
use couplet::runtime::{Device, GpuRequest, Tiling};
use couplet::{Model, Trainer};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

const TINY: &str = "simulator.builtin = 'two-moons'\n[flow]\nblocks = 1\ntransform = 'affine'\nhidden = [16, 16]\n\
    [train]\nbatch = 32\nsteps = 40\n";
const WIDE: Tiling = Tiling { rows: 32, threads: 64 };

fn device(tiling: Tiling) -> Device {
    let request = GpuRequest { software: true, ..GpuRequest::default() };
    let gpu = Gpu::open(&request).expect("a Vulkan, Metal or DX12 adapter; Mesa's lavapipe will do");
    Device::Gpu(gpu.with_tiling(tiling).unwrap())
}

fn couplet(folder: &Path, cache: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_couplet"));
    command.args(args).current_dir(folder).env("XDG_RUNTIME_DIR", folder).env("COUPLET_CACHE", cache);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The tilings that the plans of training and draws of a model get with this file of choices.
fn tilings(model: &str, file: &Path) -> [String; 2] {
    let request = GpuRequest { software: true, tilings: Some(file.into()), ..GpuRequest::default() };
    let device = Device::Gpu(Gpu::open(&request).unwrap());
    let mut config = Config::from_toml(model, "tiny").unwrap();
    config.settle();
    let w = Workload { name: "tiny".into(), items: None, config }.open().unwrap();
    let (exec, train) = w.trainer(&device, 32).unwrap();
    let of_training = exec.tiling(train).unwrap().to_string();
    let mut exec = w.executor(&device).unwrap();
    let sample = exec.prepare(w.network.sample_plan().plan, 4096).unwrap();
    [of_training, exec.tiling(sample).unwrap().to_string()]
}

#[test]
fn what_tuning_stores_is_used_and_what_does_not_fit_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (at, file) = (folder.path(), folder.path().join("cache/tilings.json"));
    std::fs::write(at.join("tiny.toml"), TINY).unwrap();
    let args = ["tune", "tiny.toml", "--device", "gpu:llvmpipe", "--seconds", "4", "--tilings", "32x64"];
    let (code, out, err) = couplet(at, "cache", &args);
    assert_eq!(code, 0, "{out}{err}");
    for part in
        ["Plan train, 32 rows", "Plan sample, 4096 rows", "p10 - p90", "8x256", "32x64", "tilings.json"]
    {
        assert!(out.contains(part), "no {part}:\n{out}");
    }
    let stored = std::fs::read_to_string(&file).unwrap();
    let json: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let choice = &json["choices"][0];
    let chosen = format!("{}x{}", choice["tiling"]["rows"], choice["tiling"]["threads"]);
    assert_eq!((choice["plan"].as_str(), choice["rows"].as_u64()), (Some("train"), Some(32)), "{stored}");
    assert!(out.lines().any(|l| l.starts_with(&chosen) && l.contains("chosen")), "{chosen}\n{out}");
    assert_eq!(tilings(TINY, &file)[0], chosen, "the next executor");

    // The same file with other words in it: 16x128 is what tuning was not asked to try.
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = json.clone();
        let choice = &mut json["choices"][0];
        choice["tiling"] = serde_json::json!({ "rows": 16, "threads": 128 });
        change(choice);
        let all = serde_json::json!({ "version": 1, "choices": [choice] });
        std::fs::write(&file, all.to_string()).unwrap();
    };
    with(&|_| ());
    assert_eq!(tilings(TINY, &file), ["16x128", "8x256"], "draws have no choice here");
    let train = ["train", "tiny.toml", "--device", "gpu:llvmpipe", "-o", "run", "--steps", "1"];
    let (code, out, err) = couplet(at, "cache", &train);
    assert!(code == 0 && err.lines().all(|l| !l.contains("tiling")), "{out}{err}");
    assert!(out.contains(", tiling 16x128; loss"), "{out}");
    let weights = File::load(&at.join("run/weights.safetensors")).unwrap();
    assert!(weights.metadata["training"].contains(r#""tilings":[{"rows":16,"threads":128}]"#));
    let report = std::fs::read_to_string(at.join("run/report.html")).unwrap();
    assert!(report.contains("tiling 16x128"), "the report says it too");

    let default = ["8x256"; 2];
    assert_eq!(tilings(&TINY.replace("[16, 16]", "[16, 20]"), &file), default, "other kernels");
    with(&|choice| choice["driver"] = "another".into());
    assert_eq!(tilings(TINY, &file), default, "another driver");
    with(&|choice| choice["tiling"] = serde_json::json!({ "rows": 36, "threads": 144 }));
    assert_eq!(tilings(TINY, &file), default, "not allowed by the kernels");
    with(&|choice| choice["tiling"] = serde_json::json!({ "rows": 8, "threads": 2048 }));
    assert_eq!(tilings(TINY, &file), default, "not allowed by the device");
    std::fs::write(&file, &stored[..stored.len() / 2]).unwrap();
    assert_eq!(tilings(TINY, &file), default, "a damaged file");
}

#[test]
fn tuning_that_cannot_be_done_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("tiny.toml"), TINY).unwrap();
    std::fs::write(at.join("plain"), "").unwrap();
    let refused = |cache: &str, args: &[&str], part: &str| {
        let (code, out, err) = couplet(at, cache, &[&["tune", "tiny.toml"], args].concat());
        assert!(code == 2 && err.contains(part), "{out}{err}");
        err.lines().count()
    };
    assert_eq!(refused("cache", &["--device", "cpu"], "nothing to tune"), 1);
    refused("cache", &["--device", "gpu:llvmpipe", "--tilings", "6x64"], "multiple of 4 rows");
    assert!(!at.join("cache").exists());
    assert_eq!(refused("plain/cache", &["--device", "gpu:llvmpipe"], "plain/cache"), 1);
    let short = ["tune", "tiny.toml", "--device", "gpu:llvmpipe", "--tilings", "8x64", "--seconds", "0.001"];
    let (code, out, _) = couplet(at, "cache", &short);
    assert!(code == 0 && out.contains("Nothing was kept"), "{out}");
    let file = std::fs::read_to_string(at.join("cache/tilings.json")).unwrap();
    assert!(!file.contains("llvmpipe"), "{file}");
}

/// Weights and moments of a run.
fn bits(folder: &Path) -> Vec<(String, Vec<u32>)> {
    let file = File::load(&folder.join("state.safetensors")).unwrap();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect();
    file.tensors.iter().map(|(name, t)| (name.clone(), bits(&t.values))).collect()
}

#[test]
fn a_run_goes_on_with_the_tiling_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |name: &str, tiling: Tiling, steps: u64, stop: u64, resume: bool| {
        // offline, since validation of so small a table is short
        let model = Model::from_toml(TINY).unwrap();
        let trainer = Trainer::new(model).simulations(200).steps(steps).device(device(tiling));
        let look = move |p: &couplet::Progress<'_>| {
            if p.step >= stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        trainer.run_folder(at(name)).resume(resume).on_progress(look).train().unwrap().1
    };
    const STEPS: u64 = 400;
    let whole = run("whole", WIDE, STEPS, u64::MAX, false);
    assert_eq!((whole.steps, whole.tilings), (STEPS, vec![WIDE]));
    let stopped = run("stopped", WIDE, STEPS, 1, false);
    assert!(stopped.interrupted && stopped.steps < STEPS, "{stopped:?}");
    let rest = run("stopped", Tiling::default(), STEPS, u64::MAX, true);
    assert_eq!((rest.steps, rest.tilings), (STEPS, vec![WIDE]));
    assert!(bits(&at("whole")) == bits(&at("stopped")), "the rest of the run had another tiling");

    // Such a difference can be seen: these tilings form sums in other pieces.
    run("wide", WIDE, 20, u64::MAX, false);
    run("default", Tiling::default(), 20, u64::MAX, false);
    assert!(bits(&at("wide")) != bits(&at("default")));
}

#[test]
fn a_tiling_that_a_device_does_not_allow_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let train = |device: Device, resume: bool| {
        let trainer = Trainer::new(Model::from_toml(TINY).unwrap()).device(device).run_folder(folder.path());
        trainer.steps(if resume { 44 } else { 40 }).resume(resume).train().map(|(_, summary)| summary)
    };
    train(device(WIDE), false).unwrap();
    let path = folder.path().join("state.safetensors");
    let mut state = File::load(&path).unwrap();
    let counters = state.metadata["counters"].replace(r#""threads":64"#, r#""threads":4096"#);
    state.metadata.insert("counters".into(), counters);
    state.save_atomic(&path).unwrap();
    let e = train(device(Tiling::default()), true).unwrap_err().to_string();
    for part in ["began with tiling 32x4096", "does not allow", "--device cpu"] {
        assert!(e.contains(part), "{e}");
    }
    let summary = train(Device::Cpu, true).unwrap();
    assert!(summary.steps == 44 && summary.tilings.is_empty());
}

/// Row launches may be repeated: they change nothing but slots.
#[test]
fn tuning_changes_nothing_that_counts() {
    let w = Workload::find("w").unwrap().resized(Some(1), Some(8)).unwrap().open().unwrap();
    let (mut exec, plan) = w.trainer(&device(Tiling::default()), 32).unwrap();
    let (mut control, other) = w.trainer(&device(Tiling::default()), 32).unwrap();
    let train = |exec: &mut dyn Executor, plan| exec.train(plan, &w.step_args(), 32, 3, 0).unwrap();
    train(exec.as_mut(), plan);
    train(control.as_mut(), other);
    let before = exec.snapshot().unwrap();
    let run = RunArgs { rows: 32, batch: 32, draws: 1, ..RunArgs::default() };
    let pass = Pass { run, weights: Weights::Current, result: None };
    let options = Options { seconds: 4.0, candidates: Some(vec![WIDE]) };
    let tuned = exec.tune(plan, &pass, &options).unwrap();
    assert_eq!((tuned.candidates.len(), tuned.key.rows, tuned.plan.as_str()), (2, 32, "train"));
    assert!(tuned.candidates.iter().all(|c| c.times.is_ok()) && tuned.says_something(), "{tuned:?}");
    assert_eq!(exec.tiling(plan), Some(Tiling::default()), "the plan keeps its own");
    assert_eq!(exec.snapshot().unwrap(), before);
    train(exec.as_mut(), plan);
    train(control.as_mut(), other);
    assert_eq!(exec.snapshot().unwrap(), control.snapshot().unwrap());
    exec.set_tiling(plan, WIDE).unwrap();
    train(exec.as_mut(), plan);
    assert_eq!((exec.tiling(plan), exec.snapshot().unwrap().state.step), (Some(WIDE), 9));
    assert!(exec.set_tiling(plan, Tiling { rows: 7, threads: 64 }).is_err());
    assert_eq!(exec.tiling(plan), Some(WIDE));
}
