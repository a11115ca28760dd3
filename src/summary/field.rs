//! Summaries of grids: stages of 3 x 3 convolutions, the second of each halving both sides or, in residual stages, a third
//! doing so after the second's result was added to the first's; then the mean over the grid.
use crate::layers::activation::Activation;
use crate::layers::conv::{ItemDense, ItemShape};
use crate::layers::pool::{Items, Pool};
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::summary::Net;
use crate::summary::tape::Tape;

/// Taps along each side.
const TAPS: usize = 3;

/// A declared network.
pub struct FieldNet {
    activation: Activation,
    size: [usize; 2],
    /// First, residual, halving.
    stages: Vec<(ItemDense, Option<ItemDense>, ItemDense)>,
    found: usize,
}

impl FieldNet {
    /// Declares a network of `stages` stages on a grid of `size` with `channels` columns.
    #[allow(clippy::too_many_arguments)] // the network's sizes
    pub fn declare(
        table: &mut ParamTable,
        name: &str,
        size: [usize; 2],
        channels: usize,
        width: usize,
        stages: usize,
        residual: bool,
        activation: Activation,
    ) -> Self {
        let mut inputs = channels;
        let mut declared = vec![];
        for k in 0..stages {
            let mut layer = |part: &str, inputs: usize| {
                let name = format!("{name}.stage.{k}.{part}");
                ItemDense::declare(table, &name, TAPS * TAPS, inputs, width, 0, true)
            };
            let first = layer("first", inputs);
            let inner = residual.then(|| layer("residual", width));
            declared.push((first, inner, layer("halving", width)));
            inputs = width;
        }
        Self { activation, size, stages: declared, found: pad4(inputs) }
    }
}

impl Net for FieldNet {
    fn found(&self) -> usize {
        self.found
    }
    fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items {
        let (act, mut h, mut size) = (self.activation, *x, self.size);
        for (first, inner, halving) in &self.stages {
            let pre = tape.product(r, first, ItemShape::field(size, TAPS, 1), &h, None);
            h = tape.activate(r, act, &pre, None);
            if let Some(layer) = inner {
                let pre = tape.product(r, layer, ItemShape::field(size, TAPS, 1), &h, None);
                h = tape.activate(r, act, &pre, Some(h));
            }
            let shape = ItemShape::field(size, TAPS, 2);
            let pre = tape.product(r, halving, shape, &h, None);
            h = tape.activate(r, act, &pre, None);
            size = shape.out();
        }
        tape.pool(r, Pool::Mean, &h)
    }
}
