// Normal data with a fixed covariance, twin of src/sim/mvn.rs.      x = mu + G' e / sqrt D,   e ~ N(0, I)
//
// Row j of G is drawn anew from stream MVN_STREAM: D^2 numbers as constants would not fit for D = 500.
// MVN_STREAM, MVN_SCALE = 1 / sqrt D and SIM_C = D are generated in front of this text.
//# use rng/continuous

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    for (var i = 0u; i < SIM_C; i += 1u) {
        (*x)[i] = (*theta)[i];
    }
    for (var j = 0u; j < SIM_C; j += 1u) {
        var g = rng_new(vec2u(0u, 0u), MVN_STREAM, SIM_C, j);
        let e = rng_normal(r);
        for (var i = 0u; i < SIM_C; i += 1u) {
            (*x)[i] += MVN_SCALE * rng_normal(&g) * e;
        }
    }
}
