//! Recording: layers call kernels over slots; the result is frozen into a [`Plan`].
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{ParamTable, pad4};
use crate::runtime::plan::{GradJob, Plan, Section};
use crate::runtime::tile::Slot;
use std::any::Any;
use std::sync::Arc;

/// Collects calls, weight-gradient jobs, slots and constants.
///
/// Slots are the contract between layers: a layer with a matrix leaves its input and its delta in slots and
/// files a gradient job; no layer computes its own weight gradient, so all of them become one launch.
#[derive(Default)]
pub struct Recorder {
    calls: Vec<Call>,
    grads: Vec<GradJob>,
    quads: u32,
    highest: u32,
    slots: Vec<Slot>,
    consts: Vec<f32>,
    sections: Vec<Section>,
    counts: Vec<Slot>,
}

impl Recorder {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// A new slot of `floats` per row (rounded up to 4; at least 4).
    pub fn slot(&mut self, floats: usize) -> Slot {
        let width = pad4(floats.max(1)) as u32;
        let slot = Slot { at: self.quads, width };
        if slot.at < self.highest {
            let apart = |s: &Slot| s.at + s.width / 4 <= slot.at || slot.at + width / 4 <= s.at;
            let fits = self.slots.iter().all(|s| apart(s) || *s == slot);
            assert!(
                fits,
                "a slot of {width} floats would come back where another width was; see `Recorder::release`"
            );
        }
        self.slots.push(slot);
        self.quads += width / 4;
        self.highest = self.highest.max(self.quads);
        slot
    }
    /// A slot of 4 floats a row, the first of which says how many items of the row count.
    pub fn counts(&mut self) -> Slot {
        let slot = self.slot(4);
        self.counts.push(slot);
        slot
    }
    /// The present end of the slots, for [`Recorder::release`].
    pub fn mark(&self) -> u32 {
        self.quads
    }
    /// Gives back all slots made since `mark`: later slots reuse their memory. For plans that do not go backward.
    ///
    /// Only a slot of the same width may come back at the same offset. A slot is laid out over all rows of the chunk, so
    /// with another width one tile's rows would lie on another tile's, which runs at the same time.
    pub fn release(&mut self, mark: u32) {
        self.quads = mark;
    }
    /// Stores constants; their offset.
    pub fn constants(&mut self, values: &[f32]) -> u32 {
        let at = self.consts.len() as u32;
        self.consts.extend_from_slice(values);
        self.consts.resize(pad4(self.consts.len()), 0.0);
        at
    }
    /// Records a call.
    pub fn call<A: Args>(&mut self, def: &'static KernelDef, spec: Spec, args: A) {
        self.calls.push(Call { def, spec, words: args.to_words(), host: None });
    }
    /// Records a call whose CPU twin needs a host object.
    pub fn call_with<A: Args>(
        &mut self,
        def: &'static KernelDef,
        spec: Spec,
        args: A,
        host: Arc<dyn Any + Send + Sync>,
    ) {
        self.calls.push(Call { def, spec, words: args.to_words(), host: Some(host) });
    }
    /// Files `d_weight (rows, cols) = x^T delta` over the batch.
    pub fn product_gradient(&mut self, x: Slot, delta: Slot, weight: u32) {
        self.grads.push(GradJob::rows(Some(x), delta, weight));
    }
    /// Files `d_vector = column sums of delta` over the batch.
    pub fn sum_gradient(&mut self, delta: Slot, vector: u32) {
        self.grads.push(GradJob::rows(None, delta, vector));
    }
    /// Files a gradient over items.
    pub fn gradient(&mut self, job: GradJob) {
        self.grads.push(job);
    }
    /// Begins a [`Section`]: its slots may be read within sections and nowhere else.
    pub fn begin_items(&mut self, coarse: bool) {
        let (call, quad) = (self.calls.len(), self.quads);
        self.sections.push(Section { calls: call..call, quads: quad..quad, coarse });
    }
    /// Ends the section begun last.
    pub fn end_items(&mut self) {
        let (call, quad) = (self.calls.len(), self.quads);
        if let Some(s) = self.sections.last_mut() {
            (s.calls.end, s.quads.end) = (call, quad);
        }
    }
    /// Calls recorded so far.
    pub fn len(&self) -> usize {
        self.calls.len()
    }
    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
    /// Freezes the recording. `meta` is the slot with each row's weight and loss.
    pub fn finish(self, name: impl Into<String>, params: Arc<ParamTable>, meta: Slot) -> Plan {
        Plan {
            name: name.into(),
            calls: self.calls,
            grads: self.grads,
            quads: self.highest,
            consts: self.consts,
            params,
            meta,
            sections: self.sections,
            counts: self.counts,
        }
    }
}
