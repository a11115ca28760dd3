//! Smoothed empirical distribution functions: for exchangeable items whose columns tell most one by one, such as times and choices.
//!
//! With K steps a column, `F_k = mean_i tanh(a_k x_i + b_k)`; steps begin at the quantiles of simulated items, as steep as their
//! neighbours are near (`model/first_weights.rs`), and are weights like others, so that training may turn them to
//! combinations of columns. The largest and smallest of each column stand beside them.
use crate::layers::activation::Activation;
use crate::layers::conv::ItemDense;
use crate::layers::pool::{Items, Pool};
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::summary::Net;
use crate::summary::tape::Tape;

/// A declared network.
pub struct Ecdf {
    steps: ItemDense,
    mirror: ItemDense,
    found: usize,
}

impl Ecdf {
    /// Declares `steps` for each of the `features` columns of an item.
    pub fn declare(table: &mut ParamTable, name: &str, features: usize, steps: usize) -> Self {
        let (all, sides) = (features * steps, 2 * features);
        Self {
            steps: ItemDense::declare(table, &format!("{name}.steps"), 1, features, all, 0, true),
            mirror: ItemDense::declare(table, &format!("{name}.mirror"), 1, features, sides, 0, false),
            found: pad4(all) + pad4(sides),
        }
    }
}

impl Net for Ecdf {
    fn found(&self) -> usize {
        self.found
    }
    fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items {
        let pre = tape.dense(r, &self.steps, x);
        let steps = tape.activate(r, Activation::Tanh, &pre, None);
        let mean = tape.pool(r, Pool::Mean, &steps);
        let sides = tape.dense(r, &self.mirror, x);
        let ends = tape.pool(r, Pool::Max, &sides);
        let to = r.slot(self.found);
        tape.join(r, &[(mean, 0, mean.width), (ends, 0, ends.width)], to)
    }
}
