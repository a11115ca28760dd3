//! The text of a prior in a model file: `uniform(0, beta)`, `normal(0, sqrt(0.1))`, `log-normal(ln(0.4), 0.5)`.
//!
//! ```text
//! prior    = family "(" argument { "," argument } ")"  |  "multivariate-normal"
//! argument = number  |  "exp(" number ")"  |  "ln(" number ")"  |  "sqrt(" number ")"  |  name of an earlier parameter (bounds of uniform)
//! ```
use std::fmt;

use super::choice::{Support, one_of};
use super::form::ParameterConfig;
use super::joint;
use super::line::{Fault, short};
use crate::model::suggest;
use crate::sim::{Bound, Factor, Marginal, Prior, Transform};

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($argument:literal),*] $support:ident),+ $(,)?) => {
        /// The families of priors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Family { $($(#[$doc])* $variant),+ }
        impl Family {
            /// Every name, as written in a model file.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
            /// The name in a model file.
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $name),+ } }
            /// The names of its arguments.
            pub fn arguments(self) -> &'static [&'static str] { match self { $(Self::$variant => &[$($argument),*]),+ } }
            /// The transform that its support asks for.
            pub fn transform(self) -> Support { match self { $(Self::$variant => Support::$support),+ } }
            fn find(name: &str) -> Option<Self> { match name { $($name => Some(Self::$variant),)+ _ => None } }
        }
    };
}
families! {
    /// On (lo, hi); a bound may be an earlier parameter.
    Uniform = "uniform" ["lo", "hi"] Logit,
    /// Mean and standard deviation.
    Normal = "normal" ["mean", "sd"] Identity,
    /// Mean and standard deviation of the logarithm.
    LogNormal = "log-normal" ["mu", "sigma"] Log,
    /// Shape and rate (1/scale).
    Gamma = "gamma" ["shape", "rate"] Log,
    /// Both shapes; on (0, 1).
    Beta = "beta" ["a", "b"] Logit,
    /// Rate (1/mean).
    Exponential = "exponential" ["rate"] Log,
    /// Standard deviation before folding.
    HalfNormal = "half-normal" ["sd"] Log,
    /// exp of a uniform: logarithm uniform on (ln lo, ln hi), lo > 0.
    LogUniform = "log-uniform" ["lo", "hi"] Logit,
    /// Joint; mean and covariance are keys of the parameter.
    MultivariateNormal = "multivariate-normal" [] Identity,
    /// Joint, several modes; means, covariance and weights are keys of the parameter.
    NormalMixture = "normal-mixture" [] Identity,
}

/// An argument of a prior. Kept as written, so that a resolved model file still says `ln(0.4)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A number.
    Value(f64),
    /// Exponential of a number.
    Exp(f64),
    /// Natural logarithm of a positive number.
    Ln(f64),
    /// Square root of a number that is not negative.
    Sqrt(f64),
    /// The value of an earlier parameter.
    Name(String),
}

impl Number {
    fn value(&self) -> Option<f64> {
        match self {
            Self::Value(v) => Some(*v),
            Self::Exp(v) => Some(v.exp()),
            Self::Ln(v) => Some(v.ln()),
            Self::Sqrt(v) => Some(v.sqrt()),
            Self::Name(_) => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        for (name, make) in [("exp", Self::Exp as fn(f64) -> Self), ("ln", Self::Ln), ("sqrt", Self::Sqrt)] {
            if let Some(rest) = text.strip_prefix(name).map(str::trim_start)
                && let Some(inner) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')'))
            {
                let parsed = inner.trim().parse::<f64>().ok().map(make);
                let good = parsed.filter(|n| n.value().is_some_and(|v| v.is_finite()));
                return good.ok_or_else(|| {
                    format!("expected a number that `{name}` takes, found `{}`", short(inner))
                });
            }
        }
        if is_name(text) {
            return Ok(Self::Name(text.to_string()));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self::Value(value)),
            _ => Err(format!("expected a finite number, found `{}`", short(text))),
        }
    }
}

/// A parsed prior.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorText {
    /// The family.
    pub family: Family,
    /// Its arguments, as many as [`Family::arguments`].
    pub arguments: Vec<Number>,
}

impl PriorText {
    /// Reads the text of a prior; the error is (problem, hint).
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let text = text.trim();
        let (name, inside) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => match rest.strip_suffix(')') {
                Some(inside) => (name.trim_end(), Some(inside)),
                None => {
                    return Err((format!("expected a closing `)`, found `{}`", short(text)), example(name)));
                }
            },
        };
        let Some(family) = Family::find(name) else {
            let hint = match suggest::nearest(name, Family::NAMES) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => "Write it like `prior = \"uniform(0, 1)\"`".into(),
            };
            return Err((format!("expected {}, found `{}`", one_of(Family::NAMES), short(name)), hint));
        };
        let parts: Vec<&str> = match inside {
            Some(inside) if !inside.trim().is_empty() => inside.split(',').collect(),
            _ => Vec::new(),
        };
        if parts.len() != family.arguments().len() {
            let problem = format!("expected `{}`, found `{}`", family.signature(), short(text));
            let hint = match (family, family.arguments().len()) {
                (Family::MultivariateNormal, _) => {
                    "Give `mean = [..]` and `covariance = [[..], ..]` as keys of the parameter".into()
                }
                (Family::NormalMixture, _) => {
                    "Give `means = [[..], ..]` and `covariance = [[..], ..]` as keys of the parameter".into()
                }
                (_, 1) => "Give 1 number".into(),
                (_, n) => format!("Give {n} numbers"),
            };
            return Err((problem, hint));
        }
        let arguments = parts.iter().map(|part| Number::parse(part)).collect::<Result<_, _>>();
        let arguments = arguments.map_err(|problem| (problem, example(name)))?;
        Ok(Self { family, arguments })
    }
}

impl Family {
    /// `uniform(lo, hi)`.
    fn signature(self) -> String {
        match self.arguments() {
            [] => self.name().to_string(),
            arguments => format!("{}({})", self.name(), arguments.join(", ")),
        }
    }
}

fn example(name: &str) -> String {
    match Family::find(name.trim()) {
        Some(family) => format!(
            "Write `prior = \"{}\"`; exp(..), ln(..) and sqrt(..) of a number are understood",
            family.signature()
        ),
        None => "Write it like `prior = \"uniform(0, 1)\"`".into(),
    }
}

/// A parameter's name: letters, digits and `_`, not beginning with a digit, at most 60 characters; not a number.
pub(super) fn is_name(text: &str) -> bool {
    let head = text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let number = ["nan", "inf", "infinity"].contains(&text.to_lowercase().as_str());
    head && !number && text.chars().count() <= 60 && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` of an f64 is the shortest text that reads back to the same bits; `.0` is dropped as nobody writes it.
        let plain = |v: &f64| format!("{v:?}").trim_end_matches(".0").to_string();
        match self {
            Self::Value(v) => f.write_str(&plain(v)),
            Self::Exp(v) => write!(f, "exp({})", plain(v)),
            Self::Ln(v) => write!(f, "ln({})", plain(v)),
            Self::Sqrt(v) => write!(f, "sqrt({})", plain(v)),
            Self::Name(name) => f.write_str(name),
        }
    }
}
impl fmt::Display for PriorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.name())?;
        if self.arguments.is_empty() {
            return Ok(());
        }
        let arguments: Vec<String> = self.arguments.iter().map(Number::to_string).collect();
        write!(f, "({})", arguments.join(", "))
    }
}
impl serde::Serialize for PriorText {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> serde::Deserialize<'de> for PriorText {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(d)?;
        Self::parse(&text).map_err(|(problem, hint)| serde::de::Error::custom(format!("{problem}. {hint}")))
    }
}

/// The prior of all parameters.
pub(super) fn build(parameters: &[ParameterConfig]) -> Result<Prior, Fault> {
    let (mut names, mut factors, mut transforms) = (Vec::new(), Vec::new(), Vec::new());
    for (i, parameter) in parameters.iter().enumerate() {
        let index = i.to_string();
        let fault =
            |key: &str, problem: String, hint: &str| Fault::new(&["parameter", &index, key], problem, hint);
        let transform = match parameter.transform.unwrap_or(parameter.prior.family.transform()) {
            Support::Identity => Transform::Identity,
            Support::Logit => Transform::Logit,
            Support::Probit => Transform::Probit,
            Support::Log => Transform::Log,
        };
        match parameter.prior.family {
            Family::MultivariateNormal => factors.push(joint::multivariate(parameter, &fault)?),
            Family::NormalMixture => factors.push(joint::mixture(parameter, &fault)?),
            _ => {
                let one = marginal(&parameter.prior, &names)
                    .map_err(|(problem, hint)| fault("prior", problem, &hint))?;
                factors.extend(parameter.names().iter().map(|_| Factor::One(one)));
            }
        }
        names.extend_from_slice(parameter.names());
        transforms.resize(names.len(), transform);
    }
    Prior::new(names, factors, transforms).map_err(|error| match error {
        crate::error::Error::Config { what, problem, hint } => {
            Fault::new(&["parameter"], format!("{what}: {problem}"), hint)
        }
        other => Fault::new(&["parameter"], other.to_string(), "Change the priors"),
    })
}

/// One marginal. Checked here as far as the text alone can tell, so that the message can name the line.
fn marginal(prior: &PriorText, earlier: &[String]) -> Result<Marginal, (String, String)> {
    let mut numbers = [0.0_f32; 2];
    let mut bounds = [Bound::Const(0.0); 2];
    for (k, (argument, label)) in prior.arguments.iter().zip(prior.family.arguments()).enumerate().take(2) {
        bounds[k] = match (argument, argument.value()) {
            (Number::Name(name), _) if prior.family == Family::Uniform => {
                Bound::Param(reference(name, earlier)?)
            }
            (_, Some(value)) if (value as f32).is_finite() => Bound::Const(value as f32),
            _ => {
                let problem = format!("expected a number for `{label}`, found `{argument}`");
                return Err((problem, "Only the bounds of `uniform` may be parameters".into()));
            }
        };
        if let Bound::Const(value) = bounds[k] {
            numbers[k] = value;
        }
        let scale = prior.family == Family::LogUniform || !matches!(*label, "lo" | "hi" | "mean" | "mu");
        if scale && !(numbers[k].is_normal() && numbers[k] > 0.0) {
            return Err((
                format!("expected `{label}` above 0, found {argument}"),
                format!("Change `{label}`"),
            ));
        }
    }
    if let (Family::Uniform | Family::LogUniform, [Bound::Const(lo), Bound::Const(hi)]) =
        (prior.family, bounds)
        && !(lo < hi && (hi - lo).is_finite())
    {
        let problem = format!("expected lo < hi, found `{prior}`");
        return Err((problem, "Give an interval of positive, finite width".into()));
    }
    let [first, second] = numbers;
    let (around, width) = match (prior.family, bounds) {
        (Family::Uniform | Family::LogUniform, [Bound::Const(lo), Bound::Const(hi)]) => {
            (lo.abs().max(hi.abs()), hi - lo)
        }
        (Family::Normal, _) => (first.abs(), second),
        _ => (0.0, 1.0),
    };
    // Single precision tells values apart that differ by 6e-8 of themselves.
    if width < 1e-30 || width < 1e-5 * around {
        return Err((
            format!("expected a spread that single precision resolves, found `{prior}`"),
            "Shift and scale the parameter, and undo it in the simulator".into(),
        ));
    }
    Ok(match prior.family {
        Family::Uniform => Marginal::Uniform { lo: bounds[0], hi: bounds[1] },
        Family::Normal | Family::MultivariateNormal | Family::NormalMixture => {
            Marginal::Normal { mean: first, sd: second }
        }
        Family::LogUniform => Marginal::LogUniform { lo: first, hi: second },
        Family::LogNormal => Marginal::LogNormal { mu: first, sigma: second },
        Family::Gamma => Marginal::Gamma { shape: first, rate: second },
        Family::Beta => Marginal::Beta { a: first, b: second },
        Family::Exponential => Marginal::Exponential { rate: first },
        Family::HalfNormal => Marginal::HalfNormal { sd: first },
    })
}

fn reference(name: &str, earlier: &[String]) -> Result<usize, (String, String)> {
    earlier.iter().position(|known| known == name).ok_or_else(|| {
        let known: Vec<&str> = earlier.iter().map(String::as_str).collect();
        let hint = match (suggest::nearest(name, &known), known.is_empty()) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, true) => "This is the first parameter: use numbers".into(),
            (None, false) => "A bound is a number or a parameter that stands above".into(),
        };
        (format!("expected a number or an earlier parameter, found `{}`", short(name)), hint)
    })
}
