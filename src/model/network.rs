//! The network of a model: declares all parameters and records the plans `train`, `loss` and `sample`.
use crate::data::items::{self, ItemSource, Slots, Take};
use crate::data::source::{self, Host};
use crate::flow::actnorm::Halves;
use crate::flow::{Flow, FlowShape, base, split};
use crate::layers::columns;
use crate::layers::pool::Items;
use crate::model::summaries::Stage;
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::plan::Plan;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;
use crate::sim::DataShape;
use crate::summary::{Summary, SummaryShape};
use std::sync::Arc;

/// Where training rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Simulated in the step.
    Online,
    /// Taken from a table by an index.
    Indexed,
    /// Some items of the long data sets of a table, whose number of rows the index holds.
    Pool(Take),
}

/// A declared network with what its plans need from the host.
pub struct Network {
    /// Names, shapes and offsets of all parameters.
    pub table: Arc<ParamTable>,
    /// The flow.
    pub flow: Flow,
    /// The summary network; none where the flow sees the data as they are.
    pub summary: Option<Summary>,
    host: Arc<Host>,
    d: usize,
    c: usize,
}

/// A plan that summarises data sets, and the slot the summaries are in.
pub struct SummaryPlan {
    /// The plan.
    pub plan: Plan,
    /// Slot `(batch, columns)` of the stage's result.
    pub result: Slot,
}

/// A plan for sampling, and the slot its draws are in.
pub struct SamplePlan {
    /// The plan.
    pub plan: Plan,
    /// Slot `(batch, D)`: theta.
    pub theta: Slot,
}

/// Whether items count by their number (1), or all do (0).
fn shrink(data: &DataShape) -> usize {
    usize::from(!matches!(data, DataShape::Field { .. }))
}

impl Network {
    /// Declares the parameters of a flow on vectors. `seed` fixes the permutations.
    pub fn new(shape: &FlowShape, host: Arc<Host>, seed: u64) -> Self {
        Self::with_summary(shape, None, host, seed)
    }
    /// Declares the parameters of a summary network and a flow on its outputs.
    pub fn with_summary(
        shape: &FlowShape,
        summary: Option<&SummaryShape>,
        host: Arc<Host>,
        seed: u64,
    ) -> Self {
        let mut table = ParamTable::default();
        let mut flow = Flow::declare(&mut table, shape, seed);
        let summary = summary.map(|s| Summary::declare(&mut table, s));
        flow.set_table_len(table.len);
        Self { table: Arc::new(table), flow, summary, host, d: shape.dim, c: shape.condition }
    }
    /// What the plans' twins need.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }
    /// (D, C), C the length of what the flow sees
    pub fn dims(&self) -> (usize, usize) {
        (self.d, self.c)
    }

    fn condition(&self, x: Slot) -> Option<Slot> {
        (self.c > 0).then_some(x)
    }

    /// Loss and all gradients of a batch.
    pub fn train_plan(&self, rows: Rows) -> Plan {
        let mut r = Recorder::new();
        let (row, x, meta) = (r.slot(self.d), r.slot(self.c), r.slot(4));
        self.vectors(&mut r, rows, (row, x, meta));
        let u = Halves::new(&mut r, self.d);
        split::record(&mut r, row, u, false);
        let trace = self.flow.forward(&mut r, u, self.condition(x), meta, true);
        let z = self.flow.output(u, &trace);
        let d = Halves::new(&mut r, self.d);
        base::loss(&mut r, self.flow.base, z, Some(d), meta.at);
        self.flow.backward(&mut r, &trace, self.condition(x), meta, d, None);
        r.finish("train", self.table.clone(), meta)
    }

    /// Records the source of a batch of vectors.
    fn vectors(&self, r: &mut Recorder, rows: Rows, (row, x, meta): (Slot, Slot, Slot)) {
        match rows {
            Rows::Online => source::online(r, &self.host, row, x, meta),
            _ => source::gather(r, self.d, self.c, row, x, meta, true),
        }
    }

    /// Records the source of a batch of at most `items` items a data set; the items.
    fn source(
        &self,
        r: &mut Recorder,
        summary: &Summary,
        rows: Rows,
        items: usize,
        slots: (Slot, Slot),
    ) -> Items {
        let data = &summary.shape.data;
        let (f, (least, most)) = (data.features(), data.items());
        let (count, x) = (r.counts(), r.slot(items * pad4(f)));
        let to = Slots { u: slots.0, x, meta: slots.1, count };
        let source = ItemSource { d: self.d, features: f, items, pitch: most, least, most };
        let size = summary.shape.size_moments();
        match rows {
            Rows::Online => items::online(r, &self.host, &source, to, size),
            Rows::Indexed => items::gather(r, &source, to, true, size),
            Rows::Pool(take) => {
                items::pool(r, &source, to, take, size);
            }
        }
        Items { slot: x, width: pad4(f), n: items, count, shrink: shrink(data) }
    }

    /// Where the rows of a step come from, and nothing else; `items`: of each data set, for a model with a summary network.
    pub fn source_plan(&self, rows: Rows, items: Option<usize>) -> Plan {
        let mut r = Recorder::new();
        let (row, meta) = (r.slot(self.d), r.slot(4));
        match (&self.summary, items) {
            (Some(summary), Some(items)) => {
                r.begin_items(true);
                self.source(&mut r, summary, rows, items, (row, meta));
                r.end_items();
            }
            _ => {
                let x = r.slot(self.c);
                self.vectors(&mut r, rows, (row, x, meta));
            }
        }
        r.finish("source", self.table.clone(), meta)
    }

    /// Loss and all gradients of a batch of data sets of at most `items` items.
    pub fn items_plan(&self, summary: &Summary, rows: Rows, items: usize) -> Plan {
        let mut r = Recorder::new();
        let (row, meta, h) = (r.slot(self.d), r.slot(4), r.slot(self.c));
        // Simulators take many rows at a time.
        r.begin_items(true);
        let x = self.source(&mut r, summary, rows, items, (row, meta));
        r.end_items();
        r.begin_items(summary.is_coarse());
        let (tape, y) = summary.forward(&mut r, &x, h, true);
        r.end_items();
        let u = Halves::new(&mut r, self.d);
        split::record(&mut r, row, u, false);
        let trace = self.flow.forward(&mut r, u, Some(h), meta, true);
        let z = self.flow.output(u, &trace);
        let (d, d_h) = (Halves::new(&mut r, self.d), r.slot(self.c));
        base::loss(&mut r, self.flow.base, z, Some(d), meta.at);
        columns::record(&mut r, (h, 0), (d_h, 0), 0, true);
        self.flow.backward(&mut r, &trace, Some(h), meta, d, Some(d_h));
        r.begin_items(summary.is_coarse());
        tape.backward(&mut r, self.table.len, &y, d_h);
        r.end_items();
        r.finish("train", self.table.clone(), meta)
    }

    /// Summaries of the data sets of a table of rows `n | items`, of at most `items` items.
    pub fn summary_plan(&self, summary: &Summary, items: usize, stage: Stage) -> SummaryPlan {
        let mut r = Recorder::new();
        let data = &summary.shape.data;
        let columns = if stage == Stage::Findings { summary.found() } else { self.c };
        let (none, meta, result) = (r.slot(4), r.slot(4), r.slot(columns));
        r.begin_items(summary.is_coarse());
        let (count, x) = (r.counts(), r.slot(items * pad4(data.features())));
        let source =
            ItemSource { features: data.features(), items, pitch: data.items().1, ..ItemSource::default() };
        let to = Slots { u: none, x, meta, count };
        items::gather(&mut r, &source, to, false, summary.shape.size_moments());
        let x = Items { slot: x, width: pad4(data.features()), n: items, count, shrink: shrink(data) };
        match stage {
            Stage::Findings => summary.findings(&mut r, &x, result),
            Stage::Condition => _ = summary.forward(&mut r, &x, result, false),
        }
        r.end_items();
        SummaryPlan { plan: r.finish("summary", self.table.clone(), meta), result }
    }

    /// Loss of each row of a table of standardised pairs `(u, x)`; nothing goes backward, no dropout.
    pub fn loss_plan(&self) -> Plan {
        let mut r = Recorder::new();
        let (row, x, meta) = (r.slot(self.d), r.slot(self.c), r.slot(4));
        source::gather(&mut r, self.d, self.c, row, x, meta, false);
        let u = Halves::new(&mut r, self.d);
        split::record(&mut r, row, u, false);
        let z = self.flow.density(&mut r, u, self.condition(x), meta);
        base::loss(&mut r, self.flow.base, z, None, meta.at);
        r.finish("loss", self.table.clone(), meta)
    }

    /// Draws of theta for the data sets in the table.
    pub fn sample_plan(&self) -> SamplePlan {
        let mut r = Recorder::new();
        let (x, meta) = (r.slot(self.c), r.slot(4));
        source::condition(&mut r, self.c, x, meta);
        let u = self.flow.sample(&mut r, self.condition(x), meta);
        let theta = r.slot(self.d);
        split::record(&mut r, theta, u, true);
        source::finish(&mut r, &self.host, theta);
        SamplePlan { plan: r.finish("sample", self.table.clone(), meta), theta }
    }
}
