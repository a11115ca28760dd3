//! Rows in lockstep on the CPU: one coordinate of sixteen rows at a time. A row by itself would wait for one long chain of operations.

/// Rows handled together.
pub const LANES: usize = 16;
/// One value per row.
pub type Lane = [f32; LANES];

/// Column `c` of up to [`LANES`] of `rows` rows of `width` floats, from `row` on; lanes without a row repeat the last one.
#[inline(always)]
pub fn column(values: &[f32], width: usize, row: usize, rows: usize, c: usize) -> Lane {
    let values = &values[row * width + c..];
    if rows - row >= LANES {
        return std::array::from_fn(|l| values[l * width]);
    }
    std::array::from_fn(|l| values[l.min(rows - row - 1) * width])
}
