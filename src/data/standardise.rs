//! Standardisation: what the networks see has mean 0 and sd 1 over simulations from the prior.
//!
//! Parameters: `u = (u0 - m)/s` after the support transform. Data: an element-wise transform, then `(x - m)/s`,
//! clamped to `[-10, 10]`. Moments use 1/n; zero spread gets sd 1. They come from simulations, never from observed data.
use crate::math::{is_finite_bits, log_, log1p_};
use serde::{Deserialize, Serialize};

/// Standardised data are clamped to this distance from 0.
pub const CLAMP: f32 = 10.0;
/// Where they are not: so far that squares stay finite.
const FAR: f32 = 1e15;

/// Element-wise transform of the data before standardisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataTransform {
    /// x
    #[default]
    None,
    /// `ln x`; x from 0 to 1e-30 counts as 1e-30, x below 0 gives infinity, so that its data set is refused or masked
    Log,
    /// `sign(x) ln(1 + |x|)`
    Log1p,
    /// `asinh((x - median) / (IQR / 1.349))`
    Asinh,
    /// `ln(x + 0.001)`; x below 0 as with `Log`
    LogMilli,
    /// `1 / x`; x nearer to 0 than 1e-30 gives infinity, so that its data set is refused or masked
    Reciprocal,
}

impl DataTransform {
    /// Its number in the kernels.
    pub fn number(self) -> usize {
        self as usize
    }
    /// The transformed value; `center` and `inv_scale` are used by [`DataTransform::Asinh`] only.
    pub fn apply(self, x: f32, center: f32, inv_scale: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Log | Self::LogMilli if x < 0.0 => f32::INFINITY,
            Self::Log => {
                if x.is_nan() {
                    x
                } else {
                    log_(x.clamp(1e-30, 3e38))
                }
            }
            Self::LogMilli => {
                if x.is_nan() {
                    x
                } else {
                    log_(x.min(3e38) + 1e-3)
                }
            }
            Self::Reciprocal if x.abs() < 1e-30 => f32::INFINITY.copysign(x),
            Self::Reciprocal => 1.0 / x,
            Self::Log1p => log1p_(x.abs().min(3e38)).copysign(x),
            Self::Asinh => {
                let y = (x - center) * inv_scale;
                let a = y.abs().min(1e18);
                log1p_(a + a * a / (1.0 + (1.0 + a * a).sqrt())).copysign(y)
            }
        }
    }
}

/// Moments of u0 and x, and the data transform.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standardiser {
    /// Mean of u0, (D).
    pub u_mean: Vec<f32>,
    /// Sd of u0, (D).
    pub u_sd: Vec<f32>,
    /// The data transform.
    pub transform: DataTransform,
    /// Median of x, (C); used by asinh.
    pub x_center: Vec<f32>,
    /// `1.349 / IQR` of x, (C); used by asinh.
    pub x_inv_scale: Vec<f32>,
    /// Mean of the transformed x, (C).
    pub x_mean: Vec<f32>,
    /// Sd of the transformed x, (C).
    pub x_sd: Vec<f32>,
}

impl Standardiser {
    /// Moments of `n` pairs: `u0 (n, d)`, `x (n, c)`. Rows with a non-finite value are left out.
    pub fn fit(transform: DataTransform, u0: &[f32], x: &[f32], d: usize, c: usize) -> Self {
        let n = u0.len() / d.max(1);
        let finite = |v: &[f32]| v.iter().all(|&v| is_finite_bits(v));
        let good: Vec<usize> =
            (0..n).filter(|&i| finite(&u0[i * d..(i + 1) * d]) && finite(&x[i * c..(i + 1) * c])).collect();
        let mut s = Self { transform, ..Self::default() };
        s.fit_u(u0, d, &good);
        s.fit_x(x, c, &good);
        s
    }
    /// Moments of `u0 (n, d)` and of items `x (m, f)`, each by itself. Rows and items with a non-finite value are left out.
    pub fn fit_items(transform: DataTransform, u0: &[f32], x: &[f32], d: usize, f: usize) -> Self {
        let good = |v: &[f32], width: usize| -> Vec<usize> {
            let rows = v.chunks_exact(width).enumerate();
            rows.filter(|(_, row)| row.iter().all(|&v| is_finite_bits(v))).map(|(i, _)| i).collect()
        };
        let mut s = Self { transform, ..Self::default() };
        s.fit_u(u0, d, &good(u0, d));
        s.fit_x(x, f, &good(x, f));
        s
    }
    fn fit_u(&mut self, u0: &[f32], d: usize, good: &[usize]) {
        for j in 0..d {
            let (m, sd) = moments(good.iter().map(|&i| u0[i * d + j]));
            self.u_mean.push(m);
            self.u_sd.push(sd);
        }
    }
    fn fit_x(&mut self, x: &[f32], c: usize, good: &[usize]) {
        for j in 0..c {
            let (center, inv) = if self.transform == DataTransform::Asinh {
                spread(good.iter().map(|&i| x[i * c + j]).collect())
            } else {
                (0.0, 1.0)
            };
            let values = good.iter().map(|&i| self.transform.apply(x[i * c + j], center, inv));
            // What the transform does not take is masked or refused, and must not shift the others.
            let (m, sd) = moments(values.filter(|v| v.is_finite()));
            self.x_center.push(center);
            self.x_inv_scale.push(inv);
            self.x_mean.push(m);
            self.x_sd.push(sd);
        }
    }
    /// One row of data as the network sees it; false when a value is not finite.
    pub fn standardise_x(&self, x: &[f32], out: &mut [f32]) -> bool {
        let ok = self.unclamped_x(x, out);
        out.iter_mut().for_each(|v| *v = v.clamp(-CLAMP, CLAMP));
        ok
    }
    /// The same before the clamp, but finite for finite values: for scores of how unusual data are.
    pub fn unclamped_x(&self, x: &[f32], out: &mut [f32]) -> bool {
        let mut ok = true;
        for j in 0..self.x_mean.len() {
            let t = self.transform.apply(x[j], self.x_center[j], self.x_inv_scale[j]);
            ok &= is_finite_bits(x[j]) && is_finite_bits(t);
            out[j] = ((t - self.x_mean[j]) / self.x_sd[j]).clamp(-FAR, FAR);
        }
        ok
    }
    /// `u = (u0 - m)/s`, in place; false when a value is not finite.
    pub fn standardise_u(&self, u0: &mut [f32]) -> bool {
        let mut ok = true;
        for (u, (m, s)) in u0.iter_mut().zip(self.u_mean.iter().zip(&self.u_sd)) {
            *u = (*u - m) / s;
            ok &= is_finite_bits(*u);
        }
        ok
    }
    /// `ln |du/du0| = -sum ln s`.
    pub fn log_jacobian(&self) -> f64 {
        -self.u_sd.iter().map(|s| f64::from(*s).ln()).sum::<f64>()
    }
    /// The kernels' constants: `u_mean | 1/u_sd | u_sd | x_center | x_inv_scale | x_mean | 1/x_sd`.
    pub fn constants(&self) -> Vec<f32> {
        let inverse = |v: &[f32]| v.iter().map(|s| 1.0 / s).collect::<Vec<_>>();
        [
            &self.u_mean[..],
            &inverse(&self.u_sd),
            &self.u_sd,
            &self.x_center,
            &self.x_inv_scale,
            &self.x_mean,
            &inverse(&self.x_sd),
        ]
        .concat()
    }
}

/// (mean, sd with 1/n); sd 1 where there is no spread.
fn moments(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let n = values.clone().count().max(1) as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / n;
    let var = values.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let sd = var.sqrt();
    (mean as f32, if sd > 1e-12 * mean.abs().max(1e-18) { sd as f32 } else { 1.0 })
}
/// (median, 1.349 / IQR); 1 where there is no spread.
fn spread(mut v: Vec<f32>) -> (f32, f32) {
    if v.is_empty() {
        return (0.0, 1.0);
    }
    v.sort_by(f32::total_cmp);
    let q = |p: f64| v[((v.len() - 1) as f64 * p).round() as usize];
    let iqr = q(0.75) - q(0.25);
    (q(0.5), if iqr > 0.0 { 1.349 / iqr } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transform_does_not_take_is_bad_and_moves_no_moment() {
        for (transform, bad) in
            [(DataTransform::Log, -0.1), (DataTransform::LogMilli, -0.1), (DataTransform::Reciprocal, 0.0)]
        {
            let s = Standardiser::fit(transform, &[0.0, 1.0, 2.0], &[1.0, bad, 4.0], 1, 1);
            let without = Standardiser::fit(transform, &[0.0, 2.0], &[1.0, 4.0], 1, 1);
            assert_eq!((&s.x_mean, &s.x_sd), (&without.x_mean, &without.x_sd), "{transform:?}");
            let mut out = [0.0];
            assert!(s.standardise_x(&[1.0], &mut out) && !s.standardise_x(&[bad], &mut out), "{transform:?}");
        }
        let (mut out, s) = ([0.0], Standardiser::fit(DataTransform::Log, &[0.0, 1.0], &[1.0, 0.0], 1, 1));
        assert!(s.standardise_x(&[0.0], &mut out), "0 is what a small population rounds to");
    }

    #[test]
    fn moments_leave_bad_rows_out_and_give_no_spread_sd_one() {
        let u0 = [1.0, 5.0, 3.0, 5.0, f32::NAN, 5.0];
        let x = [0.0, 2.0, 100.0];
        let s = Standardiser::fit(DataTransform::None, &u0, &x, 2, 1);
        assert_eq!((s.u_mean[0], s.u_sd[0]), (2.0, 1.0));
        assert_eq!((s.u_mean[1], s.u_sd[1]), (5.0, 1.0));
        assert_eq!((s.x_mean[0], s.x_sd[0]), (1.0, 1.0));
        let mut out = [0.0];
        assert!(s.standardise_x(&[100.0], &mut out) && out[0] == CLAMP);
        assert!(!s.standardise_x(&[f32::INFINITY], &mut out));
        assert_eq!(s.log_jacobian(), 0.0);
    }
    #[test]
    fn transforms_are_their_formulas() {
        for x in [0.01f32, 0.7, 1.0, 3.0, 1e4] {
            let close =
                |a: f32, b: f64| assert!((f64::from(a) - b).abs() <= 2e-6 * (1.0 + b.abs()), "{a} {b}");
            let d = f64::from(x);
            close(DataTransform::Log.apply(x, 0.0, 1.0), d.ln());
            close(DataTransform::Log1p.apply(x, 0.0, 1.0), d.ln_1p());
            close(DataTransform::Log1p.apply(-x, 0.0, 1.0), -d.ln_1p());
            close(DataTransform::Reciprocal.apply(-x, 0.0, 1.0), -1.0 / d);
            close(DataTransform::Asinh.apply(x, 0.5, 2.0), ((d - 0.5) * 2.0).asinh());
        }
        assert!(DataTransform::Log.apply(0.0, 0.0, 1.0).is_finite());
        assert!(DataTransform::Log.apply(f32::NAN, 0.0, 1.0).is_nan());
        assert_eq!(DataTransform::Reciprocal.apply(-0.0, 0.0, 1.0), f32::NEG_INFINITY);
        assert!(DataTransform::Reciprocal.apply(f32::NAN, 0.0, 1.0).is_nan());
    }
}
