// Gradient of the spline of spline_math.wgsl; with it, twin of src/flow/spline_math.rs.
//# use common/math
//# use flow/spline_math

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
