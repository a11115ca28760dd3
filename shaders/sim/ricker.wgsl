// Noisy population counts, twin of src/sim/ricker.rs.
// n = ln N:   n = ln 10 at t = 0,   x_t ~ Poisson(rho e^n),   n += ln r - e^n + e_t,   e_t ~ N(0, sigma^2)
//# use rng/continuous
//# use rng/discrete

fn simulate_items(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    at: u32,
    stride: u32,
    items: u32,
) {
    let growth = log_((*theta)[0]);
    let sigma = (*theta)[1];
    let rho = (*theta)[2];
    var n = 2.3025851;
    for (var t = 0u; t < items; t += 1u) {
        let size = exp_(n);
        put_item(at + t * stride, rng_poisson(r, rho * size));
        n += growth - size + sigma * rng_normal(r);
    }
}
