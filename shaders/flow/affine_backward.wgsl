// Affine map, backward.      d_raw = (d_v u e^s - weight) ds/draw,   d_t = d_v,   d_u = d_v e^s
//                            ds/draw = (2/pi) / (1 + (raw/a)^2)
//
// u     (batch, N)       read
// o     (batch, raw|t)   read, write   replaced by its gradient
// v     (batch, N)       read, write   d_v, replaced by d_u
// meta  (batch, 4)       read          weight: the loss holds -weight logdet
//
// One thread per (row, quad). Padding becomes 0: nothing may flow into it.
//# use flow/affine_math

fn kernel(at: u32, t: u32) {
    let a = load_TransformArgs(at);
    const width4 = WIDTH / 4u;
    for (var n = t; n < TILE * width4; n += WORKGROUP) {
        let q = n % width4;
        let o = tile_slot(a.o, 2u * width4) + 2u * (n - q) + q;
        let raw = acts[o];
        let ratio = raw / AFFINE_SOFT;
        let scale = affine_exp(affine_log_scale(raw));
        let d = acts[tile_slot(a.v, width4) + n];
        let u = acts[tile_slot(a.u, width4) + n];
        let weight = acts[tile_slot(a.row_meta, 1u) + n / width4].x;
        acts[o] = affine_keep((d * u * scale - weight) * 0.63661977 / (1.0 + ratio * ratio), q, N);
        acts[o + width4] = affine_keep(d, q, N);
        acts[tile_slot(a.v, width4) + n] = affine_keep(d * scale, q, N);
    }
}
