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
