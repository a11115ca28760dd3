// Monotone rational-quadratic spline, twin of src/flow/spline_math.rs.
//
// `raw` is the index in acts of one coordinate's parameters: K widths, K heights, K-1 inner derivatives. They are read
// where they are; a private array indexed by the bin would spill. Softmax shares are formed again where needed.
//# use common/math
//# use runtime/access

const SPLINE_MIN_SHARE: f32 = 1e-3;
const SPLINE_MIN_SLOPE: f32 = 1e-3;
// ln(exp(1 - MIN_SLOPE) - 1): raw derivative 0 means slope 1
const SPLINE_SLOPE_SHIFT: f32 = 0.53974243;

// The bin of a value. Pairs are (widths, heights).
struct SplineBin {
    // number of the bin
    k: u32,
    // left and lower knot
    corner: vec2f,
    // width and height
    size: vec2f,
    // derivatives at the left and right knot
    slope: vec2f,
    // softmax shares of the bin
    share: vec2f,
    // softmax shares of all bins before
    below: vec2f,
    // of the softmax: largest raw value, 1 / sum
    top: vec2f,
    inverse_sum: vec2f,
}
fn spline_raw(raw: u32, i: u32) -> f32 {
    return acts[raw + (i >> 2u)][i & 3u];
}
fn spline_exp(x: vec2f) -> vec2f {
    return vec2f(exp_(x.x), exp_(x.y));
}
fn spline_pair(raw: u32, i: u32, bins: u32) -> vec2f {
    return vec2f(spline_raw(raw, i), spline_raw(raw, bins + i));
}
// The last bin whose left knot is not above the value; by_height: whose lower knot, for the inverse
fn spline_find(raw: u32, bins: u32, bound: f32, value: f32, by_height: bool) -> SplineBin {
    var b: SplineBin;
    b.top = spline_pair(raw, 0u, bins);
    for (var i = 1u; i < bins; i += 1u) {
        b.top = max(b.top, spline_pair(raw, i, bins));
    }
    var sum = vec2f(0.0);
    for (var i = 0u; i < bins; i += 1u) {
        sum += spline_exp(spline_pair(raw, i, bins) - b.top);
    }
    b.inverse_sum = 1.0 / sum;
    let free = 1.0 - SPLINE_MIN_SHARE * f32(bins);
    var knot = vec2f(-bound);
    var below = vec2f(0.0);
    for (var i = 0u; i < bins; i += 1u) {
        if (i > 0u && !(value >= select(knot.x, knot.y, by_height))) {
            break;
        }
        b.k = i;
        b.corner = knot;
        b.below = below;
        b.share = spline_exp(spline_pair(raw, i, bins) - b.top) * b.inverse_sum;
        b.size = 2.0 * bound * (SPLINE_MIN_SHARE + free * b.share);
        knot += b.size;
        below += b.share;
    }
    b.slope = vec2f(1.0);
    if (b.k > 0u) {
        b.slope.x = SPLINE_MIN_SLOPE + softplus_(spline_raw(raw, 2u * bins + b.k - 1u) + SPLINE_SLOPE_SHIFT);
    }
    if (b.k + 1u < bins) {
        b.slope.y = SPLINE_MIN_SLOPE + softplus_(spline_raw(raw, 2u * bins + b.k) + SPLINE_SLOPE_SHIFT);
    }
    return b;
}
// (y, ln dy/dx); identity outside [-bound, bound]
fn spline_forward(raw: u32, bins: u32, bound: f32, x: f32) -> vec2f {
    let b = spline_find(raw, bins, bound, x, false);
    let s = b.size.y / b.size.x;
    let xi = clamp((x - b.corner.x) / b.size.x, 0.0, 1.0);
    let t = xi * (1.0 - xi);
    let den = s + (b.slope.y + b.slope.x - 2.0 * s) * t;
    let q = b.slope.y * xi * xi + 2.0 * s * t + b.slope.x * (1.0 - xi) * (1.0 - xi);
    let r = (s * xi * xi + b.slope.x * t) / den;
    let ratio = s / den;
    let inside = x >= -bound && x <= bound;
    return select(vec2f(x, 0.0), vec2f(b.corner.y + b.size.y * r, log_(ratio * ratio * q)), inside);
}
// x with forward(x) = y
fn spline_inverse(raw: u32, bins: u32, bound: f32, y: f32) -> f32 {
    let b = spline_find(raw, bins, bound, y, true);
    let s = b.size.y / b.size.x;
    let e = clamp(y - b.corner.y, 0.0, b.size.y);
    let a_sum = b.slope.y + b.slope.x - 2.0 * s;
    let a = e * a_sum + b.size.y * (s - b.slope.x);
    let half = b.size.y * b.slope.x - e * a_sum;
    let c = -s * e;
    let root = sqrt(max(half * half - 4.0 * a * c, 0.0));
    let under = -half - root;
    let xi = select(0.0, clamp(2.0 * c / select(-1.0, under, under < 0.0), 0.0, 1.0), under < 0.0);
    return select(y, b.corner.x + xi * b.size.x, y >= -bound && y <= bound);
}
// Replaces the parameters, stride floats with the padding, by the gradient of d_y y + d_logdet logdet; returns d_x
fn spline_backward(raw: u32, bins: u32, stride: u32, bound: f32, x: f32, d_y: f32, d_logdet: f32) -> f32 {
    let b = spline_find(raw, bins, bound, x, false);
    let inside = x >= -bound && x <= bound;
    let w = b.size.x;
    let h = b.size.y;
    let d0 = b.slope.x;
    let d1 = b.slope.y;
    let s = h / w;
    let xi = clamp((x - b.corner.x) / w, 0.0, 1.0);
    let t = xi * (1.0 - xi);
    let sum = d1 + d0 - 2.0 * s;
    let up = 1.0 - xi;
    let den = s + sum * t;
    let q = d1 * xi * xi + 2.0 * s * t + d0 * up * up;
    let r = (s * xi * xi + d0 * t) / den;
    let g_num = d_y * h / den;
    let g_den = -(d_y * h * r + 2.0 * d_logdet) / den;
    let g_q = d_logdet / q;
    let g_s = g_num * xi * xi + g_den * (1.0 - 2.0 * t) + g_q * 2.0 * t + 2.0 * d_logdet / s;
    let g_xi = g_num * (2.0 * s * xi + d0 * (1.0 - 2.0 * xi))
        + g_den * sum * (1.0 - 2.0 * xi)
        + g_q * (2.0 * d1 * xi + 2.0 * s * (1.0 - 2.0 * xi) - 2.0 * d0 * up);
    let on = select(0.0, 1.0, inside);
    // by the bin's (width, height), and by its corner: by the sizes of the bins before
    let g_size = on * vec2f(-(g_s * s + g_xi * xi) / w, d_y * r + g_s / w);
    let g_corner = on * vec2f(-g_xi / w, d_y);
    let g_slope = vec2f(
        select(on * (g_num * t + g_den * t + g_q * up * up), 0.0, b.k == 0u),
        select(on * (g_den * t + g_q * xi * xi), 0.0, b.k + 1u == bins),
    );
    let mean = g_corner * b.below + g_size * b.share;
    let scale = 2.0 * bound * (1.0 - SPLINE_MIN_SHARE * f32(bins));
    for (var j = 0u; j < stride / 4u; j += 1u) {
        let p = acts[raw + j];
        let i = 4u * j;
        acts[raw + j] = vec4f(
            spline_gradient(b, bins, scale, i, p.x, g_size, g_corner, g_slope, mean),
            spline_gradient(b, bins, scale, i + 1u, p.y, g_size, g_corner, g_slope, mean),
            spline_gradient(b, bins, scale, i + 2u, p.z, g_size, g_corner, g_slope, mean),
            spline_gradient(b, bins, scale, i + 3u, p.w, g_size, g_corner, g_slope, mean),
        );
    }
    return select(d_y, g_xi / w, inside);
}
// Gradient by raw parameter i with value p; 0 in the padding
fn spline_gradient(
    b: SplineBin,
    bins: u32,
    scale: f32,
    i: u32,
    p: f32,
    g_size: vec2f,
    g_corner: vec2f,
    g_slope: vec2f,
    mean: vec2f,
) -> f32 {
    if (i < 2u * bins) {
        let high = i >= bins;
        let k = select(i, i - bins, high);
        let share = exp_(p - select(b.top.x, b.top.y, high)) * select(b.inverse_sum.x, b.inverse_sum.y, high);
        let before = select(g_corner.x, g_corner.y, high);
        let here = select(g_size.x, g_size.y, high);
        let part = select(select(0.0, here, k == b.k), before, k < b.k);
        return scale * share * (part - select(mean.x, mean.y, high));
    }
    if (i < 3u * bins - 1u) {
        let k = i - 2u * bins;
        let g = select(0.0, g_slope.x, k + 1u == b.k) + select(0.0, g_slope.y, k == b.k);
        return g * sigmoid_(p + SPLINE_SLOPE_SHIFT);
    }
    return 0.0;
}
