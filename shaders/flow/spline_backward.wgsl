// Rational-quadratic spline, backward: gradients of the loss, in which logdet stands with -weight.
//
// u     (batch, N)           read
// o     (batch, N, STRIDE)   read, write   parameters, replaced by their gradients
// v     (batch, N)           read, write   d_v, replaced by d_u
// meta  (batch, 4)           read          weight
//
// One thread per (row, coordinate), which owns the coordinate's parameters: STRIDE is a multiple of 4. d_u goes
// through workgroup memory to the thread that owns its quad. Padding becomes 0.
//# use flow/spline_gradient

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
                let u = act_at(a.u, tile_row0() + row, width4, i);
                let d_v = act_at(a.v, tile_row0() + row, width4, i);
                let d_logdet = -acts[tile_slot(a.row_meta, 1u) + row].x;
                let raw = tile_slot(a.o, N * (STRIDE / 4u)) + (row * N + i) * (STRIDE / 4u);
                parts[n] = vec4f(spline_backward(raw, BINS, STRIDE, bitcast<f32>(BOUND_BITS), u, d_v, d_logdet));
            }
        }
        workgroupBarrier();
        for (var n = t; n < TILE * count; n += WORKGROUP) {
            let d = vec4f(parts[4u * n].x, parts[4u * n + 1u].x, parts[4u * n + 2u].x, parts[4u * n + 3u].x);
            acts[tile_slot(a.v, width4) + n / count * width4 + first + n % count] = d;
        }
        if (chunk < width4) {
            workgroupBarrier();
        }
    }
}
