//! Matrix products for the CPU backend: `c = [c +] a b`, `a` by two strides so that one routine forms layer
//! outputs (`x w`), input gradients (`delta w^T` on the stored transpose) and weight gradients (`x^T delta`).
//!
//! Matrices here are small (a tile of rows times a few hundred columns), so nothing is packed: parameters are
//! stored `(in, out)` row-major, which already is the panel a register block wants. Each element of `c` is one
//! fused multiply-add chain over `k` in order whatever the tiling, so the bits of a row do not depend on which
//! rows share its tile; determinism over thread counts rests on this.
use std::sync::OnceLock;

/// What the sums of a product are added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// What `c` holds.
    Add,
    /// The same `n` values in every row: a layer's bias, which so needs no pass of its own.
    Row(&'a [f32]),
}

/// `c(i,j) = start(i,j) + sum_l a[i a_row + l a_col] b[l b_row + j]`, `c` at `c[i c_row + j]`.
///
/// Shapes `a (m, k)`, `b (k, n)`, `c (m, n)`. Single-threaded; AVX-512, AVX2+FMA, NEON or portable code is
/// chosen once. Panics when a slice is too short for its shape and strides: that is the caller's mistake.
#[allow(clippy::too_many_arguments)] // the BLAS signature; a struct would hide which stride is which
pub fn gemm(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_row: usize,
    a_col: usize,
    b: &[f32],
    b_row: usize,
    c: &mut [f32],
    c_row: usize,
    start: Start<'_>,
) {
    if m == 0 || n == 0 {
        return;
    }
    if let Start::Row(row) = start {
        assert!(row.len() >= n, "gemm: the starting row is too short");
    }
    if k == 0 {
        (0..m).for_each(|i| match start {
            Start::Zero => c[i * c_row..i * c_row + n].fill(0.0),
            Start::Add => {}
            Start::Row(row) => c[i * c_row..i * c_row + n].copy_from_slice(&row[..n]),
        });
        return;
    }
    assert!(a.len() > (m - 1) * a_row + (k - 1) * a_col, "gemm: `a` too short");
    assert!(b.len() >= (k - 1) * b_row + n && b_row >= n, "gemm: `b` too short");
    assert!(c.len() >= (m - 1) * c_row + n && c_row >= n, "gemm: `c` too short");
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    let (start, start_row): (*const f32, usize) = match start {
        Start::Zero => (std::ptr::null(), 0),
        Start::Add => (c, c_row),
        Start::Row(row) => (row.as_ptr(), 0),
    };
    let args = Args { m, n, k, a, a_row, a_col, b, b_row, c, c_row, start, start_row };
    // SAFETY: the asserts above bound every index, and the chosen routine needs only features this CPU has.
    unsafe { routine()(&args) }
}

struct Args {
    m: usize,
    n: usize,
    k: usize,
    a: *const f32,
    a_row: usize,
    a_col: usize,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    c_row: usize,
    /// Row `i` of what the sums are added to begins at `start + i start_row`; null: nothing.
    start: *const f32,
    start_row: usize,
}

type Routine = unsafe fn(&Args);

fn routine() -> Routine {
    static ROUTINE: OnceLock<Routine> = OnceLock::new();
    *ROUTINE.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return x86::avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return x86::avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            return arm::neon;
        }
        #[allow(unreachable_code)]
        portable
    })
}

/// A SIMD register of f32.
trait Vector: Copy {
    const LANES: usize;
    /// Every method: the CPU must have the instruction set, and pointers must cover the lanes read or written.
    unsafe fn zero() -> Self;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    unsafe fn load_part(p: *const f32, n: usize) -> Self;
    unsafe fn store_part(self, p: *mut f32, n: usize);
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
}

/// `MR` rows by `NV` registers of columns; the last register holds `tail` columns.
#[inline(always)]
unsafe fn block<V: Vector, const MR: usize, const NV: usize>(g: &Args, i: usize, j: usize, tail: usize) {
    unsafe {
        let a = g.a.add(i * g.a_row);
        let b = g.b.add(j);
        let whole = tail == V::LANES;
        let mut acc = [[V::zero(); NV]; MR];
        for l in 0..g.k {
            let row = b.add(l * g.b_row);
            let mut w = [V::zero(); NV];
            for (q, w) in w.iter_mut().enumerate() {
                let p = row.add(q * V::LANES);
                *w = if q + 1 < NV || whole { V::load(p) } else { V::load_part(p, tail) };
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = V::splat(*a.add(r * g.a_row + l * g.a_col));
                for q in 0..NV {
                    acc[q] = x.mul_add(w[q], acc[q]);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            let row = g.c.add((i + r) * g.c_row + j);
            let plain = g.start.is_null();
            let from = if plain { row } else { g.start.add((i + r) * g.start_row + j).cast_mut() };
            for (q, &x) in acc.iter().enumerate() {
                let (p, from) = (row.add(q * V::LANES), from.add(q * V::LANES));
                if q + 1 < NV || whole {
                    (if plain { x } else { x.add(V::load(from)) }).store(p);
                } else {
                    (if plain { x } else { x.add(V::load_part(from, tail)) }).store_part(p, tail);
                }
            }
        }
    }
}

/// Columns in panels of two registers, so that a panel of `b` stays in the first-level cache over all rows.
#[inline(always)]
unsafe fn panels<V: Vector, const MR: usize>(g: &Args) {
    unsafe {
        let mut j = 0;
        while j < g.n {
            let left = g.n - j;
            let wide = left > V::LANES;
            let tail = if wide { (left - V::LANES).min(V::LANES) } else { left };
            let mut i = 0;
            while i < g.m {
                let rows = g.m - i;
                let step = if rows >= MR {
                    MR
                } else if rows >= 4 {
                    4
                } else {
                    1
                };
                match (wide, step == MR, step == 4) {
                    (true, true, _) => block::<V, MR, 2>(g, i, j, tail),
                    (true, _, true) => block::<V, 4, 2>(g, i, j, tail),
                    (true, ..) => block::<V, 1, 2>(g, i, j, tail),
                    (_, true, _) => block::<V, MR, 1>(g, i, j, tail),
                    (_, _, true) => block::<V, 4, 1>(g, i, j, tail),
                    _ => block::<V, 1, 1>(g, i, j, tail),
                }
                i += step;
            }
            j += if wide { V::LANES + tail } else { tail };
        }
    }
}

/// Four lanes in plain Rust, for processors without a routine of their own.
#[derive(Clone, Copy)]
struct Plain([f32; 4]);
impl Vector for Plain {
    const LANES: usize = 4;
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }
    unsafe fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    unsafe fn load(p: *const f32) -> Self {
        unsafe { Self(p.cast::<[f32; 4]>().read_unaligned()) }
    }
    unsafe fn store(self, p: *mut f32) {
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        let mut v = [0.0; 4];
        unsafe { std::ptr::copy_nonoverlapping(p, v.as_mut_ptr(), n) };
        Self(v)
    }
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), p, n) }
    }
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * b.0[i] + c.0[i]))
    }
    unsafe fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
}
unsafe fn portable(g: &Args) {
    unsafe { panels::<Plain, 4>(g) }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Args, Vector, panels};
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    struct Z(__m512);
    impl Vector for Z {
        const LANES: usize = 16;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { Self(_mm512_setzero_ps()) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { Self(_mm512_set1_ps(x)) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Self(_mm512_loadu_ps(p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm512_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            unsafe { Self(_mm512_maskz_loadu_ps(((1u32 << n) - 1) as __mmask16, p)) }
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as __mmask16, self.0) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { Self(_mm512_fmadd_ps(self.0, b.0, c.0)) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { Self(_mm512_add_ps(self.0, b.0)) }
        }
    }

    #[derive(Clone, Copy)]
    struct Y(__m256);
    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        const ON: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        unsafe { _mm256_loadu_si256(ON.as_ptr().add(8 - n).cast()) }
    }
    impl Vector for Y {
        const LANES: usize = 8;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { Self(_mm256_setzero_ps()) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { Self(_mm256_set1_ps(x)) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Self(_mm256_loadu_ps(p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm256_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            unsafe { Self(_mm256_maskload_ps(p, mask(n))) }
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            unsafe { _mm256_maskstore_ps(p, mask(n), self.0) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { Self(_mm256_fmadd_ps(self.0, b.0, c.0)) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, b.0)) }
        }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(g: &Args) {
        // 8 x 32: sixteen accumulators hide the latency of the multiply-add units.
        unsafe { panels::<Z, 8>(g) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(g: &Args) {
        // 6 x 16: twelve accumulators, two columns and a broadcast fill the sixteen registers.
        unsafe { panels::<Y, 6>(g) }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{Args, Vector, panels};
    use std::arch::aarch64::*;

    #[derive(Clone, Copy)]
    struct Q(float32x4_t);
    impl Vector for Q {
        const LANES: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { Self(vdupq_n_f32(0.0)) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { Self(vdupq_n_f32(x)) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Self(vld1q_f32(p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { vst1q_f32(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            let mut v = [0.0; 4];
            unsafe {
                std::ptr::copy_nonoverlapping(p, v.as_mut_ptr(), n);
                Self(vld1q_f32(v.as_ptr()))
            }
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            let mut v = [0.0; 4];
            unsafe {
                vst1q_f32(v.as_mut_ptr(), self.0);
                std::ptr::copy_nonoverlapping(v.as_ptr(), p, n);
            }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { Self(vfmaq_f32(c.0, self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { Self(vaddq_f32(self.0, b.0)) }
        }
    }
    pub(super) unsafe fn neon(g: &Args) {
        unsafe { panels::<Q, 8>(g) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(n: usize, s: u32) -> Vec<f32> {
        let mut s = s.wrapping_mul(0x9E37_79B9) | 1;
        let mut next = || {
            s ^= s << 13;
            s ^= s >> 17;
            s ^= s << 5;
            s as f32 / 2_147_483_648.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// `kind` of start: 0 nothing, 1 what `c` holds, 2 one row for all.
    fn check(routine: Routine, m: usize, n: usize, k: usize, transposed: bool, kind: usize) {
        let (a, b) = (seeded(m * k, 1), seeded(k * (n + 3), 2));
        let (start, row) = (seeded(m * (n + 5), 3), seeded(n, 4));
        let mut c = start.clone();
        let (a_row, a_col) = if transposed { (1, m) } else { (k, 1) };
        let g = Args {
            m,
            n,
            k,
            a: a.as_ptr(),
            a_row,
            a_col,
            b: b.as_ptr(),
            b_row: n + 3,
            c: c.as_mut_ptr(),
            c_row: n + 5,
            start: [std::ptr::null(), c.as_ptr(), row.as_ptr()][kind],
            start_row: [0, n + 5, 0][kind],
        };
        // SAFETY: buffers above are sized for the shape.
        unsafe { routine(&g) }
        for i in 0..m {
            for j in 0..n + 5 {
                let at = i * (n + 5) + j;
                if j >= n {
                    assert_eq!(c[at], start[at], "wrote outside the matrix");
                    continue;
                }
                let want: f64 =
                    (0..k).map(|l| f64::from(a[i * a_row + l * a_col]) * f64::from(b[l * (n + 3) + j])).sum();
                let want = want + f64::from([0.0, start[at], row[j]][kind]);
                let err = (f64::from(c[at]) - want).abs();
                assert!(
                    err <= 1e-6 * (k as f64).sqrt() * 4.0,
                    "({m},{n},{k}) at ({i},{j}): {} vs {want}",
                    c[at]
                );
            }
        }
    }

    #[test]
    fn every_routine_of_this_cpu_matches_f64_at_every_remainder() {
        let mut routines: Vec<Routine> = vec![portable, routine()];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            routines.push(x86::avx2);
        }
        routines.sort_by_key(|r| *r as usize);
        for r in routines {
            for (m, n, k) in
                [(1, 1, 1), (3, 17, 5), (8, 32, 128), (9, 33, 2), (13, 4, 128), (16, 31, 7), (23, 65, 12)]
            {
                for kind in 0..3 {
                    check(r, m, n, k, false, kind);
                    check(r, m, n, k, true, kind);
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_tile() {
        let (a, b) = (seeded(20 * 64, 1), seeded(64 * 40, 2));
        let mut all = vec![0.0; 20 * 40];
        gemm(20, 40, 64, &a, 64, 1, &b, 40, &mut all, 40, Start::Zero);
        for i in 0..20 {
            let mut one = vec![0.0; 40];
            gemm(1, 40, 64, &a[i * 64..], 64, 1, &b, 40, &mut one, 40, Start::Zero);
            assert_eq!(one, all[i * 40..(i + 1) * 40]);
        }
    }

    #[test]
    fn an_empty_inner_dimension_clears_or_keeps() {
        let mut c = vec![2.0; 4];
        gemm(2, 2, 0, &[], 0, 1, &[], 2, &mut c, 2, Start::Add);
        assert_eq!(c, [2.0; 4]);
        gemm(2, 2, 0, &[], 0, 1, &[], 2, &mut c, 2, Start::Zero);
        assert_eq!(c, [0.0; 4]);
        gemm(2, 2, 0, &[], 0, 1, &[], 2, &mut c, 2, Start::Row(&[1.0, 3.0]));
        assert_eq!(c, [1.0, 3.0, 1.0, 3.0]);
    }
}
