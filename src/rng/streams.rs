//! The streams: one constant for each use of randomness, the last word of the counter. Numbers are part of the
//! run format (a resumed run must draw the same), so they are never reused or changed, only added.

/// Parameters from the prior.
pub const PRIOR: u32 = 1;
/// Data from the simulator.
pub const SIMULATOR: u32 = 2;
/// Base variables of the flow.
pub const BASE: u32 = 3;
/// First values of the weights.
pub const INIT: u32 = 4;
/// Order of stored pairs.
pub const SHUFFLE: u32 = 5;
/// Dropped units.
pub const DROPOUT: u32 = 6;
/// Tests.
pub const TEST: u32 = 7;
/// Split into training and validation pairs.
pub const SPLIT: u32 = 8;
/// Reference points of the TARP diagnostic.
pub const TARP: u32 = 9;
/// Matrices that are constants of a model.
pub const MATRIX: u32 = 32;

/// Relabelled points of a permutation test. (Numbers in between are left for what training and data draw.)
pub const DIAGNOSTIC: u32 = 40;
/// Number of items of a batch's data sets.
pub const SIZE: u32 = 10;
/// Dropped units of items.
pub const ITEM_DROPOUT: u32 = 11;
/// Data sets of a resident pool, and which of their items are taken.
pub const POOL: u32 = 12;

/// All streams with their names.
pub const ALL: &[(&str, u32)] = &[
    ("prior", PRIOR),
    ("simulator", SIMULATOR),
    ("base", BASE),
    ("init", INIT),
    ("shuffle", SHUFFLE),
    ("dropout", DROPOUT),
    ("test", TEST),
    ("split", SPLIT),
    ("tarp", TARP),
    ("diagnostic", DIAGNOSTIC),
    ("matrix", MATRIX),
    ("size", SIZE),
    ("item_dropout", ITEM_DROPOUT),
    ("pool", POOL),
];

#[cfg(test)]
mod tests {
    #[test]
    fn streams_are_distinct() {
        for (i, a) in super::ALL.iter().enumerate() {
            for b in &super::ALL[..i] {
                assert!(a.1 != b.1 && a.0 != b.0, "streams `{}` and `{}` collide", a.0, b.0);
            }
        }
    }
}
