//! The prior as straight-line WGSL with literal constants.
use std::fmt::Write as _;

use super::marginal::{Bound, Marginal, Support};
use super::multivariate::NormalMixture;
use super::prior::{Factor, Prior};
use super::transform::{Transform, sim_above, sim_below};

impl Prior {
    /// WGSL text: `const SIM_D` and the functions
    /// `prior_draw(r: ptr<function, Rng>, theta: ptr<function, array<f32, SIM_D>>)`,
    /// `to_unconstrained(theta: ptr<..>, u: ptr<..>)` and `from_unconstrained(u: ptr<..>, theta: ptr<..>)`,
    /// twins of [`Prior::draw`], [`Prior::to_unconstrained`] (without the log-Jacobian) and
    /// [`Prior::from_unconstrained`]. Needs `common/math.wgsl` and `rng/*.wgsl` in the same module, and
    /// `common/special.wgsl` where a transform is probit.
    pub fn wgsl(&self) -> String {
        let mut draw = String::new();
        for (i, factor) in self.parts() {
            match factor {
                Factor::One(marginal) => {
                    let value = clamped(&draw_expression(marginal), &marginal.support(), stored);
                    line(&mut draw, &format!("(*theta)[{i}] = {value};"));
                }
                Factor::Multivariate { mean, cholesky } => multivariate(&mut draw, i, mean, cholesky),
                Factor::Mixture(m) => mixture(&mut draw, i, m),
            }
        }
        let (mut to, mut from) = (String::new(), String::new());
        for (i, support) in self.supports() {
            let t = local(i);
            line(&mut to, &format!("let {t} = {};", clamped(&stored(i), &support, local)));
            let (lo, hi) = (end(support.lo, local), end(support.hi, local));
            line(
                &mut to,
                &match self.transforms[i] {
                    Transform::Identity => format!("(*u)[{i}] = {t};"),
                    Transform::Logit => format!("(*u)[{i}] = sim_logit({t}, {lo}, {hi});"),
                    Transform::Probit => format!("(*u)[{i}] = sim_probit({t}, {lo}, {hi});"),
                    Transform::Log => format!("(*u)[{i}] = sim_log_gap({t} - {lo});"),
                },
            );
            let u = format!("(*u)[{i}]");
            let (lo, hi) = (end(support.lo, stored), end(support.hi, stored));
            let value = match self.transforms[i] {
                Transform::Identity => u,
                Transform::Logit => format!("sim_logistic({u}, {lo}, {hi})"),
                Transform::Probit => format!("sim_normal({u}, {lo}, {hi})"),
                Transform::Log => format!("{lo} + exp_({u})"),
            };
            line(&mut from, &format!("{} = {};", stored(i), clamped(&value, &support, stored)));
        }
        let vector = "ptr<function, array<f32, SIM_D>>";
        let mut text = format!("const SIM_D: u32 = {}u;\n\n", self.dim());
        text.push_str(include_str!("../../shaders/sim/transform.wgsl"));
        if self.transforms.contains(&Transform::Probit) {
            text.push_str(include_str!("../../shaders/sim/probit.wgsl"));
        }
        let functions = [
            (format!("prior_draw(r: ptr<function, Rng>, theta: {vector})"), draw),
            (format!("to_unconstrained(theta: {vector}, u: {vector})"), to),
            (format!("from_unconstrained(u: {vector}, theta: {vector})"), from),
        ];
        for (signature, body) in functions {
            let _ = write!(text, "\nfn {signature} {{\n{body}}}\n");
        }
        text
    }
}

fn line(text: &mut String, statement: &str) {
    text.push_str("    ");
    text.push_str(statement);
    text.push('\n');
}

/// A literal that reads back as the same float.
fn literal(value: f32) -> String {
    if value < 0.0 { format!("({value:?}f)") } else { format!("{value:?}f") }
}

/// Parameter `i` where a function writes it.
fn stored(i: usize) -> String {
    format!("(*theta)[{i}]")
}

/// Parameter `i` where a function reads it, clamped to its support.
fn local(i: usize) -> String {
    format!("t{i}")
}

/// The value of a bound; `parameter` says how parameters are called.
fn bound(bound: Bound, parameter: fn(usize) -> String) -> String {
    match bound {
        Bound::Const(value) => literal(value),
        Bound::Param(i) => parameter(i),
    }
}

/// An end of the support where the transform needs it; infinite ends are not named.
fn end(bound_or_infinity: Option<Bound>, parameter: fn(usize) -> String) -> String {
    bound_or_infinity.map_or_else(String::new, |b| bound(b, parameter))
}

/// `value` clamped to the open support; the inner ends are literals where the bounds are.
fn clamped(value: &str, support: &Support, parameter: fn(usize) -> String) -> String {
    let Some(lo) = support.lo else { return value.into() };
    let first = match lo {
        Bound::Const(lo) => literal(sim_above(lo)),
        Bound::Param(i) => format!("sim_above({})", parameter(i)),
    };
    let last = match support.hi {
        None => literal(f32::MAX),
        Some(Bound::Const(hi)) => literal(sim_below(hi)),
        Some(Bound::Param(i)) => format!("sim_below({})", parameter(i)),
    };
    format!("sim_clamp({value}, {first}, {last})")
}

fn draw_expression(marginal: &Marginal) -> String {
    match *marginal {
        Marginal::Uniform { lo, hi } => {
            let (lo, hi) = (bound(lo, stored), bound(hi, stored));
            format!("{lo} + ({hi} - {lo}) * rng_uniform(r)")
        }
        Marginal::Normal { mean, sd } => format!("{} + {} * rng_normal(r)", literal(mean), literal(sd)),
        Marginal::LogNormal { mu, sigma } => {
            format!("exp_({} + {} * rng_normal(r))", literal(mu), literal(sigma))
        }
        Marginal::LogUniform { lo, hi } => {
            let (lo, hi) = (crate::math::log_(lo), crate::math::log_(hi));
            format!("exp_({} + {} * rng_uniform(r))", literal(lo), literal(hi - lo))
        }
        Marginal::Gamma { shape, rate } => format!("rng_gamma(r, {}) / {}", literal(shape), literal(rate)),
        Marginal::Beta { a, b } => format!("rng_beta(r, {}, {})", literal(a), literal(b)),
        Marginal::Exponential { rate } => format!("rng_exponential(r) / {}", literal(rate)),
        Marginal::HalfNormal { sd } => format!("{} * abs(rng_normal(r))", literal(sd)),
    }
}

/// `mean + L z` for the parameters from `first` on.
fn multivariate(text: &mut String, first: usize, mean: &[f32], cholesky: &[f32]) {
    noise(text, first, mean.len());
    for (i, mean) in mean.iter().enumerate() {
        line(text, &format!("(*theta)[{}] = {};", first + i, literal(*mean)));
    }
    correlated(text, first, mean.len(), cholesky);
}

/// The same with the mean of a component.
fn mixture(text: &mut String, first: usize, m: &NormalMixture) {
    let (k, thresholds) = (m.dim(), m.thresholds());
    line(text, &format!("let pick{first} = rng_uniform(r);"));
    noise(text, first, k);
    for (c, mean) in m.means.chunks_exact(k).enumerate() {
        let condition = match thresholds.get(c) {
            Some(below) => format!("if (pick{first} < {}) {{", literal(*below)),
            None => "{".into(),
        };
        line(text, &format!("{}{condition}", if c == 0 { "" } else { "} else " }));
        for (i, mean) in mean.iter().enumerate() {
            line(text, &format!("    (*theta)[{}] = {};", first + i, literal(*mean)));
        }
    }
    line(text, "}");
    correlated(text, first, k, &m.cholesky);
}

fn noise(text: &mut String, first: usize, k: usize) {
    for i in first..first + k {
        line(text, &format!("let z{i} = rng_normal(r);"));
    }
}

/// Adds `L z`; zeros of `L` are left out.
fn correlated(text: &mut String, first: usize, k: usize, cholesky: &[f32]) {
    for i in 0..k {
        for j in 0..=i {
            let l = cholesky[i * k + j];
            if l != 0.0 {
                line(text, &format!("(*theta)[{}] += {} * z{};", first + i, literal(l), first + j));
            }
        }
    }
}
