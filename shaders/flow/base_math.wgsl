// Base density, twin of src/flow/base.rs. kind: 0 standard normal, 1 Student-t, 2 Student-t with learned nu.
//# use common/math
//# use common/special
//# use runtime/access

// Degrees of freedom; a learned one is 2 + softplus(raw)
fn base_nu(kind: u32, fixed: f32, raw_nu: u32) -> f32 {
    if (kind == 2u) {
        return 2.0 + softplus_(param_at(raw_nu));
    }
    return fixed;
}
// -ln p(z) of one coordinate without the constant
fn base_energy(kind: u32, nu: f32, z: f32) -> f32 {
    if (kind == 0u) {
        return 0.5 * z * z;
    }
    return 0.5 * (nu + 1.0) * log1p_(z * z / nu);
}
// Its derivative by z
fn base_slope(kind: u32, nu: f32, z: f32) -> f32 {
    if (kind == 0u) {
        return z;
    }
    return (nu + 1.0) * z / (nu + z * z);
}
// The constant of one coordinate, nats; its terms cancel for large nu, where it is a series
fn base_constant(kind: u32, nu: f32) -> f32 {
    if (kind == 0u) {
        return 0.9189385;
    }
    if (nu > 12.0) {
        let r = 1.0 / nu;
        let s = r * r;
        return 0.9189385 + r * (0.25 - s * (0.041666668 - s * 0.05));
    }
    return lgamma_(0.5 * nu) - lgamma_(0.5 * (nu + 1.0)) + 0.5 * log_(nu) + 0.57236494;
}
// Derivatives by nu: of the energy, and of the constant
fn base_energy_by_nu(nu: f32, z: f32) -> f32 {
    let q = z * z / nu;
    let t = q / (1.0 + q);
    let series = t * t * (0.5 + t * (0.33333334 + t * (0.25 + t * (0.2 + t * (0.16666667 + t * 0.14285715)))));
    return 0.5 * (select(log1p_(q) - t, series, t < 0.0625) - t / nu);
}
fn base_constant_by_nu(nu: f32) -> f32 {
    if (nu > 12.0) {
        let r = 1.0 / nu;
        let s = r * r;
        return -s * (0.25 - s * (0.125 - s * 0.25));
    }
    return 0.5 * (digamma_(0.5 * nu) - digamma_(0.5 * (nu + 1.0)) + 1.0 / nu);
}
