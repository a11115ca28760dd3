//! Posterior draws of many data sets beside the parameters that made them.
use crate::error::{Error, Result};

/// Truths `(sets, dim)` and posterior draws `(sets, draws, dim)`, row-major, all finite.
///
/// Built once per check, so that every diagnostic may index without looking again.
#[derive(Clone, Copy, Debug)]
pub struct DrawSets<'a> {
    truths: &'a [f32],
    draws: &'a [f32],
    sets: usize,
    n_draws: usize,
    dim: usize,
    first: usize,
}

impl<'a> DrawSets<'a> {
    /// Checks shapes and values; a wrong length, an empty dimension, NaN or infinity is an error that says where.
    pub fn new(truths: &'a [f32], draws: &'a [f32], n_draws: usize, dim: usize) -> Result<Self> {
        if dim == 0 || n_draws == 0 || truths.is_empty() {
            return Err(Error::input(
                "posterior draws",
                "at least one data set, one draw and one parameter",
                format!("{} truths, {n_draws} draws per set, {dim} parameters", truths.len()),
                "Pass truths (sets, D) and draws (sets, draws, D)",
            ));
        }
        let sets = truths.len() / dim;
        if sets * dim != truths.len() {
            return Err(Error::input(
                "truths",
                format!("a multiple of {dim} values, one row of {dim} parameters for each data set"),
                format!("{} values", truths.len()),
                "Pass truths as (sets, D), row-major",
            ));
        }
        if sets.checked_mul(n_draws).and_then(|n| n.checked_mul(dim)) != Some(draws.len()) {
            return Err(Error::input(
                "posterior draws",
                format!("{sets} sets x {n_draws} draws x {dim} parameters"),
                format!("{} values", draws.len()),
                "Pass draws as (sets, draws, D), row-major",
            ));
        }
        if let Some(at) = truths.iter().position(|v| !v.is_finite()) {
            return Err(not_finite(
                "truths",
                truths[at],
                format!("data set {}, parameter {}", at / dim, at % dim),
            ));
        }
        if let Some(at) = draws.iter().position(|v| !v.is_finite()) {
            let (row, parameter) = (at / dim, at % dim);
            let place = format!("data set {}, draw {}, parameter {parameter}", row / n_draws, row % n_draws);
            return Err(not_finite("posterior draws", draws[at], place));
        }
        Ok(Self { truths, draws, sets, n_draws, dim, first: 0 })
    }

    /// The same sets, the first of which is number `first` of a longer list: what is drawn at random for a set (ties,
    /// reference points) goes by that number, so a list judged in blocks gets the same answers as in one piece.
    pub fn numbered_from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// Number of the first set in the whole list.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Number of data sets.
    pub fn sets(&self) -> usize {
        self.sets
    }

    /// Draws per data set.
    pub fn n_draws(&self) -> usize {
        self.n_draws
    }

    /// Number of parameters.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The parameters that made data set `set`, `(dim)`.
    pub fn truth(&self, set: usize) -> &'a [f32] {
        &self.truths[set * self.dim..][..self.dim]
    }

    /// The draws of data set `set`, `(draws, dim)`.
    pub fn draws(&self, set: usize) -> &'a [f32] {
        let size = self.n_draws * self.dim;
        &self.draws[set * size..][..size]
    }

    /// All draws, `(sets, draws, dim)`.
    pub fn all_draws(&self) -> &'a [f32] {
        self.draws
    }

    /// All truths of one parameter, `(sets)`.
    pub fn truths_of(&self, parameter: usize) -> Vec<f64> {
        self.truths.iter().skip(parameter).step_by(self.dim).map(|&v| f64::from(v)).collect()
    }

    /// Draws of one parameter for one data set, in their order.
    pub fn column(&self, set: usize, parameter: usize) -> impl Iterator<Item = f32> + 'a {
        self.draws(set).iter().skip(parameter).step_by(self.dim).copied()
    }

    /// The same draws in ascending order.
    pub fn sorted_column(&self, set: usize, parameter: usize) -> Vec<f32> {
        let mut column: Vec<f32> = self.column(set, parameter).collect();
        column.sort_unstable_by(f32::total_cmp);
        column
    }
}

fn not_finite(what: &str, value: f32, place: String) -> Error {
    let hint = "Remove the data set, or look for overflow in the simulator or the flow";
    Error::input(what, "finite values", format!("{value} at {place}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_sets_draws_and_parameters() {
        let draws: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let sets = DrawSets::new(&[0.0, 1.0, 2.0, 3.0], &draws, 3, 2).unwrap();
        assert_eq!((sets.sets(), sets.n_draws(), sets.dim()), (2, 3, 2));
        assert_eq!(sets.truth(1), [2.0, 3.0]);
        assert_eq!(sets.truths_of(1), [1.0, 3.0]);
        assert_eq!(sets.column(1, 1).collect::<Vec<_>>(), [7.0, 9.0, 11.0]);
    }

    #[test]
    fn wrong_shapes_and_values_are_errors_that_say_where() {
        assert!(DrawSets::new(&[], &[], 1, 1).is_err());
        assert!(DrawSets::new(&[1.0], &[1.0], 1, 0).is_err());
        assert!(DrawSets::new(&[1.0, 2.0, 3.0], &[0.0; 4], 2, 2).is_err());
        assert!(DrawSets::new(&[1.0, 2.0], &[0.0; 5], 2, 2).is_err());
        assert!(DrawSets::new(&[1.0], &[0.0], usize::MAX, 2).is_err());
        let message = DrawSets::new(&[1.0; 4], &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, f32::NAN], 2, 2)
            .unwrap_err()
            .to_string();
        assert!(message.contains("data set 1, draw 1, parameter 1"), "{message}");
        assert!(DrawSets::new(&[f32::INFINITY], &[0.0], 1, 1).is_err());
    }
}
