// Columns from one slot to another.      y[TO + i] = x[FROM + i],   i < N;   the others keep their values, or 0 with CLEAR
//
// x  (batch, FROM_WIDTH)   read
// y  (batch, TO_WIDTH)     read, write
//
// One thread per (row, quad of y).

fn kernel(at: u32, t: u32) {
    let a = load_ColumnsArgs(at);
    const width4 = TO_WIDTH / 4u;
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        let row = tile_row0() + i / width4;
        let y = slot(a.y, row, width4) + i % width4;
        var v = vec4f(0.0);
        if (CLEAR == 0u) { v = acts[y]; }
        for (var c = 0u; c < 4u; c += 1u) {
            // unsigned: columns before TO become large
            let k = 4u * (i % width4) + c - TO;
            if (k < N) { v[c] = act_at(a.x, row, FROM_WIDTH / 4u, FROM + k); }
        }
        acts[y] = v;
    }
}
