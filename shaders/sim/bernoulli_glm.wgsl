// Spike train of a linear filter, twin of src/sim/bernoulli_glm.rs.      y_t ~ Bernoulli(sigmoid((V theta)_t)),  x = V' y
//
// GLM_STIMULUS, generated in front of this text: the stimulus after 8 zeros, so that lag j of bin t is at t + 8 - j.
//# use rng/discrete

const SIM_C: u32 = 10u;

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    var stimulus = GLM_STIMULUS;
    for (var i = 0u; i < SIM_C; i += 1u) {
        (*x)[i] = 0.0;
    }
    for (var t = 0u; t < 100u; t += 1u) {
        var rate = (*theta)[0];
        for (var j = 0u; j < 9u; j += 1u) {
            rate += stimulus[t + 8u - j] * (*theta)[j + 1u];
        }
        if (rng_bernoulli(r, sigmoid_(rate))) {
            (*x)[0] += 1.0;
            for (var j = 0u; j < 9u; j += 1u) {
                (*x)[j + 1u] += stimulus[t + 8u - j];
            }
        }
    }
}
