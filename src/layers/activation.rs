//! Activation functions with optional dropout and residual connection.
//!
//! forward: `a = act(p) m [+ r]`, backward: `delta = d_a act'(p) m`; `m` is the inverted-dropout mask (0 or 1/(1-rate)), a pure function of
//! (seed, step, layer, row, column). Nobody wants `p` once `a` is known, so a plan that will go backward leaves `act'(p) m` in its place: value and
//! slope share their exponential and their division, and the way back is one product.
use crate::args;
use crate::math::erf_;
use crate::math::loops::{exp, logistic};
use crate::rng::{philox, streams};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};
use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use serde::{Deserialize, Serialize};

/// The non-linearities of METHOD's conditioner networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x` above 0, `e^x - 1` below
    Elu,
    /// `x sigmoid(x)`
    #[default]
    Silu,
    /// `x Phi(x)`, the exact form
    Gelu,
    /// `tanh x`
    Tanh,
    /// `x tanh(ln(1 + e^x))`
    Mish,
}

impl Activation {
    /// All of them, in the order of their numbers in the kernels.
    pub const ALL: [Self; 6] = [Self::Relu, Self::Elu, Self::Silu, Self::Gelu, Self::Tanh, Self::Mish];
    pub(super) fn number(self) -> usize {
        self as usize
    }
}

args! {
    /// Arguments of `layers/activation_*`.
    pub struct ActivationArgs {
        /// Slot `(batch, WIDTH)`: pre-activation; after forward with `SLOPE` the slope, after backward delta.
        pub pre: u32,
        /// Slot `(batch, WIDTH)`: activation (forward writes), or its gradient (backward reads).
        pub post: u32,
        /// Slot `(batch, WIDTH)` added to the activation; read only with `RESIDUAL`.
        pub residual: u32,
        /// Dropout rate; used only with `DROPOUT`.
        pub rate: f32,
        /// Number of the layer, part of the dropout counter.
        pub layer: u32,
    }
}

/// `post = act(pre) m [+ residual]`
pub static FORWARD: KernelDef = KernelDef {
    name: "layers/activation_forward",
    source: include_str!("../../shaders/layers/activation_forward.wgsl"),
    args: || ActivationArgs::wgsl() + &ActivationArgs::wgsl_loader(),
    cpu: forward_cpu,
    flops: |c| 12 * c.spec.get("WIDTH") as u64,
    samples: &[
        |r| samples(r, 4, false, false, false),
        |r| samples(r, 60, true, false, true),
        |r| samples(r, 128, true, true, true),
    ],
};
/// `pre = d_post pre`, `pre` holding the slope
pub static BACKWARD: KernelDef = KernelDef {
    name: "layers/activation_backward",
    source: include_str!("../../shaders/layers/activation_backward.wgsl"),
    args: || ActivationArgs::wgsl() + &ActivationArgs::wgsl_loader(),
    cpu: backward_cpu,
    flops: |c| c.spec.get("WIDTH") as u64,
    samples: &[|r| backward_sample(r, 4), |r| backward_sample(r, 60)],
};

fn samples(r: &mut Recorder, width: usize, residual: bool, dropout: bool, slope: bool) {
    for act in Activation::ALL {
        let (pre, post, res) = (r.slot(width), r.slot(width), r.slot(width));
        let rate = dropout.then_some((0.3, act.number() as u32));
        forward(r, act, pre, post, residual.then_some(res), rate, slope);
    }
}
fn backward_sample(r: &mut Recorder, width: usize) {
    let (pre, d_post) = (r.slot(width), r.slot(width));
    backward(r, pre, d_post);
}

/// Records the forward kernel. `dropout`: rate and layer number. `slope`: leaves in `pre` what [`backward`] needs.
pub fn forward(
    r: &mut Recorder,
    act: Activation,
    pre: Slot,
    post: Slot,
    residual: Option<Slot>,
    dropout: Option<(f32, u32)>,
    slope: bool,
) {
    let (rate, layer) = dropout.unwrap_or_default();
    let residual_at = residual.map_or(pre.at, |s| s.at);
    let args = ActivationArgs { pre: pre.at, post: post.at, residual: residual_at, rate, layer };
    let spec = Spec::new(&[
        ("WIDTH", pre.width as usize),
        ("ACT", act.number()),
        ("RESIDUAL", residual.is_some().into()),
        ("DROPOUT", dropout.is_some().into()),
        ("SLOPE", slope.into()),
    ]);
    r.call(&FORWARD, spec, args);
}
/// Records the backward kernel: `pre`, which holds the slope, becomes delta.
pub fn backward(r: &mut Recorder, pre: Slot, d_post: Slot) {
    let args = ActivationArgs { pre: pre.at, post: d_post.at, residual: pre.at, rate: 0.0, layer: 0 };
    r.call(&BACKWARD, Spec::new(&[("WIDTH", pre.width as usize)]), args);
}

/// `act(x)`; the number as a constant, so that each loop has one branch-free body.
#[inline(always)]
fn act<const A: usize, const FUSED: bool>(x: f32) -> f32 {
    match A {
        0 => x.max(0.0),
        1 => {
            if x > 0.0 {
                x
            } else {
                exp::<FUSED>(x.min(0.0)) - 1.0
            }
        }
        2 => x * logistic::<FUSED>(x),
        3 => 0.5 * x * (1.0 + erf_(x * std::f32::consts::FRAC_1_SQRT_2)),
        4 => 2.0 * logistic::<FUSED>(2.0 * x) - 1.0,
        _ => {
            // tanh(ln(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2); clamped where it is 1 in f32 anyway
            let e = exp::<FUSED>(x.min(20.0));
            let n = e * (e + 2.0);
            x * n / (n + 2.0)
        }
    }
}
/// `act'(x)`
#[inline(always)]
fn slope<const A: usize, const FUSED: bool>(x: f32) -> f32 {
    match A {
        0 => {
            if x > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        1 => {
            if x > 0.0 {
                1.0
            } else {
                exp::<FUSED>(x.min(0.0))
            }
        }
        2 => {
            let p = logistic::<FUSED>(x);
            p + x * p * (1.0 - p)
        }
        3 => {
            let phi = 0.398_942_3 * exp::<FUSED>(-0.5 * x * x);
            0.5 * (1.0 + erf_(x * std::f32::consts::FRAC_1_SQRT_2)) + x * phi
        }
        4 => {
            let h = act::<4, FUSED>(x);
            1.0 - h * h
        }
        _ => {
            let e = exp::<FUSED>(x.min(20.0));
            let n = e * (e + 2.0);
            let t = n / (n + 2.0);
            // d tanh(softplus) = (1 - t^2) sigmoid
            t + x * (1.0 - t * t) * (e / (1.0 + e))
        }
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn values<const A: usize>(post: &mut [f32], pre: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    post.iter_mut().zip(pre).for_each(|(post, &pre)| *post = act::<A, FUSED>(pre));
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn values_and_slopes<const A: usize>(post: &mut [f32], pre: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    for (post, pre) in post.iter_mut().zip(pre) {
        let x = *pre;
        *post = act::<A, FUSED>(x);
        *pre = slope::<A, FUSED>(x);
    }
}

/// `post = act(pre)`, by the activation's number.
pub(super) fn forward_values(number: usize, post: &mut [f32], pre: &[f32]) {
    match number {
        0 => values::<0>(post, pre),
        1 => values::<1>(post, pre),
        2 => values::<2>(post, pre),
        3 => values::<3>(post, pre),
        4 => values::<4>(post, pre),
        _ => values::<5>(post, pre),
    }
}
/// `pre <- d_post act'(pre)`, by the activation's number.
pub(super) fn backward_values(number: usize, pre: &mut [f32], d_post: &[f32]) {
    match number {
        0 => deltas::<0>(pre, d_post),
        1 => deltas::<1>(pre, d_post),
        2 => deltas::<2>(pre, d_post),
        3 => deltas::<3>(pre, d_post),
        4 => deltas::<4>(pre, d_post),
        _ => deltas::<5>(pre, d_post),
    }
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn deltas<const A: usize>(pre: &mut [f32], d_post: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_feature = "neon"));
    pre.iter_mut().zip(d_post).for_each(|(pre, d)| *pre = d * slope::<A, FUSED>(*pre));
}

fn forward_cpu(tile: &Tile, call: &Call) {
    match call.spec.get("ACT") {
        0 => forward_of::<0>(tile, call),
        1 => forward_of::<1>(tile, call),
        2 => forward_of::<2>(tile, call),
        3 => forward_of::<3>(tile, call),
        4 => forward_of::<4>(tile, call),
        _ => forward_of::<5>(tile, call),
    }
}
fn forward_of<const A: usize>(tile: &Tile, call: &Call) {
    let a: ActivationArgs = call.args();
    let width = call.spec.get("WIDTH");
    let (slope, dropout) = (call.spec.get("SLOPE") == 1, call.spec.get("DROPOUT") == 1);
    let post = tile.write(a.post, width);
    if slope {
        let pre = tile.write(a.pre, width);
        values_and_slopes::<A>(post, pre);
        if dropout {
            apply_mask(tile, &a, width, pre);
        }
    } else {
        values::<A>(post, tile.read(a.pre, width));
    }
    if dropout {
        apply_mask(tile, &a, width, post);
    }
    if call.spec.get("RESIDUAL") == 1 {
        post.iter_mut().zip(tile.read(a.residual, width)).for_each(|(y, r)| *y += r);
    }
}
fn backward_cpu(tile: &Tile, call: &Call) {
    let a: ActivationArgs = call.args();
    let width = call.spec.get("WIDTH");
    products(tile.write(a.pre, width), tile.read(a.post, width));
}
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn products(pre: &mut [f32], d_post: &[f32]) {
    pre.iter_mut().zip(d_post).for_each(|(p, d)| *p *= d);
}

/// Multiplies by the mask; one Philox block serves four columns.
fn apply_mask(tile: &Tile, a: &ActivationArgs, width: usize, values: &mut [f32]) {
    let key = [tile.state.seed_lo, tile.state.seed_hi];
    let keep = 1.0 / (1.0 - a.rate);
    for (r, row) in values.chunks_exact_mut(width).enumerate() {
        for (q, quad) in row.chunks_exact_mut(4).enumerate() {
            let counter = [tile.batch_row(r), q as u32 | (a.layer << 16), tile.state.step, streams::DROPOUT];
            for (x, bits) in quad.iter_mut().zip(philox::philox(counter, key)) {
                let uniform = ((bits >> 9) as f32 + 0.5) / 8_388_608.0;
                *x = if uniform < a.rate { 0.0 } else { *x * keep };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(a: Activation, x: f64) -> f64 {
        match a {
            Activation::Relu => x.max(0.0),
            Activation::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp() - 1.0
                }
            }
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Gelu => {
                // Phi by Simpson's rule: shares nothing with `erf_`
                let (n, h) = (2000, x / 2000.0);
                let f = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
                let s: f64 = (0..n)
                    .map(|i| {
                        let t = i as f64 * h;
                        h / 6.0 * (f(t) + 4.0 * f(t + 0.5 * h) + f(t + h))
                    })
                    .sum();
                x * (0.5 + s)
            }
            Activation::Tanh => x.tanh(),
            Activation::Mish => x * x.exp().ln_1p().tanh(),
        }
    }
    fn eval<const FUSED: bool>(a: Activation, x: f32) -> (f32, f32) {
        match a.number() {
            0 => (act::<0, FUSED>(x), slope::<0, FUSED>(x)),
            1 => (act::<1, FUSED>(x), slope::<1, FUSED>(x)),
            2 => (act::<2, FUSED>(x), slope::<2, FUSED>(x)),
            3 => (act::<3, FUSED>(x), slope::<3, FUSED>(x)),
            4 => (act::<4, FUSED>(x), slope::<4, FUSED>(x)),
            _ => (act::<5, FUSED>(x), slope::<5, FUSED>(x)),
        }
    }
    #[test]
    fn values_and_slopes_are_those_of_the_naive_functions() {
        for a in Activation::ALL {
            for i in -320..=321 {
                let x = f64::from(i / 2) / 20.0 + 0.0137;
                let (y, s) = if i % 2 == 0 { eval::<false>(a, x as f32) } else { eval::<true>(a, x as f32) };
                let want = naive(a, f64::from(x as f32));
                assert!(
                    (f64::from(y) - want).abs() <= 1e-6 * (1.0 + want.abs()),
                    "{a:?}({x}) = {y}, not {want}"
                );
                let h = 1e-5;
                let d = (naive(a, x + h) - naive(a, x - h)) / (2.0 * h);
                assert!((f64::from(s) - d).abs() <= 3e-6 * (1.0 + d.abs()), "{a:?}'({x}) = {s}, not {d}");
            }
            for x in [-1e4f32, -88.0, 88.0, 1e4] {
                let ((y, s), (z, t)) = (eval::<false>(a, x), eval::<true>(a, x));
                assert!((y + s + z + t).is_finite(), "{a:?}({x})");
            }
        }
    }
}
