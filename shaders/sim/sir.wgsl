// Epidemic with binomial samples, twin of src/sim/sir.rs.
// s = S/N, l = ln I:   s' = -(beta/N) s e^l,   l' = beta s - gamma,   N = 1e6, I = 1 at t = 0;   RK4, step 0.1
// x_i ~ Binomial(1000, I/N) at t = 0, 17, ..., 153
//# use rng/discrete

const SIM_C: u32 = 10u;

// (s', l'), rates = (-beta/N, beta, gamma)
fn sir_slope(y: vec2f, rates: vec3f) -> vec2f {
    return vec2f(rates.x * y.x * exp_(y.y), rates.y * y.x - rates.z);
}

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    let rates = vec3f((*theta)[0] * -1e-6, (*theta)[0], (*theta)[1]);
    var y = vec2f(0.999999, 0.0);
    for (var i = 0u; i < SIM_C; i += 1u) {
        // No steps before the first observation.
        for (var j = 0u; j < select(170u, 0u, i == 0u); j += 1u) {
            let k1 = sir_slope(y, rates);
            let k2 = sir_slope(y + 0.05 * k1, rates);
            let k3 = sir_slope(y + 0.05 * k2, rates);
            let k4 = sir_slope(y + 0.1 * k3, rates);
            y += 0.016666667 * (k1 + 2.0 * (k2 + k3) + k4);
        }
        let count = rng_binomial(r, 1000.0, clamp(1e-6 * exp_(y.y), 0.0, 1.0));
        (*x)[i] = select(y.y, count, is_finite_bits(y.y));
    }
}
