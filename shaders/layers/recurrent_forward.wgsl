// Recurrent cell, forward.      formulas in src/layers/recurrent.rs; GATES 4: LSTM, 3: GRU
//
// gates  (batch, items, GATES H)   read, write   products with the inputs, then the gates (GRU: r z n)
// inner  (batch, items, 3 H)       write         GRU: products with the state
// h      (batch, items, H)         read, write   outputs, 0 for items that do not count
// c      (batch, items, H)         read, write   LSTM: cell states
// last   (batch, H)                write
// U, u   (H, GATES H), (3 H)       parameters
// count  (batch, 4)                read          first column
//
// The workgroup walks the items. For each: one thread per (row, quad of gates) multiplies, one per (row, quad of units) updates.
//# use layers/items
//# use layers/recurrent_math

fn kernel(at: u32, t: u32) {
    let a = load_RecurrentArgs(at);
    const h4 = H / 4u;
    const j4 = GATES * h4;
    for (var i = t; i < TILE * h4; i += WORKGROUP) { acts[tile_slot(a.last, h4) + i] = vec4f(0.0); }
    for (var s = 0u; s < a.items; s += 1u) {
        let now = select(s, a.items - 1u - s, REVERSE == 1u);
        let before = select(now - 1u, now + 1u, REVERSE == 1u);
        for (var i = t; i < TILE * j4; i += WORKGROUP) { product(a, tile_row0() + i / j4, i % j4, now, before, s > 0u); }
        storageBarrier();
        workgroupBarrier();
        for (var i = t; i < TILE * h4; i += WORKGROUP) { update(a, tile_row0() + i / h4, i % h4, now, before, s > 0u); }
        storageBarrier();
        workgroupBarrier();
    }
}
fn product(a: RecurrentArgs, row: u32, q: u32, now: u32, before: u32, has_before: bool) {
    const h4 = H / 4u;
    const j4 = GATES * h4;
    let n = items_counting(a.count, row, a.items, a.shrink);
    let gates = slot(a.gates, row, a.items * j4) + now * j4 + q;
    let inner = slot(a.inner, row, a.items * j4) + now * j4 + q;
    if (now >= n) {
        acts[gates] = vec4f(0.0);
        if (GATES == 3u) { acts[inner] = vec4f(0.0); }
        return;
    }
    var sum = vec4f(0.0);
    if (has_before && before < n) {
        let h = slot(a.h, row, a.items * h4) + before * h4;
        for (var k = 0u; k < h4; k += 1u) {
            let w = a.weight / 4u + 4u * k * j4 + q;
            sum += mat4x4f(params[w], params[w + j4], params[w + 2u * j4], params[w + 3u * j4]) * acts[h + k];
        }
    }
    if (GATES == 4u) {
        acts[gates] = acts[gates] + sum;
    } else {
        acts[inner] = params[a.bias / 4u + q] + sum;
    }
}
fn update(a: RecurrentArgs, row: u32, q: u32, now: u32, before: u32, has_before: bool) {
    const h4 = H / 4u;
    const j4 = GATES * h4;
    let n = items_counting(a.count, row, a.items, a.shrink);
    let h = slot(a.h, row, a.items * h4) + now * h4 + q;
    let c = slot(a.c, row, a.items * h4) + now * h4 + q;
    if (now >= n) {
        acts[h] = vec4f(0.0);
        if (GATES == 4u) { acts[c] = vec4f(0.0); }
        return;
    }
    let gates = slot(a.gates, row, a.items * j4) + now * j4 + q;
    var was = vec4f(0.0);
    // LSTM: cell state before; GRU: state before
    if (has_before && before < n) {
        was = acts[slot(select(a.h, a.c, GATES == 4u), row, a.items * h4) + before * h4 + q];
    }
    var out = vec4f(0.0);
    if (GATES == 4u) {
        let i = recurrent_sigmoid(acts[gates]);
        let f = recurrent_sigmoid(acts[gates + h4]);
        let g = recurrent_tanh(acts[gates + 2u * h4]);
        let o = recurrent_sigmoid(acts[gates + 3u * (j4 / 4u)]);
        let cell = f * was + i * g;
        acts[gates] = i;
        acts[gates + h4] = f;
        acts[gates + 2u * h4] = g;
        acts[gates + 3u * (j4 / 4u)] = o;
        acts[c] = cell;
        out = o * recurrent_tanh(cell);
    } else {
        let inner = slot(a.inner, row, a.items * j4) + now * j4 + q;
        let r = recurrent_sigmoid(acts[gates] + acts[inner]);
        let z = recurrent_sigmoid(acts[gates + h4] + acts[inner + h4]);
        let m = recurrent_tanh(acts[gates + 2u * h4] + r * acts[inner + 2u * h4]);
        acts[gates] = r;
        acts[gates + h4] = z;
        acts[gates + 2u * h4] = m;
        out = m + z * (was - m);
    }
    acts[h] = out;
    acts[slot(a.last, row, h4) + q] = out;
}
