// Series of prey and predators, twin of src/sim/lotka_volterra_ode.rs; needs sim/lotka_volterra_ode_math.

fn simulate_items(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    at: u32,
    stride: u32,
    items: u32,
) {
    let rates = lotka_rates(theta);
    var s = LOTKA_START;
    for (var t = 0u; t < items; t += 1u) {
        let x = lotka_populations(s.xy);
        put_item(at + t * stride, x.x);
        put_item(at + t * stride + 1u, x.y);
        s = lotka_next(s, rates);
    }
}
