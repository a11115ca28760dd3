//! Every row kernel against its twin on whatever adapter there is (software too), with and without checks in the shaders.
use couplet::check::{compare, row_counts};
use couplet::kernels;
use couplet::runtime::gpu::Gpu;
use couplet::runtime::kernel::KernelDef;
use couplet::runtime::{GpuRequest, Tiling};

fn kernels_agree(checked: bool, tiling: Tiling, which: fn(&KernelDef) -> bool) {
    let request = GpuRequest { software: true, checked: Some(checked), ..GpuRequest::default() };
    let gpu = Gpu::open(&request).expect("a Vulkan, Metal or DX12 adapter; Mesa's lavapipe will do");
    let gpu = gpu.with_tiling(tiling).unwrap();
    let mut failed = vec![];
    for def in kernels::all().into_iter().filter(|def| which(def)) {
        let begun = std::time::Instant::now();
        let mut worst: Option<couplet::check::Worst> = None;
        for rows in row_counts(tiling) {
            match compare(&gpu, def, rows) {
                Ok(w) if worst.is_none_or(|old| w.error > old.error) => worst = Some(w),
                Ok(_) => {}
                Err(problem) => {
                    failed.push(problem);
                    break;
                }
            }
        }
        println!("{:<28} {worst:?} {:.2} s", def.name, begun.elapsed().as_secs_f64());
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn kernels_agree_with_their_twins_in_checked_shaders() {
    kernels_agree(true, Tiling::default(), |_| true);
}
#[test]
fn kernels_agree_with_their_twins_in_unchecked_shaders() {
    kernels_agree(false, Tiling::default(), |_| true);
}

/// What takes a software driver long to compile. Most are in the whole plans in other tilings (`gpu_parity.rs`), and
/// `couplet selftest --tilings all` has everything.
fn is_slow(def: &KernelDef) -> bool {
    ["flow/base_sample", "flow/householder", "layers/activation", "layers/item_activation"]
        .iter()
        .any(|name| def.name.starts_with(name))
}
/// The fewest threads for the most rows.
#[test]
fn kernels_agree_in_the_tiling_of_fewest_threads() {
    kernels_agree(false, Tiling { rows: 32, threads: 64 }, |def| !is_slow(def));
}
/// Kernels that share work among the threads of a row, or give a row to one: the most threads for the fewest rows, and the
/// most threads for the most rows.
#[test]
fn kernels_that_share_rows_agree_in_other_tilings() {
    let shares = |def: &KernelDef| {
        let of = ["parts[", "PARTS", "t < TILE", "WORKGROUP / TILE", "data/item_rows"];
        !is_slow(def) && of.iter().any(|word| def.source.contains(word))
    };
    for (rows, threads) in [(4, 256), (32, 1024)] {
        kernels_agree(false, Tiling { rows, threads }, shares);
    }
}

/// The comparison can fail: a kernel that does nothing, that leaves the second tile out, that writes where it must not.
#[test]
fn sabotaged_kernels_are_seen() {
    let request = GpuRequest { software: true, checked: Some(true), ..GpuRequest::default() };
    let gpu = Gpu::open(&request).expect("a Vulkan, Metal or DX12 adapter; Mesa's lavapipe will do");
    let sabotages = [
        ("{ honest(at, t); }", ""),
        ("{}", ": expected"),
        ("{ if (tile_row0() == 0u) { honest(at, t); } }", ": expected"),
        ("{ honest(at, t); if (t == 0u) { acts[run.pad - 1u] = vec4f(7.0); } }", "untouched"),
        ("{ honest(at, t); if (t == 0u) { acts[arrayLength(&acts) - 1u].y = 7.0; } }", "untouched"),
    ];
    for def in kernels::all().into_iter().filter(|d| ["flow/split", "data/gather"].contains(&d.name)) {
        for (body, seen) in sabotages {
            let source = def.source.replace("fn kernel(", "fn honest(");
            let source: &'static str = format!("{source}\nfn kernel(at: u32, t: u32) {body}\n").leak();
            let changed: &'static KernelDef = Box::leak(Box::new(KernelDef { source, ..*def }));
            match compare(&gpu, changed, 9) {
                Ok(_) => assert!(seen.is_empty(), "{}: {body} passed", def.name),
                Err(e) => assert!(!seen.is_empty() && e.contains(seen), "{}: {body}: {e}", def.name),
            }
        }
    }
}
