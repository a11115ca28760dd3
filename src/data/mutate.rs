//! Damaged copies of sound files, for the readers' tests.

/// SplitMix64: enough for choosing what to break, and free of the crate's own generators.
struct Chaos(u64);

impl Chaos {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// `count` copies of `seed`, each with one to four flips, overwrites, truncations, insertions, deletions or
/// repetitions; always the same ones.
pub fn mutations(seed: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut chaos = Chaos(20_260_101);
    (0..count).map(move |_| {
        let mut bytes = seed.to_vec();
        for _ in 0..=chaos.below(4) {
            let at = chaos.below(bytes.len());
            match chaos.below(7) {
                0 | 1 if at < bytes.len() => bytes[at] ^= 1 << chaos.below(8),
                2 if at < bytes.len() => bytes[at] = [0, 0xff, b',', b'\n', b'9', b'"', 0x80][chaos.below(7)],
                3 if chaos.below(3) == 0 => bytes.truncate(at),
                4 => bytes.insert(at, [0, 0xff, b'0', b'9', b'(', b'-', b'\n'][chaos.below(7)]),
                5 if at < bytes.len() => drop(bytes.drain(at..bytes.len().min(at + 1 + chaos.below(8)))),
                _ => {
                    let piece = bytes[at..bytes.len().min(at + 16)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    })
}
