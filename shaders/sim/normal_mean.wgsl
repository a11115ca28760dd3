// Draws around an unknown mean, twin of src/sim/normal_mean.rs.      x_i ~ N(mu, 1)
//# use rng/continuous

fn simulate_items(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    at: u32,
    stride: u32,
    items: u32,
) {
    for (var i = 0u; i < items; i += 1u) {
        put_item(at + i * stride, (*theta)[0] + rng_normal(r));
    }
}
