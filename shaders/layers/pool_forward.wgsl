// Pooling over the items of a row that count.      y = mean_i x_i | max_i x_i | both | sum_i x_i
//
// x      (batch, items, WIDTH)             read
// count  (batch, 4)                        read    first column
// y      (batch, WIDTH) or (batch, 2 WIDTH)   write
//
// One thread per (row, quad). POOL: 0 mean, 1 max, 2 both, 3 sum.
//# use layers/items

fn kernel(at: u32, t: u32) {
    let a = load_PoolArgs(at);
    const width4 = WIDTH / 4u;
    const wide4 = select(width4, 2u * width4, POOL == 2u);
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        let local_row = i / width4;
        let q = i % width4;
        let row = tile_row0() + local_row;
        let n = items_counting(a.count, row, a.items, a.shrink);
        let x = slot(a.x, row, a.items * width4) + q;
        var sum = vec4f(0.0);
        var largest = vec4f(0.0);
        for (var k = 0u; k < n; k += 1u) {
            let v = acts[x + k * width4];
            sum += v;
            largest = select(largest, v, (v > largest) | vec4<bool>(k == 0u));
        }
        let y = slot(a.y, row, wide4) + q;
        if (POOL == 0u || POOL == 2u) { acts[y] = sum * (1.0 / f32(max(n, 1u))); }
        if (POOL == 1u) { acts[y] = largest; }
        if (POOL == 2u) { acts[y + width4] = largest; }
        if (POOL == 3u) { acts[y] = sum; }
    }
}
