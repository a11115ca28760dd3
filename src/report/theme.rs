//! Colours of the figures (Okabe and Ito 2008), and what they become in the dark. Figures are drawn for a white page; a page that
//! follows the reader's scheme overrides their colours by attribute, which needs no second drawing.
use plotters::style::RGBColor;

/// Posterior, estimates, curves.
pub const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// Truth, and what is outside a band.
pub const VERMILION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// Prior.
pub const GREY: RGBColor = RGBColor(0x9A, 0xA0, 0xA6);
/// Light blue for areas under blue lines.
pub const PALE: RGBColor = RGBColor(0xCF, 0xE3, 0xF1);
/// Text.
pub const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// Secondary text and axes.
pub const FAINT: RGBColor = RGBColor(0x6B, 0x71, 0x77);
/// Where right curves and bars stay.
pub const BAND: RGBColor = RGBColor(0xE3, 0xE6, 0xE9);
/// Edges of bands, and where curves should be.
pub const RULE: RGBColor = RGBColor(0x4A, 0x50, 0x56);
/// Grids, and axes without ticks.
pub const GRID: RGBColor = RGBColor(0xE0, 0xE3, 0xE6);
/// Draws of the prior.
pub const PRIOR_DOT: RGBColor = RGBColor(0xDA, 0xDD, 0xE0);
/// Intervals behind estimates.
pub const INTERVAL: RGBColor = RGBColor(0xB5, 0xD3, 0xE7);
/// Draws outside the 95 % region, in it, in the 80 % and in the 50 % region. In the light the inner one stands out by its
/// darkness, in the dark by its light.
pub const SHADES: [RGBColor; 4] = [
    RGBColor(0xA9, 0xCC, 0xE3),
    RGBColor(0x6F, 0xAE, 0xD6),
    RGBColor(0x2E, 0x86, 0xC1),
    RGBColor(0x0B, 0x4F, 0x82),
];

/// Every colour that a figure uses, and what it becomes in the dark.
pub const DARK: [(RGBColor, &str); 16] = [
    (plotters::style::WHITE, "#16191d"),
    (INK, "#e4e7ea"),
    (FAINT, "#a3abb3"),
    (GREY, "#7d858d"),
    (BLUE, "#56b1ec"),
    (VERMILION, "#ff8c4a"),
    (PALE, "#1d435c"),
    (BAND, "#30363d"),
    (GRID, "#2f353b"),
    (PRIOR_DOT, "#454c54"),
    (RULE, "#98a0a8"),
    (INTERVAL, "#2a5571"),
    (SHADES[0], "#274b66"),
    (SHADES[1], "#3679a8"),
    (SHADES[2], "#62b4ea"),
    (SHADES[3], "#c4e5ff"),
];

/// Style rules for figures in the dark.
pub fn dark_rules() -> String {
    DARK.iter()
        .map(|(RGBColor(r, g, b), dark)| {
            let light = format!("#{r:02X}{g:02X}{b:02X}");
            format!("svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}\n")
        })
        .collect()
}
