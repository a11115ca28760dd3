// ActNorm and permutation, backward.      d_u_s = e^{l_s} d_v_i,   i = order_s
//                                         d_l_s = d_v_i e^{l_s} u_s - weight,   d_b_s = d_v_i   of each row
//
// u            (batch, DIM) in halves   read
// v            (batch, DIM) in halves   read     d_v
// d            (batch, DIM) in halves   write    d_u
// d_log_scale  (batch, DIM)             write
// d_shift      (batch, DIM)             write
// meta         (batch, 4)               read     weight
// l            (DIM)                    parameters
// order        (DIM)                    constants: the inverse permutation
//
// One thread per (row, quad written), first of d_u, then of the other two. Padding becomes 0.
//# use common/math
//# use flow/halves

fn kernel(at: u32, t: u32) {
    let a = load_ActnormArgs(at);
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const all = quads.x + quads.y;
    for (var n = t; n < TILE * all; n += WORKGROUP) {
        let row = tile_row0() + n / all;
        let range = halves_range(quads, FIRST, DIM, n % all);
        acts[halves_slot(a.d_a, a.d_b, row, quads, n % all)] = vec4f(
            pulled(a, row, range.x, range.y).x,
            pulled(a, row, range.x + 1u, range.y).x,
            pulled(a, row, range.x + 2u, range.y).x,
            pulled(a, row, range.x + 3u, range.y).x,
        );
    }
    const width4 = WIDTH / 4u;
    for (var n = t; n < TILE * width4; n += WORKGROUP) {
        let row = tile_row0() + n / width4;
        let i = 4u * (n % width4);
        let p0 = pulled(a, row, i, DIM);
        let p1 = pulled(a, row, i + 1u, DIM);
        let p2 = pulled(a, row, i + 2u, DIM);
        let p3 = pulled(a, row, i + 3u, DIM);
        acts[tile_slot(a.d_log_scale, width4) + n] = vec4f(p0.y, p1.y, p2.y, p3.y);
        acts[tile_slot(a.d_shift, width4) + n] = vec4f(p0.z, p1.z, p2.z, p3.z);
    }
}
// (d_u_s, d_l_s, d_b_s)
fn pulled(a: ActnormArgs, row: u32, s: u32, end: u32) -> vec3f {
    if (s >= end) {
        return vec3f(0.0);
    }
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    let d_v = halves_at(a.v_a, a.v_b, row, quads, FIRST, u32(consts[a.order + s]));
    let d_u = d_v * exp_(param_at(a.log_scale + s));
    let u = halves_at(a.u_a, a.u_b, row, quads, FIRST, s);
    return vec3f(d_u, d_u * u - acts[slot(a.row_meta, row, 1u)].x, d_v);
}
