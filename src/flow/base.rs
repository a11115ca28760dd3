//! Base density: standard normal, or independent Student-t with one number of degrees of freedom.
//!
//! `loss = -ln p_base(z) - logdet` per row, in nats of u space. Student-t: `ln p(z_d) = lgamma((nu+1)/2) -
//! lgamma(nu/2) - ln(nu pi)/2 - (nu+1)/2 ln(1 + z_d^2/nu)`; a learned nu is `2 + softplus(raw)`.
use crate::args;
use crate::flow::actnorm::{Halves, get, get_mut, widths};
use crate::math::{digamma_, lgamma_, log1p_, sigmoid_, softplus_};
use crate::rng::{Rng, streams};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{Init, ParamTable};
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;

const HALF_LN_2PI: f32 = 0.918_938_5;
const HALF_LN_PI: f32 = 0.572_364_9;

/// Which density z follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Base {
    /// Standard normal.
    Normal,
    /// Student-t with this many degrees of freedom.
    StudentT(f32),
    /// Student-t with `nu = 2 + softplus(raw)`; `raw` is the parameter at this offset.
    LearnedT(u32),
}

impl Base {
    /// Declares the parameter of a learned nu that starts at `nu`.
    pub fn declare_learned(table: &mut ParamTable, nu: f32) -> Self {
        let raw = ((nu - 2.0).max(1e-3).exp() - 1.0).ln();
        Self::LearnedT(table.vector("base.raw_nu", 1, Init::Constant(raw)))
    }
    fn kind(self) -> usize {
        match self {
            Self::Normal => 0,
            Self::StudentT(_) => 1,
            Self::LearnedT(_) => 2,
        }
    }
    fn words(self) -> (f32, u32) {
        match self {
            Self::Normal => (0.0, 0),
            Self::StudentT(nu) => (nu, 0),
            Self::LearnedT(at) => (0.0, at),
        }
    }
}

args! {
    /// Arguments of `flow/base_*`.
    pub struct BaseArgs {
        /// Slot of z, first half; `base_sample` writes it.
        pub z_a: u32,
        /// Slot of z, second half.
        pub z_b: u32,
        /// Slot of d_z, first half; written with `BACKWARD`.
        pub d_a: u32,
        /// Slot of d_z, second half.
        pub d_b: u32,
        /// Slot of the row metadata: reads weight and log-determinant, writes the loss.
        pub row_meta: u32,
        /// Fixed degrees of freedom.
        pub nu: f32,
        /// Offset of the learned raw nu.
        pub raw_nu: u32,
        /// Slot `(batch, 1)` of each row's part of raw nu's gradient.
        pub d_raw_nu: u32,
    }
}

/// Loss of each row and its gradient by z.
pub static LOSS: KernelDef = KernelDef {
    name: "flow/base_loss",
    source: include_str!("../../shaders/flow/base_loss.wgsl"),
    args: || BaseArgs::wgsl() + &BaseArgs::wgsl_loader(),
    cpu: loss_cpu,
    flops: |c| 6 * c.spec.get("DIM") as u64,
    samples: &[
        |r| sample(r, 1, Base::Normal, &LOSS),
        |r| sample(r, 7, Base::StudentT(3.5), &LOSS),
        |r| sample(r, 2, Base::LearnedT(4), &LOSS),
    ],
};
/// Draws z: row r of data set s uses stream BASE, step = number of the data set, row = number of the draw.
pub static SAMPLE: KernelDef = KernelDef {
    name: "flow/base_sample",
    source: include_str!("../../shaders/flow/base_sample.wgsl"),
    args: || BaseArgs::wgsl() + &BaseArgs::wgsl_loader(),
    cpu: sample_cpu,
    flops: |c| 60 * c.spec.get("DIM") as u64,
    samples: &[
        |r| sample(r, 1, Base::Normal, &SAMPLE),
        |r| sample(r, 9, Base::Normal, &SAMPLE),
        |r| sample(r, 7, Base::StudentT(3.5), &SAMPLE),
        |r| sample(r, 2, Base::LearnedT(4), &SAMPLE),
    ],
};

fn sample(r: &mut Recorder, dim: usize, base: Base, def: &'static KernelDef) {
    let (z, d) = (Halves::new(r, dim), Halves::new(r, dim));
    let meta = r.slot(4).at;
    r.call(def, spec(dim, base, true), args(base, z, d, meta, r.mark()));
    r.slot(1);
}
fn spec(dim: usize, base: Base, backward: bool) -> Spec {
    let (a, b) = widths(dim);
    Spec::new(&[
        ("DIM", dim),
        ("FIRST", dim / 2),
        ("WIDTH_A", a),
        ("WIDTH_B", b),
        ("KIND", base.kind()),
        ("BACKWARD", backward.into()),
    ])
}
fn args(base: Base, z: Halves, d: Halves, meta: u32, d_raw_nu: u32) -> BaseArgs {
    let (nu, raw_nu) = base.words();
    BaseArgs { z_a: z.a.at, z_b: z.b.at, d_a: d.a.at, d_b: d.b.at, row_meta: meta, nu, raw_nu, d_raw_nu }
}

/// Records the loss; with `d`, also the gradient by z (and by raw nu).
pub fn loss(r: &mut Recorder, base: Base, z: Halves, d: Option<Halves>, meta: u32) {
    let d_nu = r.slot(1);
    r.call(&LOSS, spec(z.dim, base, d.is_some()), args(base, z, d.unwrap_or(z), meta, d_nu.at));
    if let (Base::LearnedT(at), Some(_)) = (base, d) {
        r.sum_gradient(d_nu, at);
    }
}
/// Records the draw of z.
pub fn draw(r: &mut Recorder, base: Base, z: Halves, meta: u32) {
    r.call(&SAMPLE, spec(z.dim, base, false), args(base, z, z, meta, meta));
}

fn nu_of(tile: &Tile, a: &BaseArgs, kind: usize) -> f32 {
    if kind == 2 { 2.0 + softplus_(tile.param(a.raw_nu, 1)[0]) } else { a.nu }
}

fn loss_cpu(tile: &Tile, call: &Call) {
    let a: BaseArgs = call.args();
    let s = &call.spec;
    let (dim, first, kind) = (s.get("DIM"), s.get("FIRST"), s.get("KIND"));
    let (wa, wb) = (s.get("WIDTH_A"), s.get("WIDTH_B"));
    let (za, zb) = (tile.read(a.z_a, wa), tile.read(a.z_b, wb));
    let m = tile.write(a.row_meta, 4);
    let nu = nu_of(tile, &a, kind);
    let constant = match kind {
        0 => HALF_LN_2PI,
        _ => lgamma_(0.5 * nu) - lgamma_(0.5 * (nu + 1.0)) + 0.5 * nu.ln() + HALF_LN_PI,
    };
    for r in 0..tile.rows {
        let mut sum = dim as f32 * constant - m[4 * r + meta::LOGDET];
        for i in 0..dim {
            let z = get(&za[r * wa..], &zb[r * wb..], first, i);
            sum += if kind == 0 { 0.5 * z * z } else { 0.5 * (nu + 1.0) * log1p_(z * z / nu) };
        }
        m[4 * r + meta::LOSS] = sum;
    }
    if s.get("BACKWARD") == 0 {
        return;
    }
    let (da, db) = (tile.write(a.d_a, wa), tile.write(a.d_b, wb));
    da.fill(0.0);
    db.fill(0.0);
    let d_nu = if kind == 2 { Some(tile.write(a.d_raw_nu, 4)) } else { None };
    for r in 0..tile.rows {
        let weight = m[4 * r + meta::WEIGHT];
        for i in 0..dim {
            let z = get(&za[r * wa..], &zb[r * wb..], first, i);
            let g = if kind == 0 { z } else { (nu + 1.0) * z / (nu + z * z) };
            *get_mut(&mut da[r * wa..], &mut db[r * wb..], first, i) = weight * g;
        }
    }
    if let Some(d_nu) = d_nu {
        // d/dnu of lgamma(nu/2) - lgamma((nu+1)/2) + ln(nu)/2, per coordinate
        let d_constant = 0.5 * (digamma_(0.5 * nu) - digamma_(0.5 * (nu + 1.0)) + 1.0 / nu);
        let slope = sigmoid_(tile.param(a.raw_nu, 1)[0]);
        d_nu.fill(0.0);
        for r in 0..tile.rows {
            let mut sum = dim as f32 * d_constant;
            for i in 0..dim {
                let z = get(&za[r * wa..], &zb[r * wb..], first, i);
                let q = z * z / nu;
                sum += 0.5 * log1p_(q) - 0.5 * (nu + 1.0) / nu * q / (1.0 + q);
            }
            d_nu[4 * r] = m[4 * r + meta::WEIGHT] * slope * sum;
        }
    }
}

fn sample_cpu(tile: &Tile, call: &Call) {
    let a: BaseArgs = call.args();
    let s = &call.spec;
    let (dim, first, kind) = (s.get("DIM"), s.get("FIRST"), s.get("KIND"));
    let (wa, wb) = (s.get("WIDTH_A"), s.get("WIDTH_B"));
    let (za, zb) = (tile.write(a.z_a, wa), tile.write(a.z_b, wb));
    let nu = nu_of(tile, &a, kind);
    za.fill(0.0);
    zb.fill(0.0);
    for r in 0..tile.rows {
        let row = tile.batch_row(r);
        let (set, draw) = (row / tile.run.draws, row % tile.run.draws);
        let mut rng = Rng::new(tile.state.seed(), streams::BASE, tile.run.set0 + set, draw);
        for i in 0..dim {
            let z = if kind == 0 { rng.normal() } else { rng.student_t(nu) };
            *get_mut(&mut za[r * wa..], &mut zb[r * wb..], first, i) = z;
        }
    }
}
