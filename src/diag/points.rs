//! Checks of point sets handed to two-sample statistics.
use crate::error::{Error, Result};

/// Number of rows of `values` `(n, dim)`, which must be finite and at least `at_least`.
pub(super) fn count_points(what: &str, values: &[f32], dim: usize, at_least: usize) -> Result<usize> {
    if dim == 0 || !values.len().is_multiple_of(dim) || values.len() / dim < at_least {
        return Err(Error::input(
            what,
            format!("at least {at_least} points of {dim} values"),
            format!("{} values", values.len()),
            "Pass points as (n, D), row-major",
        ));
    }
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::input(
            what,
            "finite values",
            format!("{} at point {}, coordinate {}", values[at], at / dim, at % dim),
            "Remove the point, or look for overflow where it was made",
        ));
    }
    Ok(values.len() / dim)
}
