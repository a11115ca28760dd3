// Pooling, backward.      d_x_i = [d_x_i +] d_mean / n + d_max (i is the first largest) ; 0 for items that do not count
//
// x, y, count   as forward                    read
// d_y           like y                        read
// d_x           (batch, items, WIDTH)         write; with ADD read too
//
// One thread per (row, quad). POOL: 0 mean, 1 max, 2 both, 3 sum.
//# use layers/items

fn kernel(at: u32, t: u32) {
    let a = load_PoolArgs(at);
    const width4 = WIDTH / 4u;
    const wide4 = select(width4, 2u * width4, POOL == 2u);
    const last4 = wide4 - width4;
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        let row = tile_row0() + i / width4;
        let q = i % width4;
        let n = items_counting(a.count, row, a.items, a.shrink);
        let x = slot(a.x, row, a.items * width4) + q;
        let d_x = slot(a.d_x, row, a.items * width4) + q;
        let d_y = slot(a.d_y, row, wide4) + q;
        var flat = vec4f(0.0);
        if (POOL == 0u || POOL == 2u) { flat = acts[d_y] * (1.0 / f32(max(n, 1u))); }
        if (POOL == 3u) { flat = acts[d_y]; }
        var left = vec4f(0.0);
        var largest = vec4f(0.0);
        if (POOL == 1u || POOL == 2u) {
            left = acts[d_y + last4];
            largest = acts[slot(a.y, row, wide4) + q + last4];
        }
        for (var k = 0u; k < a.items; k += 1u) {
            var d = vec4f(0.0);
            if (ADD == 1u) { d = acts[d_x + k * width4]; }
            if (k < n) {
                d += flat;
                if (POOL == 1u || POOL == 2u) {
                    let found = acts[x + k * width4] == largest;
                    d += select(vec4f(0.0), left, found);
                    left = select(left, vec4f(0.0), found);
                }
            }
            acts[d_x + k * width4] = d;
        }
    }
}
