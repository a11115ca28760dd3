//! The flat parameter buffer and its table of names.
//!
//! A matrix `(in, out)` is stored row-major with both sizes rounded up to 4; a vector likewise. The padding is
//! zero, receives zero gradients, and so stays zero; checkpoints leave it out. Behind the values stands the
//! derived image `update` writes: every matrix once more, transposed, which the way back multiplies with.

/// Rounds up to a multiple of 4, the unit of storage.
pub const fn pad4(n: usize) -> usize {
    n.div_ceil(4) * 4
}

/// One named parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Dotted name, e.g. `flow.3.second.hidden.1.weight`.
    pub name: String,
    /// Rows (inputs) of a matrix; 1 for a vector.
    pub rows: usize,
    /// Columns (outputs) of a matrix; length of a vector.
    pub cols: usize,
    /// Offset of the first element, floats, a multiple of 4.
    pub at: usize,
    /// Matrices are decayed and have a transposed image; vectors are not and have none.
    pub matrix: bool,
    /// Initial value.
    pub init: Init,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All elements equal.
    Constant(f32),
    /// Normal with mean 0 and this standard deviation.
    Normal(f32),
}

impl Param {
    /// Columns in storage.
    pub fn stride(&self) -> usize {
        pad4(self.cols)
    }
    /// Rows in storage.
    pub fn stored_rows(&self) -> usize {
        if self.matrix { pad4(self.rows) } else { 1 }
    }
    /// Floats in storage, padding included.
    pub fn stored(&self) -> usize {
        self.stored_rows() * self.stride()
    }
}

/// All parameters of a model, in storage order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParamTable {
    /// The parameters.
    pub entries: Vec<Param>,
    /// Floats of the value image, padding included; the transposed image is as long and follows it.
    pub len: usize,
}

impl ParamTable {
    fn push(&mut self, name: String, rows: usize, cols: usize, matrix: bool, init: Init) -> u32 {
        let p = Param { name, rows, cols, at: self.len, matrix, init };
        let at = p.at as u32;
        self.len += p.stored();
        self.entries.push(p);
        at
    }
    /// Adds a matrix `(rows, cols)`; its offset.
    pub fn matrix(&mut self, name: impl Into<String>, rows: usize, cols: usize, init: Init) -> u32 {
        self.push(name.into(), rows, cols, true, init)
    }
    /// Adds a vector; its offset.
    pub fn vector(&mut self, name: impl Into<String>, len: usize, init: Init) -> u32 {
        self.push(name.into(), 1, len, false, init)
    }
    /// Parameters without padding.
    pub fn count(&self) -> usize {
        self.entries.iter().map(|p| p.rows * p.cols).sum()
    }
    /// The values of `p` without padding, row-major.
    pub fn unpad(p: &Param, values: &[f32]) -> Vec<f32> {
        (0..p.rows).flat_map(|r| values[p.at + r * p.stride()..][..p.cols].iter().copied()).collect()
    }
    /// Puts the values of `p`, without padding, in their place.
    pub fn pad_into(p: &Param, plain: &[f32], values: &mut [f32]) {
        for r in 0..p.rows {
            values[p.at + r * p.stride()..][..p.cols].copy_from_slice(&plain[r * p.cols..(r + 1) * p.cols]);
        }
    }
    /// Writes the transposed image behind the values: `values` has `2 len` floats.
    pub fn transpose_all(&self, values: &mut [f32]) {
        let (plain, image) = values.split_at_mut(self.len);
        for p in self.entries.iter().filter(|p| p.matrix) {
            let (rows, cols) = (p.stored_rows(), p.stride());
            for r in 0..rows {
                for c in 0..cols {
                    image[p.at + c * rows + r] = plain[p.at + r * cols + c];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn padding_is_left_out_and_put_back() {
        let mut t = ParamTable::default();
        t.matrix("w", 3, 5, Init::Constant(0.0));
        t.vector("b", 5, Init::Constant(0.0));
        assert_eq!((t.len, t.count()), (4 * 8 + 8, 20));
        let mut all = vec![0.0; 2 * t.len];
        let plain: Vec<f32> = (1..=15).map(|i| i as f32).collect();
        ParamTable::pad_into(&t.entries[0], &plain, &mut all);
        assert_eq!(ParamTable::unpad(&t.entries[0], &all), plain);
        assert_eq!(all[8], 6.0);
        t.transpose_all(&mut all);
        assert_eq!(all[t.len + 4], 2.0); // element (0, 1) stands at (1, 0) of the (8, 4) image
    }
}
