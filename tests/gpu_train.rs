//! Trainer and posterior on a GPU (software Vulkan suffices), against the same on the CPU.
use couplet::runtime::device::{Device, DeviceChoice};
use couplet::sim::HostSimulator;
use couplet::{Model, Trainer};
use std::sync::Arc;

const NET: &str =
    "[flow]\nblocks = 1\ntransform = \"affine\"\nhidden = [8]\n[train]\nbatch = 16\nsteps = 30\n";

fn software() -> Device {
    DeviceChoice::Gpu(Some("llvmpipe".into())).open().expect("a software Vulkan driver (mesa-vulkan-drivers)")
}

/// A simulator that only the host knows; one row in seven or so is not finite.
fn hosted() -> Model {
    let toml = format!(
        "[simulator]\ncustom = \"sum\"\n[[parameter]]\nname = \"a\"\nprior = \"normal(0, 1)\"\n\
         [[parameter]]\nname = \"b\"\nprior = \"uniform(0, 2)\"\n{NET}max_bad = 0.5\n"
    );
    let simulator = HostSimulator::new("sum", 2, 1, |theta, rng, x| {
        x[0] = if theta[0] > 1.0 { f32::NAN } else { theta[0] + theta[1] + 0.1 * rng.normal() };
    });
    Model::from_toml(&toml).unwrap().with_simulator(Arc::new(simulator)).unwrap()
}

fn agree(model: impl Fn() -> Model, x: &[f32]) {
    let (cpu, cpu_summary) = Trainer::new(model()).train().unwrap();
    let (gpu, gpu_summary) = Trainer::new(model()).device(software()).train().unwrap();
    assert_eq!((cpu_summary.masked, cpu_summary.steps), (gpu_summary.masked, gpu_summary.steps));
    let (a, b) = (cpu_summary.validation.unwrap(), gpu_summary.validation.unwrap());
    assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "validation loss {a} on the CPU, {b} on the GPU");
    let (a, b) = (cpu.sample(x, 500, 3).unwrap(), gpu.sample(x, 500, 3).unwrap());
    let far = a.iter().zip(&b).filter(|(a, b)| !((**a - **b).abs() <= 1e-3 * (1.0 + a.abs()))).count();
    assert!(far * 100 <= a.len(), "{far} of {} draws differ", a.len());
    let theta = &a[..2 * 50];
    let xs = x.repeat(50);
    for (a, b) in cpu.log_prob(theta, &xs).unwrap().iter().zip(&gpu.log_prob(theta, &xs).unwrap()) {
        assert!((a - b).abs() <= 1e-3 * (1.0 + a.abs()), "log-density {a} on the CPU, {b} on the GPU");
    }
}

#[test]
fn a_simulator_of_the_host_streams_to_the_gpu_and_trains_the_same() {
    let model = hosted();
    let masked = Trainer::new(model).train().unwrap().1.masked;
    assert!(masked > 0, "the test is about masked rows too");
    agree(hosted, &[1.0]);
}

#[test]
fn a_built_in_model_simulates_on_the_gpu_and_trains_the_same() {
    agree(|| Model::from_toml(&format!("[simulator]\nbuiltin = \"two-moons\"\n{NET}")).unwrap(), &[0.1, 0.2]);
}

#[test]
fn a_fixed_table_trains_the_same() {
    let toml = format!("[simulator]\nbuiltin = \"two-moons\"\n{NET}simulations = 300\n");
    agree(|| Model::from_toml(&toml).unwrap(), &[0.1, 0.2]);
}
