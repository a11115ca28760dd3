// Predators and prey with noise, twin of src/sim/lotka_volterra.rs.
// a = ln X, b = ln Y:   a' = alpha - beta e^b,   b' = -gamma + delta e^a,   (30, 1) at t = 0;   RK4, step 0.025
// x = 10 X then 10 Y at t = 0, 2.1, ..., 18.9, each exp(clamp(ln, ln 1e-10, ln 1e4) + 0.1 z)
//# use rng/continuous

const SIM_C: u32 = 20u;

// (a', b'), rates = (alpha, beta, gamma, delta)
fn lotka_volterra_slope(s: vec2f, rates: vec4f) -> vec2f {
    return vec2f(rates.x - rates.y * exp_(s.y), rates.w * exp_(s.x) - rates.z);
}

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    let rates = vec4f((*theta)[0], (*theta)[1], (*theta)[2], (*theta)[3]);
    var s = vec2f(3.4011974, 0.0);
    for (var i = 0u; i < 10u; i += 1u) {
        // No steps before the first observation.
        for (var j = 0u; j < select(84u, 0u, i == 0u); j += 1u) {
            let k1 = lotka_volterra_slope(s, rates);
            let k2 = lotka_volterra_slope(s + 0.0125 * k1, rates);
            let k3 = lotka_volterra_slope(s + 0.0125 * k2, rates);
            let k4 = lotka_volterra_slope(s + 0.025 * k3, rates);
            s += 0.0041666667 * (k1 + 2.0 * (k2 + k3) + k4);
        }
        (*x)[i] = s.x;
        (*x)[i + 10u] = s.y;
    }
    for (var i = 0u; i < SIM_C; i += 1u) {
        (*x)[i] = exp_(clamp((*x)[i], -23.02585, 9.21034) + 0.1 * rng_normal(r));
    }
}
