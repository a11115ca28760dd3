//! Matrix products for the CPU backend: `c = [c +] a b`, `a` by two strides so that one routine forms layer
//! outputs (`x w`), input gradients (`delta w^T` on the stored transpose) and weight gradients (`x^T delta`).
//!
//! Matrices here are small (a tile of rows times a few hundred columns), so nothing is packed: parameters are
//! stored `(in, out)` row-major, which already is the panel a register block wants. Each element of `c` is one
//! fused multiply-add chain over `k` in order whatever the tiling, so the bits of a row do not depend on which
//! rows share its tile; determinism over thread counts rests on this.
#[cfg(target_arch = "aarch64")]
use crate::layers::simd::arm;
#[cfg(target_arch = "x86_64")]
use crate::layers::simd::x86;
use crate::layers::simd::{Plain, Vector, claim_line};
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
    gemm_and_claim(m, n, k, a, a_row, a_col, b, b_row, c, c_row, start, &[]);
}

/// [`gemm`], which on the way asks for what will soon be written in `claim`, an array laid out like `c` (or empty: nothing).
///
/// For gradients, with the parameters as `claim`: every thread has just read them, and to take the others' copies away when they are
/// updated takes longer than the update; asked for here, that happens while the product runs.
#[allow(clippy::too_many_arguments)] // as above
pub fn gemm_and_claim(
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
    claim: &[f32],
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
    assert!(claim.is_empty() || claim.len() > (m - 1) * c_row + n - 1, "gemm: `claim` too short");
    let claim = if claim.is_empty() { std::ptr::null() } else { claim.as_ptr() };
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    let (start, start_row): (*const f32, usize) = match start {
        Start::Zero => (std::ptr::null(), 0),
        Start::Add => (c, c_row),
        Start::Row(row) => (row.as_ptr(), 0),
    };
    let args = Args { m, n, k, a, a_row, a_col, b, b_row, c, c_row, start, start_row, claim };
    // SAFETY: the asserts above bound every index, and the chosen routine needs only features this CPU has.
    unsafe { routine()(&args) }
}

/// Asks for the cache lines of `x`, which will soon be written: for those whose gradient no product forms.
pub fn claim(x: &[f32]) {
    x.chunks(16).for_each(|line| claim_line(line.as_ptr()));
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
    /// Laid out like `c`; null: nothing.
    claim: *const f32,
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
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
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

/// `MR` rows by `NV` registers of columns; the last register holds `tail` columns.
#[inline(always)]
unsafe fn block<V: Vector, const MR: usize, const NV: usize>(g: &Args, i: usize, j: usize, tail: usize) {
    unsafe {
        let a = g.a.add(i * g.a_row);
        let b = g.b.add(j);
        let whole = tail == V::LANES;
        let mut acc = [[V::zero(); NV]; MR];
        if !g.claim.is_null() {
            for r in 0..MR {
                (0..NV).for_each(|q| claim_line(g.claim.add((i + r) * g.c_row + j + q * V::LANES)));
            }
        }
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

/// `c = start + a b` for four columns, `b` and the rows of `a` without gaps: a register holds four columns times a quarter of its lanes in
/// terms of the sum, where [`panels`] would leave most lanes idle.
#[inline(always)]
unsafe fn narrow<V: Vector>(g: &Args) {
    const ROWS: usize = 8;
    unsafe {
        let mut i = 0;
        while i < g.m {
            let rows = ROWS.min(g.m - i);
            let mut acc = [V::zero(); ROWS];
            let mut l = 0;
            while l < g.k {
                let n = V::LANES.min(g.k - l);
                let mut x = [V::zero(); ROWS];
                for (r, x) in x.iter_mut().enumerate().take(rows) {
                    let p = g.a.add((i + r) * g.a_row + l);
                    *x = if n == V::LANES { V::load(p) } else { V::load_part(p, n) };
                }
                for q in 0..4 {
                    let (at, left) = (q * V::LANES, (4 * n).saturating_sub(q * V::LANES));
                    let p = g.b.wrapping_add(4 * l + at);
                    let w = if left >= V::LANES { V::load(p) } else { V::load_part(p, left) };
                    for (acc, x) in acc.iter_mut().zip(&x) {
                        *acc = x.spread(q).mul_add(w, *acc);
                    }
                }
                l += n;
            }
            for (r, acc) in acc.iter().enumerate().take(rows) {
                let sums = acc.fold();
                for (j, sum) in sums.iter().enumerate() {
                    let start = if g.start.is_null() { 0.0 } else { *g.start.add((i + r) * g.start_row + j) };
                    *g.c.add((i + r) * g.c_row + j) = sum + start;
                }
            }
            i += rows;
        }
    }
}

/// `c = start + a b` for up to four columns where `a` is stored by columns: formed as its transpose, whose rows are long.
#[inline(always)]
unsafe fn turned<V: Vector, const MR: usize>(g: &Args) {
    const ROWS: usize = 32;
    let mut piece = [0.0f32; 4 * ROWS];
    for i in (0..g.m).step_by(ROWS) {
        let rows = ROWS.min(g.m - i);
        let part = Args {
            m: g.n,
            n: rows,
            k: g.k,
            a: g.b,
            a_row: 1,
            a_col: g.b_row,
            b: g.a.wrapping_add(i),
            b_row: g.a_col,
            c: piece.as_mut_ptr(),
            c_row: ROWS,
            start: std::ptr::null(),
            start_row: 0,
            claim: std::ptr::null(),
        };
        unsafe {
            panels::<V, MR>(&part);
            for r in 0..rows {
                for j in 0..g.n {
                    let start = if g.start.is_null() { 0.0 } else { *g.start.add((i + r) * g.start_row + j) };
                    *g.c.add((i + r) * g.c_row + j) = piece[j * ROWS + r] + start;
                }
            }
        }
    }
}

/// Chooses the way by everything but the number of rows of a tile, so that a row's bits do not depend on it.
#[inline(always)]
unsafe fn product<V: Vector, const MR: usize>(g: &Args) {
    unsafe {
        if g.n == 4 && g.b_row == 4 && g.a_col == 1 && g.k >= 4 {
            narrow::<V>(g);
        } else if g.n <= 4 && g.a_row == 1 && g.a_col > 1 {
            turned::<V, MR>(g);
        } else {
            panels::<V, MR>(g);
        }
    }
}

unsafe fn portable(g: &Args) {
    unsafe { product::<Plain, 4>(g) }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(g: &Args) {
    unsafe {
        if g.n > 4 && g.n <= 8 {
            // Half a register would idle, at the cost of a whole one.
            product::<x86::Y, 8>(g);
        } else {
            // 8 x 32: sixteen accumulators hide the latency of the multiply-add units.
            product::<x86::Z, 8>(g);
        }
    }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(g: &Args) {
    // 6 x 16: twelve accumulators, two columns and a broadcast fill the sixteen registers.
    unsafe { product::<x86::Y, 6>(g) }
}
#[cfg(target_arch = "aarch64")]
unsafe fn neon(g: &Args) {
    unsafe { product::<arm::Q, 8>(g) }
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
        let b_row = if n == 4 { 4 } else { n + 3 };
        let (a, b) = (seeded(m * k, 1), seeded(k * b_row, 2));
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
            b_row,
            c: c.as_mut_ptr(),
            c_row: n + 5,
            start: [std::ptr::null(), c.as_ptr(), row.as_ptr()][kind],
            start_row: [0, n + 5, 0][kind],
            claim: if transposed { start.as_ptr() } else { std::ptr::null() },
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
                    (0..k).map(|l| f64::from(a[i * a_row + l * a_col]) * f64::from(b[l * b_row + j])).sum();
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
            routines.push(avx2);
        }
        routines.sort_by_key(|r| *r as usize);
        for r in routines {
            for (m, n, k) in [
                (1, 1, 1),
                (3, 17, 5),
                (8, 32, 128),
                (9, 33, 2),
                (13, 4, 128),
                (16, 31, 7),
                (23, 65, 12),
                (70, 4, 20),
                (5, 2, 40),
                (33, 4, 128),
            ] {
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
