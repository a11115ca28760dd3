// Sum of whole slots, or a vector of parameters for every row.      y = [y +] x
//
// x  (batch, width) read, or with PARAMETER a vector (width)
// y  (batch, width) write; with ADD read too
//
// One thread per (row, quad).

fn kernel(at: u32, t: u32) {
    let a = load_AccumulateArgs(at);
    let width4 = a.width / 4u;
    let y = tile_slot(a.y, width4);
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        var v = vec4f(0.0);
        if (PARAMETER == 1u) {
            v = params[a.x / 4u + i % width4];
        } else {
            v = acts[tile_slot(a.x, width4) + i];
        }
        if (ADD == 1u) { v += acts[y + i]; }
        acts[y + i] = v;
    }
}
