//! Shader texts that several kernels share, by the names that `//# use area/name` lines call them.

/// A shared text.
#[derive(Clone, Copy, Debug)]
pub struct Snippet {
    /// Path under `shaders/` without the extension.
    pub name: &'static str,
    /// Its WGSL.
    pub text: &'static str,
}

macro_rules! snippets {
    ($($name:literal),+ $(,)?) => {
        &[$(Snippet { name: $name, text: include_str!(concat!("../../shaders/", $name, ".wgsl")) }),+]
    };
}

/// All of them.
pub const SNIPPETS: &[Snippet] = snippets![
    "runtime/access",
    "common/math",
    "common/special",
    "rng/philox",
    "rng/continuous",
    "rng/discrete",
    "rng/streams",
    "data/standardise",
    "data/item_math",
    "data/item_rows",
    "layers/activation_math",
    "layers/item_activation_dropout",
    "layers/pool_count",
    "layers/recurrent_math",
    "layers/norm_math",
    "flow/halves",
    "flow/affine_math",
    "flow/base_math",
    "flow/householder_math",
    "flow/spline_math",
    "flow/spline_gradient",
];

/// The snippet of this name.
pub fn find(name: &str) -> Option<&'static Snippet> {
    SNIPPETS.iter().find(|s| s.name == name)
}
