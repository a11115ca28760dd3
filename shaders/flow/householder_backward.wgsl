// Product of reflections, backward, last reflection first.      g -= c (v.g) v,   c = 2 / v.v
//                                  d_v = c (2 (v.x)(v.g) / (v.v) v - (v.g) x - (v.x) g),   x the reflection's input
//
// x          (batch, DIM) in halves   read          the layer's output; undone step by step in work
// y          (batch, DIM) in halves   read, write   d_y, replaced by d_x
// d_vectors  (batch, COUNT, DIM)      write         each row's part, rows of vectors padded to 4
// work       (batch, DIM)             scratch       x
// d_work     (batch, DIM)             scratch       g
// vectors    (COUNT, DIM)             parameters, rows padded to 4
//
// One thread per row. Padding of y is left alone.
//# use flow/halves
//# use flow/householder_math

fn kernel(at: u32, t: u32) {
    if (t < TILE) {
        undone(load_HouseholderArgs(at), tile_row0() + t);
    }
}
fn undone(a: HouseholderArgs, row: u32) {
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const width4 = WIDTH / 4u;
    let x = slot(a.work, row, width4);
    let g = slot(a.d_work, row, width4);
    for (var q = 0u; q < width4; q += 1u) {
        let i = 4u * q;
        householder_store(x, q, DIM, four(a.x_a, a.x_b, row, i));
        householder_store(g, q, DIM, four(a.y_a, a.y_b, row, i));
    }
    for (var n = 0u; n < COUNT; n += 1u) {
        let m = select(COUNT - 1u - n, n, REVERSED == 1u);
        let v = a.vectors / 4u + m * width4;
        householder_reflect(x, v, DIM);
        var square = 0.0;
        var s = 0.0;
        var gv = 0.0;
        for (var q = 0u; q < width4; q += 1u) {
            let w = householder_lanes(params[v + q], q, DIM);
            square = householder_add(square, w, w);
            s = householder_add(s, w, householder_lanes(acts[x + q], q, DIM));
            gv = householder_add(gv, w, householder_lanes(acts[g + q], q, DIM));
        }
        square = max(square, 1e-20);
        let c = 2.0 / square;
        let d_v = slot(a.d_vectors, row, COUNT * width4) + m * width4;
        for (var q = 0u; q < width4; q += 1u) {
            let w = householder_lanes(params[v + q], q, DIM);
            let d = c * (2.0 * s * gv / square * w - gv * acts[x + q] - s * acts[g + q]);
            acts[d_v + q] = householder_lanes(d, q, DIM);
            acts[g + q] -= c * gv * w;
        }
    }
    for (var q = 0u; q < quads.x + quads.y; q += 1u) {
        let range = halves_range(quads, FIRST, DIM, q);
        let y = halves_slot(a.y_a, a.y_b, row, quads, q);
        let d = vec4f(
            gradient(g, range.x, range.y),
            gradient(g, range.x + 1u, range.y),
            gradient(g, range.x + 2u, range.y),
            gradient(g, range.x + 3u, range.y),
        );
        acts[y] = select(acts[y], d, halves_mask(range));
    }
}
// Coordinates i .. i + 4
fn four(a: u32, b: u32, row: u32, i: u32) -> vec4f {
    return vec4f(
        coordinate(a, b, row, i),
        coordinate(a, b, row, i + 1u),
        coordinate(a, b, row, i + 2u),
        coordinate(a, b, row, i + 3u),
    );
}
fn coordinate(a: u32, b: u32, row: u32, i: u32) -> f32 {
    if (i >= DIM) {
        return 0.0;
    }
    return halves_at(a, b, row, vec2u(WIDTH_A / 4u, WIDTH_B / 4u), FIRST, i);
}
fn gradient(g: u32, i: u32, end: u32) -> f32 {
    if (i >= end) {
        return 0.0;
    }
    return acts[g + (i >> 2u)][i & 3u];
}
