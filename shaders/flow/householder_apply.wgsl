// Product of reflections.      y = H_COUNT ... H_1 x,   with REVERSED: H_1 ... H_COUNT x
//
// x        (batch, DIM) in halves   read
// y        (batch, DIM) in halves   write
// work     (batch, DIM)             scratch
// vectors  (COUNT, DIM)             parameters, rows padded to 4
//
// One thread per row: each reflection needs the whole row twice, and DIM is small. Padding of y becomes 0.
//# use flow/halves
//# use flow/householder_math

fn kernel(at: u32, t: u32) {
    if (t < TILE) {
        reflected(load_HouseholderArgs(at), tile_row0() + t);
    }
}
fn reflected(a: HouseholderArgs, row: u32) {
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const width4 = WIDTH / 4u;
    let x = slot(a.work, row, width4);
    for (var q = 0u; q < width4; q += 1u) {
        let i = 4u * q;
        let v = vec4f(taken(a, row, i), taken(a, row, i + 1u), taken(a, row, i + 2u), taken(a, row, i + 3u));
        householder_store(x, q, DIM, v);
    }
    for (var n = 0u; n < COUNT; n += 1u) {
        let m = select(n, COUNT - 1u - n, REVERSED == 1u);
        householder_reflect(x, a.vectors / 4u + m * width4, DIM);
    }
    for (var q = 0u; q < quads.x + quads.y; q += 1u) {
        let range = halves_range(quads, FIRST, DIM, q);
        acts[halves_slot(a.y_a, a.y_b, row, quads, q)] = vec4f(
            result(x, range.x, range.y),
            result(x, range.x + 1u, range.y),
            result(x, range.x + 2u, range.y),
            result(x, range.x + 3u, range.y),
        );
    }
}
fn taken(a: HouseholderArgs, row: u32, i: u32) -> f32 {
    if (i >= DIM) {
        return 0.0;
    }
    return halves_at(a.x_a, a.x_b, row, vec2u(WIDTH_A / 4u, WIDTH_B / 4u), FIRST, i);
}
fn result(x: u32, i: u32, end: u32) -> f32 {
    if (i >= end) {
        return 0.0;
    }
    return acts[x + (i >> 2u)][i & 3u];
}
