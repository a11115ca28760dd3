// ActNorm and permutation, inverse.      u_s = e^{-l_s} (v_i - b_s),   i = order_s
//
// v      (batch, DIM) in halves   read
// u      (batch, DIM) in halves   write
// l, b   (DIM)                    parameters
// order  (DIM)                    constants: the inverse permutation
//
// One thread per (row, quad of u). Padding becomes 0.
//# use common/math
//# use flow/halves

fn kernel(at: u32, t: u32) {
    let a = load_ActnormArgs(at);
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const all = quads.x + quads.y;
    for (var n = t; n < TILE * all; n += WORKGROUP) {
        let row = tile_row0() + n / all;
        let range = halves_range(quads, FIRST, DIM, n % all);
        acts[halves_slot(a.u_a, a.u_b, row, quads, n % all)] = vec4f(
            unscaled(a, row, range.x, range.y),
            unscaled(a, row, range.x + 1u, range.y),
            unscaled(a, row, range.x + 2u, range.y),
            unscaled(a, row, range.x + 3u, range.y),
        );
    }
}
// u_s
fn unscaled(a: ActnormArgs, row: u32, s: u32, end: u32) -> f32 {
    if (s >= end) {
        return 0.0;
    }
    let i = u32(consts[a.order + s]);
    let v = halves_at(a.v_a, a.v_b, row, vec2u(WIDTH_A / 4u, WIDTH_B / 4u), FIRST, i);
    return (v - param_at(a.shift + s)) * exp_(-param_at(a.log_scale + s));
}
