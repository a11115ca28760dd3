//! The figures of a report, in one place.
pub use super::loss_plot::loss_plot;
pub use super::pair_plot::pair_plot;
pub use super::rank_plot::rank_histograms;
pub use super::recovery_plot::{Estimates, recovery_plot};
pub use super::size_plot::{SizeCurve, size_plot};
