//! Infers mean and spread of a normal distribution from ten observations: `cargo run --release --example quickstart`.
use couplet::{Model, Trainer, sim::HostSimulator};
use std::ops::ControlFlow;
use std::sync::Arc;

fn main() -> couplet::error::Result<()> {
    let model = Model::from_toml(
        "simulator.custom = 'ten normal draws'\n\
         [[parameter]]\nname = 'mean'\nprior = 'normal(0, 2)'\n\
         [[parameter]]\nname = 'spread'\nprior = 'half-normal(1)'\n",
    )?;
    let simulator = HostSimulator::new("ten normal draws", 2, 10, |theta, rng, x| {
        x.iter_mut().for_each(|x| *x = theta[0] + theta[1] * rng.normal());
    });
    let (posterior, summary) = Trainer::new(model.with_simulator(Arc::new(simulator))?)
        .steps(2_000)
        .on_progress(|p| {
            eprint!("\rstep {} of {}, loss {:.3}", p.step, p.steps, p.loss);
            ControlFlow::Continue(())
        })
        .train()?;
    let observed = [1.2, 0.4, 2.2, 1.9, 0.7, 1.1, 1.5, 0.2, 1.8, 1.0];
    let draws = posterior.sample(&observed, 4_000, 1)?;
    let mean = |k: usize| draws.iter().skip(k).step_by(2).sum::<f32>() / 4_000.0;
    println!("\n{:.0} s; posterior means: mean {:.2}, spread {:.2}", summary.seconds, mean(0), mean(1));
    Ok(())
}
