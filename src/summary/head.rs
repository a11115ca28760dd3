//! The end of every summary network: from what it has found in a data set to the summaries, by an MLP.
//!
//! Means over the items lie close together: a few directions carry almost all of their variance, and what tells one parameter from
//! another is often in the rest. Where whitening is asked for, a linear layer comes first that begins as the matrix which gives the
//! findings in simulated data sets mean 0 and covariance 1, so that all directions are learnt at one rate (LeCun et al. 1998,
//! "Efficient BackProp", section 4.3).
use crate::layers::activation::Activation;
use crate::layers::conv::ItemDense;
use crate::layers::pool::Items;
use crate::runtime::params::ParamTable;
use crate::runtime::recorder::Recorder;
use crate::summary::tape::Tape;

/// Declared layers.
pub struct Head {
    /// Columns of what is found, in storage.
    pub found: usize,
    whiten: Option<ItemDense>,
    hidden: Vec<ItemDense>,
    output: ItemDense,
}

impl Head {
    /// Declares the layers from `found` columns over layers of `hidden` to `outputs` summaries.
    pub fn declare(
        table: &mut ParamTable,
        found: usize,
        whiten: bool,
        hidden: &[usize],
        outputs: usize,
    ) -> Self {
        let mut layer = |part: &str, inputs: usize, cols: usize, others: usize| {
            ItemDense::declare(table, &format!("summary.{part}"), 1, inputs, cols, others, true)
        };
        let name = |i: usize| if i == 0 { "hidden".to_string() } else { format!("hidden.{i}") };
        let whiten = whiten.then(|| layer("whiten", found, found, 0));
        let mut width = found;
        let hidden = hidden
            .iter()
            .enumerate()
            .map(|(i, &cols)| layer(&name(i), std::mem::replace(&mut width, cols), cols, 0))
            .collect();
        Self { found, whiten, hidden, output: layer("output", width, outputs, width) }
    }

    /// Records the layers; the summaries as one item.
    pub fn forward(&self, r: &mut Recorder, tape: &mut Tape, act: Activation, found: &Items) -> Items {
        let mut h = *found;
        if let Some(layer) = &self.whiten {
            h = tape.dense(r, layer, &h);
        }
        for layer in &self.hidden {
            let pre = tape.dense(r, layer, &h);
            h = tape.activate(r, act, &pre, None);
        }
        tape.dense(r, &self.output, &h)
    }
}
