//! Every draw with sample parameters on both sides, so that tests can loop over them.
use super::Rng;

/// One draw with fixed parameters.
pub struct Draw {
    /// Name and parameters, e.g. `gamma(0.3)`.
    pub name: &'static str,
    /// WGSL expression of type f32; `r` is a `ptr<function, Rng>`.
    pub wgsl: &'static str,
    /// The same in Rust.
    pub draw: fn(&mut Rng) -> f32,
    /// Whether values are whole numbers, so that the two sides agree exactly or differ by a flipped decision.
    pub whole: bool,
}

macro_rules! draw {
    ($method:ident($($parameter:literal),*), $whole:literal) => {
        Draw {
            name: concat!(stringify!($method), "(", stringify!($($parameter),*), ")"),
            wgsl: concat!("rng_", stringify!($method), "(r", $(", ", stringify!($parameter),)* ")"),
            draw: |r| r.$method($($parameter),*),
            whole: $whole,
        }
    };
}
macro_rules! real {
    ($($call:tt)*) => { draw!($($call)*, false) };
}
macro_rules! whole {
    ($($call:tt)*) => { draw!($($call)*, true) };
}
macro_rules! bernoulli {
    ($p:literal) => {
        Draw {
            name: concat!("bernoulli(", stringify!($p), ")"),
            wgsl: concat!("f32(rng_bernoulli(r, ", stringify!($p), "))"),
            draw: |r| f32::from(u8::from(r.bernoulli($p))),
            whole: true,
        }
    };
}

/// Draws over their parameter range, edges included.
pub const DRAWS: &[Draw] = &[
    real!(uniform()),
    real!(normal()),
    real!(exponential()),
    real!(gamma(0.1)),
    real!(gamma(0.3)),
    real!(gamma(1.0)),
    real!(gamma(2.5)),
    real!(gamma(100.0)),
    real!(gamma(1.0e6)),
    real!(beta(0.2, 0.3)),
    real!(beta(1.0, 1.0)),
    real!(beta(2.0, 5.0)),
    real!(beta(300.0, 200.0)),
    real!(student_t(1.0)),
    real!(student_t(3.5)),
    real!(student_t(1.0e6)),
    real!(alpha_stable(0.5)),
    real!(alpha_stable(1.0)),
    real!(alpha_stable(1.5)),
    real!(alpha_stable(2.0)),
    whole!(poisson(0.0)),
    whole!(poisson(0.001)),
    whole!(poisson(0.7)),
    whole!(poisson(9.9)),
    whole!(poisson(10.0)),
    whole!(poisson(47.3)),
    whole!(poisson(1000.0)),
    whole!(poisson(1.0e4)),
    whole!(binomial(0.0, 0.4)),
    whole!(binomial(10.0, 0.0)),
    whole!(binomial(10.0, 1.0)),
    whole!(binomial(1.0, 0.3)),
    whole!(binomial(19.0, 0.5)),
    whole!(binomial(1000.0, 0.002)),
    whole!(binomial(1000.0, 0.998)),
    whole!(binomial(20.0, 0.5)),
    whole!(binomial(1000.0, 0.25)),
    whole!(binomial(1000.0, 0.9)),
    whole!(binomial(1.0e6, 1.0e-5)),
    whole!(binomial(1.0e6, 0.3)),
    bernoulli!(0.0),
    bernoulli!(0.3),
    bernoulli!(1.0),
];
