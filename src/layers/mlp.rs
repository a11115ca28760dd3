//! Conditioner network: an MLP on `[x, h]`, `x` the other half of the coupling and `h` the condition.
//!
//! The first layer keeps one matrix for each of the two inputs, so the condition is never copied beside the
//! half: one slot serves all couplings. Every layer leaves its input and its delta in slots (see `Recorder`).
use crate::layers::activation::{self, Activation};
use crate::layers::dense::Dense;
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;

/// Shape of the hidden part.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpShape {
    /// Widths of the hidden layers, at least one.
    pub hidden: Vec<usize>,
    /// Non-linearity of every hidden layer.
    pub activation: Activation,
    /// Adds a hidden layer's input to its output where the widths agree.
    pub residual: bool,
    /// Dropout rate while training, `[0, 1)`.
    pub dropout: f32,
    /// Adds a linear map of the inputs to the output: what is linear need not be learned through the hidden layers.
    pub skip: bool,
}

/// A declared network.
#[derive(Clone, Debug)]
pub struct Mlp {
    shape: MlpShape,
    layers: Vec<Dense>,
    skip: Option<Dense>,
    /// Number of the first hidden layer in the whole model: part of the dropout counter.
    first_layer: u32,
}

/// What the way back needs.
pub struct MlpTrace {
    inputs: Vec<Slot>,
    pre: Vec<Slot>,
    post: Vec<Slot>,
    /// The network's output.
    pub out: Slot,
}

impl Mlp {
    /// Declares the layers of a network from inputs of `inputs` sizes to `outputs` columns. The last layer starts
    /// small, so that the flow starts near the identity.
    pub fn declare(
        table: &mut ParamTable,
        name: &str,
        shape: &MlpShape,
        inputs: &[usize],
        outputs: usize,
        first_layer: u32,
    ) -> Self {
        let mut layers = vec![];
        for (l, &width) in shape.hidden.iter().enumerate() {
            let name = format!("{name}.hidden.{l}");
            layers.push(match l {
                0 => Dense::declare(table, &name, inputs, width, 1.0),
                _ => Dense::declare(table, &name, &[shape.hidden[l - 1]], width, 1.0),
            });
        }
        let last = *shape.hidden.last().expect("config checks that there is a hidden layer");
        layers.push(Dense::declare(table, &format!("{name}.output"), &[last], outputs, 0.05));
        let skip = (shape.skip && inputs.iter().any(|&n| n > 0))
            .then(|| Dense::declare_linear(table, &format!("{name}.skip"), inputs, outputs, 0.05));
        Self { shape: shape.clone(), layers, skip, first_layer }
    }

    fn residual(&self, l: usize) -> bool {
        self.shape.residual && l > 0 && self.shape.hidden[l] == self.shape.hidden[l - 1]
    }
    fn dropout(&self, l: usize, training: bool) -> Option<(f32, u32)> {
        (training && self.shape.dropout > 0.0).then_some((self.shape.dropout, self.first_layer + l as u32))
    }

    /// Records the network; `inputs` without those of size 0. `training` turns dropout on and prepares the way back.
    pub fn forward(&self, r: &mut Recorder, inputs: &[Slot], training: bool) -> MlpTrace {
        self.record(r, inputs, training, false)
    }

    /// Records the network for draws; its output. Many of them share a condition, the last input, whose part of a sum comes first:
    /// so a tile of rows that share it forms it once.
    pub fn draw(&self, r: &mut Recorder, inputs: &[Slot]) -> Slot {
        self.record(r, inputs, false, true).out
    }

    fn record(&self, r: &mut Recorder, inputs: &[Slot], training: bool, last_first: bool) -> MlpTrace {
        let mut trace = MlpTrace { inputs: inputs.to_vec(), pre: vec![], post: vec![], out: Slot::default() };
        for (l, layer) in self.layers.iter().enumerate() {
            let pre = r.slot(layer.cols);
            let x = if l == 0 { inputs } else { &trace.post[l - 1..l] };
            let mut products = layer.products(x);
            let skip = self.skip.as_ref().filter(|_| l == self.shape.hidden.len());
            products.extend(skip.iter().flat_map(|skip| skip.products(inputs)));
            if last_first {
                products.reverse();
            }
            layer.forward(r, &products, pre);
            if l == self.shape.hidden.len() {
                trace.out = pre;
                break;
            }
            let post = r.slot(layer.cols);
            let residual = self.residual(l).then(|| trace.post[l - 1]);
            activation::forward(
                r,
                self.shape.activation,
                pre,
                post,
                residual,
                self.dropout(l, training),
                training,
            );
            trace.pre.push(pre);
            trace.post.push(post);
        }
        trace
    }

    /// Slots for the gradients by the hidden layers' outputs, which networks of the same shape share. Layers of equal
    /// width share one, in which residual connections add up; others cannot (see `Recorder::release`).
    pub fn scratch(shape: &MlpShape, r: &mut Recorder) -> Vec<Slot> {
        let mut slots: Vec<Slot> = vec![];
        for &width in &shape.hidden {
            let known = slots.iter().copied().find(|s| s.width as usize == pad4(width));
            slots.push(known.unwrap_or_else(|| r.slot(width)));
        }
        slots
    }

    /// Records the way back. `trace.out` holds the output's gradient; `d_inputs[i]` is added to. `scratch` is from
    /// [`Mlp::scratch`].
    pub fn backward(
        &self,
        r: &mut Recorder,
        table_len: usize,
        trace: &MlpTrace,
        d_inputs: &[Option<Slot>],
        scratch: &[Slot],
    ) {
        let n = self.shape.hidden.len();
        let d_post = |l: usize| scratch[l];
        self.layers[n].backward(
            r,
            table_len,
            &trace.post[n - 1..],
            trace.out,
            &[Some((d_post(n - 1), false))],
        );
        let d_first: Vec<_> = d_inputs.iter().map(|d| d.map(|s| (s, true))).collect();
        if let Some(skip) = &self.skip {
            skip.backward(r, table_len, &trace.inputs, trace.out, &d_first);
        }
        for l in (0..n).rev() {
            activation::backward(r, trace.pre[l], d_post(l));
            let delta = trace.pre[l];
            if l > 0 {
                // With a residual connection the gradient of the layer's output is also part of its input's.
                let d = Some((d_post(l - 1), self.residual(l)));
                self.layers[l].backward(r, table_len, &trace.post[l - 1..l], delta, &[d]);
            } else {
                self.layers[0].backward(r, table_len, &trace.inputs, delta, &d_first);
            }
        }
    }
}
