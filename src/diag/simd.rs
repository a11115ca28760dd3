//! Loops compiled once for each vector width of x86, so that a binary for any processor is fast on a good one.

/// Wraps a function: its body is compiled for AVX-512, AVX2 and the baseline, and the widest this CPU has is called.
///
/// No instruction set fuses or reorders the arithmetic (rustc does neither), so every width gives the same bits.
macro_rules! vectorised {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        fn $name($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn wide($($arg: $type),*) $(-> $out)? { body($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn medium($($arg: $type),*) $(-> $out)? { body($($arg),*) }
                if is_x86_feature_detected!("avx512f") {
                    // SAFETY: the CPU has AVX-512, as just asked.
                    return unsafe { wide($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the CPU has AVX2, as just asked.
                    return unsafe { medium($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(super) use vectorised;

/// Lanes of the partial sums below: one AVX-512 register.
pub(super) const LANES: usize = 16;

/// Sum of sixteen partial sums, in a fixed order.
#[inline(always)]
pub(super) fn sum_lanes(mut lanes: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}
