// Affine map, inverse.      u = (v - t) e^-s,   s = log_scale(raw)
//
// v  (batch, N)       read
// o  (batch, raw|t)   read    N of each, padded to 4
// u  (batch, N)       write
//
// One thread per (row, quad). Padding becomes 0.
//# use flow/affine_math

fn kernel(at: u32, t: u32) {
    let a = load_TransformArgs(at);
    const width4 = WIDTH / 4u;
    for (var n = t; n < TILE * width4; n += WORKGROUP) {
        let q = n % width4;
        let o = tile_slot(a.o, 2u * width4) + 2u * (n - q) + q;
        let u = (acts[tile_slot(a.v, width4) + n] - acts[o + width4]) * affine_exp(-affine_log_scale(acts[o]));
        acts[tile_slot(a.u, width4) + n] = affine_keep(u, q, N);
    }
}
