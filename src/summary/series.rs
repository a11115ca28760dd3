//! Summaries of items in order: recurrent networks, strided convolutions, and the one after the other.
//!
//! Convolution layers have 5 taps; all but the first halve the length. What is left is pooled (mean and largest), or walked
//! by a recurrent cell, whose last state is the summary's raw material.
use crate::layers::activation::Activation;
use crate::layers::conv::{ItemDense, ItemShape};
use crate::layers::pool::{Items, Pool};
use crate::layers::recurrent::{Cell, Recurrent};
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::summary::Net;
use crate::summary::tape::Tape;

/// Taps of a convolution.
const TAPS: usize = 5;

/// What comes after the convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Mean and largest.
    Pool,
    /// The last state of a cell, or of two that walk in both directions.
    Cell(Cell, bool),
}

/// A declared network.
pub struct SeriesNet {
    activation: Activation,
    convolutions: Vec<ItemDense>,
    /// Layers of each direction: products with the inputs, cell.
    stacks: Vec<Vec<(ItemDense, Recurrent)>>,
    found: usize,
}

impl SeriesNet {
    /// Declares a network from items of `features` columns: `convolutions` layers, then `cells` recurrent ones or a pool.
    #[allow(clippy::too_many_arguments)] // the network's sizes
    pub fn declare(
        table: &mut ParamTable,
        name: &str,
        features: usize,
        width: usize,
        convolutions: usize,
        walk: Walk,
        cells: usize,
        activation: Activation,
    ) -> Self {
        let mut inputs = features;
        let mut layers = vec![];
        for l in 0..convolutions {
            let name = format!("{name}.convolution.{l}");
            layers.push(ItemDense::declare(table, &name, TAPS, inputs, width, 0, true));
            inputs = width;
        }
        let mut stacks = vec![];
        if let Walk::Cell(cell, both) = walk {
            for reverse in [false, true].into_iter().take(1 + usize::from(both)) {
                let mut from = inputs;
                let mut stack = vec![];
                for l in 0..cells {
                    let name = format!("{name}.{}.{l}", if reverse { "backward" } else { "forward" });
                    let own = Recurrent::declare(table, &name, cell, width, reverse);
                    let gates = cell.gates() * own.h;
                    stack.push((ItemDense::declare(table, &name, 1, from, gates, own.h, true), own));
                    from = own.h;
                }
                stacks.push(stack);
            }
        }
        let found = match walk {
            Walk::Pool => 2 * pad4(inputs),
            Walk::Cell(_, both) => (1 + usize::from(both)) * pad4(width),
        };
        Self { activation, convolutions: layers, stacks, found }
    }
}

impl Net for SeriesNet {
    fn found(&self) -> usize {
        self.found
    }
    /// A walk's products are over rows.
    fn is_coarse(&self) -> bool {
        !self.stacks.is_empty()
    }
    fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items {
        let mut h = *x;
        for (l, layer) in self.convolutions.iter().enumerate() {
            let shape = ItemShape::series(h.n, TAPS, if l == 0 { 1 } else { 2 });
            let pre = tape.product(r, layer, shape, &h, None);
            h = tape.activate(r, self.activation, &pre, None);
        }
        if self.stacks.is_empty() {
            return tape.pool(r, Pool::Both, &h);
        }
        let mut ends = vec![];
        for stack in &self.stacks {
            let (mut items, mut last) = (h, h);
            for (products, cell) in stack {
                let gates = tape.dense(r, products, &items);
                (items, last) = tape.recurrent(r, cell, &gates);
            }
            ends.push((last, 0, last.width));
        }
        match ends[..] {
            [(only, ..)] => only,
            _ => {
                let to = r.slot(ends.iter().map(|e| e.2).sum());
                tape.join(r, &ends, to)
            }
        }
    }
}
