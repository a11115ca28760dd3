// Back to parameters.      theta = theta(u s + m)
//
// u  (batch, DIM)   read, write   standardised u, replaced by theta
//
// One thread per row: the bounds of a parameter may be earlier ones. Padding is left alone.
//# use common/math
//# use rng/continuous
//# use runtime/access

fn kernel(at: u32, t: u32) {
    if (t < TILE) {
        mapped(load_SourceArgs(at), slot(load_SourceArgs(at).u, tile_row0() + t, WIDTH / 4u));
    }
}
fn mapped(a: SourceArgs, row: u32) {
    var u: array<f32, SIM_D>;
    var theta: array<f32, SIM_D>;
    for (var j = 0u; j < DIM; j += 1u) {
        u[j] = acts[row + (j >> 2u)][j & 3u] * consts[a.moments + 2u * DIM + j] + consts[a.moments + j];
    }
    from_unconstrained(&u, &theta);
    for (var q = 0u; q < WIDTH / 4u; q += 1u) {
        var v = acts[row + q];
        for (var c = 0u; c < 4u && 4u * q + c < DIM; c += 1u) {
            v[c] = theta[4u * q + c];
        }
        acts[row + q] = v;
    }
}
