//! The generator of one row: a Philox counter and the words left of the current block.
use super::philox::{open_unit, philox};

/// Random numbers of one row; all of them are f(seed, stream, step, row, number of words drawn before).
/// Twin of `struct Rng` in `shaders/rng/philox.wgsl`.
#[derive(Clone, Debug)]
pub struct Rng {
    counter: [u32; 4],
    key: [u32; 2],
    block: [u32; 4],
    used: u32,
}

impl Rng {
    /// Counter [row, 0, step, stream] under the key (low, high words of `seed`).
    #[inline(always)]
    pub fn new(seed: u64, stream: u32, step: u32, row: u32) -> Self {
        let key = [seed as u32, (seed >> 32) as u32];
        Self { counter: [row, 0, step, stream], key, block: [0; 4], used: 4 }
    }

    /// Goes to the first word of a block: parts of one row may be drawn in any order.
    #[inline(always)]
    pub fn jump(&mut self, block: u32) {
        self.counter[1] = block;
        self.used = 4;
    }

    /// The next 32 random bits: words 0..3 of block 0, then of block 1, ...
    #[inline(always)]
    pub fn next_u32(&mut self) -> u32 {
        if self.used >= 4 {
            self.block = philox(self.counter, self.key);
            self.counter[1] = self.counter[1].wrapping_add(1);
            self.used = 0;
        }
        let word = self.block[(self.used & 3) as usize];
        self.used += 1;
        word
    }

    /// Uniform in (0, 1), never an end: (k + 1/2) 2^-23, one word.
    #[inline(always)]
    pub fn uniform(&mut self) -> f32 {
        open_unit(self.next_u32())
    }
}
