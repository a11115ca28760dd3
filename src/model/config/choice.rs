//! The enumerations of the model file. Each knows its names, so that an unknown one can be answered with the nearest.

/// Declares an enum with one text name per variant: `NAMES`, `name`, `FromStr`, `Display`, serde as that text.
macro_rules! choices {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$vdoc])* $variant),+ }

        impl $type {
            /// Every name, as written in a model file.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
            /// The name in a model file.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    other => Err(unknown(other, Self::NAMES)),
                }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.name()) }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.name()) }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Problem and advice for an unknown name, split by [`super::read`] at the first ". ".
fn unknown(found: &str, known: &[&str]) -> String {
    let found: String = found.chars().take(80).collect();
    format!(
        "expected {}, found `{found}`. {}",
        one_of(known),
        match crate::model::suggest::nearest(&found, known) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("Write one of the expected names, for example `{}`", known[0]),
        }
    )
}

/// `` `a`, `b` or `c` ``.
pub(super) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

choices! {
    /// Map from a parameter's support to the real line.
    Support {
        /// u0 = theta.
        Identity = "identity",
        /// u0 = ln((theta - lo)/(hi - theta)); for a bounded support.
        Logit = "logit",
        /// u0 = Phi^-1((theta - lo)/(hi - lo)); for a bounded support.
        Probit = "probit",
        /// u0 = ln(theta); for a positive support.
        Log = "log",
    }
}
choices! {
    /// Element-wise map of the data before standardisation.
    DataTransform {
        /// x.
        None = "none",
        /// ln(x), for positive data.
        Log = "log",
        /// ln(1 + x), for counts.
        Log1p = "log1p",
        /// asinh((x - median)/(IQR/1.349)), for heavy tails.
        Asinh = "asinh",
        /// ln(x + 0.001), for data that come close to 0.
        LogMilli = "log-milli",
        /// 1/x, for times whose shortest tell most.
        Reciprocal = "reciprocal",
    }
}
choices! {
    /// What a data set is.
    DataKind {
        /// A vector of fixed length.
        Vector = "vector",
        /// Exchangeable items, any number of them.
        Set = "set",
        /// Items in order, any number of them.
        Series = "series",
        /// A grid.
        Field = "field",
    }
}
choices! {
    /// The summary network.
    SummaryKind {
        /// None: fixed-size data as they are.
        Identity = "identity",
        /// Pooled networks on items in any order.
        DeepSet = "deep-set",
        /// Distribution functions of each column of items in any order, smoothed, and extremes.
        Ecdf = "ecdf",
        /// Attention through induced points on items in any order.
        SetTransformer = "set-transformer",
        /// Attention of items in order, or with time stamps.
        Transformer = "transformer",
        /// Long short-term memory on items in order.
        Lstm = "lstm",
        /// Gated recurrent units on items in order.
        Gru = "gru",
        /// Strided convolutions of a series, pooled.
        Conv = "conv",
        /// Strided convolutions of a series, then gated recurrent units.
        ConvGru = "conv-gru",
        /// Convolutions of a field.
        ConvField = "conv-2d",
        /// Convolutions of a field with residual connections.
        ResidualField = "residual-2d",
    }
}
choices! {
    /// The element-wise transform of a coupling.
    TransformKind {
        /// v = u exp(s) + t.
        Affine = "affine",
        /// Rational-quadratic spline on [-bound, bound], identity outside (Durkan et al. 2019).
        Spline = "spline",
    }
}
choices! {
    /// Activation of the conditioner networks.
    Activation {
        /// max(x, 0).
        Relu = "relu",
        /// x if x > 0, else exp(x) - 1.
        Elu = "elu",
        /// x sigmoid(x).
        Silu = "silu",
        /// x Phi(x).
        Gelu = "gelu",
        /// tanh(x).
        Tanh = "tanh",
        /// x tanh(softplus(x)).
        Mish = "mish",
    }
}
choices! {
    /// What mixes the coordinates between couplings.
    Permutation {
        /// A fixed random permutation.
        Random = "random",
        /// The reversed order.
        Reversal = "reversal",
        /// A learned orthogonal map, a product of Householder reflections.
        Householder = "householder",
    }
}
choices! {
    /// The base density.
    Base {
        /// Standard normal.
        Normal = "normal",
        /// Student's t, independent coordinates, one nu.
        StudentT = "student-t",
    }
}
choices! {
    /// What training minimises.
    ObjectiveKind {
        /// E[-log q(theta | x)], likelihood-free.
        ForwardKl = "forward-kl",
    }
}
choices! {
    /// Where the training pairs come from.
    Mode {
        /// Fresh simulations at every step.
        Online = "online",
        /// A fixed table, epochs, a validation split, early stopping.
        Offline = "offline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_unknown_ones_are_answered_with_the_nearest() {
        for name in Activation::NAMES {
            assert_eq!(name.parse::<Activation>().unwrap().name(), *name);
        }
        let error = "sillu".parse::<Activation>().unwrap_err();
        assert!(error.contains("found `sillu`") && error.contains("Did you mean `silu`?"), "{error}");
        assert_eq!(one_of(&["a"]), "`a`");
        assert_eq!(one_of(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
