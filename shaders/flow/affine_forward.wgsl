// Affine map, forward.      v = u e^s + t,   logdet += sum s,   s = log_scale(raw)
//
// u     (batch, N)       read
// o     (batch, raw|t)   read    N of each, padded to 4
// v     (batch, N)       write
// meta  (batch, 4)       add     logdet, nats
//
// One thread per (row, quad); a row's s go through workgroup memory and are added in order by one thread.
// Padding becomes 0.
//# use flow/affine_math

fn kernel(at: u32, t: u32) {
    let a = load_TransformArgs(at);
    const width4 = WIDTH / 4u;
    const chunk = min(width4, PARTS / TILE);
    var logdet = 0.0;
    for (var first = 0u; first < width4; first += chunk) {
        let count = min(chunk, width4 - first);
        for (var n = t; n < TILE * count; n += WORKGROUP) {
            let row = n / count;
            let q = first + n % count;
            let at_quad = row * width4 + q;
            let o = tile_slot(a.o, 2u * width4) + 2u * row * width4 + q;
            let s = affine_keep(affine_log_scale(acts[o]), q, N);
            let v = acts[tile_slot(a.u, width4) + at_quad] * affine_exp(s) + acts[o + width4];
            acts[tile_slot(a.v, width4) + at_quad] = affine_keep(v, q, N);
            parts[n] = s;
        }
        workgroupBarrier();
        if (t < TILE) {
            for (var q = 0u; q < count; q += 1u) {
                let s = parts[t * count + q];
                logdet = logdet + s.x + s.y + s.z + s.w;
            }
        }
        if (chunk < width4) {
            workgroupBarrier();
        }
    }
    if (t < TILE) {
        acts[tile_slot(a.row_meta, 1u) + t] += vec4f(0.0, logdet, 0.0, 0.0);
    }
}
