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

#[allow(clippy::large_enum_variant)] // there is one for each source of a model
enum Net {
    DeepSet(DeepSet),
    Ecdf(Ecdf),
    Series(SeriesNet, bool),
    Field(FieldNet),
    Attention(Transformer),
}

/// A declared summary network.
pub struct Summary {
    /// Its shape.
    pub shape: SummaryShape,
    net: Net,
    head: Head,
}

impl Summary {
    /// Declares the parameters.
    pub fn declare(table: &mut ParamTable, shape: &SummaryShape) -> Self {
        let features = shape.data.features();
        let (width, modules, act) = (shape.width, shape.modules, shape.activation);
        let net = match shape.kind {
            Kind::DeepSet => Net::DeepSet(DeepSet::declare(table, "summary", features, width, modules, act)),
            Kind::Ecdf => Net::Ecdf(Ecdf::declare(table, "summary", features, width)),
            Kind::Series(convolutions, walk) => {
                // Convolutions have the layers that were asked for; a cell after them needs one.
                let cells = if convolutions > 0 { 1 } else { modules };
                let net =
                    SeriesNet::declare(table, "summary", features, width, convolutions, walk, cells, act);
                Net::Series(net, walk != Walk::Pool)
            }
            Kind::Attention(look, heads) => Net::Attention(Transformer::declare(
                table, "summary", features, width, modules, heads, look, act,
            )),
            Kind::Field(residual) => {
                let size = match shape.data {
                    DataShape::Field { height, width, .. } => [height, width],
                    _ => [1, shape.data.items().1],
                };
                Net::Field(FieldNet::declare(table, "summary", size, features, width, modules, residual, act))
            }
        };
        let found = match &net {
            Net::DeepSet(net) => net.found,
            Net::Ecdf(net) => net.found,
            Net::Series(net, _) => net.found,
            Net::Field(net) => net.found,
            Net::Attention(net) => net.found,
        };
        // What is seen of columns one by one must still be brought together.
        let columns = shape.kind == Kind::Ecdf;
        let hidden = match shape.kind {
            Kind::Ecdf => vec![4 * width; modules],
            Kind::Attention(..) => vec![],
            _ => vec![width],
        };
        Self { shape: shape.clone(), net, head: Head::declare(table, found, columns, &hidden, shape.outputs) }
    }

    /// Whether its products are over rows rather than items, so that it wants many rows at a time.
    pub fn is_coarse(&self) -> bool {
        match self.net {
            Net::Series(_, walks) => walks,
            Net::DeepSet(_) | Net::Ecdf(_) | Net::Field(_) | Net::Attention(_) => false,
        }
    }

    /// Records the network on items `x`; the condition `(batch, condition)` goes to the slot `to`. The tape leads back.
    pub fn forward(&self, r: &mut Recorder, x: &Items, to: Slot, training: bool) -> (Tape, Items) {
        let mut tape = Tape::new(if training { self.shape.dropout } else { 0.0 });
        tape.fix(x);
        let found = self.find(r, &mut tape, x);
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

    fn find(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items {
        match &self.net {
            Net::DeepSet(net) => net.forward(r, tape, x),
            Net::Ecdf(net) => net.forward(r, tape, x),
            Net::Series(net, _) => net.forward(r, tape, x),
            Net::Field(net) => net.forward(r, tape, x),
            Net::Attention(net) => net.forward(r, tape, x),
        }
    }
    /// Columns of what the network finds in a data set, before its last layers.
    pub fn found(&self) -> usize {
        self.head.found
    }
    /// Records the network up to its last layers; what it finds `(batch, found)` goes to the slot `to`.
    pub fn findings(&self, r: &mut Recorder, x: &Items, to: Slot) {
        let mut tape = Tape::new(0.0);
        let found = self.find(r, &mut tape, x);
        columns::record(r, (found.slot, 0), (to, 0), self.head.found, true);
    }
}
