// Scalar device functions, twins of src/math.rs: same names, same formulas.
//
// Builtins are too coarse on real GPUs (atan 4096 ULP, sin 2^-11 absolute, log 2^-21 absolute near 1), so all
// but exp are polynomials. No fused multiply-add is asked for; compilers may contract.

fn exp_(x: f32) -> f32 {
    return exp(clamp(x, -87.0, 88.0));
}
// e^r - 1 for |r| <= ln 2 / 2
fn math_expm1_poly(r: f32) -> f32 {
    var y = 1.9875691e-4;
    y = y * r + 1.3981999e-3;
    y = y * r + 8.333452e-3;
    y = y * r + 4.1665796e-2;
    y = y * r + 1.6666665e-1;
    y = y * r + 0.5;
    return y * (r * r) + r;
}
// e^x - 1, x clamped to [-87, 88]
fn expm1_(x: f32) -> f32 {
    let c = clamp(x, -87.0, 88.0);
    let n = round(c * 1.44269504);
    let r = c - n * 0.693359375 - n * -2.1219444e-4;
    let scale = bitcast<f32>(u32(i32(n) + 127) << 23u);
    return scale * math_expm1_poly(r) + (scale - 1.0);
}
// x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt 2): (f, e)
fn math_log_split(x: f32) -> vec2f {
    let bits = bitcast<u32>(x) - 0x3f3504f3u;
    let e = f32(bitcast<i32>(bits) >> 23u);
    return vec2f(bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0, e);
}
fn math_log_poly(f: f32, e: f32) -> f32 {
    let z = f * f;
    var y = 7.0376836e-2;
    y = y * f - 1.151461e-1;
    y = y * f + 1.1676999e-1;
    y = y * f - 1.2420141e-1;
    y = y * f + 1.4249323e-1;
    y = y * f - 1.6668058e-1;
    y = y * f + 2.0000715e-1;
    y = y * f - 2.4999994e-1;
    y = y * f + 3.333333e-1;
    y = y * f * z + e * -2.1219444e-4 - 0.5 * z;
    return f + y + e * 0.693359375;
}
// ln x, x > 0 normal; 0 gives about -88; infinity and NaN come back
fn log_(x: f32) -> f32 {
    let s = math_log_split(x);
    return select(x, math_log_poly(s.x, s.y), is_finite_bits(x));
}
// ln(1 + x), x > -1
fn log1p_(x: f32) -> f32 {
    let s = math_log_split(1.0 + x);
    let near = x > -0.2928932 && x < 0.4142135;
    return select(x, math_log_poly(select(s.x, x, near), select(s.y, 0.0, near)), is_finite_bits(x));
}
// x^y, x > 0
fn pow_(x: f32, y: f32) -> f32 {
    return exp_(y * log_(x));
}
fn math_copysign(size: f32, sign_from: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign_from) & 0x80000000u));
}
fn atan_(x: f32) -> f32 {
    let a = abs(x);
    let large = a > 2.4142136;
    let middle = a > 0.41421357;
    let base = select(0.0, select(0.78539816, 1.57079633, large), middle);
    let top = select(a, select(a - 1.0, -1.0, large), middle);
    let bottom = select(1.0, select(a + 1.0, a, large), middle);
    let t = top / bottom;
    let z = t * t;
    var y = 8.053745e-2;
    y = y * z - 1.3877686e-1;
    y = y * z + 1.9977711e-1;
    y = y * z - 3.333295e-1;
    return math_copysign(base + (y * z * t + t), x);
}
fn tanh_(x: f32) -> f32 {
    let t = expm1_(2.0 * clamp(x, -10.0, 10.0));
    return t / (t + 2.0);
}
fn sigmoid_(x: f32) -> f32 {
    return 1.0 / (1.0 + exp_(min(-x, 87.0)));
}
fn softplus_(x: f32) -> f32 {
    return max(x, 0.0) + log1p_(exp_(-abs(x)));
}
fn log_sigmoid_(x: f32) -> f32 {
    return -softplus_(-x);
}
// sin a for |a| <= pi/2
fn math_sin_poly(a: f32) -> f32 {
    let z = a * a;
    var y = -2.408019e-8;
    y = y * z + 2.7536464e-6;
    y = y * z - 1.9841087e-4;
    y = y * z + 8.333333e-3;
    y = y * z - 1.6666667e-1;
    return y * z * a + a;
}
// sin(2 pi t), t in turns, |t| < 2^22
fn sin_2pi(t: f32) -> f32 {
    let r = t - round(t);
    let a = abs(r);
    return math_copysign(math_sin_poly(6.28318531 * select(a, 0.5 - a, a > 0.25)), r);
}
fn cos_2pi(t: f32) -> f32 {
    let r = t - round(t);
    return math_sin_poly(6.28318531 * (0.25 - abs(r)));
}
// sin, cos, tan of |x| <= pi; pi in two parts, which compilers may merge (then 1e-7 absolute near the zeros)
fn sin_(x: f32) -> f32 {
    let a = abs(x);
    let folded = select(a, (3.140625 - a) + 9.676536e-4, a > 1.57079633);
    return math_sin_poly(folded) * select(1.0, -1.0, x < 0.0);
}
fn cos_(x: f32) -> f32 {
    return math_sin_poly((1.5703125 - abs(x)) + 4.83826795e-4);
}
fn tan_(x: f32) -> f32 {
    return sin_(x) / cos_(x);
}
fn is_finite_bits(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
