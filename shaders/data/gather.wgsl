// A row of the table of standardised pairs (u, x), row by row or, with INDEXED, in the order of the index.
//
// u      (batch, DIM)         write
// x      (batch, COND)        write
// meta   (batch, 4)           write   weight 1/batch, or 0 and masked where a value is not finite
// table  (rows, DIM + COND)   read
// index  (steps, batch)       read    row of the table, from step first_step on
//
// WORKGROUP / TILE threads per row, each with its quads of u and x. They agree through workgroup memory whether the
// row is finite; the owner of a quad then takes it back to zero if not. Padding becomes 0.
//# use common/math
//# use data/standardise
//# use runtime/access

fn kernel(at: u32, t: u32) {
    let a = load_SourceArgs(at);
    const lanes = WORKGROUP / TILE;
    let local_row = t / lanes;
    let row = tile_row0() + local_row;
    let exists = row < run.rows;
    let begin = source(row, exists) * (DIM + COND);
    let u = slot(a.u, row, WIDTH / 4u);
    let x = slot(a.x, row, WIDTH_X / 4u);
    var bad = 0.0;
    for (var q = t % lanes; q < WIDTH / 4u; q += lanes) {
        let v = taken(begin, 4u * q, DIM, exists);
        bad = max(bad, spoiled(v));
        acts[u + q] = v;
    }
    for (var q = t % lanes; q < WIDTH_X / 4u; q += lanes) {
        let v = taken(begin + DIM, 4u * q, COND, exists);
        bad = max(bad, spoiled(v));
        acts[x + q] = v;
    }
    parts[t] = vec4f(bad);
    workgroupBarrier();
    for (var i = 0u; i < lanes; i += 1u) {
        bad = max(bad, parts[local_row * lanes + i].x);
    }
    if (bad > 0.0) {
        for (var q = t % lanes; q < WIDTH / 4u; q += lanes) {
            acts[u + q] = vec4f(0.0);
        }
        for (var q = t % lanes; q < WIDTH_X / 4u; q += lanes) {
            acts[x + q] = vec4f(0.0);
        }
    }
    if (t % lanes == 0u) {
        acts[slot(a.row_meta, row, 1u)] = standardise_meta(exists, bad == 0.0);
    }
}
// Row of the table; 0 for one past the end
fn source(row: u32, exists: bool) -> u32 {
    if (!exists) {
        return 0u;
    }
    if (INDEXED == 1u) {
        return index[(state[0].step - run.first_step) * run.batch + run.row0 + row];
    }
    return run.row0 + row;
}
// Values i .. i + 4 of the n from `begin` on
fn taken(begin: u32, i: u32, n: u32, exists: bool) -> vec4f {
    var v = vec4f(0.0);
    if (exists) {
        for (var c = 0u; c < 4u && i + c < n; c += 1u) {
            v[c] = table[begin + i + c];
        }
    }
    return v;
}
// 1 where a component is not finite
fn spoiled(v: vec4f) -> f32 {
    let finite = is_finite_bits(v.x) && is_finite_bits(v.y) && is_finite_bits(v.z) && is_finite_bits(v.w);
    return select(1.0, 0.0, finite);
}
