// Continuous draws, twins of src/rng/continuous.rs: the same words in the same order.
//# use common/math
//# use rng/philox

fn rng_normal(r: ptr<function, Rng>) -> f32 {
    let radius = sqrt(-2.0 * log_(rng_uniform(r)));
    return radius * cos_2pi(rng_uniform(r));
}
fn rng_exponential(r: ptr<function, Rng>) -> f32 {
    return -log_(rng_uniform(r));
}
// Gamma(shape) = g e^l as (g, l)
fn rng_gamma_parts(r: ptr<function, Rng>, shape: f32) -> vec2f {
    let boosted = shape < 1.0;
    let d = select(shape, shape + 1.0, boosted) - 0.33333334;
    let c = 1.0 / (3.0 * sqrt(d));
    var g = d;
    for (var i = 0u; i < 64u; i += 1u) {
        let x = rng_normal(r);
        let u = rng_uniform(r);
        let w = c * x;
        if (w > -1.0) {
            let squeeze = u < 1.0 - 0.0331 * (x * x) * (x * x);
            if (squeeze || log_(u) < d * (3.0 * (log1p_(w) - w + 0.5 * w * w) - w * w * w)) {
                g = d * (1.0 + w) * (1.0 + w) * (1.0 + w);
                break;
            }
        }
    }
    var l = 0.0;
    if (boosted) {
        l = log_(rng_uniform(r)) / shape;
    }
    return vec2f(g, l);
}
fn rng_gamma(r: ptr<function, Rng>, shape: f32) -> f32 {
    let g = rng_gamma_parts(r, shape);
    return max(g.x * exp_(g.y), 1.17549435e-38);
}
fn rng_beta(r: ptr<function, Rng>, a: f32, b: f32) -> f32 {
    let ga = rng_gamma_parts(r, a);
    let gb = rng_gamma_parts(r, b);
    return sigmoid_(log_(ga.x / gb.x) + (ga.y - gb.y));
}
fn rng_student_t(r: ptr<function, Rng>, nu: f32) -> f32 {
    let z = rng_normal(r);
    let g = rng_gamma_parts(r, 0.5 * nu);
    return z * sqrt(0.5 * nu / g.x) * exp_(min(-0.5 * g.y, 80.0));
}
// h uniform in (-1/4, 1/4) turns, w exponential
fn rng_alpha_stable_of(alpha: f32, h: f32, w: f32) -> f32 {
    let inverse = 1.0 / alpha;
    let rest = 1.0 - alpha;
    let power = (log_(cos_2pi(rest * h)) - log_(w)) * rest * inverse - log_(cos_2pi(h)) * inverse;
    return sin_2pi(alpha * h) * exp_(power);
}
fn rng_alpha_stable(r: ptr<function, Rng>, alpha: f32) -> f32 {
    let h = 0.5 * (rng_uniform(r) - 0.5);
    let w = rng_exponential(r);
    return rng_alpha_stable_of(alpha, h, w);
}
