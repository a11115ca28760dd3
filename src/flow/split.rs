//! Between a plain row of D numbers and the two halves of a coupling.
use crate::args;
use crate::flow::actnorm::{Halves, get, get_mut, widths};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::pad4;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

args! {
    /// Arguments of `flow/split`.
    pub struct SplitArgs {
        /// Slot `(batch, D)`.
        pub row: u32,
        /// Slot, first half.
        pub a: u32,
        /// Slot, second half.
        pub b: u32,
    }
}

/// `(a, b) = row`, or with `JOIN` the other way.
pub static SPLIT: KernelDef = KernelDef {
    name: "flow/split",
    source: include_str!("../../shaders/flow/split.wgsl"),
    args: || SplitArgs::wgsl() + &SplitArgs::wgsl_loader(),
    cpu: split_cpu,
    flops: |_| 0,
    samples: &[|r| sample(r, 1), |r| sample(r, 2), |r| sample(r, 9)],
};

fn sample(r: &mut Recorder, dim: usize) {
    for join in [false, true] {
        let (row, halves) = (r.slot(dim), Halves::new(r, dim));
        record(r, row, halves, join);
    }
}

/// Records the copy.
pub fn record(r: &mut Recorder, row: Slot, halves: Halves, join: bool) {
    let dim = halves.dim;
    let (a, b) = widths(dim);
    let spec = Spec::new(&[
        ("DIM", dim),
        ("FIRST", dim / 2),
        ("WIDTH_A", a),
        ("WIDTH_B", b),
        ("WIDTH", pad4(dim)),
        ("JOIN", join.into()),
    ]);
    r.call(&SPLIT, spec, SplitArgs { row: row.at, a: halves.a.at, b: halves.b.at });
}

fn split_cpu(tile: &Tile, call: &Call) {
    let x: SplitArgs = call.args();
    let s = &call.spec;
    let (dim, first, w) = (s.get("DIM"), s.get("FIRST"), s.get("WIDTH"));
    let (wa, wb) = (s.get("WIDTH_A"), s.get("WIDTH_B"));
    if s.get("JOIN") == 1 {
        let (a, b, row) = (tile.read(x.a, wa), tile.read(x.b, wb), tile.write(x.row, w));
        row.fill(0.0);
        for r in 0..tile.rows {
            (0..dim).for_each(|i| row[r * w + i] = get(&a[r * wa..], &b[r * wb..], first, i));
        }
    } else {
        let (a, b, row) = (tile.write(x.a, wa), tile.write(x.b, wb), tile.read(x.row, w));
        a.fill(0.0);
        b.fill(0.0);
        for r in 0..tile.rows {
            (0..dim).for_each(|i| *get_mut(&mut a[r * wa..], &mut b[r * wb..], first, i) = row[r * w + i]);
        }
    }
}
