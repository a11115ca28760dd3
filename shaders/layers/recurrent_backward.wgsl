// Recurrent cell, backward.      gates become delta; formulas in src/layers/recurrent_cpu.rs
//
// gates   (batch, items, GATES H)   read, write   gates, replaced by delta
// inner   (batch, items, 3 H)       read, write   GRU: products with the state, replaced by their delta
// h, c    (batch, items, H)         read
// d_h     (batch, items, H)         read          with SEQUENCE
// d_last  (batch, H)                read          with LAST
// work    (batch, 2 H)              read, write   gradients by state and cell state on their way back
// U^T     (GATES H, H)              parameters
//
// As forward, from the last item on: one thread per (row, quad of units), then again for the products.
//# use layers/items
//# use layers/recurrent_math

fn kernel(at: u32, t: u32) {
    let a = load_RecurrentArgs(at);
    const h4 = H / 4u;
    for (var i = t; i < TILE * h4; i += WORKGROUP) {
        let row = tile_row0() + i / h4;
        let work = slot(a.work, row, 2u * h4) + i % h4;
        acts[work] = vec4f(0.0);
        if (LAST == 1u) { acts[work] = acts[slot(a.d_last, row, h4) + i % h4]; }
        acts[work + h4] = vec4f(0.0);
    }
    for (var s = a.items; s > 0u; s -= 1u) {
        let now = select(s - 1u, a.items - s, REVERSE == 1u);
        let before = select(now - 1u, now + 1u, REVERSE == 1u);
        for (var i = t; i < TILE * h4; i += WORKGROUP) { update(a, tile_row0() + i / h4, i % h4, now, before, s > 1u); }
        storageBarrier();
        workgroupBarrier();
        if (s > 1u) {
            for (var i = t; i < TILE * h4; i += WORKGROUP) { product(a, tile_row0() + i / h4, i % h4, now); }
        }
        storageBarrier();
        workgroupBarrier();
    }
}
fn update(a: RecurrentArgs, row: u32, q: u32, now: u32, before: u32, has_before: bool) {
    const h4 = H / 4u;
    const j4 = GATES * h4;
    let n = items_counting(a.count, row, a.items, a.shrink);
    if (now >= n) { return; }
    let wide = a.items * h4;
    let gates = slot(a.gates, row, a.items * j4) + now * j4 + q;
    let work = slot(a.work, row, 2u * h4) + q;
    var d_h = acts[work];
    if (SEQUENCE == 1u) { d_h += acts[slot(a.d_h, row, wide) + now * h4 + q]; }
    var was = vec4f(0.0);
    if (has_before && before < n) {
        was = acts[slot(select(a.h, a.c, GATES == 4u), row, wide) + before * h4 + q];
    }
    if (GATES == 4u) {
        let i = acts[gates];
        let f = acts[gates + h4];
        let g = acts[gates + 2u * h4];
        let o = acts[gates + 3u * (j4 / 4u)];
        let tanh_c = recurrent_tanh(acts[slot(a.c, row, wide) + now * h4 + q]);
        let d = acts[work + h4] + d_h * o * (1.0 - tanh_c * tanh_c);
        acts[work] = vec4f(0.0);
        acts[work + h4] = d * f;
        acts[gates] = d * g * i * (1.0 - i);
        acts[gates + h4] = d * was * f * (1.0 - f);
        acts[gates + 2u * h4] = d * i * (1.0 - g * g);
        acts[gates + 3u * (j4 / 4u)] = d_h * tanh_c * o * (1.0 - o);
    } else {
        let inner = slot(a.inner, row, a.items * j4) + now * j4 + q;
        let r = acts[gates];
        let z = acts[gates + h4];
        let m = acts[gates + 2u * h4];
        let d_m = d_h * (1.0 - z) * (1.0 - m * m);
        let d_z = d_h * (was - m) * z * (1.0 - z);
        let d_r = d_m * acts[inner + 2u * h4] * r * (1.0 - r);
        acts[work] = d_h * z;
        acts[gates] = d_r;
        acts[gates + h4] = d_z;
        acts[gates + 2u * h4] = d_m;
        acts[inner] = d_r;
        acts[inner + h4] = d_z;
        acts[inner + 2u * h4] = d_m * r;
    }
}
fn product(a: RecurrentArgs, row: u32, q: u32, now: u32) {
    const h4 = H / 4u;
    const j4 = GATES * h4;
    if (now >= items_counting(a.count, row, a.items, a.shrink)) { return; }
    let delta = slot(select(a.inner, a.gates, GATES == 4u), row, a.items * j4) + now * j4;
    var sum = vec4f(0.0);
    for (var k = 0u; k < j4; k += 1u) {
        let w = a.weight / 4u + 4u * k * h4 + q;
        sum += mat4x4f(params[w], params[w + h4], params[w + 2u * h4], params[w + 3u * h4]) * acts[delta + k];
    }
    let work = slot(a.work, row, 2u * h4) + q;
    acts[work] = acts[work] + sum;
}
