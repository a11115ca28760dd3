//! Figures as self-contained SVG text (no fonts, no scripts, white ground, colours of Okabe and Ito 2008), and reports
//! made of them.
pub mod axis;
pub mod bitmap;
pub mod chart;
pub mod check_page;
pub mod density;
#[cfg(test)]
mod drawn;
pub mod loss_plot;
pub mod page;
pub mod pair_plot;
pub mod panels;
pub mod rank_plot;
pub mod recovery_plot;
pub mod run_facts;
pub mod sample_page;
pub mod size_plot;
pub mod svg;
pub mod theme;
