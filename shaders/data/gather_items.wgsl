// Rows of items of a table of standardised rows u | n | items, row by row or, with INDEXED, in the order of the index.
//
// u      (batch, DIM)        write
// x      (batch, items, P)   write   0 behind the last item
// meta   (batch, 4)          write   weight 1/batch, or 0 and masked where a value is not finite
// count  (batch, 4)          write   n and its size
// table  (rows, DIM + 1 + pitch FEATURES)   read
//
// WORKGROUP / TILE threads per row.
//# use data/item_rows

fn kernel(at: u32, t: u32) {
    let a = load_ItemSourceArgs(at);
    let row = tile_row0() + t / (WORKGROUP / TILE);
    let exists = row < run.rows;
    var source = 0u;
    if (exists) {
        source = run.row0 + row;
        if (INDEXED == 1u) { source = index[(state[0].step - run.first_step) * run.batch + run.row0 + row]; }
    }
    let begin = source * (DIM + 1u + a.pitch * FEATURES);
    var n = 0u;
    if (exists) { n = u32(clamp(table[begin + DIM], 0.0, f32(min(a.items, a.pitch)))); }
    item_row(a, row, begin, n, 0u, 1u, exists, t);
}
