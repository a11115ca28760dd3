//! Time of a training step on sets, on the CPU: workload Wd (64 sets of 256 x 2, DeepSet of 2 modules 64 wide to 32 summaries, 6
//! affine blocks of 2 x 128, D = 6), and the same over set sizes. `cargo run --release --example items_speed [KIND]`; the
//! JAX twin is `benches/peers/jax_deepset.py`.
use couplet::Model;
use couplet::model::network::Rows;
use couplet::optim;
use couplet::rng::{Rng, streams};
use couplet::runtime::cpu_exec::CpuExec;
use couplet::runtime::exec::Executor;
use couplet::runtime::state::StepArgs;
use couplet::sim::{DataShape, Simulator};
use std::sync::Arc;
use std::time::Instant;

const BATCH: usize = 64;

/// Normal items, whose means and log-spreads are the first four parameters.
struct Normal {
    items: usize,
    ordered: bool,
}

impl Simulator for Normal {
    fn name(&self) -> &str {
        "normal"
    }
    fn dims(&self) -> (usize, usize) {
        (6, 2 * self.items)
    }
    fn shape(&self) -> DataShape {
        let n = self.items;
        match self.ordered {
            true => DataShape::Series { features: 2, min: n, max: n },
            false => DataShape::Set { features: 2, min: n, max: n },
        }
    }
    fn simulate(&self, seed: u64, step: u32, row0: u32, theta: &[f32], x: &mut [f32]) {
        for (r, (theta, x)) in theta.chunks_exact(6).zip(x.chunks_exact_mut(2 * self.items)).enumerate() {
            let mut rng = Rng::new(seed, streams::SIMULATOR, step, row0.wrapping_add(r as u32));
            let sd = [(0.3 * theta[2]).exp(), (0.3 * theta[3]).exp()];
            x.iter_mut().enumerate().for_each(|(i, x)| *x = theta[i % 2] + sd[i % 2] * rng.normal());
        }
    }
    fn wgsl(&self) -> Option<String> {
        None
    }
}

/// Best milliseconds of a step.
fn measure(kind: &str, items: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let ordered = !matches!(kind, "deep-set" | "set-transformer");
    let data = if ordered { "series" } else { "set" };
    let text = format!(
        "[simulator]\ncustom = 'normal'\n[data]\nkind = '{data}'\n[[parameter]]\nnames = ['a', 'b', 'c', 'd', 'e', 'f']\nprior = 'normal(0, 1)'\n\
         [summary]\nkind = '{kind}'\nwidth = 64\noutputs = 32\n[flow]\nblocks = 6\ntransform = 'affine'\nhidden = [128, 128]\nlinear_skip = false\nactnorm = false\npermutation = 'reversal'\n"
    );
    let model = Model::from_toml(&text)?.with_simulator(Arc::new(Normal { items, ordered }))?;
    let pairs = model.simulate(1, 0, 64)?;
    let network = model.network(model.standardiser(&pairs)?)?;
    let Some(summary) = &network.summary else { return Err("no summary network".into()) };
    let mut exec = CpuExec::new(network.table.clone(), &optim::STEP);
    exec.restore(&network.initial(1, &[])?)?;
    let id = exec.prepare(network.items_plan(summary, Rows::Online, items), BATCH)?;
    let args = StepArgs {
        lr: 5e-4,
        total: 1e6,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        clip: 1.5,
        ..StepArgs::default()
    };
    let steps = (20 * 256 / items).clamp(2, 50);
    let mut best = f64::INFINITY;
    for _ in 0..6 {
        let begun = Instant::now();
        exec.train(id, &args, BATCH, steps, 0)?;
        best = best.min(1e3 * begun.elapsed().as_secs_f64() / steps as f64);
    }
    Ok(best)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kind = std::env::args().nth(1).unwrap_or_else(|| "deep-set".into());
    for items in [256, 64, 1024, 4096] {
        let ms = measure(&kind, items)?;
        println!(
            "{kind}, {BATCH} data sets of {items} items: {ms:.2} ms a step, {:.3} us an item",
            1e3 * ms / (BATCH * items) as f64
        );
    }
    Ok(())
}
