// Support transforms, twins of src/sim/transform.rs: same names, same formulas.
//
// t in the open support (lo, hi)  <->  u on the real line. Generated code passes the ends and clamps.
//# use common/math

// The next normal float above x, or 0: subnormals may be flushed to the bound itself.
fn sim_above(x: f32) -> f32 {
    if (abs(x) < 1.17549435e-38) {
        return 1.17549435e-38;
    }
    let bits = bitcast<u32>(x);
    let next = bitcast<f32>(select(bits - 1u, bits + 1u, x > 0.0));
    return select(0.0, next, abs(next) >= 1.17549435e-38);
}
fn sim_below(x: f32) -> f32 {
    return -sim_above(-x);
}
// Comparisons, not min and max, which may turn NaN into a bound.
fn sim_clamp(t: f32, first: f32, last: f32) -> f32 {
    let raised = select(t, first, t < first);
    return select(raised, last, raised > last);
}
// Logarithm of a distance to an end, never of 0
fn sim_log_gap(gap: f32) -> f32 {
    return log_(max(gap, 1.17549435e-38));
}
// ln ((t - lo)/(hi - t))
fn sim_logit(t: f32, lo: f32, hi: f32) -> f32 {
    return sim_log_gap(t - lo) - sim_log_gap(hi - t);
}
// lo + (hi - lo)/(1 + e^-u), counted from the nearer end
fn sim_logistic(u: f32, lo: f32, hi: f32) -> f32 {
    let e = exp_(-abs(u));
    let part = (hi - lo) * (e / (1.0 + e));
    return select(hi - part, lo + part, u < 0.0);
}
