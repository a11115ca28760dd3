// The data set a draw belongs to: set (row / draws) of the table.
//
// x      (batch, COND)   write
// meta   (batch, 4)      write   weight 1/batch, or 0 past the end
// table  (sets, COND)    read    standardised
//
// One thread per (row, quad). Padding and rows past the end become 0.
//# use data/standardise
//# use runtime/access

fn kernel(at: u32, t: u32) {
    let a = load_SourceArgs(at);
    const width4 = WIDTH_X / 4u;
    for (var n = t; n < TILE * width4; n += WORKGROUP) {
        let row = tile_row0() + n / width4;
        let i = 4u * (n % width4);
        var v = vec4f(0.0);
        if (row < run.rows) {
            let begin = (run.row0 + row) / run.draws * COND;
            for (var c = 0u; c < 4u && i + c < COND; c += 1u) {
                v[c] = table[begin + i + c];
            }
        }
        acts[tile_slot(a.x, width4) + n] = v;
    }
    if (t < TILE) {
        acts[tile_slot(a.row_meta, 1u) + t] = standardise_meta(tile_row0() + t < run.rows, true);
    }
}
