// Four draws of N(m, S), twin of src/sim/slcp.rs.
// m = (t1, t2), S = [[s1^2, rho s1 s2], [., s2^2]] + 1e-6 I = L L',   s1 = t3^2, s2 = t4^2, rho = tanh t5
//# use rng/continuous

const SIM_C: u32 = 8u;

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    let s1 = (*theta)[2] * (*theta)[2];
    let s2 = (*theta)[3] * (*theta)[3];
    let rho = tanh_((*theta)[4]);
    let variance = s1 * s1 + 1e-6;
    let l11 = sqrt(variance);
    let l21 = rho * s1 * s2 / l11;
    let rest = s1 * s1 * ((1.0 - rho) * (1.0 + rho)) + 1e-6;
    let l22 = sqrt(s2 * s2 * (rest / variance) + 1e-6);
    for (var i = 0u; i < SIM_C; i += 2u) {
        let z1 = rng_normal(r);
        let z2 = rng_normal(r);
        (*x)[i] = (*theta)[0] + l11 * z1;
        (*x)[i + 1u] = (*theta)[1] + l21 * z1 + l22 * z2;
    }
}
