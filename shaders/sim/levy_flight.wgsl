// Signed response times of a diffusion with heavy-tailed noise, twin of src/sim/levy_flight.rs.
// x = a zr;   x += v dt + dt^(1/alpha) S / sqrt 2   while 0 < x < a and steps < 5000;   +-(steps dt + t0)
//
// Trial k of a row (item k / 2, condition k & 1) draws from the row's words 4 * 4096 k on.
//# use rng/continuous

// Signed response time of one trial: (drift dt, scale) a step, start, height, alpha
fn levy_trial(
    r: ptr<function, Rng>,
    drift: f32,
    scale: f32,
    start: f32,
    height: f32,
    alpha: f32,
    delay: f32,
) -> f32 {
    var x = start;
    var steps = 0u;
    while (x > 0.0 && x < height && steps < 5000u) {
        x += drift + scale * rng_alpha_stable(r, alpha);
        steps += 1u;
    }
    let time = f32(steps) * 0.001 + delay;
    return select(-time, time, x > 0.0);
}

fn simulate_items(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    at: u32,
    stride: u32,
    items: u32,
) {
    let alpha = (*theta)[5];
    let scale = exp_(-6.9077554 / alpha) * 0.70710678;
    let start = (*theta)[2] * (*theta)[3];
    for (var i = 0u; i < items; i += 1u) {
        for (var c = 0u; c < 2u; c += 1u) {
            rng_jump(r, (2u * i + c) * 4096u);
            let drift = select((*theta)[0], (*theta)[1], c == 1u) * 0.001;
            put_item(at + i * stride + c, levy_trial(r, drift, scale, start, (*theta)[3], alpha, (*theta)[4]));
        }
    }
}
