// ActNorm and permutation, forward.      v_i = e^{l_s} u_s + b_s,   s = order_i,   logdet += sum l
//
// u      (batch, DIM) in halves   read
// v      (batch, DIM) in halves   write
// meta   (batch, 4)               add      logdet, nats
// l, b   (DIM)                    parameters
// order  (DIM)                    constants
//
// One thread per (row, quad of v); a row's logdet by one thread. Padding becomes 0.
//# use common/math
//# use flow/halves

fn kernel(at: u32, t: u32) {
    let a = load_ActnormArgs(at);
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const all = quads.x + quads.y;
    for (var n = t; n < TILE * all; n += WORKGROUP) {
        let row = tile_row0() + n / all;
        let range = halves_range(quads, FIRST, DIM, n % all);
        acts[halves_slot(a.v_a, a.v_b, row, quads, n % all)] = vec4f(
            scaled(a, row, range.x, range.y),
            scaled(a, row, range.x + 1u, range.y),
            scaled(a, row, range.x + 2u, range.y),
            scaled(a, row, range.x + 3u, range.y),
        );
    }
    if (t < TILE) {
        var logdet = 0.0;
        for (var i = 0u; i < DIM; i += 1u) {
            logdet += param_at(a.log_scale + i);
        }
        let m = slot(a.row_meta, tile_row0() + t, 1u);
        acts[m] += vec4f(0.0, logdet, 0.0, 0.0);
    }
}
// v_i
fn scaled(a: ActnormArgs, row: u32, i: u32, end: u32) -> f32 {
    if (i >= end) {
        return 0.0;
    }
    let s = u32(consts[a.order + i]);
    let u = halves_at(a.u_a, a.u_b, row, vec2u(WIDTH_A / 4u, WIDTH_B / 4u), FIRST, s);
    return exp_(param_at(a.log_scale + s)) * u + param_at(a.shift + s);
}
