//! A SIMD register of f32 as matrix products and transposes see it: AVX-512, AVX2, NEON, or four plain floats.

/// A SIMD register of f32.
pub(super) trait Vector: Copy {
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
    /// Lane `4 p + j` is lane `q LANES / 4 + p` of `self`: a quarter of the lanes, each four times.
    unsafe fn spread(self, q: usize) -> Self;
    /// Lane `j` is the sum of lanes `4 p + j`.
    unsafe fn fold(self) -> [f32; 4];
    /// Lanes `4 p` to `4 p + 3` are those at `p step`.
    unsafe fn load_fours(at: *const f32, step: usize) -> Self;
    /// Each square of 4 x 4 that lanes `4 p` to `4 p + 3` of the four make, transposed.
    unsafe fn transpose_squares(rows: [Self; 4]) -> [Self; 4];
}

/// Asks for the cache line at `p` as one that will be written. A hint: any address will do.
#[inline(always)]
pub(super) fn claim_line(p: *const f32) {
    // SAFETY: a prefetch neither reads nor writes, nor does it fault.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) p, options(nostack, preserves_flags));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) p, options(nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}

/// Four lanes in plain Rust, for processors without a routine of their own.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 4]);
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
    unsafe fn spread(self, q: usize) -> Self {
        Self([self.0[q]; 4])
    }
    unsafe fn fold(self) -> [f32; 4] {
        self.0
    }
    unsafe fn load_fours(at: *const f32, _: usize) -> Self {
        unsafe { Self::load(at) }
    }
    unsafe fn transpose_squares(rows: [Self; 4]) -> [Self; 4] {
        std::array::from_fn(|i| Self(rows.map(|row| row.0[i])))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(in crate::layers) struct Z(__m512);
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
        #[inline(always)]
        unsafe fn spread(self, q: usize) -> Self {
            unsafe {
                let quarter = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
                let from = _mm512_add_epi32(quarter, _mm512_set1_epi32(4 * q as i32));
                Self(_mm512_permutexvar_ps(from, self.0))
            }
        }
        #[inline(always)]
        unsafe fn fold(self) -> [f32; 4] {
            unsafe {
                let low = _mm_add_ps(_mm512_castps512_ps128(self.0), _mm512_extractf32x4_ps::<1>(self.0));
                let high =
                    _mm_add_ps(_mm512_extractf32x4_ps::<2>(self.0), _mm512_extractf32x4_ps::<3>(self.0));
                std::mem::transmute(_mm_add_ps(low, high))
            }
        }
        #[inline(always)]
        unsafe fn load_fours(at: *const f32, step: usize) -> Self {
            unsafe {
                let low = _mm512_castps128_ps512(_mm_loadu_ps(at));
                let low = _mm512_insertf32x4::<1>(low, _mm_loadu_ps(at.add(step)));
                let low = _mm512_insertf32x4::<2>(low, _mm_loadu_ps(at.add(2 * step)));
                Self(_mm512_insertf32x4::<3>(low, _mm_loadu_ps(at.add(3 * step))))
            }
        }
        #[inline(always)]
        unsafe fn transpose_squares([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            unsafe {
                let pairs = |x: Self, y: Self| {
                    (
                        _mm512_castps_pd(_mm512_unpacklo_ps(x.0, y.0)),
                        _mm512_castps_pd(_mm512_unpackhi_ps(x.0, y.0)),
                    )
                };
                let ((ab_low, ab_high), (cd_low, cd_high)) = (pairs(a, b), pairs(c, d));
                [
                    _mm512_unpacklo_pd(ab_low, cd_low),
                    _mm512_unpackhi_pd(ab_low, cd_low),
                    _mm512_unpacklo_pd(ab_high, cd_high),
                    _mm512_unpackhi_pd(ab_high, cd_high),
                ]
                .map(|row| Self(_mm512_castpd_ps(row)))
            }
        }
    }

    #[derive(Clone, Copy)]
    pub(in crate::layers) struct Y(__m256);
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
        #[inline(always)]
        unsafe fn spread(self, q: usize) -> Self {
            unsafe {
                let half = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
                let from = _mm256_add_epi32(half, _mm256_set1_epi32(2 * q as i32));
                Self(_mm256_permutevar8x32_ps(self.0, from))
            }
        }
        #[inline(always)]
        unsafe fn fold(self) -> [f32; 4] {
            unsafe {
                let sum = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                std::mem::transmute(sum)
            }
        }
        #[inline(always)]
        unsafe fn load_fours(at: *const f32, step: usize) -> Self {
            unsafe { Self(_mm256_set_m128(_mm_loadu_ps(at.add(step)), _mm_loadu_ps(at))) }
        }
        #[inline(always)]
        unsafe fn transpose_squares([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            unsafe {
                let pairs = |x: Self, y: Self| {
                    (
                        _mm256_castps_pd(_mm256_unpacklo_ps(x.0, y.0)),
                        _mm256_castps_pd(_mm256_unpackhi_ps(x.0, y.0)),
                    )
                };
                let ((ab_low, ab_high), (cd_low, cd_high)) = (pairs(a, b), pairs(c, d));
                [
                    _mm256_unpacklo_pd(ab_low, cd_low),
                    _mm256_unpackhi_pd(ab_low, cd_low),
                    _mm256_unpacklo_pd(ab_high, cd_high),
                    _mm256_unpackhi_pd(ab_high, cd_high),
                ]
                .map(|row| Self(_mm256_castpd_ps(row)))
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) mod arm {
    use super::Vector;
    use std::arch::aarch64::*;

    #[derive(Clone, Copy)]
    pub(in crate::layers) struct Q(float32x4_t);
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
        #[inline(always)]
        unsafe fn spread(self, q: usize) -> Self {
            let lanes: [f32; 4] = unsafe { std::mem::transmute(self.0) };
            unsafe { Self(vdupq_n_f32(lanes[q])) }
        }
        #[inline(always)]
        unsafe fn fold(self) -> [f32; 4] {
            unsafe { std::mem::transmute(self.0) }
        }
        #[inline(always)]
        unsafe fn load_fours(at: *const f32, _: usize) -> Self {
            unsafe { Self::load(at) }
        }
        #[inline(always)]
        unsafe fn transpose_squares([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            unsafe {
                let (ac_low, ac_high) = (vzip1q_f32(a.0, c.0), vzip2q_f32(a.0, c.0));
                let (bd_low, bd_high) = (vzip1q_f32(b.0, d.0), vzip2q_f32(b.0, d.0));
                [
                    vzip1q_f32(ac_low, bd_low),
                    vzip2q_f32(ac_low, bd_low),
                    vzip1q_f32(ac_high, bd_high),
                    vzip2q_f32(ac_high, bd_high),
                ]
                .map(Self)
            }
        }
    }
}
