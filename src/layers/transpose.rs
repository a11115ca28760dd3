//! Transposes for the CPU backend.
#[cfg(target_arch = "aarch64")]
use crate::layers::simd::arm;
#[cfg(target_arch = "x86_64")]
use crate::layers::simd::x86;
use crate::layers::simd::{Plain, Vector};
use std::sync::OnceLock;

/// `to[c to_step + r] = w[r w_step + c]` for `rows` rows of `cols` columns, both multiples of 4.
///
/// A register at a time down a column. With AVX-512 that is a cache line in one store: where another core has read the line
/// meanwhile, pieces of it would each wait, and fill the queue of stores.
///
/// # Safety
/// `to` must be valid for writes up to `(cols - 1) to_step + rows`, and nobody else may use the elements written.
pub unsafe fn transpose(
    w: &[f32],
    w_step: usize,
    (rows, cols): (usize, usize),
    to: *mut f32,
    to_step: usize,
) {
    if rows == 0 || cols == 0 {
        return;
    }
    assert!(rows % 4 == 0 && cols % 4 == 0, "transpose: sizes are multiples of 4, not {rows} and {cols}");
    assert!(
        w_step >= cols && to_step >= rows && w.len() >= (rows - 1) * w_step + cols,
        "transpose: too short"
    );
    // SAFETY: as the caller promises; the chosen routine needs only features this CPU has.
    unsafe { routine()(&Args { w: w.as_ptr(), w_step, rows, cols, to, to_step }) }
}

struct Args {
    w: *const f32,
    w_step: usize,
    rows: usize,
    cols: usize,
    to: *mut f32,
    to_step: usize,
}

type Routine = unsafe fn(&Args);

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
unsafe fn four_columns<V: Vector>(a: &Args, r: usize, c: usize) {
    unsafe {
        let (w, to) = (a.w.add(r * a.w_step + c), a.to.add(c * a.to_step + r));
        let rows = std::array::from_fn(|i| V::load_fours(w.add(i * a.w_step), 4 * a.w_step));
        for (i, column) in V::transpose_squares(rows).into_iter().enumerate() {
            column.store(to.add(i * a.to_step));
        }
    }
}

#[inline(always)]
unsafe fn by<V: Vector>(a: &Args) {
    let whole = a.rows - a.rows % V::LANES;
    for c in (0..a.cols).step_by(4) {
        unsafe {
            (0..whole).step_by(V::LANES).for_each(|r| four_columns::<V>(a, r, c));
            (whole..a.rows).step_by(4).for_each(|r| four_columns::<Plain>(a, r, c));
        }
    }
}

unsafe fn portable(a: &Args) {
    unsafe { by::<Plain>(a) }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(a: &Args) {
    unsafe { by::<x86::Z>(a) }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(a: &Args) {
    unsafe { by::<x86::Y>(a) }
}
#[cfg(target_arch = "aarch64")]
unsafe fn neon(a: &Args) {
    unsafe { by::<arm::Q>(a) }
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
            for (rows, cols, w_step, to_step) in
                [(4, 4, 4, 4), (32, 128, 128, 128), (20, 8, 12, 24), (12, 36, 40, 12), (52, 4, 4, 60)]
            {
                let w: Vec<f32> = (0..rows * w_step).map(|i| i as f32 + 1.0).collect();
                let mut to = vec![0.0; cols * to_step];
                let a = Args { w: w.as_ptr(), w_step, rows, cols, to: to.as_mut_ptr(), to_step };
                // SAFETY: `to` has room for all columns.
                unsafe { routine(&a) }
                for (i, &x) in to.iter().enumerate() {
                    let (c, r) = (i / to_step, i % to_step);
                    let want = if r < rows { w[r * w_step + c] } else { 0.0 };
                    assert_eq!(x, want, "({rows}, {cols}) in steps of {to_step} at row {r}, column {c}");
                }
            }
        }
    }
}
