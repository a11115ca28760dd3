// Epidemic of a thousand people in steps of a tenth, twin of src/sim/sir_stochastic.rs.
// infections ~ Bin(S, 1 - exp(-0.1 beta (I + 1/2) / N)),   recoveries ~ Bin(I, 1 - exp(-0.1 gamma));   (S, I, R) / N
//# use rng/discrete

fn simulate_items(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    at: u32,
    stride: u32,
    items: u32,
) {
    let contact = (*theta)[0] * -1e-4;
    let recovery = -expm1_((*theta)[1] * -0.1);
    var s = vec3f(999.0, 1.0, 0.0);
    for (var t = 0u; t < items; t += 1u) {
        let first = at + t * stride;
        put_item(first, s.x * 0.001);
        put_item(first + 1u, s.y * 0.001);
        put_item(first + 2u, s.z * 0.001);
        // both draws from the old state
        let infected = rng_binomial(r, s.x, -expm1_(contact * (s.y + 0.5)));
        let recovered = rng_binomial(r, s.y, recovery);
        s += vec3f(-infected, infected - recovered, recovered);
    }
}
