//! Figures as self-contained SVG text: no fonts, no scripts, white ground, colours of Okabe and Ito 2008.
pub mod axis;
pub mod density;
pub mod loss_plot;
pub mod pair_plot;
pub mod plot;
pub mod rank_plot;
pub mod recovery_plot;
pub mod svg;
