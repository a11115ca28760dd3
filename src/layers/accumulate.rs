//! Sums of whole slots, and slots that begin as parameters.
use crate::args;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

args! {
    /// Arguments of `layers/accumulate`.
    pub struct AccumulateArgs {
        /// Slot `(batch, width)`, or with `PARAMETER` the offset of a vector `(width)`.
        pub x: u32,
        /// Slot `(batch, width)`.
        pub y: u32,
        /// Floats of a row.
        pub width: u32,
    }
}

/// `y = [y +] x`
pub static ACCUMULATE: KernelDef = KernelDef {
    name: "layers/accumulate",
    source: include_str!("../../shaders/layers/accumulate.wgsl"),
    args: || AccumulateArgs::wgsl() + &AccumulateArgs::wgsl_loader(),
    cpu: accumulate_cpu,
    flops: |c| c.spec.get("ADD") as u64 * u64::from(c.args::<AccumulateArgs>().width),
    samples: &[|r| sample(r, false, true), |r| sample(r, false, false), |r| sample(r, true, false)],
};

fn sample(r: &mut Recorder, parameter: bool, add: bool) {
    let (x, y) = (r.slot(12), r.slot(12));
    let x = if parameter { 32 } else { x.at };
    r.call(&ACCUMULATE, spec(parameter, add), AccumulateArgs { x, y: y.at, width: 12 });
}
fn spec(parameter: bool, add: bool) -> Spec {
    Spec::new(&[("PARAMETER", parameter.into()), ("ADD", add.into())])
}

/// Records `y = [y +] x`.
pub fn record(r: &mut Recorder, x: Slot, y: Slot, add: bool) {
    r.call(&ACCUMULATE, spec(false, add), AccumulateArgs { x: x.at, y: y.at, width: y.width });
}
/// Records `y = ` a vector of parameters, for every row.
pub fn parameter(r: &mut Recorder, vector: u32, y: Slot) {
    r.call(&ACCUMULATE, spec(true, false), AccumulateArgs { x: vector, y: y.at, width: y.width });
}

fn accumulate_cpu(tile: &Tile, call: &Call) {
    let a: AccumulateArgs = call.args();
    let width = a.width as usize;
    let y = tile.write(a.y, width);
    if call.spec.get("PARAMETER") == 1 {
        let v = tile.param(a.x, width);
        y.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(v));
        return;
    }
    let x = tile.read(a.x, width);
    if call.spec.get("ADD") == 1 {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
    } else {
        y.copy_from_slice(x);
    }
}
