// Inverted dropout of quad q of a row of items, twin of `apply_mask` in src/layers/item_activation.rs
//# use rng/philox
//# use rng/streams
fn item_dropout(y: vec4f, batch_row: u32, q: u32, layer: u32, rate: f32) -> vec4f {
    let counter = vec4u(batch_row, q | (layer << 20u), state[0].step, STREAM_ITEM_DROPOUT);
    let bits = philox(counter, vec2u(state[0].seed_lo, state[0].seed_hi));
    let uniform4 = (vec4f(bits >> vec4u(9u)) + 0.5) * 1.1920928955078125e-7;
    return select(y * (1.0 / (1.0 - rate)), vec4f(0.0), uniform4 < vec4f(rate));
}
