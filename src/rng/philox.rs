//! Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011): a keyed bijection of 128-bit counters. Twin of
//! `shaders/rng/philox.wgsl`; the integers are bit-identical.

/// Ten rounds on `counter` under `key`.
#[inline(always)]
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = counter;
    let [mut k, mut l] = key;
    for _ in 0..10 {
        let p = u64::from(a) * 0xD251_1F53;
        let q = u64::from(c) * 0xCD9E_8D57;
        (a, b, c, d) = ((q >> 32) as u32 ^ b ^ k, q as u32, (p >> 32) as u32 ^ d ^ l, p as u32);
        k = k.wrapping_add(0x9E37_79B9);
        l = l.wrapping_add(0xBB67_AE85);
    }
    [a, b, c, d]
}

/// [`philox`] of N counters in lockstep; word k of counter i is at `[k][i]`.
#[inline(always)]
pub fn philox_lanes<const N: usize>(counters: [[u32; N]; 4], key: [u32; 2]) -> [[u32; N]; 4] {
    let [mut a, mut b, mut c, mut d] = counters;
    let [mut k, mut l] = key;
    for _ in 0..10 {
        for i in 0..N {
            let p = u64::from(a[i]) * 0xD251_1F53;
            let q = u64::from(c[i]) * 0xCD9E_8D57;
            a[i] = (q >> 32) as u32 ^ b[i] ^ k;
            b[i] = q as u32;
            c[i] = (p >> 32) as u32 ^ d[i] ^ l;
            d[i] = p as u32;
        }
        k = k.wrapping_add(0x9E37_79B9);
        l = l.wrapping_add(0xBB67_AE85);
    }
    [a, b, c, d]
}

/// (k + 1/2) 2^-23 with k the top 23 bits: a number in (0, 1) that f32 holds exactly, never 0 or 1.
#[inline(always)]
pub fn open_unit(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_random123() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
        let answer = [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1];
        assert_eq!(philox(pi, [0xa4093822, 0x299f31d0]), answer);
    }

    #[test]
    fn lanes_are_the_same_blocks() {
        let counters: [[u32; 5]; 4] = std::array::from_fn(|k| {
            std::array::from_fn(|i| (k as u32 * 77 + 13).wrapping_mul(i as u32 * 0x9E37_79B9))
        });
        let lanes = philox_lanes(counters, [7, !3]);
        for i in 0..5 {
            assert_eq!(lanes.map(|word| word[i]), philox(counters.map(|c| c[i]), [7, !3]));
        }
    }

    #[test]
    fn open_unit_is_exact_and_never_0_or_1() {
        assert_eq!(open_unit(0), 0.5f32.powi(24));
        assert_eq!(open_unit(!0), 1.0 - 0.5f32.powi(24));
        for k in [1u32, 77, 4_194_303, 4_194_304, 8_388_606] {
            assert_eq!(f64::from(open_unit(k << 9 | 0x1ff)), (f64::from(k) + 0.5) / 8_388_608.0);
        }
    }
}
