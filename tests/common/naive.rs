//! The whole flow once more, naively: f64, one row at a time, the formulas of the method and none of the library's code.
//!
//! Shared with the library are only the shape, the names and values of the parameters, and the fixed permutations.
use couplet::flow::{FlowShape, Permutation, TransformKind};
use couplet::layers::activation::Activation;
use std::collections::BTreeMap;

/// A matrix `(rows, cols)`, or a vector with one row.
#[derive(Clone, Debug, Default)]
pub struct Tensor {
    pub rows: usize,
    pub cols: usize,
    pub values: Vec<f64>,
}

/// A flow with all of its numbers.
#[derive(Clone)]
pub struct Naive {
    pub shape: FlowShape,
    pub tensors: BTreeMap<String, Tensor>,
    /// Source coordinate of each place, block by block.
    pub orders: Vec<Vec<usize>>,
    /// Seed and step of the dropout masks; none turns dropout off.
    pub dropout: Option<(u64, u32)>,
}

impl Naive {
    fn vector(&self, name: &str) -> &[f64] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no tensor `{name}`")).values
    }

    /// `(z, log-determinant)` of row `row` of a batch.
    pub fn forward(&self, u: &[f64], h: &[f64], row: u32) -> (Vec<f64>, f64) {
        let s = &self.shape;
        let (mut x, mut logdet) = (u.to_vec(), 0.0);
        let depth = s.mlp.hidden.len() as u32;
        for k in 0..s.blocks {
            let name = format!("flow.{k}");
            let l = self.vector(&format!("{name}.actnorm.log_scale"));
            x = actnorm(&x, l, self.vector(&format!("{name}.actnorm.shift")), &self.orders[k]);
            logdet += l.iter().sum::<f64>();
            if let Permutation::Householder(count) = s.permutation {
                for m in 0..count {
                    reflect(&mut x, self.vector(&format!("{name}.householder.{m}")));
                }
            }
            let (mut first, mut second) = (x[..s.dim / 2].to_vec(), x[s.dim / 2..].to_vec());
            if !first.is_empty() {
                let o = self.conditioner(&format!("{name}.first"), &second, h, row, 2 * k as u32 * depth);
                logdet += self.transform(&mut first, &o);
            }
            let o = self.conditioner(&format!("{name}.second"), &first, h, row, (2 * k as u32 + 1) * depth);
            logdet += self.transform(&mut second, &o);
            x = [first, second].concat();
        }
        (x, logdet)
    }

    /// Negative log-density of a row, nats.
    pub fn loss(&self, u: &[f64], h: &[f64], row: u32) -> f64 {
        let (z, logdet) = self.forward(u, h, row);
        let nu = match (self.shape.nu, self.shape.learn_nu) {
            (Some(_), true) => Some(2.0 + softplus(self.vector("base.raw_nu")[0])),
            (nu, _) => nu.map(f64::from),
        };
        -z.iter().map(|&z| log_base(z, nu)).sum::<f64>() - logdet
    }

    /// Transforms a half in place; its log-determinant.
    fn transform(&self, x: &mut [f64], o: &[f64]) -> f64 {
        let n = x.len();
        let mut logdet = 0.0;
        for i in 0..n {
            let (y, l) = match self.shape.transform {
                TransformKind::Affine => affine(x[i], o[i], o[n.next_multiple_of(4) + i]),
                TransformKind::Spline { bins, bound } => {
                    let stride = (3 * bins - 1).next_multiple_of(4);
                    spline(x[i], &o[i * stride..][..3 * bins - 1], bins, f64::from(bound))
                }
            };
            x[i] = y;
            logdet += l;
        }
        logdet
    }

    fn conditioner(&self, name: &str, x: &[f64], h: &[f64], row: u32, layer: u32) -> Vec<f64> {
        let shape = &self.shape.mlp;
        let mut value = vec![];
        for l in 0..shape.hidden.len() {
            let name = format!("{name}.hidden.{l}");
            let inputs: &[(&str, &[f64])] =
                if l == 0 { &[("weight", x), ("condition_weight", h)] } else { &[("weight", &value)] };
            let pre = self.dense(&name, inputs);
            let mask = self.mask(pre.len(), row, layer + l as u32);
            let mut post: Vec<f64> =
                pre.iter().zip(mask).map(|(&p, m)| activation(shape.activation, p) * m).collect();
            if shape.residual && value.len() == post.len() {
                post.iter_mut().zip(&value).for_each(|(y, x)| *y += x);
            }
            value = post;
        }
        let mut out = self.dense(&format!("{name}.output"), &[("weight", &value)]);
        if shape.skip {
            self.add_products(&format!("{name}.skip"), &[("weight", x), ("condition_weight", h)], &mut out);
        }
        out
    }

    fn dense(&self, name: &str, inputs: &[(&str, &[f64])]) -> Vec<f64> {
        let mut y = self.vector(&format!("{name}.bias")).to_vec();
        self.add_products(name, inputs, &mut y);
        y
    }

    fn add_products(&self, name: &str, inputs: &[(&str, &[f64])], y: &mut [f64]) {
        for (part, x) in inputs.iter().filter(|(_, x)| !x.is_empty()) {
            let w = &self.tensors[&format!("{name}.{part}")];
            assert_eq!((w.rows, w.cols), (x.len(), y.len()), "{name}.{part}");
            for (i, x) in x.iter().enumerate() {
                (0..w.cols).for_each(|j| y[j] += x * w.values[i * w.cols + j]);
            }
        }
    }

    /// Inverted dropout: 0, or 1 / (1 - rate). Unit j takes word j mod 4 of the Philox block with the counter
    /// `[row, j / 4 + 65536 layer, step, 6]`.
    fn mask(&self, width: usize, row: u32, layer: u32) -> Vec<f64> {
        let rate = f64::from(self.shape.mlp.dropout);
        let Some((seed, step)) = self.dropout.filter(|_| rate > 0.0) else { return vec![1.0; width] };
        let word = |j: usize| {
            let counter = [row, (j / 4) as u32 + 65_536 * layer, step, 6];
            couplet::rng::philox(counter, [seed as u32, (seed >> 32) as u32])[j % 4]
        };
        let uniform = |j| (f64::from(word(j) / 512) + 0.5) / 8_388_608.0;
        (0..width).map(|j| if uniform(j) < rate { 0.0 } else { 1.0 / (1.0 - rate) }).collect()
    }
}

pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

pub fn activation(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Relu => x.max(0.0),
        Activation::Elu => {
            if x > 0.0 {
                x
            } else {
                x.exp() - 1.0
            }
        }
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => 0.5 * x * (1.0 + statrs::function::erf::erf(x / 2f64.sqrt())),
        Activation::Tanh => x.tanh(),
        Activation::Mish => x * softplus(x).tanh(),
    }
}

/// `v_i = e^{l_s} u_s + b_s`, s the i-th of `order`.
pub fn actnorm(u: &[f64], l: &[f64], b: &[f64], order: &[usize]) -> Vec<f64> {
    order.iter().map(|&s| l[s].exp() * u[s] + b[s]).collect()
}

/// `x - 2 v (v.x)/(v.v)`.
pub fn reflect(x: &mut [f64], v: &[f64]) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let c = 2.0 * dot(x, v) / dot(v, v);
    x.iter_mut().zip(v).for_each(|(x, v)| *x -= c * v);
}

/// `(u e^s + t, s)`, s = (2a/pi) atan(raw/a), a = 1.9.
pub fn affine(u: f64, raw: f64, t: f64) -> (f64, f64) {
    let s = 2.0 * 1.9 / std::f64::consts::PI * (raw / 1.9).atan();
    (u * s.exp() + t, s)
}

/// The knots `(x, y)` and slopes of a spline, K + 1 each.
pub fn knots(raw: &[f64], bins: usize, bound: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let edges = |raw: &[f64]| {
        let top = raw.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = raw.iter().map(|r| (r - top).exp()).sum();
        let mut at = vec![-bound];
        for r in raw {
            let share = 1e-3 + (1.0 - 1e-3 * bins as f64) * (r - top).exp() / total;
            at.push(at[at.len() - 1] + 2.0 * bound * share);
        }
        at
    };
    let shift = ((1.0f64 - 1e-3).exp() - 1.0).ln();
    let mut slopes = vec![1.0];
    slopes.extend(raw[2 * bins..3 * bins - 1].iter().map(|r| 1e-3 + softplus(r + shift)));
    slopes.push(1.0);
    (edges(&raw[..bins]), edges(&raw[bins..2 * bins]), slopes)
}

/// `(y, ln dy/dx)` of the rational-quadratic spline of Durkan et al. 2019.
pub fn spline(x: f64, raw: &[f64], bins: usize, bound: f64) -> (f64, f64) {
    if x < -bound || x > bound {
        return (x, 0.0);
    }
    let (kx, ky, d) = knots(raw, bins, bound);
    let k = (0..bins).rev().find(|&k| x >= kx[k]).unwrap_or(0);
    let (w, h) = (kx[k + 1] - kx[k], ky[k + 1] - ky[k]);
    let (s, xi) = (h / w, (x - kx[k]) / w);
    let den = s + (d[k + 1] + d[k] - 2.0 * s) * xi * (1.0 - xi);
    let y = ky[k] + h * (s * xi * xi + d[k] * xi * (1.0 - xi)) / den;
    let top = s * s * (d[k + 1] * xi * xi + 2.0 * s * xi * (1.0 - xi) + d[k] * (1.0 - xi) * (1.0 - xi));
    (y, (top / (den * den)).ln())
}

/// Log-density of one base coordinate.
pub fn log_base(z: f64, nu: Option<f64>) -> f64 {
    use statrs::function::gamma::ln_gamma;
    use std::f64::consts::PI;
    match nu {
        None => -0.5 * z * z - 0.5 * (2.0 * PI).ln(),
        Some(nu) => {
            ln_gamma(0.5 * (nu + 1.0))
                - ln_gamma(0.5 * nu)
                - 0.5 * (nu * PI).ln()
                - 0.5 * (nu + 1.0) * (z * z / nu).ln_1p()
        }
    }
}

/// `ln |det a|` of a matrix `(n, n)`, by elimination with row exchange.
pub fn log_abs_det(mut a: Vec<f64>, n: usize) -> f64 {
    let mut sum = 0.0;
    for c in 0..n {
        let pivot = (c..n).max_by(|&i, &j| a[i * n + c].abs().total_cmp(&a[j * n + c].abs())).unwrap_or(c);
        (0..n).for_each(|j| a.swap(c * n + j, pivot * n + j));
        sum += a[c * n + c].abs().ln();
        for i in c + 1..n {
            let f = a[i * n + c] / a[c * n + c];
            (c..n).for_each(|j| a[i * n + j] -= f * a[c * n + j]);
        }
    }
    sum
}
