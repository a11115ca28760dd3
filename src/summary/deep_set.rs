//! DeepSet: summaries of exchangeable items (Zaheer et al. 2017, with the modules of Bloem-Reddy and Teh 2020).
//!
//! Equivariant module: `c = [mean_i h_i, max_i h_i]`, `h_i <- f(h_i, c)` with f an MLP of two layers on the item and the
//! pooled context. Then an MLP on each item, and mean and largest over the items.
use crate::layers::activation::Activation;
use crate::layers::conv::{ItemDense, ItemShape};
use crate::layers::pool::{Items, Pool};
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::summary::Net;
use crate::summary::tape::Tape;

/// A declared network.
pub struct DeepSet {
    activation: Activation,
    modules: Vec<Module>,
    rows: [ItemDense; 2],
    found: usize,
}

struct Module {
    context: ItemDense,
    first: ItemDense,
    second: ItemDense,
}

impl DeepSet {
    /// Declares a network on items of `features` columns.
    pub fn declare(
        table: &mut ParamTable,
        name: &str,
        features: usize,
        width: usize,
        modules: usize,
        activation: Activation,
    ) -> Self {
        let mut inputs = features;
        let mut declared = vec![];
        for k in 0..modules {
            // Mean and largest stand in storage as padded vectors side by side.
            let pooled = 2 * pad4(inputs);
            let at = |part: &str| format!("{name}.module.{k}.{part}");
            declared.push(Module {
                context: ItemDense::declare(table, &at("context"), 1, pooled, width, inputs, true),
                first: ItemDense::declare(table, &at("first"), 1, inputs, width, pooled, false),
                second: ItemDense::declare(table, &at("second"), 1, width, width, 0, true),
            });
            inputs = width;
        }
        let at = |part: &str| format!("{name}.{part}");
        let rows = [
            ItemDense::declare(table, &at("rows.0"), 1, inputs, width, 0, true),
            ItemDense::declare(table, &at("rows.1"), 1, width, width, 0, true),
        ];
        Self { activation, modules: declared, rows, found: 2 * pad4(width) }
    }
}

impl Net for DeepSet {
    fn found(&self) -> usize {
        self.found
    }
    fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items {
        let act = self.activation;
        let mut h = *x;
        for m in &self.modules {
            let c = tape.pool(r, Pool::Both, &h);
            let v = tape.dense(r, &m.context, &c);
            let pre = tape.product(r, &m.first, ItemShape::dense(h.n), &h, Some(v));
            h = tape.activate(r, act, &pre, None);
            let pre = tape.dense(r, &m.second, &h);
            h = tape.activate(r, act, &pre, None);
        }
        for layer in &self.rows {
            let pre = tape.dense(r, layer, &h);
            h = tape.activate(r, act, &pre, None);
        }
        tape.pool(r, Pool::Both, &h)
    }
}
