// Layer normalisation, backward.      d_x = (d g - mean(d g) - z mean(d g z)) / s,   d_g = d z,   z = (x - m)/s
//
// x       (batch, items, WIDTH)   read
// y       (batch, items, WIDTH)   read    d_y
// d_x     (batch, items, WIDTH)   write; with ADD read too
// d_gain  (batch, items, WIDTH)   write
// g       (N)                     parameters
//
// One thread per (row, item).
//# use layers/norm_math

fn kernel(at: u32, t: u32) {
    let a = load_NormArgs(at);
    const width4 = WIDTH / 4u;
    for (var i = t; i < TILE * a.items; i += WORKGROUP) {
        let place = a.items * width4;
        let x = tile_slot(a.x, place) + i * width4;
        let y = tile_slot(a.y, place) + i * width4;
        let d_x = tile_slot(a.d_x, place) + i * width4;
        let d_gain = tile_slot(a.d_gain, place) + i * width4;
        let m = norm_moments(x);
        var sum = 0.0;
        var along = 0.0;
        for (var q = 0u; q < width4; q += 1u) {
            let inside = 4u * q + vec4u(0u, 1u, 2u, 3u) < vec4u(N);
            let z = (acts[x + q] - m.x) * m.y;
            let d = select(vec4f(0.0), acts[y + q] * params[a.gain / 4u + q], inside);
            acts[d_gain + q] = select(vec4f(0.0), acts[y + q] * z, inside);
            sum += dot(d, vec4f(1.0));
            along += dot(d, z);
        }
        for (var q = 0u; q < width4; q += 1u) {
            let inside = 4u * q + vec4u(0u, 1u, 2u, 3u) < vec4u(N);
            let z = (acts[x + q] - m.x) * m.y;
            let d = acts[y + q] * params[a.gain / 4u + q];
            var v = select(vec4f(0.0), m.y * (d - sum / f32(N) - z * (along / f32(N))), inside);
            if (ADD == 1u) { v += acts[d_x + q]; }
            acts[d_x + q] = v;
        }
    }
}
