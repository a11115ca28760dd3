// Rational-quadratic spline, inverse.      u = spline^-1(v)
//
// v  (batch, N)           read
// o  (batch, N, STRIDE)   read    parameters of each coordinate
// u  (batch, N)           write
//
// One thread per (row, coordinate); values go through workgroup memory to the thread that owns a quad of u.
// Padding becomes 0.
//# use flow/spline_math

fn kernel(at: u32, t: u32) {
    let a = load_TransformArgs(at);
    const width4 = WIDTH / 4u;
    const chunk = min(width4, PARTS / TILE / 4u);
    for (var first = 0u; first < width4; first += chunk) {
        let count = min(chunk, width4 - first);
        for (var n = t; n < 4u * TILE * count; n += WORKGROUP) {
            let row = n / (4u * count);
            let i = 4u * first + n % (4u * count);
            parts[n] = vec4f();
            if (i < N) {
                let v = act_at(a.v, tile_row0() + row, width4, i);
                let raw = tile_slot(a.o, N * (STRIDE / 4u)) + (row * N + i) * (STRIDE / 4u);
                parts[n] = vec4f(spline_inverse(raw, BINS, bitcast<f32>(BOUND_BITS), v));
            }
        }
        workgroupBarrier();
        for (var n = t; n < TILE * count; n += WORKGROUP) {
            let u = vec4f(parts[4u * n].x, parts[4u * n + 1u].x, parts[4u * n + 2u].x, parts[4u * n + 3u].x);
            acts[tile_slot(a.u, width4) + n / count * width4 + first + n % count] = u;
        }
        if (chunk < width4) {
            workgroupBarrier();
        }
    }
}
