//! Figures as png: the same SVG text, rasterised by resvg. Letters come from a subset of DejaVu Sans that travels with
//! the program, so a server without fonts gives the same pixels.
use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use crate::error::{Error, Result};

const FONTS: [&[u8]; 2] =
    [include_bytes!("../../assets/DejaVuSans.ttf"), include_bytes!("../../assets/DejaVuSans-Bold.ttf")];
/// Longest side of a picture, in pixels.
const MOST: f32 = 8000.0;

fn fonts() -> Arc<Database> {
    static LOADED: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut database = Database::new();
        FONTS.iter().for_each(|font| database.load_font_data(font.to_vec()));
        database.set_sans_serif_family("DejaVu Sans");
        Arc::new(database)
    };
    LOADED.get_or_init(load).clone()
}

/// Rasterises SVG text at `scale` times its size.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    let fail = |problem: String| {
        Error::input("figure", "an SVG that can be drawn", problem, "Use the svg file, and report this")
    };
    let options = Options { fontdb: fonts(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|e| fail(e.to_string()))?;
    let size = tree.size();
    let scale = scale.min(MOST / size.width().max(size.height()).max(1.0));
    let side = |length: f32| (length * scale).ceil().max(1.0) as u32;
    let mut pixels = Pixmap::new(side(size.width()), side(size.height()))
        .ok_or_else(|| fail(format!("{} x {} pixels", size.width(), size.height())))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::write;
    use crate::report::svg::{Area, Drawn, figure};
    use crate::report::theme::INK;
    use plotters::prelude::{Color, Rectangle};
    use plotters::style::text_anchor::HPos;

    fn dark_pixels(draw: impl FnOnce(&Area) -> Drawn) -> usize {
        let bytes = png(&figure(100.0, 40.0, "t", draw), 2.0).unwrap();
        let pixels = Pixmap::decode_png(&bytes).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (200, 80));
        pixels.pixels().iter().filter(|p| p.red() < 128).count()
    }

    #[test]
    fn marks_and_letters_are_drawn() {
        assert_eq!(dark_pixels(|_| Ok(())), 0);
        let bar = Rectangle::new([(100, 100), (300, 200)], INK.filled());
        assert_eq!(dark_pixels(|area| area.draw(&bar)), 40 * 20);
        for letters in ["abc", "θ − ½"] {
            assert!(dark_pixels(|area| write(area, (10.0, 20.0), HPos::Left, (13.0, INK), letters)) > 50);
        }
        assert!(png("<svg", 1.0).is_err());
    }
}
