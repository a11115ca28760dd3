//! Base density: standard normal, or independent Student-t with one number of degrees of freedom.
//!
//! `loss = -ln p_base(z) - logdet` per row, in nats of u space. Student-t: `ln p(z_d) = lgamma((nu+1)/2) -
//! lgamma(nu/2) - ln(nu pi)/2 - (nu+1)/2 ln(1 + z_d^2/nu)`; a learned nu is `2 + softplus(raw)`. Where the terms of the
//! constant, or of a derivative by nu, cancel, both are series.
use crate::args;
use crate::flow::actnorm::{Halves, get, get_mut, widths};
use crate::math::{digamma_, lgamma_, log_, log1p_, sigmoid_, softplus_};
use crate::rng::{Rng, streams};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{Init, ParamTable};
use crate::runtime::plan::meta;
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;

const HALF_LN_2PI: f32 = 0.918_938_5;
const HALF_LN_PI: f32 = 0.572_364_9;
/// From here on the constant of the t density is a series in 1/nu: log-gammas grow with nu, their difference does not, and in
/// f32 nothing of it would be left. The first term left out is 4e-9 here.
const SERIES_NU: f32 = 12.0;
/// From here downward the derivative of the energy by nu is a series in t = q/(1+q), q = z^2/nu.
const SERIES_T: f32 = 0.0625;

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
        |r| sample(r, 3, Base::StudentT(1e5), &LOSS),
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

/// `lgamma(nu/2) - lgamma((nu+1)/2) + ln(nu pi)/2`: the constant of one coordinate, nats. From [`SERIES_NU`] on
/// `ln(2 pi)/2 + 1/(4 nu) - 1/(24 nu^3) + 1/(20 nu^5)`, of Stirling's series (Tricomi and Erdélyi 1951).
fn constant(nu: f32) -> f32 {
    if nu > SERIES_NU {
        let r = 1.0 / nu;
        let s = r * r;
        return HALF_LN_2PI + r * (0.25 - s * (0.041_666_668 - s * 0.05));
    }
    lgamma_(0.5 * nu) - lgamma_(0.5 * (nu + 1.0)) + 0.5 * log_(nu) + HALF_LN_PI
}

/// Its derivative.
fn constant_by_nu(nu: f32) -> f32 {
    if nu > SERIES_NU {
        let r = 1.0 / nu;
        let s = r * r;
        return -s * (0.25 - s * (0.125 - s * 0.25));
    }
    0.5 * (digamma_(0.5 * nu) - digamma_(0.5 * (nu + 1.0)) + 1.0 / nu)
}

/// Derivative of `(nu+1)/2 ln(1 + z^2/nu)` by nu: `(ln(1+q) - t - t/nu)/2` with q = z^2/nu, t = q/(1+q), and
/// `ln(1+q) - t = t^2/2 + t^3/3 + ...`.
fn energy_by_nu(nu: f32, z: f32) -> f32 {
    let q = z * z / nu;
    let t = q / (1.0 + q);
    let series =
        t * t * (0.5 + t * (0.333_333_34 + t * (0.25 + t * (0.2 + t * (0.166_666_67 + t * 0.142_857_15)))));
    let rest = if t < SERIES_T { series } else { log1p_(q) - t };
    0.5 * (rest - t / nu)
}

fn loss_cpu(tile: &Tile, call: &Call) {
    let a: BaseArgs = call.args();
    let s = &call.spec;
    let (dim, first, kind) = (s.get("DIM"), s.get("FIRST"), s.get("KIND"));
    let (wa, wb) = (s.get("WIDTH_A"), s.get("WIDTH_B"));
    let (za, zb) = (tile.read(a.z_a, wa), tile.read(a.z_b, wb));
    let m = tile.write(a.row_meta, 4);
    let nu = nu_of(tile, &a, kind);
    let constant = if kind == 0 { HALF_LN_2PI } else { constant(nu) };
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
        let d_constant = constant_by_nu(nu);
        let slope = sigmoid_(tile.param(a.raw_nu, 1)[0]);
        d_nu.fill(0.0);
        for r in 0..tile.rows {
            let mut sum = dim as f32 * d_constant;
            for i in 0..dim {
                let z = get(&za[r * wa..], &zb[r * wb..], first, i);
                sum += energy_by_nu(nu, z);
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

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::function::gamma::{digamma, ln_gamma};

    /// Degrees of freedom from 2 to 10^6, closer together around the start of the series.
    fn freedoms() -> Vec<f32> {
        let wide = (0..200).map(|i| 2.0 * 500_000f32.powf(i as f32 / 199.0));
        wide.chain((0..50).map(|i| SERIES_NU - 1.0 + 0.04 * i as f32)).collect()
    }

    #[test]
    fn the_constant_is_that_of_double_precision() {
        for nu in freedoms() {
            let f = f64::from(nu);
            let want = ln_gamma(0.5 * f) - ln_gamma(0.5 * (f + 1.0)) + 0.5 * (f * std::f64::consts::PI).ln();
            let error = f64::from(constant(nu)) - want;
            assert!(error.abs() < 2e-6, "{nu}: {error:e}");
            if nu > SERIES_NU {
                assert!(error.abs() < 1.5e-7, "{nu}: {error:e}");
            }
            let want = 0.5 * (digamma(0.5 * f) - digamma(0.5 * (f + 1.0)) + 1.0 / f);
            let error = f64::from(constant_by_nu(nu)) - want;
            // statrs itself is right to 1e-14.
            assert!(
                error.abs() < 2e-14 + if nu > SERIES_NU { 4e-6 } else { 2e-4 } * want.abs(),
                "{nu}: {error:e}"
            );
        }
    }

    #[test]
    fn the_energy_has_the_derivative_of_double_precision() {
        for nu in freedoms() {
            for z in [0.0f32, 0.01, 0.3, 1.0, 2.5, 6.0, 40.0] {
                let (f, z2) = (f64::from(nu), f64::from(z).powi(2));
                let q = z2 / f;
                let rest = q.ln_1p() - q / (1.0 + q);
                let lost = q / (1.0 + q) / f;
                let error = f64::from(energy_by_nu(nu, z)) - 0.5 * (rest - lost);
                assert!(error.abs() <= 4e-6 * (rest + lost), "{nu} {z}: {error:e} of {rest:e} - {lost:e}");
            }
        }
    }
}
