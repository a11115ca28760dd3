// Sinusoidal embedding of time.      y = (sin w_k t, cos w_k t),   t: the item's first column with STAMPS, else its place
//
// x  (batch, items, P)         read
// y  (batch, items, 4 QUADS)   write
//
// One thread per (row, item).
//# use common/math

fn kernel(at: u32, t: u32) {
    let a = load_TimeArgs(at);
    for (var i = t; i < TILE * a.items; i += WORKGROUP) {
        var time = f32(i % a.items);
        if (STAMPS == 1u) { time = acts[tile_slot(a.x, a.items * (P / 4u)) + i * (P / 4u)].x; }
        let y = tile_slot(a.y, a.items * QUADS) + i * QUADS;
        var turns = time * a.slowest;
        for (var q = 0u; q < QUADS; q += 1u) {
            let next = turns * a.factor;
            let all = vec4f(turns - 0.25, turns, next - 0.25, next);
            let parts = all - floor(all);
            acts[y + q] = vec4f(cos_2pi(parts.x), cos_2pi(parts.y), cos_2pi(parts.z), cos_2pi(parts.w));
            turns = next * a.factor;
        }
    }
}
