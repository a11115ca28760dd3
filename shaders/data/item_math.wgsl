// Sizes and choices of items, twins of src/data/items.rs
//# use common/math
//# use rng/philox
//# use rng/streams

// A whole number below n
fn items_below(word: u32, n: u32) -> u32 {
    return philox_mul_high(word, n);
}
// Items of this step's data sets
fn items_of_step(least: u32, most: u32) -> u32 {
    let seed = vec2u(state[0].seed_lo, state[0].seed_hi);
    let word = philox(vec4u(0u, 0u, state[0].step, STREAM_SIZE), seed).x;
    return least + items_below(word, most - least + 1u);
}
// (n, (ln n - m)/s, 0, 0); at: where m and 1/s stand among the constants
fn items_counts(at: u32, n: u32) -> vec4f {
    return vec4f(f32(n), (log_(f32(max(n, 1u))) - consts[at]) * consts[at + 1u], 0.0, 0.0);
}
fn items_coprime(first: u32, second: u32) -> bool {
    var a = first;
    var b = second;
    while (b > 0u) {
        let rest = a % b;
        a = b;
        b = rest;
    }
    return a == 1u;
}
