// Draws, simulates and standardises.      theta ~ prior,   x ~ simulator(theta),   u = (u0(theta) - m) / s
//
// u     (batch, DIM)    write
// x     (batch, COND)   write   standardised data
// meta  (batch, 4)      write   weight 1/batch, or 0 and masked where a value is not finite
//
// One thread per row: a simulation is one sequence of draws. Rows that do not count get zeros, since 0 x NaN is NaN.
//# use common/math
//# use data/standardise
//# use rng/continuous
//# use rng/discrete
//# use rng/streams
//# use runtime/access

fn kernel(at: u32, t: u32) {
    if (t < TILE) {
        simulated(load_SourceArgs(at), tile_row0() + t);
    }
}
fn simulated(a: SourceArgs, row: u32) {
    let seed = vec2u(state[0].seed_lo, state[0].seed_hi);
    var draws = rng_new(seed, STREAM_PRIOR, state[0].step, run.row0 + row);
    var noise = rng_new(seed, STREAM_SIMULATOR, state[0].step, run.row0 + row);
    var theta: array<f32, SIM_D>;
    var u: array<f32, SIM_D>;
    var x: array<f32, SIM_C>;
    prior_draw(&draws, &theta);
    simulate(&noise, &theta, &x);
    to_unconstrained(&theta, &u);
    var good = true;
    for (var j = 0u; j < DIM; j += 1u) {
        u[j] = (u[j] - consts[a.moments + j]) * consts[a.moments + DIM + j];
        good = good && is_finite_bits(u[j]);
    }
    for (var j = 0u; j < COND; j += 1u) {
        let v = standardise_value(TRANSFORM, x[j], a.moments + 3u * DIM, COND, j);
        x[j] = v.x;
        good = good && v.y > 0.0;
    }
    let exists = row < run.rows;
    acts[slot(a.row_meta, row, 1u)] = standardise_meta(exists, good);
    // a component at a time, so that the arrays are indexed within their bounds
    for (var q = 0u; q < WIDTH / 4u; q += 1u) {
        var v = vec4f(0.0);
        for (var c = 0u; c < 4u && 4u * q + c < DIM; c += 1u) {
            v[c] = u[4u * q + c];
        }
        acts[slot(a.u, row, WIDTH / 4u) + q] = select(vec4f(0.0), v, exists && good);
    }
    for (var q = 0u; q < WIDTH_X / 4u; q += 1u) {
        var v = vec4f(0.0);
        for (var c = 0u; c < 4u && 4u * q + c < COND; c += 1u) {
            v[c] = x[4u * q + c];
        }
        acts[slot(a.x, row, WIDTH_X / 4u) + q] = select(vec4f(0.0), v, exists && good);
    }
}
