//! Summary networks in f64, one data set at a time and only the items that are there: no padding, no masks, no tiles.
use std::collections::HashMap;

/// One item after the other.
pub type Set = Vec<Vec<f64>>;

/// Parameters by name: (rows, columns, values).
#[derive(Clone, Default)]
pub struct Weights(pub HashMap<String, (usize, usize, Vec<f64>)>);

fn pad4(n: usize) -> usize {
    n.div_ceil(4) * 4
}
pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Weights {
    fn product(&self, name: &str, first: usize, x: &[f64], y: &mut [f64]) {
        let (rows, cols, w) = &self.0[name];
        assert!(first + x.len() <= *rows, "{name}: {first} + {} of {rows}", x.len());
        for (i, x) in x.iter().enumerate() {
            (0..*cols).for_each(|j| y[j] += x * w[(first + i) * cols + j]);
        }
    }
    fn bias(&self, layer: &str) -> Vec<f64> {
        match self.0.get(&format!("{layer}.bias")) {
            Some((_, _, b)) => b.clone(),
            None => vec![0.0; self.0[&format!("{layer}.weight")].1],
        }
    }
    pub fn dense(&self, layer: &str, x: &[f64]) -> Vec<f64> {
        let mut y = self.bias(layer);
        self.product(&format!("{layer}.weight"), 0, x, &mut y);
        y
    }
    fn hidden(&self, layer: &str, x: &[f64]) -> Vec<f64> {
        self.dense(layer, x).into_iter().map(silu).collect()
    }
    /// The whitening layer on what was pooled, a hidden layer, the output.
    fn head(&self, raw: &[f64]) -> Vec<f64> {
        let mut h = raw.to_vec();
        if self.0.contains_key("summary.whiten.weight") {
            h = self.dense("summary.whiten", raw);
        }
        for i in 0.. {
            let layer = if i == 0 { "summary.hidden".into() } else { format!("summary.hidden.{i}") };
            if !self.0.contains_key(&format!("{layer}.weight")) {
                break;
            }
            h = self.hidden(&layer, &h);
        }
        self.dense("summary.output", &h)
    }

    /// Convolution of a grid of `size` (rows, columns).
    pub fn conv(&self, layer: &str, x: &Set, size: [usize; 2], kernel: [usize; 2], stride: usize) -> Set {
        let out = [if kernel[0] > 1 { size[0].div_ceil(stride) } else { size[0] }, size[1].div_ceil(stride)];
        let pad = kernel.map(|k| (k - 1) / 2);
        let mut y = vec![];
        for o in 0..out[0] * out[1] {
            let (oy, ox) = (o / out[1], o % out[1]);
            let mut sum = self.bias(layer);
            for t in 0..kernel[0] * kernel[1] {
                let (ty, tx) = (t / kernel[1], t % kernel[1]);
                let iy = if kernel[0] > 1 { oy * stride + ty } else { oy };
                let ix = ox * stride + tx;
                if iy < pad[0] || ix < pad[1] || iy - pad[0] >= size[0] || ix - pad[1] >= size[1] {
                    continue;
                }
                let item = &x[(iy - pad[0]) * size[1] + ix - pad[1]];
                self.product(&format!("{layer}.weight"), t * pad4(item.len()), item, &mut sum);
            }
            y.push(sum);
        }
        y
    }

    /// Steps of each column, their means, and the largest and smallest value of each column.
    pub fn ecdf(&self, x: &Set) -> Vec<f64> {
        let steps: Set =
            x.iter().map(|i| self.dense("summary.steps", i).into_iter().map(f64::tanh).collect()).collect();
        let sides: Set = x
            .iter()
            .map(|item| {
                let mut y = vec![0.0; 2 * item.len()];
                self.product("summary.mirror.weight", 0, item, &mut y);
                y
            })
            .collect();
        let (means, ends) = (mean_max(&steps), mean_max(&sides));
        self.head(&[&means[..means.len() / 2], &ends[ends.len() / 2..]].concat())
    }

    pub fn deep_set(&self, x: &Set, modules: usize) -> Vec<f64> {
        let mut h = x.clone();
        for k in 0..modules {
            let at = |part: &str| format!("summary.module.{k}.{part}");
            let v = self.dense(&at("context"), &mean_max(&h));
            h = h
                .iter()
                .map(|item| {
                    let mut pre = v.clone();
                    self.product(&format!("{}.weight", at("first")), 0, item, &mut pre);
                    let post: Vec<f64> = pre.into_iter().map(silu).collect();
                    self.hidden(&at("second"), &post)
                })
                .collect();
        }
        for layer in ["summary.rows.0", "summary.rows.1"] {
            h = h.iter().map(|item| self.hidden(layer, item)).collect();
        }
        self.head(&mean_max(&h))
    }

    /// Outputs of a cell in the order of the items, and its last state.
    fn cell(&self, layer: &str, x: &Set, gates: usize, reverse: bool) -> (Set, Vec<f64>) {
        let u = format!("{layer}.state_weight");
        let n = self.0[&u].0;
        let (mut h, mut c) = (vec![0.0; n], vec![0.0; n]);
        let mut out = vec![vec![]; x.len()];
        let order: Vec<usize> = if reverse { (0..x.len()).rev().collect() } else { (0..x.len()).collect() };
        for t in order {
            let mut a = self.dense(layer, &x[t]);
            if gates == 4 {
                self.product(&u, 0, &h, &mut a);
                for k in 0..n {
                    c[k] = sigmoid(a[n + k]) * c[k] + sigmoid(a[k]) * a[2 * n + k].tanh();
                    h[k] = sigmoid(a[3 * n + k]) * c[k].tanh();
                }
            } else {
                let mut b = self.0[&format!("{layer}.state_bias")].2.clone();
                self.product(&u, 0, &h, &mut b);
                for k in 0..n {
                    let r = sigmoid(a[k] + b[k]);
                    let z = sigmoid(a[n + k] + b[n + k]);
                    h[k] = (1.0 - z) * (a[2 * n + k] + r * b[2 * n + k]).tanh() + z * h[k];
                }
            }
            out[t] = h.clone();
        }
        (out, h)
    }

    /// `walk`: gates of the cells, directions and layers; none: a pool.
    pub fn series(&self, x: &Set, convolutions: usize, walk: Option<(usize, usize, usize)>) -> Vec<f64> {
        let mut h = x.clone();
        for l in 0..convolutions {
            let stride = if l == 0 { 1 } else { 2 };
            let size = [1, h.len()];
            let y = self.conv(&format!("summary.convolution.{l}"), &h, size, [1, 5], stride);
            h = y.into_iter().map(|item| item.into_iter().map(silu).collect()).collect();
        }
        let Some((gates, directions, layers)) = walk else { return self.head(&mean_max(&h)) };
        let mut raw = vec![];
        for reverse in [false, true].into_iter().take(directions) {
            let (mut items, mut last) = (h.clone(), vec![]);
            for l in 0..layers {
                let name = format!("summary.{}.{l}", if reverse { "backward" } else { "forward" });
                (items, last) = self.cell(&name, &items, gates, reverse);
            }
            raw.extend(last);
        }
        self.head(&raw)
    }

    fn norm(&self, layer: &str, x: &[f64]) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let s = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n + 1e-5).sqrt();
        let (g, b) = (&self.0[&format!("{layer}.gain")].2, &self.0[&format!("{layer}.bias")].2);
        x.iter().enumerate().map(|(i, v)| (v - mean) / s * g[i] + b[i]).collect()
    }
    fn block(&self, name: &str, x: &Set, z: &Set, heads: usize) -> Set {
        let map = |part: &str, x: &Set| -> Set {
            x.iter().map(|item| self.dense(&format!("{name}.{part}"), item)).collect()
        };
        let (q, k, v) = (map("query", x), map("key", z), map("value", z));
        let e = q[0].len() / heads;
        let mut out = vec![];
        for (x, q) in x.iter().zip(&q) {
            let mut a = vec![0.0; q.len()];
            for h in (0..q.len()).step_by(e) {
                let scores =
                    k.iter().map(|k| (h..h + e).map(|c| q[c] * k[c]).sum::<f64>() / (e as f64).sqrt());
                let p: Vec<f64> = scores.map(f64::exp).collect();
                let sum: f64 = p.iter().sum();
                for (p, v) in p.iter().zip(&v) {
                    (h..h + e).for_each(|c| a[c] += p / sum * v[c]);
                }
            }
            let a = self.dense(&format!("{name}.mix"), &a);
            let h: Vec<f64> = x.iter().zip(&a).map(|(x, a)| x + a).collect();
            let h = self.norm(&format!("{name}.norm.0"), &h);
            let f = self.dense(&format!("{name}.output"), &self.hidden(&format!("{name}.hidden"), &h));
            let y: Vec<f64> = h.iter().zip(&f).map(|(h, f)| h + f).collect();
            out.push(self.norm(&format!("{name}.norm.1"), &y));
        }
        out
    }
    /// `times`: none for induced points; else whether the first column is the time.
    pub fn transformer(&self, x: &Set, modules: usize, heads: usize, times: Option<bool>) -> Vec<f64> {
        let mut h: Set = x.iter().map(|item| self.dense("summary.embedding", item)).collect();
        let width = h[0].len();
        if let Some(stamps) = times {
            let (slowest, fastest): (f64, f64) = if stamps { (1.0 / 16.0, 30.0) } else { (1e-3, 0.5) };
            let waves = width as f64 / 2.0;
            for (i, (item, h)) in x.iter().zip(&mut h).enumerate() {
                let t = if stamps { item[0] } else { i as f64 };
                let wave = |c: usize| {
                    let turns = t * slowest * (fastest / slowest).powf((c / 2) as f64 / (waves - 1.0));
                    let angle = 2.0 * std::f64::consts::PI * turns;
                    if c.is_multiple_of(2) { angle.sin() } else { angle.cos() }
                };
                let embedding: Vec<f64> = (0..width).map(wave).collect();
                self.product("summary.times.weight", 0, &embedding, h);
            }
        }
        for b in 0..modules {
            let name = format!("summary.block.{b}");
            let seen = match self.0.get(&format!("{name}.points")) {
                Some((_, _, p)) => {
                    let points: Set = p.chunks_exact(width).map(<[f64]>::to_vec).collect();
                    self.block(&format!("summary.inner.{b}"), &points, &h, heads)
                }
                None => h.clone(),
            };
            h = self.block(&name, &h, &seen, heads);
        }
        let seed = vec![self.0["summary.seed"].2.clone()];
        self.head(&self.block("summary.pool", &seed, &h, heads)[0])
    }

    pub fn field(&self, x: &Set, mut size: [usize; 2], stages: usize, residual: bool) -> Vec<f64> {
        let act = |y: Set| -> Set { y.into_iter().map(|i| i.into_iter().map(silu).collect()).collect() };
        let mut h = x.clone();
        for k in 0..stages {
            let at = |part: &str| format!("summary.stage.{k}.{part}");
            h = act(self.conv(&at("first"), &h, size, [3, 3], 1));
            if residual {
                let more = act(self.conv(&at("residual"), &h, size, [3, 3], 1));
                h.iter_mut().zip(more).for_each(|(h, m)| h.iter_mut().zip(m).for_each(|(h, m)| *h += m));
            }
            h = act(self.conv(&at("halving"), &h, size, [3, 3], 2));
            size = size.map(|n| n.div_ceil(2));
        }
        self.head(&mean_max(&h)[..pad4(h[0].len())])
    }
}

/// Mean, then largest, each padded as in storage.
pub fn mean_max(x: &Set) -> Vec<f64> {
    let (n, f) = (x.len() as f64, x[0].len());
    let mut y = vec![0.0; 2 * pad4(f)];
    for c in 0..f {
        y[c] = x.iter().map(|item| item[c]).sum::<f64>() / n;
        y[pad4(f) + c] = x.iter().map(|item| item[c]).fold(f64::NEG_INFINITY, f64::max);
    }
    y
}
