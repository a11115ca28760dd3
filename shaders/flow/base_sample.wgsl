// Draws z from the base density: draw d of data set s uses stream BASE, step = number of the set, row = d.
//
// z       (batch, DIM) in halves   write
// raw_nu  (1)                      parameter, KIND 2
//
// Normal: one thread per (row, quad), since coordinate i is words 2i and 2i + 1 of the row. Student-t draws take
// an unknown number of words: one thread per row. Padding becomes 0.
//# use flow/base_math
//# use flow/halves
//# use rng/continuous
//# use rng/streams

fn kernel(at: u32, t: u32) {
    let a = load_BaseArgs(at);
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const all = quads.x + quads.y;
    let nu = base_nu(KIND, a.nu, a.raw_nu);
    if (KIND == 0u) {
        for (var n = t; n < TILE * all; n += WORKGROUP) {
            let row = tile_row0() + n / all;
            let range = halves_range(quads, FIRST, DIM, n % all);
            var r = generator(row);
            // two coordinates a block; an odd start passes over one
            r.counter.y = range.x / 2u;
            if (range.x % 2u == 1u) {
                rng_normal(&r);
            }
            acts[halves_slot(a.z_a, a.z_b, row, quads, n % all)] = quad(&r, nu, range);
        }
    } else if (t < TILE) {
        let row = tile_row0() + t;
        var r = generator(row);
        for (var q = 0u; q < all; q += 1u) {
            let z = quad(&r, nu, halves_range(quads, FIRST, DIM, q));
            acts[halves_slot(a.z_a, a.z_b, row, quads, q)] = z;
        }
    }
}
fn generator(row: u32) -> Rng {
    let i = run.row0 + row;
    return rng_new(vec2u(state[0].seed_lo, state[0].seed_hi), STREAM_BASE, run.set0 + i / run.draws, i % run.draws);
}
fn quad(r: ptr<function, Rng>, nu: f32, range: vec2u) -> vec4f {
    // one after the other: the order of the draws is part of their meaning
    let x = one(r, nu, range.x, range.y);
    let y = one(r, nu, range.x + 1u, range.y);
    let z = one(r, nu, range.x + 2u, range.y);
    let w = one(r, nu, range.x + 3u, range.y);
    return vec4f(x, y, z, w);
}
fn one(r: ptr<function, Rng>, nu: f32, i: u32, end: u32) -> f32 {
    if (i >= end) {
        return 0.0;
    }
    if (KIND == 0u) {
        return rng_normal(r);
    }
    return rng_student_t(r, nu);
}
