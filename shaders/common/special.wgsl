// Special functions, twins of src/math/special.rs.
//# use common/math

// erf x for |x| <= 1
fn math_erf_poly(x: f32) -> f32 {
    let z = x * x;
    var y = 7.875875e-5;
    y = y * z - 8.016864e-4;
    y = y * z + 5.1890874e-3;
    y = y * z - 2.6854212e-2;
    y = y * z + 1.1283595e-1;
    y = y * z - 3.7612627e-1;
    return (y * z + 1.1283792) * x;
}
// erfc a, a >= 1; the square is split to keep the relative error small
fn math_erfc_tail(size: f32) -> f32 {
    let a = min(size, 9.3);
    let t = 1.0 / (1.0 + 0.5 * a);
    var y = 9.342731e-2;
    y = y * t - 2.2605345e-1;
    y = y * t + 8.2176216e-2;
    y = y * t + 6.1210556e-2;
    y = y * t + 1.786928e-1;
    y = y * t + 2.4698532e-1;
    y = y * t + 2.8203675e-1;
    y = y * t + 2.8209856e-1;
    let high = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    return exp_(-high * high) * exp_((high - a) * (high + a)) * (y * t);
}
fn erf_(x: f32) -> f32 {
    let a = abs(x);
    return select(math_copysign(1.0 - math_erfc_tail(a), x), math_erf_poly(x), a < 1.0);
}
fn erfc_(x: f32) -> f32 {
    let a = abs(x);
    let tail = math_erfc_tail(a);
    return select(select(tail, 2.0 - tail, x < 0.0), 1.0 - math_erf_poly(x), a < 1.0);
}
fn normal_cdf(x: f32) -> f32 {
    return 0.5 * erfc_(-x * 0.70710678);
}
// Wichura, AS 241, PPND7; p in (0, 1)
fn normal_icdf(p: f32) -> f32 {
    let q = p - 0.5;
    let s = 0.180625 - q * q;
    let top = ((59.109375 * s + 159.29113) * s + 50.43427) * s + 3.3871327;
    let bottom = ((67.18756 * s + 78.75776) * s + 17.89517) * s + 1.0;
    let middle = q * top / bottom;
    let r = sqrt(-log_(select(1.0 - p, p, q < 0.0)));
    let n = r - 1.6;
    let near = (((0.17023821 * n + 1.3067285) * n + 2.7568154) * n + 1.4234373)
        / ((0.12021133 * n + 0.7370016) * n + 1.0);
    let f = r - 5.0;
    let far = (((0.017337203 * f + 0.42868294) * f + 3.0812263) * f + 6.657905)
        / ((0.012258203 * f + 0.2419789) * f + 1.0);
    return select(math_copysign(select(far, near, r <= 5.0), q), middle, abs(q) <= 0.425);
}
// ln Gamma(x), x > 0
fn lgamma_(x: f32) -> f32 {
    let s = x - 1.5;
    var c = -8.936767e-4;
    c = c * s + 1.4162689e-3;
    c = c * s + 8.756212e-4;
    c = c * s - 1.360952e-3;
    c = c * s - 2.1862015e-3;
    c = c * s + 3.5339862e-3;
    c = c * s - 2.8269677e-3;
    c = c * s + 4.839463e-3;
    c = c * s - 9.492599e-3;
    c = c * s + 1.6902645e-2;
    c = c * s - 3.130421e-2;
    c = c * s + 6.290466e-2;
    c = c * s - 1.4595994e-1;
    c = c * s + 4.8312902e-1;
    let near = (x - 1.0) * (x - 2.0) * c;
    let small = x < 4.0;
    let w = select(1.0, x, small);
    let product = w * (w + 1.0) * (w + 2.0) * (w + 3.0);
    let y = select(x, x + 4.0, small);
    let shift = select(0.0, log_(product), small);
    let r = 1.0 / y;
    let series = (0.083333336 - r * r * (2.7777778e-3 - r * r * 7.936508e-4)) * r;
    let far = (y - 0.5) * log_(y) - y + 0.9189385 + series - shift;
    return select(far, near, x >= 0.5 && x <= 2.5);
}
// d/dx ln Gamma(x), x > 0
fn digamma_(x: f32) -> f32 {
    let small = x < 6.0;
    let w = select(1.0, x, small);
    let sum = 1.0 / w
        + (1.0 / (w + 1.0) + (1.0 / (w + 2.0) + (1.0 / (w + 3.0) + (1.0 / (w + 4.0) + 1.0 / (w + 5.0)))));
    let y = select(x, x + 6.0, small);
    let r = 1.0 / y;
    let z = r * r;
    let series = 0.5 * r + z * (0.083333336 - z * (8.333334e-3 - z * 3.968254e-3));
    return log_(y) - series - select(0.0, sum, small);
}
