// Standardised data, twin of src/data/standardise.rs.
// Constants from `moments` on: u_mean | 1/u_sd | u_sd (D each) | x_center | x_inv_scale | x_mean | 1/x_sd (C each)
//# use common/math

// Element-wise transform of the data. kind: 0 none, 1 log, 2 log1p, 3 asinh of (x - center) inv_scale,
// 4 log of x + 0.001, 5 1/x
fn standardise_transform(kind: u32, x: f32, center: f32, inv_scale: f32) -> f32 {
    let infinite = bitcast<f32>(0x7f800000u | (bitcast<u32>(x) & 0x80000000u));
    if (kind == 1u) {
        return select(log_(clamp(x, 1e-30, 3e38)), infinite, x < 0.0);
    }
    if (kind == 2u) {
        return math_copysign(log1p_(min(abs(x), 3e38)), x);
    }
    if (kind == 3u) {
        let y = (x - center) * inv_scale;
        let a = min(abs(y), 1e18);
        return math_copysign(log1p_(a + a * a / (1.0 + sqrt(1.0 + a * a))), y);
    }
    if (kind == 4u) {
        return select(log_(clamp(x, 0.0, 3e38) + 1e-3), infinite, x < 0.0);
    }
    if (kind == 5u) {
        return select(1.0 / x, infinite, abs(x) < 1e-30);
    }
    return x;
}
// (value j of the network's input, whether x and it are finite: 1 or 0); at: of x_center in consts, c: C
fn standardise_value(kind: u32, x: f32, at: u32, c: u32, j: u32) -> vec2f {
    let y = standardise_transform(kind, x, consts[at + j], consts[at + c + j]);
    let good = is_finite_bits(x) && is_finite_bits(y);
    let z = (y - consts[at + 2u * c + j]) * consts[at + 3u * c + j];
    return vec2f(clamp(z, -10.0, 10.0), select(0.0, 1.0, good));
}
// Metadata of a row: weight 1/batch where it counts; masked where it exists and is not good
fn standardise_meta(exists: bool, good: bool) -> vec4f {
    let weight = select(0.0, 1.0 / f32(run.batch), exists && good);
    return vec4f(weight, 0.0, 0.0, select(0.0, 1.0, exists && !good));
}
