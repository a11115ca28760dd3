// Sigmoid and tanh of vectors, as in src/layers/recurrent_cpu.rs
//# use common/math
fn recurrent_exp(x: vec4f) -> vec4f {
    return vec4f(exp_(x.x), exp_(x.y), exp_(x.z), exp_(x.w));
}
fn recurrent_sigmoid(x: vec4f) -> vec4f {
    return 1.0 / (1.0 + recurrent_exp(-x));
}
fn recurrent_tanh(x: vec4f) -> vec4f {
    return 1.0 - 2.0 / (recurrent_exp(2.0 * x) + 1.0);
}
