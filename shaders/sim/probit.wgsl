// Probit support transform, twin of src/sim/transform.rs.
//# use common/special

// Phi^-1((t-lo)/(hi-lo)), from the nearer end
fn sim_probit(t: f32, lo: f32, hi: f32) -> f32 {
    let below = t - lo;
    let above = hi - t;
    let u = normal_icdf(min(below, above) / (hi - lo));
    return select(-u, u, below < above);
}
// lo + (hi - lo) Phi(u), counted from the nearer end
fn sim_normal(u: f32, lo: f32, hi: f32) -> f32 {
    let part = (hi - lo) * normal_cdf(-abs(u));
    return select(hi - part, lo + part, u < 0.0);
}
