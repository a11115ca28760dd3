//! Rules that hold without running anything: every shader is valid everywhere within WebGPU's default limits, and the
//! sources keep to the order and size they promise.
use couplet::check::sample_plan;
use couplet::data::items::Take;
use couplet::model::network::Rows;
use couplet::model::summaries::Stage;
use couplet::runtime::plan::Plan;
use couplet::runtime::snippets::SNIPPETS;
use couplet::runtime::tiling::{Most, Tiling};
use couplet::runtime::wgsl::{grad_module, row_module, update_module};
use couplet::{Model, kernels, optim, sim};
use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is wrong with a module, if anything.
fn fault(text: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    spv::write_vec(&module, &info, &spv::Options::default(), None).map_err(|e| format!("SPIR-V: {e}"))?;
    let options = msl::Options { fake_missing_bindings: true, ..Default::default() };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("MSL: {e}"))?;
    let (mut out, options, pipeline) =
        (String::new(), hlsl::Options::default(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut out, &options, &pipeline)
        .write(&module, &info, None)
        .map_err(|e| format!("HLSL: {e}"))?;
    limits(&module)?;
    let literal = |bad: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == bad);
    if literal("inff") || literal("NaNf") || literal("inf") || literal("NaN") {
        return Err("an infinity or NaN stands in the text".into());
    }
    Ok(())
}

/// Storage buffers, bytes of workgroup memory, and invocations of a workgroup.
fn used(module: &naga::Module) -> Result<(usize, u32, u32), String> {
    let spaces = |f: fn(&naga::AddressSpace) -> bool| {
        module
            .global_variables
            .iter()
            .filter(move |(_, v)| f(&v.space))
            .map(|(_, v)| v.ty)
            .collect::<Vec<_>>()
    };
    let storage = spaces(|s| matches!(s, naga::AddressSpace::Storage { .. })).len();
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;
    let shared: u32 =
        spaces(|s| matches!(s, naga::AddressSpace::WorkGroup)).into_iter().map(|ty| layouter[ty].size).sum();
    let threads: u32 =
        module.entry_points.iter().map(|e| e.workgroup_size.iter().product()).max().unwrap_or(0);
    Ok((storage, shared, threads))
}

/// WebGPU's defaults: 8 storage buffers, 16 KiB of workgroup memory, 256 invocations.
fn limits(module: &naga::Module) -> Result<(), String> {
    let (storage, shared, threads) = used(module)?;
    if module.entry_points.len() != 1 || storage > 8 || shared > 16_384 || threads > 256 {
        let entries = module.entry_points.len();
        return Err(format!(
            "{entries} entry points, {storage} storage buffers, {shared} B shared, {threads} threads"
        ));
    }
    Ok(())
}

fn check(plan: &Plan) {
    check_in(plan, Tiling::default());
}

fn check_in(plan: &Plan, tiling: Tiling) {
    let module = row_module(plan, tiling).unwrap_or_else(|e| panic!("plan `{}`: {e}", plan.name));
    if let Err(e) = fault(&module.source) {
        panic!("plan `{}`, tiling {tiling}: {e}", plan.name);
    }
}

#[test]
fn every_kernel_is_valid_at_every_sample() {
    for def in kernels::all() {
        check(&sample_plan(def));
    }
}

/// Every tiling of the base tier; of the larger ones, that they take the threads and the memory that their rules say.
#[test]
fn kernels_are_valid_in_every_tiling() {
    for tiling in Tiling::base() {
        for def in kernels::all().into_iter().filter(|def| def.source.contains("TILE")) {
            check_in(&sample_plan(def), tiling);
        }
    }
    let model = Model::builtin("slcp").unwrap();
    let pairs = model.simulate(1, 0, 100).unwrap();
    let network = model.network(model.standardiser(&pairs).unwrap()).unwrap();
    for tiling in Tiling::candidates(Most { threads: 1024, shared: 16_384 }) {
        let module = row_module(&network.train_plan(Rows::Online), tiling).unwrap();
        let parsed = naga::front::wgsl::parse_str(&module.source).unwrap();
        let (_, shared, threads) = used(&parsed).unwrap();
        assert_eq!((shared as usize, threads as usize), (tiling.shared_bytes(), tiling.threads), "{tiling}");
        if threads > 256 {
            assert!(fault(&module.source).unwrap_err().contains(&format!("{threads} threads")), "{tiling}");
        }
    }
}

#[test]
fn the_plans_of_every_builtin_model_are_valid() {
    for name in sim::BUILTIN {
        let model = Model::builtin(name).unwrap();
        if !matches!(model.simulator().unwrap().shape(), sim::DataShape::Vector { .. }) {
            continue;
        }
        let pairs = model.simulate(1, 0, 100).unwrap();
        let network = model.network(model.standardiser(&pairs).unwrap()).unwrap();
        check(&network.loss_plan());
        check(&network.sample_plan().plan);
        if let Some(summary) = &network.summary {
            check(&network.items_plan(summary, Rows::Online, 12));
            for take in [Take::Any, Take::First, Take::Window] {
                check(&network.items_plan(summary, Rows::Pool(take), 12));
            }
            check(&network.summary_plan(summary, 12, Stage::Condition).plan);
            continue;
        }
        check(&network.train_plan(Rows::Online));
        check(&network.train_plan(Rows::Indexed));
    }
}

#[test]
fn the_plans_of_every_summary_network_are_valid() {
    let kinds = [
        ("set", "deep-set"),
        ("set", "ecdf"),
        ("set", "set-transformer"),
        ("series", "lstm"),
        ("series", "gru"),
        ("series", "conv"),
        ("series", "conv-gru"),
        ("series", "transformer"),
        ("field", "conv-2d"),
        ("field", "residual-2d"),
    ];
    for (data, kind) in kinds {
        let size = if data == "field" { "shape = [4, 3]" } else { "size = [2, 12]" };
        let text = format!(
            "[simulator]\ndataset = 'x.npz'\n[data]\nkind = '{data}'\nfeatures = 2\n{size}\n[summary]\nkind = '{kind}'\nwidth = 8\n\
             [flow]\nblocks = 1\nhidden = [8]\n[[parameter]]\nname = 'a'\nprior = 'normal(0, 1)'"
        );
        let model = Model::from_toml(&text).unwrap();
        let pairs = couplet::Pairs { theta: vec![0.0, 1.0, 2.0], x: (0..72).map(|i| i as f32).collect() };
        let network = model.network(model.standardiser(&pairs).unwrap()).unwrap();
        let summary = network.summary.as_ref().unwrap();
        check(&network.items_plan(summary, Rows::Indexed, 12));
        check(&network.summary_plan(summary, 12, Stage::Condition).plan);
        check(&network.summary_plan(summary, 12, Stage::Findings).plan);
    }
}

#[test]
fn the_step_launches_are_valid() {
    for text in [grad_module(&optim::STEP), update_module(&optim::STEP)] {
        assert_eq!(fault(&text.unwrap()), Ok(()));
    }
}

#[test]
fn what_exceeds_a_limit_is_seen() {
    let module = |declarations: &str, threads: u32, body: &str| {
        format!("{declarations}\n@compute @workgroup_size({threads})\nfn main() {{ {body} }}")
    };
    assert_eq!(fault(&module("var<workgroup> a: array<f32, 4096>;", 256, "a[0] = 1.0;")), Ok(()));
    assert!(
        fault(&module("var<workgroup> a: array<f32, 4097>;", 256, "a[0] = 1.0;"))
            .unwrap_err()
            .contains("16388 B")
    );
    assert!(fault(&module("", 257, "")).unwrap_err().contains("257 threads"));
    let nine: String =
        (0..9).map(|i| format!("@group(0) @binding({i}) var<storage, read> b{i}: array<f32>;\n")).collect();
    assert!(fault(&module(&nine, 1, "")).unwrap_err().contains("9 storage"));
    assert!(fault(&module("", 1, "let x = 1.0 +;")).is_err());
    assert!(fault(&module("", 1, "if (1.0) {}")).is_err());
}

fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    fn walk(at: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = vec![];
    walk(&root, extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "{folder} has no .{extension} files");
    let name = |p: &Path| p.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|p| (name(p), std::fs::read_to_string(p).unwrap())).collect()
}

/// The Rust file of a shader: `area/name*_pass` belongs to `area/name.rs`, common texts to the module of that name.
fn owners(shader: &str) -> Vec<String> {
    let (area, stem) = shader.split_once('/').unwrap();
    let mut stems = vec![stem];
    while let Some((shorter, _)) = stems[stems.len() - 1].rsplit_once('_') {
        stems.push(shorter);
    }
    match area {
        "common" => vec!["math.rs".into(), format!("math/{stem}.rs")],
        // helpers of the assembler, of several generators, or of the sources of rows
        "runtime" => vec!["runtime/wgsl.rs".into()],
        "data" => vec!["data/source.rs".into(), "data/standardise.rs".into()],
        "sim" => stems.iter().chain(&["prior_wgsl"]).map(|s| format!("sim/{s}.rs")).collect(),
        _ => stems.iter().map(|s| format!("{area}/{s}.rs")).chain([format!("{area}/actnorm.rs")]).collect(),
    }
}

#[test]
fn every_shader_is_used_and_has_an_owner() {
    let sources = files("src", "rs");
    let mut used: BTreeSet<String> = kernels::all().iter().map(|k| k.name.to_string()).collect();
    used.extend(SNIPPETS.iter().map(|s| s.name.to_string()));
    for (_, text) in &sources {
        for part in text.split("shaders/").skip(1) {
            if let Some((name, _)) = part.split_once(".wgsl\"") {
                used.insert(name.into());
            }
        }
    }
    let shaders = files("shaders", "wgsl");
    for (file, text) in &shaders {
        let name = file.trim_end_matches(".wgsl");
        assert!(used.contains(name), "shaders/{file} is not used");
        assert!(text.lines().count() <= 150, "shaders/{file} has {} lines", text.lines().count());
        assert!(text.starts_with("// "), "shaders/{file} does not say what it is");
        let has_owner = owners(name).iter().any(|o| sources.iter().any(|(f, _)| f == o));
        assert!(has_owner, "shaders/{file} has no owner among {:?}", owners(name));
        for word in text.lines().filter_map(|l| l.strip_prefix("//# use ")) {
            assert!(SNIPPETS.iter().any(|s| s.name == word.trim()), "shaders/{file} uses unknown `{word}`");
        }
    }
    // every snippet is used by somebody
    let texts: Vec<&str> = shaders.iter().map(|(_, t)| t.as_str()).collect();
    for s in SNIPPETS {
        let line = format!("//# use {}", s.name);
        assert!(texts.iter().any(|t| t.lines().any(|l| l.trim() == line)), "nobody uses snippet {}", s.name);
    }
}

/// Modules of the library in their order.
fn order() -> Vec<String> {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    lib.lines().filter_map(|l| l.strip_prefix("pub mod ")).map(|l| l.trim_end_matches(';').into()).collect()
}

/// Modules that the code of a file names through `crate::`, without comments and tests.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .take_while(|l| l.trim() != "mod tests {")
        .map(|l| l.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let path = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    code.split("crate::").skip(1).map(path).collect()
}

#[test]
fn imports_go_up_the_list_of_modules_only() {
    let order = order();
    assert!(order.len() > 10 && order[0] == "error", "{order:?}");
    let place = |module: &str| order.iter().position(|m| m == module);
    let mut wrong = vec![];
    for (file, text) in files("src", "rs") {
        let area = file.split('/').next().unwrap().trim_end_matches(".rs");
        let Some(at) = place(area) else { continue };
        if file.ends_with("tests.rs") || file.contains("/tests/") {
            continue;
        }
        wrong.extend(
            imports(&text)
                .into_iter()
                .filter(|i| place(i).is_some_and(|p| p > at))
                .map(|i| format!("src/{file}: {i}")),
        );
    }
    assert!(wrong.is_empty(), "imports from below: {wrong:#?}");
    let seen = imports(
        "use crate::model::Model; // crate::cli\nlet x = crate::train::y();\n#[cfg(test)]\nmod tests {\nuse crate::cli;",
    );
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["model", "train"]);
}

#[test]
fn only_the_machine_room_names_wgpu() {
    for (file, text) in files("src", "rs").iter().filter(|(f, _)| !f.starts_with("runtime/")) {
        for (i, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let reexport = code.trim().starts_with("pub use");
            assert!(reexport || !words.into_iter().any(|w| w == "wgpu"), "src/{file}:{} names wgpu", i + 1);
        }
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| files(folder, "rs").into_iter().map(move |(f, t)| (folder, f, t.lines().count())))
        .filter(|(_, _, n)| *n > 500)
        .map(|(folder, f, n)| format!("{folder}/{f}: {n} lines"))
        .collect();
    assert!(long.is_empty(), "{long:?}");
}
