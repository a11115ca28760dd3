// Philox 4x32-10 and the generator of one row, twins of src/rng/philox.rs and generator.rs.
//
// counter = (row, block, step, stream), key = (low, high words of the seed). Bit-identical to the host.

struct Rng {
    counter: vec4u,
    key: vec2u,
    block: vec4u,
    used: u32,
}
// High word of a 32 x 32 product from 16-bit halves: WGSL has neither mulhi nor u64.
fn philox_mul_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let m = a_high * b_low + ((a_low * b_low) >> 16u);
    let n = a_low * b_high + (m & 0xffffu);
    return a_high * b_high + (m >> 16u) + (n >> 16u);
}
fn philox(counter: vec4u, key: vec2u) -> vec4u {
    var c = counter;
    var k = key;
    for (var i = 0u; i < 10u; i += 1u) {
        let p = philox_mul_high(0xD2511F53u, c.x);
        let q = philox_mul_high(0xCD9E8D57u, c.z);
        c = vec4u(q ^ c.y ^ k.x, 0xCD9E8D57u * c.z, p ^ c.w ^ k.y, 0xD2511F53u * c.x);
        k += vec2u(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}
fn rng_new(seed: vec2u, stream: u32, step: u32, row: u32) -> Rng {
    return Rng(vec4u(row, 0u, step, stream), seed, vec4u(0u), 4u);
}
// Goes to the first word of a block: parts of one row may be drawn in any order.
fn rng_jump(r: ptr<function, Rng>, block: u32) {
    (*r).counter.y = block;
    (*r).used = 4u;
}
// The next 32 random bits. The block is rotated, not indexed: indexing a vector costs a spill on some drivers.
fn rng_next_u32(r: ptr<function, Rng>) -> u32 {
    if ((*r).used >= 4u) {
        (*r).block = philox((*r).counter, (*r).key);
        (*r).counter.y += 1u;
        (*r).used = 0u;
    }
    let word = (*r).block.x;
    (*r).block = (*r).block.yzwx;
    (*r).used += 1u;
    return word;
}
// Uniform in (0, 1): (k + 1/2) 2^-23
fn rng_open_unit(word: u32) -> f32 {
    return (f32(word >> 9u) + 0.5) * 1.1920928955078125e-7;
}
fn rng_uniform(r: ptr<function, Rng>) -> f32 {
    return rng_open_unit(rng_next_u32(r));
}
