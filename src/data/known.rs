//! Draws of a known posterior, from npz.
use super::npz::Npz;
use crate::error::{Error, Result};
use std::path::Path;

/// Names under which draws are looked for, in this order.
const NAMES: [&str; 3] = ["reference_posterior", "draws", "samples"];

/// The draws of a file, `(n, D)`, and D.
///
/// # Errors
/// No array of a known name, or not of shape (n, D) or (1, n, D).
pub fn read_draws(path: &Path) -> Result<(Vec<f32>, usize)> {
    let mut file = Npz::open(path)?;
    let keys = file.keys();
    let name = NAMES.iter().find(|n| keys.iter().any(|k| k == *n)).ok_or_else(|| {
        let problem = format!("expected one of the arrays {}, found {}", NAMES.join(", "), keys.join(", "));
        Error::data(path, problem, "Save the draws as `draws`, shape (n, D)")
    })?;
    let array = file.read(name)?;
    match array.shape.as_slice() {
        [n, d] | [1, n, d] if *n > 0 && *d > 0 => Ok((array.values, *d)),
        shape => {
            let problem = format!("expected `{name}` of shape (n, D) or (1, n, D), found {shape:?}");
            Err(Error::data(path, problem, "Save the draws of one observation"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::draws::{Draws, Format};

    #[test]
    fn our_own_draws_are_read_back_and_several_sets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.npz");
        for (sets, good) in [(1, true), (2, false)] {
            let values: Vec<f32> = (0..sets * 6).map(|v| v as f32).collect();
            let draws = Draws::new(vec!["a".into(), "b".into()], sets, 3, values.clone()).unwrap();
            draws.write(&path, Format::Npz).unwrap();
            match read_draws(&path) {
                Ok(found) => assert!(good && found == (values, 2)),
                Err(e) => assert!(!good && e.to_string().contains("[2, 3, 2]"), "{e}"),
            }
        }
    }
}
