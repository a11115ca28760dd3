//! The prior: parameters in order, each with a name, a marginal (or a share of a multivariate normal) and a support
//! transform.
use super::marginal::{Bound, Marginal, Support};
use super::multivariate::{self, NormalMixture};
use super::transform::{Span, Transform};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// One or more parameters that are drawn together.
#[derive(Clone, Debug, PartialEq)]
pub enum Factor {
    /// One parameter.
    One(Marginal),
    /// `k` parameters, normal with the given mean and covariance `L L'`.
    Multivariate {
        /// Mean, `(k)`.
        mean: Vec<f32>,
        /// Lower Cholesky factor `L`, `(k, k)` row-major; entries above the diagonal are 0.
        cholesky: Vec<f32>,
    },
    /// Parameters from a mixture of normals.
    Mixture(NormalMixture),
}

impl Factor {
    /// How many parameters the factor covers.
    pub fn dim(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Multivariate { mean, .. } => mean.len(),
            Self::Mixture(mixture) => mixture.dim(),
        }
    }

    /// The support of each of its parameters.
    pub(super) fn support(&self) -> Support {
        match self {
            Self::One(marginal) => marginal.support(),
            Self::Multivariate { .. } | Self::Mixture(_) => Support { lo: None, hi: None },
        }
    }
}

/// The prior of all parameters and their maps to the real line. Build it with [`Prior::new`], which checks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// Names, one per parameter.
    pub names: Vec<String>,
    /// Factors, which cover the parameters in order.
    pub factors: Vec<Factor>,
    /// Support transforms, one per parameter.
    pub transforms: Vec<Transform>,
}

impl Prior {
    /// A checked prior.
    ///
    /// # Errors
    /// [`Error::Config`] if counts disagree, names repeat, a number makes no density, a bound refers to a parameter
    /// that is not earlier or may cross the other bound, or a transform does not fit its parameter's support.
    pub fn new(names: Vec<String>, factors: Vec<Factor>, transforms: Vec<Transform>) -> Result<Self> {
        let prior = Self { names, factors, transforms };
        prior.check()?;
        Ok(prior)
    }

    /// Number of parameters D.
    pub fn dim(&self) -> usize {
        self.names.len()
    }

    /// The factors with the index of their first parameter.
    pub(super) fn parts(&self) -> impl Iterator<Item = (usize, &Factor)> {
        self.factors.iter().scan(0, |next, factor| {
            let first = *next;
            *next += factor.dim();
            Some((first, factor))
        })
    }

    /// Each parameter with its support.
    pub(super) fn supports(&self) -> impl Iterator<Item = (usize, Support)> {
        self.parts().flat_map(|(first, factor)| (first..first + factor.dim()).map(|i| (i, factor.support())))
    }

    /// Ends of the support of each parameter; infinite where there is none or where it is another parameter.
    pub fn bounds(&self) -> Vec<[f64; 2]> {
        let end = |bound: Option<Bound>, open: f64| match bound {
            Some(Bound::Const(value)) => f64::from(value),
            _ => open,
        };
        let both = |(_, s): (usize, Support)| [end(s.lo, f64::NEG_INFINITY), end(s.hi, f64::INFINITY)];
        self.supports().map(both).collect()
    }

    /// One draw into `theta` (D), inside the open support.
    pub fn draw(&self, rng: &mut Rng, theta: &mut [f32]) {
        for (i, factor) in self.parts() {
            match factor {
                Factor::One(marginal) => {
                    let span = span(&marginal.support(), theta);
                    theta[i] = span.clamp(marginal.draw(rng, theta));
                }
                Factor::Multivariate { mean, cholesky } => {
                    multivariate::draw(mean, cholesky, rng, &mut theta[i..i + mean.len()]);
                }
                Factor::Mixture(mixture) => mixture.draw(rng, &mut theta[i..i + mixture.dim()]),
            }
        }
    }

    /// The first of `theta` (D) that lies outside of the closed support, or is NaN. A value on an end is what rounding to f32 makes of
    /// one just inside.
    pub fn outside(&self, theta: &[f32]) -> Option<usize> {
        let out = |(i, support): &(usize, Support)| {
            let lo = support.lo.map_or(f32::NEG_INFINITY, |b| b.at(theta));
            let hi = support.hi.map_or(f32::INFINITY, |b| b.at(theta));
            !(theta[*i] >= lo && theta[*i] <= hi)
        };
        self.supports().find(out).map(|(i, _)| i)
    }

    /// Log density in nats at `theta` (D); minus infinity outside the support and at NaN.
    pub fn log_prob(&self, theta: &[f64]) -> f64 {
        self.parts()
            .map(|(i, factor)| match factor {
                Factor::One(marginal) => marginal.log_prob(theta[i], theta),
                Factor::Multivariate { mean, cholesky } => {
                    multivariate::log_prob(mean, cholesky, &theta[i..i + mean.len()])
                }
                Factor::Mixture(mixture) => mixture.log_prob(&theta[i..i + mixture.dim()]),
            })
            .sum()
    }

    /// Maps `theta` (D) to `u0` (D) on the real line and returns `sum_i ln |du0_i/dtheta_i|`. Values at or beyond an
    /// end of the support are first moved to the nearest float inside; [`Prior::log_jacobian`] tells them apart.
    pub fn to_unconstrained(&self, theta: &[f32], u0: &mut [f32]) -> f32 {
        // Clamp in order, so that bounds are valid parameters; map from the last to the first, so that the bounds of
        // a parameter are still there.
        for (i, support) in self.supports() {
            u0[i] = span(&support, u0).clamp(theta[i]);
        }
        let mut sum = 0.0;
        let mut i = self.dim();
        for factor in self.factors.iter().rev() {
            let support = factor.support();
            for _ in 0..factor.dim() {
                i -= 1;
                let (value, log_jacobian) = self.transforms[i].forward(u0[i], &span(&support, u0));
                u0[i] = value;
                sum += log_jacobian;
            }
        }
        sum
    }

    /// Maps `u0` (D) back to `theta` (D), inside the open support.
    pub fn from_unconstrained(&self, u0: &[f32], theta: &mut [f32]) {
        for (i, support) in self.supports() {
            theta[i] = self.transforms[i].inverse(u0[i], &span(&support, theta));
        }
    }

    /// `sum_i ln |du0_i/dtheta_i|` in f64 at `theta` (D); minus infinity outside the open support and at NaN.
    pub fn log_jacobian(&self, theta: &[f64]) -> f64 {
        let end = |bound: Option<Bound>, infinity: f64| match bound {
            None => infinity,
            Some(Bound::Const(value)) => f64::from(value),
            Some(Bound::Param(i)) => theta[i],
        };
        self.supports()
            .map(|(i, support)| {
                let (lo, hi) = (end(support.lo, f64::NEG_INFINITY), end(support.hi, f64::INFINITY));
                self.transforms[i].log_jacobian(theta[i], lo, hi)
            })
            .sum()
    }

    fn check(&self) -> Result<()> {
        let dim: usize = self.factors.iter().map(Factor::dim).sum();
        let wrong = |problem: String, hint: &str| Err(Error::config("parameter", problem, hint));
        if dim == 0 {
            return wrong(
                "expected at least one parameter, found none".into(),
                "Add a parameter with a prior",
            );
        }
        if self.names.len() != dim {
            let problem = format!("expected {dim} names, one per parameter, found {}", self.names.len());
            return wrong(problem, "Name every parameter once");
        }
        if self.transforms.len() != dim {
            let problem =
                format!("expected {dim} transforms, one per parameter, found {}", self.transforms.len());
            return wrong(problem, "Give every parameter one, or use `default_transform`");
        }
        for (i, name) in self.names.iter().enumerate() {
            if name.is_empty() {
                return wrong(format!("parameter {i} has an empty name"), "Name every parameter");
            }
            if self.names[..i].contains(name) {
                return wrong(format!("the name `{name}` occurs twice"), "Give every parameter its own name");
            }
        }
        // Smallest and largest value of each parameter checked so far.
        let mut ranges: Vec<(f32, f32)> = Vec::with_capacity(dim);
        for (i, factor) in self.parts() {
            match factor {
                Factor::One(marginal) => {
                    marginal.check(&self.names[i])?;
                    ranges.push(self.check_bounds(i, &marginal.support(), &ranges)?);
                }
                Factor::Multivariate { mean, cholesky } => {
                    multivariate::check(&self.names[i..i + mean.len()], mean, cholesky)?;
                    ranges.resize(i + mean.len(), (f32::NEG_INFINITY, f32::INFINITY));
                }
                Factor::Mixture(mixture) => {
                    mixture.check(&self.names[i..i + mixture.dim()])?;
                    ranges.resize(i + mixture.dim(), (f32::NEG_INFINITY, f32::INFINITY));
                }
            }
        }
        for (i, support) in self.supports() {
            let (fits, kind) = match (support.lo, support.hi) {
                (Some(_), Some(_)) => (&[Transform::Logit, Transform::Probit][..], "bounded"),
                (Some(_), None) => (&[Transform::Log][..], "positive"),
                _ => (&[Transform::Identity][..], "real"),
            };
            if !fits.contains(&self.transforms[i]) {
                let names: Vec<&str> = fits.iter().map(|t| t.name()).collect();
                return Err(Error::config(
                    format!("transform of `{}`", self.names[i]),
                    format!(
                        "expected {} because the prior is {kind}, found {}",
                        names.join(" or "),
                        self.transforms[i].name()
                    ),
                    "Change the transform, or leave it out",
                ));
            }
        }
        Ok(())
    }

    /// Bounds that are parameters must be earlier ones, and must not be able to cross. Returns the smallest and the
    /// largest value that parameter `i` can have; `ranges` holds those of the parameters before it.
    fn check_bounds(&self, i: usize, support: &Support, ranges: &[(f32, f32)]) -> Result<(f32, f32)> {
        let wrong = |problem: String, hint: &str| {
            Err(Error::config(format!("prior of `{}`", self.names[i]), problem, hint))
        };
        let mut ends = [(f32::NEG_INFINITY, f32::NEG_INFINITY), (f32::INFINITY, f32::INFINITY)];
        for (end, bound) in ends.iter_mut().zip([support.lo, support.hi]) {
            *end = match bound {
                None => continue,
                Some(Bound::Const(value)) => (value, value),
                Some(Bound::Param(j)) if j < i => ranges[j],
                Some(Bound::Param(j)) => {
                    let problem =
                        format!("expected a bound that is an earlier parameter, found parameter {j}");
                    return wrong(problem, "Move that parameter before this one");
                }
            };
        }
        let [(lowest, lo), (hi, highest)] = ends;
        if lo <= hi {
            return Ok((lowest, highest));
        }
        let problem = format!("the lower bound may reach {lo} while the upper bound may be as low as {hi}");
        wrong(problem, "Choose priors for which lo < hi always holds")
    }
}

/// The support's ends, given the parameters drawn so far.
fn span(support: &Support, theta: &[f32]) -> Span {
    let lo = support.lo.map_or(f32::NEG_INFINITY, |b| b.at(theta));
    let hi = support.hi.map_or(f32::INFINITY, |b| b.at(theta));
    Span::new(lo, hi)
}
