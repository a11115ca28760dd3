//! Colours of the figures (Okabe and Ito 2008), and what they become in the dark. Figures are drawn for a white page; a page that
//! follows the reader's scheme overrides their colours by attribute, which needs no second drawing.
use plotters::style::RGBColor;

const fn rgb(hex: u32) -> RGBColor {
    RGBColor((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Posterior, estimates, curves.
pub const BLUE: RGBColor = rgb(0x0072B2);
/// Truth, and what is outside a band.
pub const VERMILION: RGBColor = rgb(0xD55E00);
/// Prior.
pub const GREY: RGBColor = rgb(0x9AA0A6);
/// Light blue for areas under blue lines.
pub const PALE: RGBColor = rgb(0xCFE3F1);
/// Text.
pub const INK: RGBColor = rgb(0x333333);
/// Secondary text and axes.
pub const FAINT: RGBColor = rgb(0x6B7177);
/// Where right curves and bars stay.
pub const BAND: RGBColor = rgb(0xE3E6E9);
/// Edges of bands, and where curves should be.
pub const RULE: RGBColor = rgb(0x4A5056);
/// Grids, and axes without ticks.
pub const GRID: RGBColor = rgb(0xE0E3E6);
/// Draws of the prior.
pub const PRIOR_DOT: RGBColor = rgb(0xDADDE0);
/// Intervals behind estimates.
pub const INTERVAL: RGBColor = rgb(0xB5D3E7);
/// Draws outside the 95 % region, in it, in the 80 % and in the 50 % region. In the light the inner one stands out by its
/// darkness, in the dark by its light.
pub const SHADES: [RGBColor; 4] = [rgb(0xA9CCE3), rgb(0x6FAED6), rgb(0x2E86C1), rgb(0x0B4F82)];

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
