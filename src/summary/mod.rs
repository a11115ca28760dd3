//! Summary networks: data sets of any size to a vector of fixed length, which the flow is conditioned on.
pub mod deep_set;
pub mod ecdf;
pub mod field;
mod head;
pub mod series;
pub mod tape;
pub mod transformer;

use crate::layers::activation::Activation;
use crate::layers::columns;
use crate::layers::pool::Items;
use crate::runtime::params::ParamTable;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;
use crate::sim::DataShape;
use deep_set::DeepSet;
use ecdf::Ecdf;
use field::FieldNet;
use head::Head;
use series::{SeriesNet, Walk};
use tape::Tape;
use transformer::{Look, Transformer};

/// The kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exchangeable items.
    DeepSet,
    /// Exchangeable items, column by column.
    Ecdf,
    /// Items in order: so many layers of convolutions, and what comes after them.
    Series(usize, Walk),
    /// A grid; with residual stages or without.
    Field(bool),
    /// Items that look at each other with so many heads.
    Attention(Look, usize),
}

/// Everything that fixes a summary network but its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryShape {
    /// The kind of network.
    pub kind: Kind,
    /// What it looks at.
    pub data: DataShape,
    /// Width of its layers.
    pub width: usize,
    /// Modules, blocks or layers, as the kind has it.
    pub modules: usize,
    /// Summaries, without the size.
    pub outputs: usize,
    /// Non-linearity.
    pub activation: Activation,
    /// Dropout rate while training, `[0, 1)`.
    pub dropout: f32,
}

impl SummaryShape {
    /// Whether sizes differ, and stand beside the summaries.
    pub fn sized(&self) -> bool {
        let (min, max) = self.data.items();
        min < max
    }
    /// Length of the vector that the flow sees.
    pub fn condition(&self) -> usize {
        self.outputs + usize::from(self.sized())
    }
    /// Mean and 1/sd of ln N for N uniform on [min, max]; the size `(ln N - m)/s` stands beside the summaries, without which
    /// the posterior's width could not depend on N.
    pub fn size_moments(&self) -> [f32; 2] {
        size_moments(&self.data)
    }
}

/// See [`SummaryShape::size_moments`].
pub fn size_moments(data: &DataShape) -> [f32; 2] {
    let (min, max) = data.items();
    let n = (max - min + 1) as f64;
    let logs = || (min..=max).map(|i| (i.max(1) as f64).ln());
    let mean = logs().sum::<f64>() / n;
    let sd = (logs().map(|l| (l - mean).powi(2)).sum::<f64>() / n).sqrt();
    [mean as f32, if sd > 0.0 { (1.0 / sd) as f32 } else { 1.0 }]
}

/// A network that looks at the items of a data set; the [`Head`] makes summaries of what it finds.
trait Net: Send + Sync {
    /// Columns of what it finds, in storage.
    fn found(&self) -> usize;
    /// Records the network; what it finds as one item.
    fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items;
    /// Whether its products are over rows rather than items, so that it wants many rows at a time.
    fn is_coarse(&self) -> bool {
        false
    }
}

/// A declared summary network.
pub struct Summary {
    /// Its shape.
    pub shape: SummaryShape,
    net: Box<dyn Net>,
    head: Head,
}

impl Summary {
    /// Declares the parameters.
    pub fn declare(table: &mut ParamTable, shape: &SummaryShape) -> Self {
        let features = shape.data.features();
        let (width, modules, act) = (shape.width, shape.modules, shape.activation);
        let name = "summary";
        let net: Box<dyn Net> = match shape.kind {
            Kind::DeepSet => Box::new(DeepSet::declare(table, name, features, width, modules, act)),
            Kind::Ecdf => Box::new(Ecdf::declare(table, name, features, width)),
            Kind::Series(convolutions, walk) => {
                // Convolutions have the layers that were asked for; a cell after them needs one.
                let cells = if convolutions > 0 { 1 } else { modules };
                Box::new(SeriesNet::declare(table, name, features, width, convolutions, walk, cells, act))
            }
            Kind::Attention(look, heads) => {
                Box::new(Transformer::declare(table, name, features, width, modules, heads, look, act))
            }
            Kind::Field(residual) => {
                let size = match shape.data {
                    DataShape::Field { height, width, .. } => [height, width],
                    _ => [1, shape.data.items().1],
                };
                Box::new(FieldNet::declare(table, name, size, features, width, modules, residual, act))
            }
        };
        // What is seen of columns one by one must still be brought together.
        let whiten = shape.kind == Kind::Ecdf;
        let hidden = match shape.kind {
            Kind::Ecdf => vec![4 * width; modules],
            Kind::Attention(..) => vec![],
            _ => vec![width],
        };
        let head = Head::declare(table, net.found(), whiten, &hidden, shape.outputs);
        Self { shape: shape.clone(), net, head }
    }

    /// Whether its products are over rows rather than items, so that it wants many rows at a time.
    pub fn is_coarse(&self) -> bool {
        self.net.is_coarse()
    }

    /// Records the network on items `x`; the condition `(batch, condition)` goes to the slot `to`. The tape leads back.
    pub fn forward(&self, r: &mut Recorder, x: &Items, to: Slot, training: bool) -> (Tape, Items) {
        let mut tape = Tape::new(if training { self.shape.dropout } else { 0.0 });
        tape.fix(x);
        let found = self.net.forward(r, &mut tape, x);
        let h = self.head.forward(r, &mut tape, self.shape.activation, &found);
        let mut parts = vec![(h, 0, self.shape.outputs)];
        if self.shape.sized() {
            let size = Items { slot: x.count, width: 4, n: 1, count: x.count, shrink: 0 };
            tape.fix(&size);
            parts.push((size, 1, 1)); // the size is the second column
        }
        let y = tape.join(r, &parts, to);
        (tape, y)
    }

    /// Columns of what the network finds in a data set, before its last layers.
    pub fn found(&self) -> usize {
        self.head.found
    }
    /// Records the network up to its last layers; what it finds `(batch, found)` goes to the slot `to`.
    pub fn findings(&self, r: &mut Recorder, x: &Items, to: Slot) {
        let mut tape = Tape::new(0.0);
        let found = self.net.forward(r, &mut tape, x);
        columns::record(r, (found.slot, 0), (to, 0), self.head.found, true);
    }
}
