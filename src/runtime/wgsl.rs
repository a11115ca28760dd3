//! Assembles WGSL modules: text in, text out.
//!
//! The row-local calls of a plan become one entry point. A workgroup owns some rows ([`Tiling`]) and walks the plan's calls as a
//! program: `switch program[i * stride]` picks the (kernel, specialisation), the words after it are its arguments. A
//! whole chain of layers is one dispatch, because a row's results depend on that row alone.
use crate::runtime::args::Args;
use crate::runtime::kernel::{KernelDef, Spec};
use crate::runtime::plan::Plan;
use crate::runtime::snippets;
use crate::runtime::state::{RunArgs, State, StepArgs};
use crate::runtime::step::StepKernels;
use crate::runtime::tiling::Tiling;
use crate::runtime::words::{declared, is_constant, map_words, uses};
use std::collections::{HashMap, HashSet};

/// Steps the log ring holds.
pub const LOG: usize = 4096;

const BINDINGS: &str = include_str!("../../shaders/runtime/bindings.wgsl");

/// A plan's row-local part for the device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowModule {
    /// The WGSL; entry point `main`.
    pub source: String,
    /// `stride` words a call: the case, then the arguments.
    pub program: Vec<u32>,
    /// Words of a call.
    pub stride: usize,
    /// Distinct (kernel, specialisation) pairs.
    pub cases: usize,
}

/// Collects module parts, each once.
#[derive(Default)]
struct Module {
    text: String,
    present: HashSet<String>,
    names: HashSet<String>,
}

impl Module {
    /// Adds a text unless it is there already.
    fn add(&mut self, text: &str) {
        if self.present.insert(text.into()) {
            self.names.extend(declared(text));
            self.text += &map_words(text, |_| None);
            self.text.push('\n');
        }
    }
    /// Adds the snippets `text` uses, and what those use; those that mention a word of `spec` are returned instead.
    fn add_uses(&mut self, text: &str, spec: &Spec) -> Result<Vec<&'static str>, String> {
        let mut local = vec![];
        for name in uses(text) {
            let found =
                snippets::find(name).ok_or(format!("no shared text `{name}` for its `//# use` line"))?;
            local.extend(self.add_uses(found.text, spec)?);
            if mentions(found.text, spec) {
                local.push(found.text);
            } else {
                self.add(found.text);
            }
        }
        Ok(local)
    }
}

fn mentions(text: &str, spec: &Spec) -> bool {
    let mut found = false;
    let known = |w: &str| spec.numbers.iter().any(|(n, _)| *n == w);
    map_words(text, |w| {
        found |= known(w);
        None
    });
    // A snippet may declare a constant of that name itself.
    found && !declared(text).iter().any(|n| known(n))
}

/// A template with its numbers in place and its own names made unique by the number of its case.
fn specialise(template: &str, spec: &Spec, case: usize) -> String {
    let own: HashSet<String> = declared(template).into_iter().collect();
    map_words(template, |w| match spec.numbers.iter().find(|(n, _)| *n == w) {
        Some((_, value)) => Some(format!("{value}u")),
        None => own.contains(w).then(|| format!("{w}_{case}")),
    })
}

/// The first constant of `text` that nobody declares.
fn missing(text: &str, names: &HashSet<String>) -> Option<String> {
    let (mut found, mut local) = (vec![], HashSet::new());
    let mut last = String::new();
    map_words(text, |w| {
        if matches!(last.as_str(), "let" | "const" | "var" | "fn" | "struct" | "alias") {
            local.insert(w.to_string());
        }
        if is_constant(w) {
            found.push(w.to_string());
        }
        last = w.into();
        None
    });
    found.into_iter().find(|w| !names.contains(w) && !local.contains(w))
}

/// Assembles the row-local calls of a plan for workgroups of this tiling.
///
/// # Errors
/// A sentence naming the kernel, where its template and its specialisation do not fit.
pub fn row_module(plan: &Plan, tiling: Tiling) -> Result<RowModule, String> {
    let mut cases: Vec<(&'static KernelDef, &Spec)> = vec![];
    let mut numbers: HashMap<(&str, &Spec), usize> = HashMap::new();
    let stride = 1 + plan.calls.iter().map(|c| c.words.len()).max().unwrap_or(0);
    let mut program = Vec::with_capacity(stride * plan.calls.len());
    for call in &plan.calls {
        let case = *numbers.entry((call.def.name, &call.spec)).or_insert_with(|| {
            cases.push((call.def, &call.spec));
            cases.len() - 1
        });
        program.push(case as u32);
        program.extend(&call.words);
        program.resize(program.len().next_multiple_of(stride), 0);
    }

    let mut m = Module::default();
    let Tiling { rows, threads } = tiling;
    m.add(&format!("const TILE: u32 = {rows}u;\nconst WORKGROUP: u32 = {threads}u;"));
    m.add(&RunArgs::wgsl());
    m.add(&State::wgsl());
    m.add(BINDINGS);
    m.add_uses("//# use runtime/access", &Spec::default())?;
    // A model's text may be part of another's (the prior alone, the prior with the simulator): the longer one serves.
    let texts: Vec<&str> = cases.iter().map(|(_, s)| s.text.as_str()).filter(|t| !t.is_empty()).collect();
    for text in &texts {
        m.add_uses(text, &Spec::default())?;
        if !texts.iter().any(|t| t.len() > text.len() && t.contains(text)) {
            m.add(text);
        }
    }
    for (case, (def, spec)) in cases.iter().enumerate() {
        let named = |problem: String| format!("kernel `{}`: {problem}", def.name);
        let local = m.add_uses(def.source, spec).map_err(named)?;
        m.add(&(def.args)());
        let whole = [&local[..], &[def.source]].concat().join("\n");
        if !declared(&whole).iter().any(|n| n == "kernel") {
            return Err(named("its template has no function `kernel`".into()));
        }
        let text = specialise(&whole, spec, case);
        if let Some(word) = missing(&text, &m.names) {
            return Err(format!(
                "kernel `{}` needs constant `{word}`, which its spec does not set",
                def.name
            ));
        }
        m.add(&text);
    }
    m.text += &main(stride, cases.len());
    Ok(RowModule { source: m.text, program, stride, cases: cases.len() })
}

fn main(stride: usize, cases: usize) -> String {
    let mut arms = String::new();
    for case in 0..cases {
        arms += &format!("            case {case}u: {{ kernel_{case}(at + 1u, t); }}\n");
    }
    format!(
        "@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {{
    workgroup_row0 = group.x * TILE;
    for (var i = 0u; i < run.calls; i += 1u) {{
        let at = i * {stride}u;
        switch program[at] {{
{arms}            default: {{}}
        }}
        storageBarrier();
        workgroupBarrier();
    }}
}}
"
    )
}

/// The weight-gradient launch.
pub fn grad_module(kernels: &StepKernels) -> Result<String, String> {
    step_module(&[RunArgs::wgsl(), StepArgs::wgsl(), State::wgsl()], kernels.grad_source)
}
/// The update launch.
pub fn update_module(kernels: &StepKernels) -> Result<String, String> {
    step_module(&[StepArgs::wgsl(), State::wgsl()], kernels.update_source)
}

fn step_module(types: &[String], source: &str) -> Result<String, String> {
    let mut m = Module::default();
    m.add(&format!("const LOG: u32 = {LOG}u;"));
    types.iter().for_each(|t| m.add(t));
    m.add_uses("//# use common/math", &Spec::default())?;
    m.add_uses(source, &Spec::default())?;
    m.add(source);
    Ok(m.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::runtime::recorder::Recorder;
    use std::sync::Arc;

    args! {
        /// For the tests.
        pub struct ProbeArgs { pub x: u32, pub scale: f32 }
    }
    static PROBE: KernelDef = KernelDef {
        name: "test/probe",
        source: "// y = K x\n//# use common/special\nconst HALF = K / 2u;\nfn kernel(at: u32, t: u32) { let a = load_ProbeArgs(at); helper(a.x + HALF, t); }\nfn helper(x: u32, t: u32) { acts[x].x = f32(K); }\n",
        args: || ProbeArgs::wgsl() + &ProbeArgs::wgsl_loader(),
        cpu: |_, _| {},
        flops: |_| 0,
        samples: &[],
    };
    static BROKEN: KernelDef = KernelDef {
        name: "test/broken",
        source: "fn kernel(at: u32, t: u32) { acts[WIDTH].x = 1.0; }",
        ..PROBE
    };
    static EMPTY: KernelDef = KernelDef { name: "test/empty", source: "// nothing", ..PROBE };
    static LOST: KernelDef =
        KernelDef { name: "test/lost", source: "//# use a/b\nfn kernel(at: u32, t: u32) {}", ..PROBE };

    fn plan(calls: &[(&'static KernelDef, usize, &str)]) -> Plan {
        let mut r = Recorder::new();
        let meta = r.slot(4);
        for (i, &(def, k, text)) in calls.iter().enumerate() {
            let spec = Spec { text: text.into(), ..Spec::new(&[("K", k)]) };
            r.call(def, spec, ProbeArgs { x: i as u32, scale: 0.5 });
        }
        r.finish("test", Arc::default(), meta)
    }

    #[test]
    fn equal_calls_share_a_case_and_the_program_carries_the_words() {
        let m = row_module(
            &plan(&[(&PROBE, 4, ""), (&PROBE, 12, ""), (&PROBE, 4, "")]),
            Tiling { rows: 16, threads: 64 },
        )
        .unwrap();
        let half = 0.5f32.to_bits();
        assert_eq!((m.cases, m.stride), (2, 3));
        assert_eq!(m.program, [0, 0, half, 1, 1, half, 0, 2, half]);
        assert!(m.source.starts_with("const TILE: u32 = 16u;\nconst WORKGROUP: u32 = 64u;"), "{}", m.source);
        assert!(m.source.contains("fn kernel_0(") && m.source.contains("fn helper_1("), "{}", m.source);
        assert!(
            m.source.contains("const HALF_1 = 12u / 2u;") && m.source.contains("helper_1(a.x + HALF_1, t)")
        );
        assert!(m.source.contains("case 1u: { kernel_1(at + 1u, t); }"));
    }
    #[test]
    fn shared_texts_come_once() {
        let (prior, both) = ("fn prior() {}\n", "fn prior() {}\nfn simulate() {}\n");
        let m = row_module(
            &plan(&[(&PROBE, 4, both), (&PROBE, 8, prior), (&PROBE, 12, both)]),
            Tiling::default(),
        )
        .unwrap();
        for once in [
            "fn prior()",
            "fn simulate()",
            "struct ProbeArgs",
            "fn load_ProbeArgs",
            "fn erf_(",
            "fn log_(",
            "fn slot(",
        ] {
            assert_eq!(m.source.matches(once).count(), 1, "{once}");
        }
        assert!(!m.source.contains("fn philox("), "what nobody uses is left out");
    }
    #[test]
    fn what_does_not_fit_is_said() {
        let says = |def, what: &str| {
            let e = row_module(&plan(&[(def, 4, "")]), Tiling::default()).unwrap_err();
            assert!(e.contains(def.name) && e.contains(what), "{e}");
        };
        says(&BROKEN, "needs constant `WIDTH`, which its spec does not set");
        says(&EMPTY, "no function `kernel`");
        says(&LOST, "`a/b`");
    }
}
