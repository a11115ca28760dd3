//! A model whose posterior is known, and posteriors that are wrong in known ways.
//!
//! a, b ~ N(0, 1) and `x = a + .4 e`, `y = b + .7 e`: normal posteriors of different widths. c = +-m with m ~ N(2, .5^2)
//! and `z = m + .5 e`: two modes, of which the data tell the size and not the sign.
use crate::rng::{Rng, streams};

/// Parameters, and values of a data set.
pub const DIM: usize = 3;
const NOISE: [f32; 2] = [0.4, 0.7];
const MODE: (f32, f32) = (2.0, 0.5);
const MODE_NOISE: f32 = 0.5;

/// How a posterior is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is right.
    None,
    /// Half the sd.
    Halved,
    /// Twice the sd.
    Doubled,
    /// Every draw half a posterior sd too high.
    Shifted,
    /// The prior, whatever the data.
    Prior,
    /// The negative mode of c is never drawn.
    ModeDropped,
    /// a and b exchanged.
    Swapped,
    /// Draws handed over as (draws, sets, parameters).
    Transposed,
}

/// All faults, in the order of the table.
pub const FAULTS: [(Fault, &str); 7] = [
    (Fault::Halved, "sd halved"),
    (Fault::Doubled, "sd doubled"),
    (Fault::Shifted, "shifted ½ sd"),
    (Fault::Prior, "prior returned"),
    (Fault::ModeDropped, "mode dropped"),
    (Fault::Swapped, "parameters swapped"),
    (Fault::Transposed, "axes transposed"),
];

/// A mixture of two normals with the same sd at `+mean` and, with weight `other`, at `-mean`.
#[derive(Clone, Copy, Debug)]
struct Marginal {
    mean: f32,
    sd: f32,
    other: f32,
}

impl Marginal {
    fn draw(&self, rng: &mut Rng) -> f32 {
        let e = self.sd * rng.normal();
        if rng.uniform() < self.other { -self.mean + e } else { self.mean + e }
    }

    fn log_density(&self, v: f32) -> f64 {
        let at = |mean: f32| {
            let z = f64::from((v - mean) / self.sd);
            (-0.5 * z * z).exp()
        };
        let other = f64::from(self.other);
        let density = (1.0 - other) * at(self.mean) + other * at(-self.mean);
        density.max(1e-300).ln() - f64::from(self.sd).ln() - 0.5 * (2.0 * std::f64::consts::PI).ln()
    }
}

/// The posterior of one data set, right or not.
#[derive(Clone, Copy, Debug)]
pub struct Known([Marginal; DIM]);

impl Known {
    /// The prior.
    pub fn prior() -> Self {
        let standard = Marginal { mean: 0.0, sd: 1.0, other: 0.0 };
        Self([standard, standard, Marginal { mean: MODE.0, sd: MODE.1, other: 0.5 }])
    }

    /// The posterior of `x` with this fault. (Transposed draws come from the right one.)
    pub fn of(x: &[f32], fault: Fault) -> Self {
        if fault == Fault::Prior {
            return Self::prior();
        }
        let normal = |i: usize| {
            let gain = 1.0 / (1.0 + NOISE[i] * NOISE[i]);
            Marginal { mean: gain * x[i], sd: NOISE[i] * gain.sqrt(), other: 0.0 }
        };
        // Equal sds of m and its noise: the posterior mean is half way, the variance half.
        let size = Marginal { mean: 0.5 * (MODE.0 + x[2]), sd: MODE.1 * 0.5f32.sqrt(), other: 0.5 };
        let mut known = [normal(0), normal(1), size];
        match fault {
            Fault::Halved => known.iter_mut().for_each(|m| m.sd *= 0.5),
            Fault::Doubled => known.iter_mut().for_each(|m| m.sd *= 2.0),
            Fault::ModeDropped => known[2].other = 0.0,
            Fault::Swapped => known.swap(0, 1),
            _ => {}
        }
        Self(known)
    }

    /// One draw into `theta` (3); `shift` posterior sds too high.
    pub fn draw(&self, rng: &mut Rng, shift: f32, theta: &mut [f32]) {
        self.0.iter().zip(theta).for_each(|(m, t)| *t = m.draw(rng) + shift * m.sd);
    }

    /// Log density at `theta` (3), nats.
    pub fn log_density(&self, theta: &[f32], shift: f32) -> f32 {
        self.0.iter().zip(theta).map(|(m, t)| m.log_density(t - shift * m.sd)).sum::<f64>() as f32
    }
}

/// How far a fault shifts draws, in posterior sds.
pub fn shift(fault: Fault) -> f32 {
    if fault == Fault::Shifted { 0.5 } else { 0.0 }
}

/// Data `x` (3) of parameters `theta` (3).
pub fn simulate(rng: &mut Rng, theta: &[f32], x: &mut [f32]) {
    x[0] = theta[0] + NOISE[0] * rng.normal();
    x[1] = theta[1] + NOISE[1] * rng.normal();
    x[2] = theta[2].abs() + MODE_NOISE * rng.normal();
}

/// Data sets with draws from a posterior.
pub struct Case {
    /// Parameters, `(sets, 3)`.
    pub truths: Vec<f32>,
    /// Data, `(sets, 3)`.
    pub x: Vec<f32>,
    /// Draws, `(sets, n, 3)`.
    pub draws: Vec<f32>,
}

impl Case {
    /// `sets` data sets with `n` draws of a posterior with this fault.
    pub fn new(fault: Fault, sets: usize, n: usize, seed: u64) -> Self {
        let (mut truths, mut x) = (vec![0.0; sets * DIM], vec![0.0; sets * DIM]);
        let mut draws = vec![0.0; sets * n * DIM];
        for set in 0..sets {
            let mut rng = Rng::new(seed, streams::DIAGNOSTIC, 1, set as u32);
            let (theta, data) = (&mut truths[set * DIM..][..DIM], &mut x[set * DIM..][..DIM]);
            Known::prior().draw(&mut rng, 0.0, theta);
            simulate(&mut rng, theta, data);
            let known = Known::of(data, fault);
            for i in 0..n {
                // The right place of draw i of this set, or the place a transposed array has it in.
                let row = if fault == Fault::Transposed { i * sets + set } else { set * n + i };
                known.draw(&mut rng, shift(fault), &mut draws[row * DIM..][..DIM]);
            }
        }
        Self { truths, x, draws }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_integrate_to_one_and_fit_their_draws() {
        let known = Known::of(&[0.3, -1.0, 2.2], Fault::None);
        for m in known.0 {
            let step = 0.01f32;
            let mass: f64 = (-800..800).map(|i| m.log_density(i as f32 * step).exp() * f64::from(step)).sum();
            assert!((mass - 1.0).abs() < 1e-3, "{mass}");
            let mut rng = Rng::new(1, streams::TEST, 0, 0);
            let below = (0..20_000).filter(|_| m.draw(&mut rng) < 0.3).count() as f64 / 20_000.0;
            let want: f64 = (-800..30).map(|i| m.log_density(i as f32 * step).exp() * f64::from(step)).sum();
            assert!((below - want).abs() < 0.02, "{below} {want}");
        }
    }

    #[test]
    fn faults_change_what_they_say() {
        let x = [0.3, -1.0, 2.2];
        let right = Known::of(&x, Fault::None).0;
        assert_eq!(Known::of(&x, Fault::Halved).0[1].sd, 0.5 * right[1].sd);
        assert_eq!(Known::of(&x, Fault::Swapped).0[0].mean, right[1].mean);
        assert_eq!(Known::of(&x, Fault::ModeDropped).0[2].other, 0.0);
        let (a, b) = (Case::new(Fault::None, 2, 3, 1), Case::new(Fault::Transposed, 2, 3, 1));
        assert_eq!(a.truths, b.truths);
        assert_eq!(a.draws[DIM..2 * DIM], b.draws[2 * DIM..3 * DIM]);
    }
}
