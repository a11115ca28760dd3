//! Transposes for the CPU backend.
#[cfg(target_arch = "aarch64")]
use crate::layers::simd::arm;
#[cfg(target_arch = "x86_64")]
use crate::layers::simd::x86;
use crate::layers::simd::{Plain, Vector};
use std::sync::OnceLock;

/// `to[c step + r] = w[r cols + c]` for `w (rows, cols)`, both sizes multiples of 4.
///
/// A register at a time down a column. With AVX-512 that is a cache line in one store: where another core has read the line
/// meanwhile, pieces of it would each wait, and fill the queue of stores.
///
/// # Safety
/// `to` must be valid for writes up to `(cols - 1) step + rows`, `step` at least `rows`, and nobody else may use the elements written.
pub unsafe fn transpose(w: &[f32], cols: usize, to: *mut f32, step: usize) {
    let rows = w.len() / cols.max(1);
    assert!(w.len() == rows * cols && rows % 4 == 0 && cols % 4 == 0, "transpose: sizes are multiples of 4");
    // SAFETY: as the caller promises; the chosen routine needs only features this CPU has.
    unsafe { routine()(w.as_ptr(), rows, cols, to, step) }
}

type Routine = unsafe fn(*const f32, usize, usize, *mut f32, usize);

fn routine() -> Routine {
    static ROUTINE: OnceLock<Routine> = OnceLock::new();
    *ROUTINE.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return avx512;
            }
            if is_x86_feature_detected!("avx2") {
                return avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            return neon;
        }
        #[allow(unreachable_code)]
        portable
    })
}

#[inline(always)]
unsafe fn four_columns<V: Vector>(w: *const f32, cols: usize, to: *mut f32, step: usize) {
    unsafe {
        let rows = std::array::from_fn(|i| V::load_fours(w.add(i * cols), 4 * cols));
        for (i, column) in V::transpose_squares(rows).into_iter().enumerate() {
            column.store(to.add(i * step));
        }
    }
}

#[inline(always)]
unsafe fn by<V: Vector>(w: *const f32, rows: usize, cols: usize, to: *mut f32, step: usize) {
    for c in (0..cols).step_by(4) {
        let mut r = 0;
        unsafe {
            while r + V::LANES <= rows {
                four_columns::<V>(w.add(r * cols + c), cols, to.add(c * step + r), step);
                r += V::LANES;
            }
            while r < rows {
                four_columns::<Plain>(w.add(r * cols + c), cols, to.add(c * step + r), step);
                r += 4;
            }
        }
    }
}

unsafe fn portable(w: *const f32, rows: usize, cols: usize, to: *mut f32, step: usize) {
    unsafe { by::<Plain>(w, rows, cols, to, step) }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(w: *const f32, rows: usize, cols: usize, to: *mut f32, step: usize) {
    unsafe { by::<x86::Z>(w, rows, cols, to, step) }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(w: *const f32, rows: usize, cols: usize, to: *mut f32, step: usize) {
    unsafe { by::<x86::Y>(w, rows, cols, to, step) }
}
#[cfg(target_arch = "aarch64")]
unsafe fn neon(w: *const f32, rows: usize, cols: usize, to: *mut f32, step: usize) {
    unsafe { by::<arm::Q>(w, rows, cols, to, step) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_routine_of_this_cpu_writes_the_transpose_and_nothing_else() {
        let mut routines: Vec<Routine> = vec![portable, routine()];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            routines.push(avx2);
        }
        for routine in routines {
            for (rows, cols, step) in [(4, 4, 4), (32, 128, 128), (20, 8, 24), (12, 36, 12), (52, 4, 60)] {
                let w: Vec<f32> = (0..rows * cols).map(|i| i as f32 + 1.0).collect();
                let mut to = vec![0.0; cols * step];
                // SAFETY: `to` has room for all columns.
                unsafe { routine(w.as_ptr(), rows, cols, to.as_mut_ptr(), step) }
                for (i, &x) in to.iter().enumerate() {
                    let (c, r) = (i / step, i % step);
                    let want = if r < rows { w[r * cols + c] } else { 0.0 };
                    assert_eq!(x, want, "({rows}, {cols}) in steps of {step} at row {r}, column {c}");
                }
            }
        }
    }
}
