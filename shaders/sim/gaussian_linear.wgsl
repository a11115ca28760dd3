// Gaussian mean, twin of src/sim/gaussian_linear.rs.      x = theta + sqrt(0.1) z,   z ~ N(0, I)
//# use rng/continuous

const SIM_C: u32 = 10u;

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    for (var i = 0u; i < SIM_C; i += 1u) {
        (*x)[i] = (*theta)[i] + 0.31622777 * rng_normal(r);
    }
}
