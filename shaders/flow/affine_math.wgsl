// Log scale of the affine coupling, twin of `soft_clamp` of src/flow/affine.rs.      s = (2 a / pi) atan(raw / a)
//# use common/math

// a: no scale leaves (e^-a, e^a)
const AFFINE_SOFT: f32 = 1.9;

fn affine_log_scale(raw: vec4f) -> vec4f {
    let q = raw / AFFINE_SOFT;
    return 1.2095776 * vec4f(atan_(q.x), atan_(q.y), atan_(q.z), atan_(q.w));
}
fn affine_exp(s: vec4f) -> vec4f {
    return vec4f(exp_(s.x), exp_(s.y), exp_(s.z), exp_(s.w));
}
// v where a quad's component is one of n coordinates, else 0
fn affine_keep(v: vec4f, q: u32, n: u32) -> vec4f {
    return select(vec4f(0.0), v, vec4u(4u * q) + vec4u(0u, 1u, 2u, 3u) < vec4u(n));
}
