// Rows of items from a table of rows u | n | items: what data/gather_items and data/pool_items share.
//# use common/math
//# use data/item_math
//# use data/standardise
//# use runtime/access

// 1 where a component is not finite
fn item_spoiled(v: vec4f) -> f32 {
    let finite = is_finite_bits(v.x) && is_finite_bits(v.y) && is_finite_bits(v.z) && is_finite_bits(v.w);
    return select(1.0, 0.0, finite);
}
// Values i .. i + 4 of the n from `begin` on
fn item_values(begin: u32, i: u32, n: u32) -> vec4f {
    var v = vec4f(0.0);
    for (var c = 0u; c < 4u && i + c < n; c += 1u) { v[c] = table[begin + i + c]; }
    return v;
}
// Writes row `row` from the table row at `begin`: n items, the first is number `first`, then every `by`-th, cyclic.
// WORKGROUP / TILE threads work on a row; they agree through workgroup memory whether it is finite.
fn item_row(a: ItemSourceArgs, row: u32, begin: u32, n: u32, first: u32, by: u32, exists: bool, t: u32) {
    const lanes = WORKGROUP / TILE;
    const p4 = P / 4u;
    let u = slot(a.u, row, WIDTH / 4u);
    let x = slot(a.x, row, a.items * p4);
    var bad = 0.0;
    for (var q = t % lanes; q < WIDTH / 4u; q += lanes) {
        let v = item_values(begin, 4u * q, select(0u, DIM, exists));
        bad = max(bad, item_spoiled(v));
        acts[u + q] = v;
    }
    for (var i = t % lanes; i < a.items; i += lanes) {
        let from = begin + DIM + 1u + ((first + i * by) % max(a.pitch, 1u)) * FEATURES;
        for (var q = 0u; q < p4; q += 1u) {
            let v = item_values(from, 4u * q, select(0u, FEATURES, exists && i < n));
            bad = max(bad, item_spoiled(v));
            acts[x + i * p4 + q] = v;
        }
    }
    parts[t] = vec4f(bad);
    workgroupBarrier();
    let local = (t / lanes) * lanes;
    for (var i = 0u; i < lanes; i += 1u) { bad = max(bad, parts[local + i].x); }
    if (bad > 0.0) {
        for (var q = t % lanes; q < WIDTH / 4u; q += lanes) { acts[u + q] = vec4f(0.0); }
        for (var i = t % lanes; i < a.items; i += lanes) {
            for (var q = 0u; q < p4; q += 1u) { acts[x + i * p4 + q] = vec4f(0.0); }
        }
    }
    if (t % lanes == 0u) {
        acts[slot(a.row_meta, row, 1u)] = standardise_meta(exists, bad == 0.0);
        acts[slot(a.count, row, 1u)] = items_counts(a.moments, n);
    }
}
