//! Rows in lockstep: the ODE simulators integrate `LANES` rows at once, a vector register or two of them.
use std::array::from_fn;

/// Rows integrated together. The stages of a Runge-Kutta step depend on each other, so one register's worth of rows
/// would wait for latencies.
pub(super) const LANES: usize = 32;

/// One number for each row.
pub(super) type Lanes = [f32; LANES];

/// `f(i)` for every lane.
#[inline(always)]
pub(super) fn lanes(f: impl Fn(usize) -> f32) -> Lanes {
    let mut out = [0.0; LANES];
    for (i, out) in out.iter_mut().enumerate() {
        *out = f(i);
    }
    out
}

/// Blocks of up to `LANES` rows as (index of the first row, rows, parameters by lane); unused lanes repeat the last
/// row.
pub(super) fn blocks<const D: usize>(theta: &[f32]) -> impl Iterator<Item = (usize, usize, [Lanes; D])> {
    let rows = theta.as_chunks::<D>().0;
    rows.chunks(LANES).enumerate().map(|(block, rows)| {
        let last = rows.len() - 1;
        (block * LANES, rows.len(), from_fn(|d| from_fn(|i| rows[i.min(last)][d])))
    })
}
