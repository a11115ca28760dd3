// Items of long data sets, table rows u | n | items: a random row, and of its `pitch` items, as TAKE says, 0: every k-th from
// a random one on, k without a common divisor (sets), 1: the first (series), 2: those of a window (stationary series).
//
// u, x, meta, count, table as data/gather_items; index: the number of rows
//
// WORKGROUP / TILE threads per row, which all draw the same.
//# use data/item_rows

fn kernel(at: u32, t: u32) {
    let a = load_ItemSourceArgs(at);
    let row = tile_row0() + t / (WORKGROUP / TILE);
    let seed = vec2u(state[0].seed_lo, state[0].seed_hi);
    let words = philox(vec4u(run.row0 + row, 0u, state[0].step, STREAM_POOL), seed);
    let n = min(min(items_of_step(a.least, a.most), a.items), a.pitch);
    let begin = items_below(words.x, index[0]) * (DIM + 1u + a.pitch * FEATURES);
    var first = 0u;
    var by = 1u;
    if (TAKE == 2u) {
        first = items_below(words.y, a.pitch - n + 1u);
    }
    if (TAKE == 0u) {
        first = items_below(words.y, a.pitch);
        by = 1u + items_below(words.z, max(a.pitch, 2u) - 1u);
        while (!items_coprime(by, a.pitch)) { by = by % a.pitch + 1u; }
    }
    item_row(a, row, begin, n, first, by, row < run.rows, t);
}
