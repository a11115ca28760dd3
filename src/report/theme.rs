//! Colours of the figures in the dark. Figures are drawn for a white page; a page that follows the reader's scheme
//! overrides their colours by attribute, which needs no second drawing.
use super::svg::{BLUE, FAINT, GREY, INK, PALE, VERMILION};

/// Every colour that a figure uses, and what it becomes in the dark.
pub const DARK: [(&str, &str); 17] = [
    ("#fff", "#16191d"),
    (INK, "#e4e7ea"),
    (FAINT, "#a3abb3"),
    (GREY, "#7d858d"),
    (BLUE, "#56b1ec"),
    (VERMILION, "#ff8c4a"),
    (PALE, "#1d435c"),
    ("#ECEEF0", "#282d33"),
    ("#E3E6E9", "#30363d"),
    ("#D5D8DB", "#3a4148"),
    ("#DADDE0", "#454c54"),
    ("#4A5056", "#98a0a8"),
    ("#B5D3E7", "#2a5571"),
    // Shades of a cloud, outer to inner: the inner one stands out in the light by its darkness, here by its light.
    ("#A9CCE3", "#274b66"),
    ("#6FAED6", "#3679a8"),
    ("#2E86C1", "#62b4ea"),
    ("#0B4F82", "#c4e5ff"),
];

/// Style rules for figures in the dark.
pub fn dark_rules() -> String {
    DARK.iter()
        .map(|(light, dark)| {
            format!("svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colours that an SVG text names.
    fn colours(text: &str) -> Vec<&str> {
        let quoted = ["fill=\"", "stroke=\""].into_iter().flat_map(|key| text.split(key).skip(1));
        quoted.filter_map(|rest| rest.split('"').next()).filter(|c| c.starts_with('#')).collect()
    }

    #[test]
    fn every_colour_in_the_sources_of_the_figures_has_its_dark_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !path.is_file() || ["theme.rs", "page.rs"].contains(&name.as_str()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for part in text.split("\"#").skip(1) {
                let colour = format!("#{}", part.split(['"', '\\']).next().unwrap_or(""));
                let hex = colour[1..].chars().all(|c| c.is_ascii_hexdigit());
                if hex && [4, 7].contains(&colour.len()) {
                    assert!(DARK.iter().any(|(light, _)| *light == colour), "{name}: {colour}");
                }
            }
        }
        let svg = crate::report::panels::coverage("a", &[0.5; 100], 9);
        assert!(colours(&svg).len() > 5);
        assert!(colours(&svg).iter().all(|c| DARK.iter().any(|(light, _)| light == c)));
    }
}
