//! Sinusoidal embeddings of time: `(sin w_k t, cos w_k t)` for geometrically spaced w_k, t the item's first column (standardised
//! time stamps) or its place in the series. Data, so there is no way back.
use crate::args;
use crate::math::cos_2pi;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

args! {
    /// Arguments of `layers/time`.
    pub struct TimeArgs {
        /// Slot `(batch, items, P)`.
        pub x: u32,
        /// Slot `(batch, items, 4 QUADS)`.
        pub y: u32,
        /// Items.
        pub items: u32,
        /// Turns of the slowest wave in a unit of time.
        pub slowest: f32,
        /// Factor from one wave to the next.
        pub factor: f32,
    }
}

/// `y = (sin, cos, sin, cos, ...)`
pub static TIME: KernelDef = KernelDef {
    name: "layers/time",
    source: include_str!("../../shaders/layers/time.wgsl"),
    args: || TimeArgs::wgsl() + &TimeArgs::wgsl_loader(),
    cpu: time_cpu,
    flops: |c| u64::from(c.args::<TimeArgs>().items) * 40 * c.spec.get("QUADS") as u64,
    samples: &[|r| sample(r, true), |r| sample(r, false)],
};

fn sample(r: &mut Recorder, stamps: bool) {
    let (x, y) = (r.slot(5 * 4), r.slot(5 * 8));
    record(r, stamps, (x, 4), (y, 8), 5);
}

/// Records the embedding of `n` items in `y`, (slot, columns). `stamps`: t is the first column.
pub fn record(r: &mut Recorder, stamps: bool, x: (Slot, usize), y: (Slot, usize), n: usize) {
    let waves = (y.1 / 2) as f32;
    // Places: waves of 2 to 1000 items. Standardised stamps: of a thirtieth of a unit to 16 units.
    let (slowest, fastest): (f32, f32) = if stamps { (1.0 / 16.0, 30.0) } else { (1e-3, 0.5) };
    let factor = (fastest / slowest).powf(1.0 / (waves - 1.0).max(1.0));
    let spec = Spec::new(&[("P", x.1), ("QUADS", y.1 / 4), ("STAMPS", stamps.into())]);
    r.call(&TIME, spec, TimeArgs { x: x.0.at, y: y.0.at, items: n as u32, slowest, factor });
}

/// Part of a turn, in [0, 1).
fn part(turns: f32) -> f32 {
    turns - turns.floor()
}

fn time_cpu(tile: &Tile, call: &Call) {
    let a: TimeArgs = call.args();
    let (p, width, n) = (call.spec.get("P"), 4 * call.spec.get("QUADS"), a.items as usize);
    let (x, y) = (tile.read(a.x, n * p), tile.write(a.y, n * width));
    for (i, (x, y)) in x.chunks_exact(p).zip(y.chunks_exact_mut(width)).enumerate() {
        let t = if call.spec.get("STAMPS") == 1 { x[0] } else { (i % n) as f32 };
        let mut turns = t * a.slowest;
        for pair in y.chunks_exact_mut(2) {
            pair[0] = cos_2pi(part(turns - 0.25));
            pair[1] = cos_2pi(part(turns));
            turns *= a.factor;
        }
    }
}
