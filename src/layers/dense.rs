//! Dense product on rows, `y = [y +] x W [+ b]`.
//!
//! The same kernel serves the way back with the stored transpose: `d_x = [d_x +] delta W^T`.
use crate::args;
use crate::layers::gemm::{Start, gemm};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{Init, ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};
use multiversion::multiversion;

args! {
    /// Arguments of `layers/dense`.
    pub struct DenseArgs {
        /// Slot `(batch, K)`.
        pub x: u32,
        /// Offset of the matrix `(K, J)`, floats; past the values' end for a transpose.
        pub weight: u32,
        /// Offset of the bias `(J)`, floats; read only with `BIAS`.
        pub bias: u32,
        /// Slot `(batch, J)`.
        pub y: u32,
    }
}

/// `y = [y +] x W [+ b]`.
pub static DENSE: KernelDef = KernelDef {
    name: "layers/dense",
    source: include_str!("../../shaders/layers/dense.wgsl"),
    args: || DenseArgs::wgsl() + &DenseArgs::wgsl_loader(),
    cpu: dense_cpu,
    flops: |c| 2 * (c.spec.get("K") * c.spec.get("J")) as u64,
    samples: &[
        |r| sample(r, 4, 4, true, false),
        |r| sample(r, 128, 8, true, false),
        |r| sample(r, 12, 132, false, true),
        |r| sample(r, 64, 64, false, false),
        |r| sample(r, 4, 300, true, true),
    ],
};

fn sample(r: &mut Recorder, k: usize, j: usize, bias: bool, add: bool) {
    let (x, y) = (r.slot(k), r.slot(j));
    let args = DenseArgs { x: x.at, weight: 8, bias: 8 + (k * j) as u32, y: y.at };
    r.call(&DENSE, spec(k, j, bias, add), args);
}

fn spec(k: usize, j: usize, bias: bool, add: bool) -> Spec {
    Spec::new(&[("K", k), ("J", j), ("BIAS", bias.into()), ("ADD", add.into())])
}

fn dense_cpu(tile: &Tile, call: &Call) {
    let a: DenseArgs = call.args();
    let (k, j) = (call.spec.get("K"), call.spec.get("J"));
    let x = tile.read(a.x, k);
    let y = tile.write(a.y, j);
    let bias = (call.spec.get("BIAS") == 1).then(|| tile.param(a.bias, j));
    let start = match (call.spec.get("ADD") == 1, bias) {
        (true, bias) => {
            if let Some(b) = bias {
                y.chunks_exact_mut(j).for_each(|row| row.iter_mut().zip(b).for_each(|(y, b)| *y += b));
            }
            Start::Add
        }
        (false, Some(b)) => Start::Row(b),
        (false, None) => Start::Zero,
    };
    let w = tile.param(a.weight, k * j);
    let add = matches!(start, Start::Add);
    if !add && k > 0 && same_rows(x, k) {
        // A condition that all rows share, in draws: formed once. A row has the same bits alone and among others.
        let (first, others) = y.split_at_mut(j);
        gemm(1, j, k, x, k, 1, w, j, first, j, start);
        return repeat(first, others);
    }
    gemm(tile.rows, j, k, x, k, 1, w, j, y, j, start);
}

/// Every row of `rows` becomes `row`. Not by copying rows: a call for so few floats takes longer than the copy.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn repeat(row: &[f32], rows: &mut [f32]) {
    let (pieces, rest) = row.as_chunks::<16>();
    for to in rows.chunks_exact_mut(row.len()) {
        let (to, to_rest) = to.as_chunks_mut::<16>();
        to.iter_mut().zip(pieces).for_each(|(to, piece)| *to = *piece);
        to_rest.iter_mut().zip(rest).for_each(|(to, x)| *to = *x);
    }
}

/// Whether all rows of `k` floats have the same bits.
fn same_rows(x: &[f32], k: usize) -> bool {
    let bits: &[u32] = bytemuck::cast_slice(x);
    bits[k..] == bits[..bits.len() - k]
}

/// A dense layer's parameters, possibly with a second input that has its own matrix.
#[derive(Clone, Debug)]
pub struct Dense {
    weights: Vec<Weight>,
    /// None for a purely linear map.
    bias: Option<u32>,
    /// Outputs.
    pub cols: usize,
}

/// One product of a layer, `x W`.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    x: Slot,
    weight: Weight,
}

#[derive(Clone, Copy, Debug)]
struct Weight {
    at: u32,
    rows: usize,
}

impl Dense {
    /// Declares `W_i (inputs[i], cols)` and `b (cols)`; inputs of size 0 are left out. `gain` scales Glorot's
    /// standard deviation `sqrt(2 / (in + out))`, `in` counting all inputs.
    pub fn declare(table: &mut ParamTable, name: &str, inputs: &[usize], cols: usize, gain: f32) -> Self {
        let mut dense = Self::declare_linear(table, name, inputs, cols, gain);
        dense.bias = Some(table.vector(format!("{name}.bias"), cols, Init::Constant(0.0)));
        dense
    }

    /// The same without a bias, for products that another layer adds.
    pub fn declare_linear(
        table: &mut ParamTable,
        name: &str,
        inputs: &[usize],
        cols: usize,
        gain: f32,
    ) -> Self {
        let total: usize = inputs.iter().sum();
        let sd = gain * (2.0 / (total + cols) as f32).sqrt();
        let weights = inputs
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(i, &rows)| {
                let part = ["weight", "condition_weight"][i.min(1)];
                Weight { at: table.matrix(format!("{name}.{part}"), rows, cols, Init::Normal(sd)), rows }
            })
            .collect();
        Self { weights, bias: None, cols }
    }

    /// The products of its inputs, in the order of the declaration, without those of size 0.
    pub fn products(&self, inputs: &[Slot]) -> Vec<Product> {
        assert_eq!(inputs.len(), self.weights.len(), "dense: one slot per matrix");
        self.weights.iter().zip(inputs).map(|(&weight, &x)| Product { x, weight }).collect()
    }

    /// Records `y = b + sum_i x_i W_i`, summed in this order.
    pub fn forward(&self, r: &mut Recorder, products: &[Product], y: Slot) {
        let j = pad4(self.cols);
        let bias = self.bias.expect("a linear map is added, not recorded alone");
        if products.is_empty() {
            // Nothing to look at (one parameter, no condition): the output is the bias.
            let args = DenseArgs { x: y.at, weight: bias, bias, y: y.at };
            return r.call(&DENSE, spec(0, j, true, false), args);
        }
        for (i, p) in products.iter().enumerate() {
            let args = DenseArgs { x: p.x.at, weight: p.weight.at, bias, y: y.at };
            r.call(&DENSE, spec(pad4(p.weight.rows), j, i == 0, i > 0), args);
        }
    }

    /// Records `d_x [+]= delta W_i^T` for the inputs that want a gradient, and files the weight gradients.
    /// `d_inputs[i]`: where to, and whether to add to what is there.
    pub fn backward(
        &self,
        r: &mut Recorder,
        table_len: usize,
        inputs: &[Slot],
        delta: Slot,
        d_inputs: &[Option<(Slot, bool)>],
    ) {
        let j = pad4(self.cols);
        for ((w, x), d) in self.weights.iter().zip(inputs).zip(d_inputs) {
            r.product_gradient(*x, delta, w.at);
            if let Some((d_x, add)) = d {
                let weight = table_len as u32 + w.at;
                let args = DenseArgs { x: delta.at, weight, bias: 0, y: d_x.at };
                r.call(&DENSE, spec(j, pad4(w.rows), false, *add), args);
            }
        }
        if let Some(bias) = self.bias {
            r.sum_gradient(delta, bias);
        }
    }
}
