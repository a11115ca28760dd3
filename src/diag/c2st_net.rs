//! The classifier of the C2ST: two hidden relu layers and a logistic output, trained by Adam as scikit-learn's
//! `MLPClassifier` trains it.
use super::simd::{LANES, sum_lanes, vectorised};
use crate::layers::gemm::{Start, gemm};
use crate::{math::exp_, rng::Rng};

/// Rows of a minibatch.
pub(super) const BATCH: usize = 200;
/// Learning rate of Adam.
const RATE: f64 = 1e-3;
/// L2 penalty `PENALTY |W|^2 / (2 batch)`; scikit-learn divides by the batch.
const PENALTY: f32 = 1e-4;
/// scikit-learn keeps probabilities this far from 0 and 1 in the loss (the epsilon of f32).
const CLIP: f32 = f32::EPSILON;

/// Weights, gradients and moments, and the activations of one batch.
///
/// Rows of hidden units are padded to whole registers: a unit that is only padding has weights, activations and
/// gradients 0 for ever, so it changes nothing, and no loop has a remainder.
pub(super) struct Net {
    dim: usize,
    hidden: usize,
    padded: usize,
    step: i32,
    /// `w1 (dim, padded) | w2 (hidden, padded) | w3 (padded) | b1 (padded) | b2 (padded) | b3 (LANES, first used)`
    values: Vec<f32>,
    gradients: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    /// `w2` transposed, `(hidden, padded)`.
    w2_transposed: Vec<f32>,
    a1: Vec<f32>,
    a2: Vec<f32>,
    d1: Vec<f32>,
    d2: Vec<f32>,
    logits: Vec<f32>,
}

/// Places of the parts in `Net::values`.
struct Parts {
    w2: usize,
    w3: usize,
    b1: usize,
    b2: usize,
    b3: usize,
}

impl Net {
    /// A net with `10 dim` units in either hidden layer; weights and biases are uniform within
    /// `sqrt(6 / (fan_in + fan_out))`.
    pub fn new(dim: usize, rng: &mut Rng) -> Self {
        let hidden = 10 * dim;
        let padded = hidden.next_multiple_of(LANES);
        let size = (dim + hidden + 3) * padded + LANES;
        let empty = || vec![0.0; BATCH * padded];
        let mut net = Self {
            dim,
            hidden,
            padded,
            step: 0,
            values: vec![0.0; size],
            gradients: vec![0.0; size],
            first: vec![0.0; size],
            second: vec![0.0; size],
            w2_transposed: vec![0.0; hidden * padded],
            a1: empty(),
            a2: empty(),
            d1: empty(),
            d2: empty(),
            logits: vec![0.0; BATCH],
        };
        let at = net.parts();
        for (weights, bias, fan_in, fan_out) in
            [(0, at.b1, dim, hidden), (at.w2, at.b2, hidden, hidden), (at.w3, at.b3, hidden, 1)]
        {
            let bound = (6.0 / (fan_in + fan_out) as f32).sqrt();
            let mut draw = || bound * (2.0 * rng.uniform() - 1.0);
            // w3 is stored as one row, so its inputs run along it.
            let (rows, row) = if fan_out == 1 { (1, fan_in) } else { (fan_in, fan_out) };
            for r in 0..rows {
                net.values[weights + r * padded..][..row].iter_mut().for_each(|w| *w = draw());
            }
            net.values[bias..][..fan_out].iter_mut().for_each(|b| *b = draw());
        }
        net
    }

    fn parts(&self) -> Parts {
        let w2 = self.dim * self.padded;
        let w3 = w2 + self.hidden * self.padded;
        let b1 = w3 + self.padded;
        Parts { w2, w3, b1, b2: b1 + self.padded, b3: b1 + 2 * self.padded }
    }

    /// Logits of `x` `(n, dim)`, n <= BATCH; activations stay behind for the backward pass.
    pub fn forward(&mut self, x: &[f32]) -> &[f32] {
        let at = self.parts();
        let (n, hidden, padded) = (x.len() / self.dim, self.hidden, self.padded);
        let values = &self.values;
        let (a1, a2) = (&mut self.a1[..n * padded], &mut self.a2[..n * padded]);
        gemm(n, padded, self.dim, x, self.dim, 1, values, padded, a1, padded, Start::Zero);
        bias_relu(a1, &values[at.b1..][..padded]);
        gemm(n, padded, hidden, a1, padded, 1, &values[at.w2..], padded, a2, padded, Start::Zero);
        bias_relu(a2, &values[at.b2..][..padded]);
        row_dots(a2, &values[at.w3..][..padded], values[at.b3], &mut self.logits[..n]);
        &self.logits[..n]
    }

    /// One Adam step on the batch `x` `(n, dim)` with `labels` 0 or 1; the mean loss, penalty included, before it.
    pub fn train(&mut self, x: &[f32], labels: &[f32]) -> f64 {
        let (n, dim, hidden, padded) = (labels.len(), self.dim, self.hidden, self.padded);
        self.forward(x);
        let at = self.parts();
        let loss = log_loss(&mut self.logits[..n], labels);
        // `logits` now holds d loss / d logit.
        let (a1, a2) = (&self.a1[..n * padded], &self.a2[..n * padded]);
        let (d1, d2) = (&mut self.d1[..n * padded], &mut self.d2[..n * padded]);
        let g = &mut self.gradients;
        g[at.b3] = self.logits[..n].iter().sum();
        gemm(1, padded, n, &self.logits, BATCH, 1, a2, padded, &mut g[at.w3..], padded, Start::Zero);
        output_deltas(&self.logits[..n], &self.values[at.w3..][..padded], a2, d2);
        column_sums(d2, &mut g[at.b2..][..padded]);
        gemm(hidden, padded, n, a1, 1, padded, d2, padded, &mut g[at.w2..], padded, Start::Zero);
        transpose(&self.values[at.w2..], &mut self.w2_transposed, hidden, padded);
        gemm(n, padded, hidden, d2, padded, 1, &self.w2_transposed, padded, d1, padded, Start::Zero);
        relu_deltas(a1, d1);
        column_sums(d1, &mut g[at.b1..][..padded]);
        gemm(dim, padded, n, x, 1, dim, d1, padded, &mut g[..], padded, Start::Zero);
        self.step += 1;
        let rate = RATE * (1.0 - 0.999f64.powi(self.step)).sqrt() / (1.0 - 0.9f64.powi(self.step));
        let (penalty, split) = (PENALTY / n as f32, at.b1);
        let squares = adam(
            &mut self.values[..split],
            &g[..split],
            &mut self.first[..split],
            &mut self.second[..split],
            rate as f32,
            penalty,
        );
        adam(
            &mut self.values[split..],
            &g[split..],
            &mut self.first[split..],
            &mut self.second[split..],
            rate as f32,
            0.0,
        );
        loss + 0.5 * f64::from(penalty) * f64::from(squares)
    }
}

vectorised! {
    fn bias_relu(rows: &mut [f32], bias: &[f32]) {
        for row in rows.chunks_exact_mut(bias.len()) {
            for (v, b) in row.iter_mut().zip(bias) {
                let z = *v + b;
                *v = if z > 0.0 { z } else { 0.0 };
            }
        }
    }
}

vectorised! {
    fn row_dots(rows: &[f32], weights: &[f32], bias: f32, out: &mut [f32]) {
        for (row, out) in rows.chunks_exact(weights.len()).zip(out) {
            let mut sums = [0.0; LANES];
            for (r, w) in row.chunks_exact(LANES).zip(weights.chunks_exact(LANES)) {
                for l in 0..LANES {
                    sums[l] += r[l] * w[l];
                }
            }
            *out = bias + sum_lanes(sums);
        }
    }
}

vectorised! {
    /// Replaces logits by the gradient of the mean log loss, and returns the loss.
    fn log_loss(logits: &mut [f32], labels: &[f32]) -> f64 {
        let scale = 1.0 / labels.len() as f32;
        let mut likelihoods = [0.0; BATCH];
        for ((z, &y), likelihood) in logits.iter_mut().zip(labels).zip(&mut likelihoods) {
            let p = 1.0 / (1.0 + exp_(-*z));
            let q = p.clamp(CLIP, 1.0 - CLIP);
            *likelihood = if y > 0.5 { q } else { 1.0 - q };
            *z = (p - y) * scale;
        }
        // A logarithm of products of 32: each factor is at least 1e-7, so f64 cannot underflow.
        let log = |c: &[f32]| c.iter().map(|&q| f64::from(q)).product::<f64>().ln();
        -likelihoods[..labels.len()].chunks(32).map(log).sum::<f64>() * f64::from(scale)
    }
}

vectorised! {
    /// `d2(i, j) = delta_i w3_j` where unit j was active.
    fn output_deltas(deltas: &[f32], weights: &[f32], active: &[f32], out: &mut [f32]) {
        let width = weights.len();
        for ((delta, a), d) in deltas.iter().zip(active.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
            for ((d, &a), &w) in d.iter_mut().zip(a).zip(weights) {
                *d = if a > 0.0 { delta * w } else { 0.0 };
            }
        }
    }
}

vectorised! {
    fn relu_deltas(active: &[f32], deltas: &mut [f32]) {
        for (d, &a) in deltas.iter_mut().zip(active) {
            *d = if a > 0.0 { *d } else { 0.0 };
        }
    }
}

vectorised! {
    fn column_sums(rows: &[f32], sums: &mut [f32]) {
        sums.fill(0.0);
        for row in rows.chunks_exact(sums.len()) {
            for (s, r) in sums.iter_mut().zip(row) {
                *s += r;
            }
        }
    }
}

/// `to(j, i) = from(i, j)` for i, j < n, both with rows of `stride`.
fn transpose(from: &[f32], to: &mut [f32], n: usize, stride: usize) {
    for i0 in (0..n).step_by(8) {
        for j in 0..n {
            for i in i0..(i0 + 8).min(n) {
                to[j * stride + i] = from[i * stride + j];
            }
        }
    }
}

vectorised! {
    /// Adam with betas .9 and .999, epsilon 1e-8 beside the uncorrected root as scikit-learn has it, on
    /// `gradient + penalty value`; returns the sum of squares of the values before the step.
    fn adam(values: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32], rate: f32, penalty: f32) -> f32 {
        let mut squares = [0.0; LANES];
        let groups = values
            .chunks_exact_mut(LANES)
            .zip(gradients.chunks_exact(LANES))
            .zip(first.chunks_exact_mut(LANES).zip(second.chunks_exact_mut(LANES)));
        for ((w, g), (m, v)) in groups {
            for l in 0..LANES {
                squares[l] += w[l] * w[l];
                let g = g[l] + penalty * w[l];
                let (next_m, next_v) = (0.9 * m[l] + 0.1 * g, 0.999 * v[l] + 0.001 * (g * g));
                // The moments of a dead unit decay into subnormals, where some processors crawl.
                m[l] = if next_m.abs() < 1e-30 { 0.0 } else { next_m };
                v[l] = if next_v < 1e-35 { 0.0 } else { next_v };
                w[l] -= rate * m[l] / (v[l].sqrt() + 1e-8);
            }
        }
        sum_lanes(squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::streams;

    fn batch(dim: usize, n: usize) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(4, streams::TEST, 0, dim as u32);
        ((0..n * dim).map(|_| rng.normal()).collect(), (0..n).map(|i| (i % 3 == 0) as u8 as f32).collect())
    }

    /// Loss in f64 by the definition, from the stored weights.
    fn naive_loss(net: &Net, values: &[f32], x: &[f32], labels: &[f32]) -> f64 {
        let (at, dim, hidden, padded) = (net.parts(), net.dim, net.hidden, net.padded);
        let v = |i: usize| f64::from(values[i]);
        let mut loss = 0.0;
        for (x, y) in x.chunks(dim).zip(labels) {
            let a1: Vec<f64> = (0..hidden)
                .map(|j| {
                    (v(at.b1 + j) + (0..dim).map(|i| f64::from(x[i]) * v(i * padded + j)).sum::<f64>())
                        .max(0.0)
                })
                .collect();
            let a2: Vec<f64> = (0..hidden)
                .map(|j| {
                    (v(at.b2 + j) + (0..hidden).map(|i| a1[i] * v(at.w2 + i * padded + j)).sum::<f64>())
                        .max(0.0)
                })
                .collect();
            let z = v(at.b3) + (0..hidden).map(|i| a2[i] * v(at.w3 + i)).sum::<f64>();
            let p = 1.0 / (1.0 + (-z).exp());
            loss -= if *y > 0.5 { p.ln() } else { (1.0 - p).ln() };
        }
        let squares: f64 = values[..at.b1].iter().map(|w| f64::from(*w).powi(2)).sum();
        (loss + 0.5 * 1e-4 * squares) / labels.len() as f64
    }

    #[test]
    fn loss_and_gradient_match_the_definition() {
        for (dim, n) in [(1, 7), (2, 200), (5, 33)] {
            let (x, labels) = batch(dim, n);
            let mut net = Net::new(dim, &mut Rng::new(9, streams::INIT, 0, 0));
            let start = net.values.clone();
            let loss = net.train(&x, &labels);
            let want = naive_loss(&net, &start, &x, &labels);
            assert!((loss - want).abs() < 1e-5, "{loss} for {want}");
            let split = net.parts().b1;
            for i in (0..start.len()).step_by(7) {
                let mut ends = [0.0; 2];
                for (end, side) in ends.iter_mut().zip([-1.0, 1.0]) {
                    let mut moved = start.clone();
                    moved[i] += side * 1e-4;
                    *end = naive_loss(&net, &moved, &x, &labels);
                }
                let want = (ends[1] - ends[0]) / 2e-4;
                let penalty = if i < split { 1e-4 * start[i] / n as f32 } else { 0.0 };
                let got = f64::from(net.gradients[i] + penalty);
                // Padding is a constant of the net: a relu at exactly 0 has the derivative 0.
                let is_padding = start[i] == 0.0 && net.values[i] == 0.0;
                assert!(is_padding || (got - want).abs() < 2e-4, "{dim}: value {i}: {got} for {want}");
            }
        }
    }

    #[test]
    fn steps_are_those_of_adam_with_the_penalty() {
        let (x, labels) = batch(2, 50);
        let mut net = Net::new(2, &mut Rng::new(9, streams::INIT, 0, 0));
        let split = net.parts().b1;
        let mut want: Vec<f64> = net.values.iter().map(|&w| f64::from(w)).collect();
        let (mut m, mut v) = (vec![0.0; want.len()], vec![0.0; want.len()]);
        for step in 1..=5 {
            net.train(&x, &labels);
            let rate = 1e-3 * (1.0 - 0.999f64.powi(step)).sqrt() / (1.0 - 0.9f64.powi(step));
            for i in 0..want.len() {
                let g = f64::from(net.gradients[i]) + if i < split { 1e-4 * want[i] / 50.0 } else { 0.0 };
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                want[i] -= rate * m[i] / (v[i].sqrt() + 1e-8);
                let got = f64::from(net.values[i]);
                assert!((got - want[i]).abs() <= 2e-6, "step {step}, value {i}: {got} for {}", want[i]);
            }
        }
    }

    #[test]
    fn padding_stays_zero_and_training_learns() {
        let (x, _) = batch(2, 200);
        let labels: Vec<f32> = x.chunks(2).map(|p| (p[0] * p[1] > 0.0) as u8 as f32).collect();
        let mut net = Net::new(2, &mut Rng::new(9, streams::INIT, 0, 0));
        let zeros = net.values.iter().filter(|v| **v == 0.0).count();
        let first = net.train(&x, &labels);
        let last = (0..1000).fold(first, |_, _| net.train(&x, &labels));
        assert!(first > 0.5 && last < 0.1, "{first} to {last}");
        assert_eq!(net.values.iter().filter(|v| **v == 0.0).count(), zeros);
    }
}
