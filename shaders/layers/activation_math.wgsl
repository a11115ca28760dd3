// Activation functions and dropout, twins of src/layers/activation.rs.
// kind: 0 relu, 1 elu, 2 silu, 3 gelu, 4 tanh, 5 mish. It is a literal wherever these are called, so the branches fold.
//# use common/math
//# use common/special
//# use rng/philox
//# use rng/streams

fn activation_value(kind: u32, x: f32) -> f32 {
    if (kind == 0u) {
        return max(x, 0.0);
    }
    if (kind == 1u) {
        return select(exp_(min(x, 0.0)) - 1.0, x, x > 0.0);
    }
    if (kind == 2u) {
        return x * (1.0 / (1.0 + exp_(-x)));
    }
    if (kind == 3u) {
        return 0.5 * x * (1.0 + erf_(x * 0.70710678));
    }
    if (kind == 4u) {
        return 1.0 - 2.0 / (exp_(2.0 * x) + 1.0);
    }
    // tanh(ln(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2)
    let e = exp_(min(x, 20.0));
    let n = e * (e + 2.0);
    return x * n / (n + 2.0);
}
fn activation_slope(kind: u32, x: f32) -> f32 {
    if (kind == 0u) {
        return select(0.0, 1.0, x > 0.0);
    }
    if (kind == 1u) {
        return select(exp_(min(x, 0.0)), 1.0, x > 0.0);
    }
    if (kind == 2u) {
        let p = 1.0 / (1.0 + exp_(-x));
        return p * (1.0 + x * (1.0 - p));
    }
    if (kind == 3u) {
        let phi = 0.3989423 * exp_(-0.5 * x * x);
        return 0.5 * (1.0 + erf_(x * 0.70710678)) + x * phi;
    }
    if (kind == 4u) {
        let h = activation_value(4u, x);
        return 1.0 - h * h;
    }
    let e = exp_(min(x, 20.0));
    let n = e * (e + 2.0);
    let t = n / (n + 2.0);
    return t + x * (1.0 - t * t) * (e / (1.0 + e));
}
// Inverted-dropout mask of quad q of a row, 0 or 1/(1-rate): one Philox block serves its four columns
fn activation_mask(batch_row: u32, q: u32, layer: u32, rate: f32) -> vec4f {
    let counter = vec4u(batch_row, q | (layer << 16u), state[0].step, STREAM_DROPOUT);
    let bits = philox(counter, vec2u(state[0].seed_lo, state[0].seed_hi));
    let uniform4 = (vec4f(bits >> vec4u(9u)) + 0.5) * 1.1920928955078125e-7;
    return select(vec4f(1.0 / (1.0 - rate)), vec4f(0.0), uniform4 < vec4f(rate));
}
