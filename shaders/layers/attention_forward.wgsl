// Multi-head attention, forward.      P = softmax(q k^T / sqrt(E)) over the keys that count,   y = P v
//
// q      (batch, queries, WIDTH)               read
// k, v   (batch, keys, WIDTH)                  read
// P      (batch, HEADS, queries, keys padded)  write   0 for keys that do not count
// y      (batch, queries, WIDTH)               write
// count  (batch, 4)                            read    first column
//
// One thread per (row, head, query) for P, then one per (row, query, quad).
//# use common/math
//# use layers/items

fn kernel(at: u32, t: u32) {
    let a = load_AttentionArgs(at);
    const width4 = WIDTH / 4u;
    const e4 = E / 4u;
    let keys4 = (a.keys + 3u) / 4u;
    for (var i = t; i < TILE * HEADS * a.queries; i += WORKGROUP) {
        let row = tile_row0() + i / (HEADS * a.queries);
        let head = (i / a.queries) % HEADS;
        let n = items_counting(a.count, row, a.keys, a.shrink);
        let q = slot(a.q, row, a.queries * width4) + (i % a.queries) * width4 + head * e4;
        let k = slot(a.k, row, a.keys * width4) + head * e4;
        let p = tile_slot(a.p, HEADS * a.queries * keys4) + i * keys4;
        var largest = -3.0e38;
        for (var j = 0u; j < 4u * keys4; j += 1u) {
            var s = 0.0;
            if (j < n) {
                for (var c = 0u; c < e4; c += 1u) { s += dot(acts[q + c], acts[k + j * width4 + c]); }
                largest = max(largest, s);
            }
            acts[p + j / 4u][j % 4u] = s;
        }
        var sum = 0.0;
        for (var j = 0u; j < n; j += 1u) {
            let s = exp_((acts[p + j / 4u][j % 4u] - largest) * inverseSqrt(f32(E)));
            acts[p + j / 4u][j % 4u] = s;
            sum += s;
        }
        let part = 1.0 / max(sum, 1e-30);
        for (var j = 0u; j < keys4; j += 1u) { acts[p + j] = acts[p + j] * part; }
    }
    storageBarrier();
    workgroupBarrier();
    for (var i = t; i < TILE * a.queries * width4; i += WORKGROUP) {
        let row = tile_row0() + i / (a.queries * width4);
        let query = (i / width4) % a.queries;
        let quad = i % width4;
        let n = items_counting(a.count, row, a.keys, a.shrink);
        let p = slot(a.p, row, HEADS * a.queries * keys4) + ((quad / e4) * a.queries + query) * keys4;
        let v = slot(a.v, row, a.keys * width4) + quad;
        var y = vec4f(0.0);
        for (var j = 0u; j < n; j += 1u) { y += acts[p + j / 4u][j % 4u] * acts[v + j * width4]; }
        acts[tile_slot(a.y, a.queries * width4) + i] = y;
    }
}
