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
    ("matrix", MATRIX),
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
