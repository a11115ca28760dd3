// Nine statistics of prey and predators, twin of src/sim/lotka_volterra_ode_stats.rs; needs sim/lotka_volterra_ode_math.
// Means, ln(1 + variances), autocorrelations at lags 6 and 13 of X, then of Y, correlation of X and Y
//
// The system is solved twice, for means and for centred sums: 1000 numbers a thread would be slow private memory.

const SIM_C: u32 = 9u;

// sum of products over the root of the product of the sums of squares; 0 where a side does not vary
fn lotka_correlation(both: vec2f, first: vec2f, second: vec2f) -> vec2f {
    let scale = sqrt(first) * sqrt(second);
    return select(vec2f(0.0), both / scale, scale > vec2f(0.0));
}

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    let rates = lotka_rates(theta);
    var mean = vec2f(0.0);
    // means of the series without its last and without its first LAG values
    var early: array<vec2f, 2>;
    var late: array<vec2f, 2>;
    var lag = array<u32, 2>(6u, 13u);
    var s = LOTKA_START;
    for (var t = 0u; t < 500u; t += 1u) {
        let v = lotka_populations(s.xy);
        mean += v;
        for (var k = 0u; k < 2u; k += 1u) {
            early[k] += select(vec2f(0.0), v, t + lag[k] < 500u);
            late[k] += select(vec2f(0.0), v, t >= lag[k]);
        }
        s = lotka_next(s, rates);
    }
    mean /= 500.0;
    for (var k = 0u; k < 2u; k += 1u) {
        early[k] /= f32(500u - lag[k]);
        late[k] /= f32(500u - lag[k]);
    }
    var squares = vec2f(0.0);
    var cross = 0.0;
    var first: array<vec2f, 2>;
    var second: array<vec2f, 2>;
    var both: array<vec2f, 2>;
    var past: array<vec2f, 13>;
    s = LOTKA_START;
    for (var t = 0u; t < 500u; t += 1u) {
        let v = lotka_populations(s.xy);
        let c = v - mean;
        squares += c * c;
        cross += c.x * c.y;
        for (var k = 0u; k < 2u; k += 1u) {
            if (t >= lag[k]) {
                let e = past[(t - lag[k]) % 13u] - early[k];
                let l = v - late[k];
                first[k] += e * e;
                second[k] += l * l;
                both[k] += e * l;
            }
        }
        past[t % 13u] = v;
        s = lotka_next(s, rates);
    }
    let auto6 = lotka_correlation(both[0], first[0], second[0]);
    let auto13 = lotka_correlation(both[1], first[1], second[1]);
    (*x)[0] = mean.x;
    (*x)[1] = mean.y;
    (*x)[2] = log1p_(squares.x / 500.0);
    (*x)[3] = log1p_(squares.y / 500.0);
    (*x)[4] = auto6.x;
    (*x)[5] = auto13.x;
    (*x)[6] = auto6.y;
    (*x)[7] = auto13.y;
    (*x)[8] = lotka_correlation(vec2f(cross), squares.xx, squares.yy).x;
}
