// Discrete draws, twins of src/rng/discrete.rs: the same words in the same order. Counts are whole f32.
//# use common/math
//# use rng/philox

// ln of the Poisson probability, Loader's form
fn rng_poisson_log_pmf(k: f32, mean: f32) -> f32 {
    if (k < 0.5) {
        return -mean;
    }
    let d = k - mean;
    let v = d / (k + mean);
    let z = v * v;
    var deviance = d * v + 2.0 * k * v * z * (0.33333334 + z * (0.2 + z * (0.14285715 + z * 0.11111111)));
    if (abs(v) >= 0.1) {
        deviance = k * log_(k / mean) - d;
    }
    let r = 1.0 / k;
    let stirling = r * (0.083333336 - r * r * (2.7777778e-3 - r * r * 7.936508e-4));
    return -deviance - stirling - 0.5 * log_(6.28318531 * k);
}
fn rng_bernoulli(r: ptr<function, Rng>, p: f32) -> bool {
    return rng_uniform(r) < p;
}
fn rng_poisson_inversion(r: ptr<function, Rng>, mean_given: f32) -> f32 {
    var u = rng_uniform(r);
    let mean = max(mean_given, 0.0);
    var p = exp_(-mean);
    var k = 0.0;
    for (var i = 0u; i < 64u; i += 1u) {
        if (u <= p || (k > mean && p < 1.5e-8)) {
            break;
        }
        u -= p;
        k += 1.0;
        p *= mean / k;
    }
    return k;
}
fn rng_poisson_rejection(r: ptr<function, Rng>, mean: f32) -> f32 {
    let b = 0.931 + 2.53 * sqrt(mean);
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let certain = 0.9277 - 3.6224 / (b - 2.0);
    for (var i = 0u; i < 64u; i += 1u) {
        let u = rng_uniform(r) - 0.5;
        let v = rng_uniform(r);
        let s = 0.5 - abs(u);
        let k = floor((2.0 * a / s + b) * u + mean + 0.43);
        if (s >= 0.07 && v <= certain) {
            return k;
        }
        let outside = k < 0.0 || (s < 0.013 && v > s);
        if (!outside && log_(v * inverse_alpha / (a / (s * s) + b)) <= rng_poisson_log_pmf(k, mean)) {
            return k;
        }
    }
    return floor(mean);
}
fn rng_poisson(r: ptr<function, Rng>, mean: f32) -> f32 {
    if (mean >= 10.0) {
        return rng_poisson_rejection(r, mean);
    }
    return rng_poisson_inversion(r, mean);
}
fn rng_binomial_inversion(r: ptr<function, Rng>, n: f32, p: f32) -> f32 {
    var u = rng_uniform(r);
    let odds = p / (1.0 - p);
    var q = exp_(n * log1p_(-p));
    var k = 0.0;
    for (var i = 0u; i < 64u; i += 1u) {
        if (u <= q || k >= n || (k > n * p && q < 1.5e-8)) {
            break;
        }
        u -= q;
        k += 1.0;
        q *= (n - k + 1.0) / k * odds;
    }
    return k;
}
fn rng_binomial_rejection(r: ptr<function, Rng>, n: f32, p: f32) -> f32 {
    let mean = n * p;
    let rest = n - mean;
    let sd = sqrt(mean * (1.0 - p));
    let b = 1.15 + 2.53 * sd;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let alpha = (2.83 + 5.1 / b) * sd;
    let certain = 0.92 - 4.2 / b;
    let mode = floor((n + 1.0) * p);
    let at_mode = rng_poisson_log_pmf(mode, mean) + rng_poisson_log_pmf(n - mode, rest);
    for (var i = 0u; i < 64u; i += 1u) {
        let u = rng_uniform(r) - 0.5;
        let v = rng_uniform(r);
        let s = 0.5 - abs(u);
        let k = floor((2.0 * a / s + b) * u + mean + 0.5);
        if (k >= 0.0 && k <= n) {
            let ratio = rng_poisson_log_pmf(k, mean) + rng_poisson_log_pmf(n - k, rest) - at_mode;
            if ((s >= 0.07 && v <= certain) || log_(v * alpha / (a / (s * s) + b)) <= ratio) {
                return k;
            }
        }
    }
    return mode;
}
// n whole, 0 to 1e6
fn rng_binomial(r: ptr<function, Rng>, n: f32, p: f32) -> f32 {
    let mirrored = p > 0.5;
    let q = max(select(p, 1.0 - p, mirrored), 0.0);
    var k = 0.0;
    if (n * q >= 10.0) {
        k = rng_binomial_rejection(r, n, q);
    } else {
        k = rng_binomial_inversion(r, n, q);
    }
    return select(k, n - k, mirrored);
}
