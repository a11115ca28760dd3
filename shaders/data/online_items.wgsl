// Draws, simulates and standardises items.      theta ~ prior,   x_i ~ simulator(theta),   u = (u0(theta) - m) / s
//
// u      (batch, DIM)        write
// x      (batch, items, P)   write   standardised items, 0 behind the last
// meta   (batch, 4)          write   weight 1/batch, or 0 and masked where a value is not finite
// count  (batch, 4)          write   n and its size
//
// One thread per row: a simulation is one sequence of draws. Rows that do not count get zeros, since 0 x NaN is NaN.
//# use common/math
//# use data/item_math
//# use data/standardise
//# use rng/continuous
//# use rng/discrete
//# use rng/streams
//# use runtime/access

fn kernel(at: u32, t: u32) {
    if (t < TILE) {
        simulated(load_ItemSourceArgs(at), tile_row0() + t);
    }
}
fn simulated(a: ItemSourceArgs, row: u32) {
    const p4 = P / 4u;
    let seed = vec2u(state[0].seed_lo, state[0].seed_hi);
    var draws = rng_new(seed, STREAM_PRIOR, state[0].step, run.row0 + row);
    var noise = rng_new(seed, STREAM_SIMULATOR, state[0].step, run.row0 + row);
    var theta: array<f32, SIM_D>;
    var u: array<f32, SIM_D>;
    prior_draw(&draws, &theta);
    let n = min(items_of_step(a.least, a.most), a.items);
    let x = slot(a.x, row, a.items * p4);
    for (var q = 0u; q < a.items * p4; q += 1u) { acts[x + q] = vec4f(0.0); }
    simulate_items(&noise, &theta, 4u * x, P, n);
    to_unconstrained(&theta, &u);
    var good = true;
    for (var j = 0u; j < DIM; j += 1u) {
        u[j] = (u[j] - consts[a.moments + j]) * consts[a.moments + DIM + j];
        good = good && is_finite_bits(u[j]);
    }
    for (var i = 0u; i < n; i += 1u) {
        for (var q = 0u; q < p4; q += 1u) {
            var v = acts[x + i * p4 + q];
            for (var c = 0u; c < 4u && 4u * q + c < FEATURES; c += 1u) {
                let s = standardise_value(TRANSFORM, v[c], a.moments + 3u * DIM, FEATURES, 4u * q + c);
                v[c] = s.x;
                good = good && s.y > 0.0;
            }
            acts[x + i * p4 + q] = v;
        }
    }
    let exists = row < run.rows;
    acts[slot(a.row_meta, row, 1u)] = standardise_meta(exists, good);
    acts[slot(a.count, row, 1u)] = items_counts(a.moments + 3u * DIM + 4u * FEATURES, n);
    if (!(exists && good)) {
        for (var q = 0u; q < a.items * p4; q += 1u) { acts[x + q] = vec4f(0.0); }
    }
    // a component at a time, so that the array is indexed within its bounds
    for (var q = 0u; q < WIDTH / 4u; q += 1u) {
        var v = vec4f(0.0);
        for (var c = 0u; c < 4u && 4u * q + c < DIM; c += 1u) { v[c] = u[4u * q + c]; }
        acts[slot(a.u, row, WIDTH / 4u) + q] = select(vec4f(0.0), v, exists && good);
    }
}
