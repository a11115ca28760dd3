// Rational-quadratic spline, forward.      v = spline(u),   logdet += sum ln v'
//
// u     (batch, N)           read
// o     (batch, N, STRIDE)   read    parameters of each coordinate
// v     (batch, N)           write
// meta  (batch, 4)           add     logdet, nats
//
// One thread per (row, coordinate): N is small and a spline long. Values go through workgroup memory to the thread
// that owns a quad of v, and to one that adds a row's log-derivatives in order. Padding becomes 0.
//# use flow/spline_math

fn kernel(at: u32, t: u32) {
    let a = load_TransformArgs(at);
    const width4 = WIDTH / 4u;
    const chunk = min(width4, PARTS / TILE / 4u);
    var logdet = 0.0;
    for (var first = 0u; first < width4; first += chunk) {
        let count = min(chunk, width4 - first);
        for (var n = t; n < 4u * TILE * count; n += WORKGROUP) {
            let row = n / (4u * count);
            let i = 4u * first + n % (4u * count);
            parts[n] = vec4f();
            if (i < N) {
                let u = act_at(a.u, tile_row0() + row, width4, i);
                let raw = tile_slot(a.o, N * (STRIDE / 4u)) + (row * N + i) * (STRIDE / 4u);
                parts[n] = vec4f(spline_forward(raw, BINS, bitcast<f32>(BOUND_BITS), u), 0.0, 0.0);
            }
        }
        workgroupBarrier();
        for (var n = t; n < TILE * count; n += WORKGROUP) {
            let v = vec4f(parts[4u * n].x, parts[4u * n + 1u].x, parts[4u * n + 2u].x, parts[4u * n + 3u].x);
            acts[tile_slot(a.v, width4) + n / count * width4 + first + n % count] = v;
        }
        if (t < TILE) {
            for (var i = 0u; i < 4u * count; i += 1u) {
                logdet += parts[4u * t * count + i].y;
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
