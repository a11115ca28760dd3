//! What a kernel is: one WGSL device function over a tile of rows, its arguments, and its CPU twin.
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Tile;
use std::any::Any;
use std::sync::Arc;

/// Compile-time numbers of one specialisation, e.g. `[("WIDTH", 64)]`. Text holes carry generated device
/// functions (a model's prior and simulator).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Whole words of the template and the numbers that replace them.
    pub numbers: Vec<(&'static str, u32)>,
    /// Module-level WGSL the function needs, beside the shared snippets.
    pub text: String,
}

impl Spec {
    /// A specialisation by numbers alone.
    pub fn new(numbers: &[(&'static str, usize)]) -> Self {
        Self { numbers: numbers.iter().map(|&(n, v)| (n, v as u32)).collect(), text: String::new() }
    }
    /// Value of `name`. A kernel and its spec are written together, so absence is our own mistake.
    pub fn get(&self, name: &str) -> usize {
        let found = self.numbers.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("the kernel's spec lacks `{name}`")).1 as usize
    }
}

/// A kernel that works on rows: row `i` of its outputs depends on row `i` of its inputs and on shared tables only.
///
/// That contract lets an executor run a whole list of kernels on one tile of rows before the next tile, so a
/// tile's activations stay in cache (CPU) or one workgroup carries it through the whole chain (GPU).
pub struct KernelDef {
    /// Path under `shaders/` without the extension; also the label in errors and profiles.
    pub name: &'static str,
    /// WGSL template: a function `kernel(at: u32, t: u32)`, called by all threads of a workgroup.
    pub source: &'static str,
    /// WGSL of the argument struct and its loader.
    pub args: fn() -> String,
    /// The CPU twin.
    pub cpu: fn(&Tile, &Call),
    /// Floating-point operations of a row, all its items counted.
    pub flops: fn(&Call) -> u64,
    /// Records one call for each sample specialisation: what shader tests compile and parity tests compare.
    pub samples: &'static [fn(&mut Recorder)],
}

/// One call of a kernel in a plan.
#[derive(Clone)]
pub struct Call {
    /// The kernel.
    pub def: &'static KernelDef,
    /// Its specialisation.
    pub spec: Spec,
    /// Its arguments, as words.
    pub words: Vec<u32>,
    /// What the CPU twin needs beside buffers: a model's prior and simulator.
    pub host: Option<Arc<dyn Any + Send + Sync>>,
}

impl Call {
    /// The arguments as the kernel's struct.
    pub fn args<A: crate::runtime::args::Args>(&self) -> A {
        A::from_words(&self.words)
    }
}
