//! Columns from one slot to another: joins summaries, and takes their gradients apart.
use crate::args;
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::{Slot, Tile};

args! {
    /// Arguments of `layers/columns`.
    pub struct ColumnsArgs {
        /// Slot `(batch, FROM_WIDTH)`.
        pub x: u32,
        /// Slot `(batch, TO_WIDTH)`.
        pub y: u32,
    }
}

/// `y[to + i] = x[from + i]` for i < n; all other columns of y keep their values or, with `CLEAR`, become 0.
pub static COLUMNS: KernelDef = KernelDef {
    name: "layers/columns",
    source: include_str!("../../shaders/layers/columns.wgsl"),
    args: || ColumnsArgs::wgsl() + &ColumnsArgs::wgsl_loader(),
    cpu: columns_cpu,
    flops: |_| 0,
    samples: &[
        |r| sample(r, [8, 0], [12, 0], 7, true),
        |r| sample(r, [4, 1], [12, 7], 1, false),
        |r| sample(r, [12, 3], [4, 0], 4, true),
    ],
};

fn sample(r: &mut Recorder, from: [usize; 2], to: [usize; 2], n: usize, clear: bool) {
    let (x, y) = (r.slot(from[0]), r.slot(to[0]));
    record(r, (x, from[1]), (y, to[1]), n, clear);
}

/// Records the copy of `n` columns.
pub fn record(r: &mut Recorder, from: (Slot, usize), to: (Slot, usize), n: usize, clear: bool) {
    let spec = Spec::new(&[
        ("FROM_WIDTH", from.0.width as usize),
        ("FROM", from.1),
        ("TO_WIDTH", to.0.width as usize),
        ("TO", to.1),
        ("N", n),
        ("CLEAR", clear.into()),
    ]);
    r.call(&COLUMNS, spec, ColumnsArgs { x: from.0.at, y: to.0.at });
}

fn columns_cpu(tile: &Tile, call: &Call) {
    let a: ColumnsArgs = call.args();
    let get = |name| call.spec.get(name);
    let (wx, wy, from, to, n) = (get("FROM_WIDTH"), get("TO_WIDTH"), get("FROM"), get("TO"), get("N"));
    let (x, y) = (tile.read(a.x, wx), tile.write(a.y, wy));
    for (x, y) in x.chunks_exact(wx).zip(y.chunks_exact_mut(wy)) {
        if get("CLEAR") == 1 {
            y.fill(0.0);
        }
        y[to..to + n].copy_from_slice(&x[from..from + n]);
    }
}
