// Multi-head attention, backward.      d_v = P^T d_y,   d_s = P (d_y v^T - sum) / sqrt(E),   d_q = d_s k,   d_k = d_s^T q
//
// q, k, v, count   as forward                             read
// y      (batch, queries, WIDTH)                          read          d_y
// P      (batch, HEADS, queries, keys padded)             read, write   replaced by d_s
// d_q    (batch, queries, WIDTH)                          write
// d_k, d_v   (batch, keys, WIDTH)                         write         0 for keys that do not count
//
// One thread per (row, key, quad) for d_v, per (row, head, query) for d_s, then per (row, item, quad).
//# use layers/items

fn kernel(at: u32, t: u32) {
    let a = load_AttentionArgs(at);
    const width4 = WIDTH / 4u;
    const e4 = E / 4u;
    let keys4 = (a.keys + 3u) / 4u;
    let wide = HEADS * a.queries * keys4;
    for (var i = t; i < TILE * a.keys * width4; i += WORKGROUP) {
        let row = tile_row0() + i / (a.keys * width4);
        let quad = i % width4;
        acts[tile_slot(a.d_v, a.keys * width4) + i] = turned(a, a.y, row, (i / width4) % a.keys, quad);
    }
    storageBarrier();
    workgroupBarrier();
    for (var i = t; i < TILE * HEADS * a.queries; i += WORKGROUP) {
        let row = tile_row0() + i / (HEADS * a.queries);
        let head = (i / a.queries) % HEADS;
        let n = items_counting(a.count, row, a.keys, a.shrink);
        let d_y = slot(a.y, row, a.queries * width4) + (i % a.queries) * width4 + head * e4;
        let v = slot(a.v, row, a.keys * width4) + head * e4;
        let p = tile_slot(a.p, wide) + i * keys4;
        var sum = 0.0;
        for (var j = 0u; j < n; j += 1u) { sum += acts[p + j / 4u][j % 4u] * along(d_y, v + j * width4); }
        for (var j = 0u; j < n; j += 1u) {
            let d = (along(d_y, v + j * width4) - sum) * inverseSqrt(f32(E));
            acts[p + j / 4u][j % 4u] = acts[p + j / 4u][j % 4u] * d;
        }
    }
    storageBarrier();
    workgroupBarrier();
    for (var i = t; i < TILE * a.queries * width4; i += WORKGROUP) {
        let row = tile_row0() + i / (a.queries * width4);
        let quad = i % width4;
        let n = items_counting(a.count, row, a.keys, a.shrink);
        let p = slot(a.p, row, wide) + ((quad / e4) * a.queries + (i / width4) % a.queries) * keys4;
        let k = slot(a.k, row, a.keys * width4) + quad;
        var d = vec4f(0.0);
        for (var j = 0u; j < n; j += 1u) { d += acts[p + j / 4u][j % 4u] * acts[k + j * width4]; }
        acts[tile_slot(a.d_q, a.queries * width4) + i] = d;
    }
    for (var i = t; i < TILE * a.keys * width4; i += WORKGROUP) {
        let row = tile_row0() + i / (a.keys * width4);
        acts[tile_slot(a.d_k, a.keys * width4) + i] = turned(a, a.q, row, (i / width4) % a.keys, i % width4);
    }
}
// Quad of the sum over queries of P(query, key) x(query)
fn turned(a: AttentionArgs, x: u32, row: u32, key: u32, quad: u32) -> vec4f {
    const width4 = WIDTH / 4u;
    var s = vec4f(0.0);
    if (key >= items_counting(a.count, row, a.keys, a.shrink)) { return s; }
    let keys4 = (a.keys + 3u) / 4u;
    let p = slot(a.p, row, HEADS * a.queries * keys4) + (quad / (E / 4u)) * a.queries * keys4 + key / 4u;
    let from = slot(x, row, a.queries * width4) + quad;
    for (var i = 0u; i < a.queries; i += 1u) { s += acts[p + i * keys4][key % 4u] * acts[from + i * width4]; }
    return s;
}
fn along(x: u32, y: u32) -> f32 {
    var s = 0.0;
    for (var c = 0u; c < E / 4u; c += 1u) { s += dot(acts[x + c], acts[y + c]); }
    return s;
}
