// Wide or narrow normal, twin of src/sim/gaussian_mixture.rs.      x ~ 0.5 N(theta, I) + 0.5 N(theta, 0.01 I)
//# use rng/continuous
//# use rng/discrete

const SIM_C: u32 = 2u;

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    let sd = select(0.1, 1.0, rng_bernoulli(r, 0.5));
    (*x)[0] = (*theta)[0] + sd * rng_normal(r);
    (*x)[1] = (*theta)[1] + sd * rng_normal(r);
}
