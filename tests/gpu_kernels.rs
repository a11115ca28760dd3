//! Every row kernel against its twin on whatever adapter there is (software too), with and without checks in the shaders.
use couplet::check::{ROWS, compare};
use couplet::kernels;
use couplet::runtime::GpuRequest;
use couplet::runtime::gpu::Gpu;

fn kernels_agree(checked: bool) {
    let request = GpuRequest { software: true, checked: Some(checked), ..GpuRequest::default() };
    let gpu = Gpu::open(&request).expect("a Vulkan, Metal or DX12 adapter; Mesa's lavapipe will do");
    let mut failed = vec![];
    for def in kernels::all() {
        let begun = std::time::Instant::now();
        let mut worst: Option<couplet::check::Worst> = None;
        for rows in ROWS {
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
    kernels_agree(true);
}
#[test]
fn kernels_agree_with_their_twins_in_unchecked_shaders() {
    kernels_agree(false);
}
