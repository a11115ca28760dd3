//! Once warm, a training step on the CPU allocates nothing, and one on a GPU makes no buffer, bind group or pipeline. One test,
//! so that nobody else allocates meanwhile.
use couplet::bench::workload::Workload;
use couplet::runtime::Device;
use couplet::runtime::adapter::GpuRequest;
use couplet::runtime::gpu::Gpu;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of the first steps, of `n` later ones in one call, and of fetching their logs.
fn of_steps(workload: &Workload, batch: usize, n: usize) -> [usize; 3] {
    let w = workload.open().unwrap();
    let (mut exec, plan) = w.trainer(&Device::Cpu, batch).unwrap();
    let args = w.step_args();
    let count = || ALLOCATIONS.load(Ordering::Relaxed);
    let begun = count();
    // Warm: scratch of every thread, and room for as many logs.
    exec.train(plan, &args, batch, 2 * n, 0).unwrap();
    assert_eq!(exec.logs().unwrap().len(), 2 * n);
    let warm = count();
    exec.train(plan, &args, batch, n, 0).unwrap();
    let trained = count();
    assert_eq!(exec.logs().unwrap().len(), n);
    [warm - begun, trained - warm, count() - trained]
}

#[test]
fn a_warm_step_allocates_nothing() {
    for (name, batch) in [("w", 64), ("ws", 32), ("two-moons", 48), ("sir", 32), ("w", 1500)] {
        let small = Workload::find(name).unwrap().resized(Some(2), Some(32)).unwrap();
        let steps = 40;
        let [cold, training, logs] = of_steps(&small, batch, steps);
        assert!(cold > 0, "nothing was counted");
        // The call itself may: it hands the steps to a pool. So may calling a thread back that had nothing to do, on a busy machine.
        assert!(training <= 12, "{name}, batch {batch}: {training} allocations in {steps} steps");
        assert!(logs <= 2, "{name}: {logs} allocations to fetch logs");
    }
    gpu_makes_nothing();
}

fn gpu_makes_nothing() {
    let request = GpuRequest { software: true, ..GpuRequest::default() };
    let gpu = Gpu::open(&request).expect("a Vulkan driver, software will do");
    let device = Device::Gpu(gpu.clone());
    let small = Workload::find("w").unwrap().resized(Some(1), Some(8)).unwrap().open().unwrap();
    let (mut exec, plan) = small.trainer(&device, 32).unwrap();
    let args = small.step_args();
    // Warm: as many submissions on their way as there may be.
    for _ in 0..8 {
        exec.train(plan, &args, 32, 4, 0).unwrap();
    }
    exec.logs().unwrap();
    let made = gpu.objects_made();
    assert!(made > 10, "nothing was counted");
    for _ in 0..8 {
        exec.train(plan, &args, 32, 20, 0).unwrap();
    }
    assert_eq!(exec.logs().unwrap().len(), 160);
    // `logs` waits through the read-back buffers that are there.
    assert_eq!(gpu.objects_made() - made, 0);
}
