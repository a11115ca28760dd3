// (mean, 1/s) of the first N columns of an item, s = sqrt(var + 1e-5); x: its first quad
fn norm_moments(x: u32) -> vec2f {
    var sum = 0.0;
    for (var i = 0u; i < N; i += 1u) { sum += acts[x + i / 4u][i % 4u]; }
    let mean = sum / f32(N);
    var square = 0.0;
    for (var i = 0u; i < N; i += 1u) {
        let d = acts[x + i / 4u][i % 4u] - mean;
        square += d * d;
    }
    return vec2f(mean, 1.0 / sqrt(square / f32(N) + 1e-5));
}
