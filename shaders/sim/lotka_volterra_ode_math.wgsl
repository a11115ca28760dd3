// Predators and prey without noise, twin of the solver in src/sim/lotka_volterra_ode.rs.
// p = ln X, q = ln Y:   p' = a - b e^q,   q' = -c + d b e^p,   X = 10, Y = 5 at t = 0;   RK4, 8 steps of 15 / (499 * 8)
//# use common/math

const LOTKA_START: vec4f = vec4f(2.3025851, 1.6094379, 0.0, 0.0);

// (p', q'), rates = (a, b, c, d b)
fn lotka_slope(s: vec2f, rates: vec4f) -> vec2f {
    return vec2f(rates.x - rates.y * exp_(s.y), rates.w * exp_(s.x) - rates.z);
}
// State and what rounding took from it (Kahan), one observation later
fn lotka_next(start: vec4f, rates: vec4f) -> vec4f {
    let h = 0.003757515;
    var s = start.xy;
    var rest = start.zw;
    for (var j = 0u; j < 8u; j += 1u) {
        let k1 = lotka_slope(s, rates);
        let k2 = lotka_slope(s + 0.5 * h * k1, rates);
        let k3 = lotka_slope(s + 0.5 * h * k2, rates);
        let k4 = lotka_slope(s + h * k3, rates);
        let change = h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4) - rest;
        let next = s + change;
        rest = (next - s) - change;
        s = next;
    }
    return vec4f(s, rest);
}
fn lotka_rates(theta: ptr<function, array<f32, SIM_D>>) -> vec4f {
    return vec4f((*theta)[0], (*theta)[1], (*theta)[2], (*theta)[3] * (*theta)[1]);
}
fn lotka_populations(s: vec2f) -> vec2f {
    return vec2f(exp_(s.x), exp_(s.y));
}
