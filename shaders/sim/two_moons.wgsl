// Noisy half circle, twin of src/sim/two_moons.rs.
// x = (q cos a + 0.25 - |t1 + t2|/sqrt 2,   q sin a + (t2 - t1)/sqrt 2),   a ~ U(-pi/2, pi/2),   q ~ N(0.1, sd 0.01)
//# use rng/continuous

const SIM_C: u32 = 2u;

fn simulate(
    r: ptr<function, Rng>,
    theta: ptr<function, array<f32, SIM_D>>,
    x: ptr<function, array<f32, SIM_C>>,
) {
    let turns = 0.5 * rng_uniform(r) - 0.25;
    let radius = 0.1 + 0.01 * rng_normal(r);
    let t1 = (*theta)[0];
    let t2 = (*theta)[1];
    (*x)[0] = radius * cos_2pi(turns) + 0.25 - abs(t1 + t2) * 0.70710678;
    (*x)[1] = radius * sin_2pi(turns) + (t2 - t1) * 0.70710678;
}
