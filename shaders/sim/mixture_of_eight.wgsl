// Label of a point, twin of src/sim/mixture_of_eight.rs.      p(component | theta) ~ exp(-|theta - centre|^2), one-hot label
//# use rng/continuous

const SIM_C: u32 = 4u;

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    var distance: array<f32, 8>;
    var nearest = 3e38;
    for (var k = 0u; k < 8u; k += 1u) {
        let turns = f32(k) * 0.125;
        let dx = (*theta)[0] - 7.5 * sin_2pi(turns);
        let dy = (*theta)[1] - 7.5 * cos_2pi(turns);
        distance[k] = dx * dx + dy * dy;
        nearest = min(nearest, distance[k]);
    }
    for (var l = 0u; l < 4u; l += 1u) {
        (*x)[l] = 0.0;
    }
    // labels of the components: 0 0 0 0 1 1 2 3
    for (var k = 0u; k < 8u; k += 1u) {
        let l = select(k - 4u, select(0u, 1u, k >= 4u), k < 6u);
        (*x)[l] += exp_(nearest - distance[k]);
    }
    let u = rng_uniform(r) * ((*x)[0] + (*x)[1] + (*x)[2] + (*x)[3]);
    var label = 0u;
    var sum = 0.0;
    for (var l = 0u; l < 3u; l += 1u) {
        sum += (*x)[l];
        label += select(0u, 1u, u >= sum);
    }
    for (var l = 0u; l < 4u; l += 1u) {
        (*x)[l] = select(0.0, 1.0, l == label);
    }
}
