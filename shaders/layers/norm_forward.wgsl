// Layer normalisation, forward.      y = (x - m)/s g + b,   m and s of the item's N columns
//
// x     (batch, items, WIDTH)   read
// y     (batch, items, WIDTH)   write   0 in the padding
// g, b  (N)                     parameters
//
// One thread per (row, item).
//# use layers/norm_math

fn kernel(at: u32, t: u32) {
    let a = load_NormArgs(at);
    const width4 = WIDTH / 4u;
    for (var i = t; i < TILE * a.items; i += WORKGROUP) {
        let x = tile_slot(a.x, a.items * width4) + i * width4;
        let y = tile_slot(a.y, a.items * width4) + i * width4;
        let m = norm_moments(x);
        for (var q = 0u; q < width4; q += 1u) {
            let z = (acts[x + q] - m.x) * m.y * params[a.gain / 4u + q] + params[a.bias / 4u + q];
            acts[y + q] = select(vec4f(0.0), z, 4u * q + vec4u(0u, 1u, 2u, 3u) < vec4u(N));
        }
    }
}
