//! Where plotters draws: SVG in few bytes.
//!
//! plotters lays out, maps, ticks and orders; this backend only writes down. Not plotters' own SVG backend, because that
//! one spends an element of about 100 bytes on each mark (three pair plots of ten parameters would exceed the 2 MB of a
//! report), counts in whole pixels, so lines cannot be thin nor clouds smooth, and has no title for screen readers. Here
//! a unit is a tenth of a pixel, so every number is a short integer; neighbours of the same style share one path, in which
//! a dot takes 12 bytes; and colours are attributes in capitals, which `theme` overrides in the dark.
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write;
use std::rc::Rc;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingAreaErrorKind, WHITE};
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

/// A figure, or part of one.
pub type Area = DrawingArea<Svg, Shift>;
/// Result of drawing. Text in memory can always be written, so it is never an error.
pub type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<Infallible>>;

/// Pixels in plotters' units, tenths of a pixel. Widths of strokes and radii are written in that unit.
pub fn px(pixels: f64) -> i32 {
    (10.0 * pixels).round() as i32
}

/// Draws on white ground, sizes in pixels, with a title for those who cannot see it; SVG text.
pub fn figure(width: f64, height: f64, title: &str, draw: impl FnOnce(&Area) -> Drawn) -> String {
    let size = (px(width) as u32, px(height) as u32);
    let text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\" \
         font-family=\"sans-serif\" stroke-linejoin=\"round\" role=\"img\"><title>{}</title>\n",
        size.0,
        size.1,
        f64::from(size.0) / 10.0,
        f64::from(size.1) / 10.0,
        escape(title),
    );
    let svg = Rc::new(RefCell::new(Svg { size, text, style: String::new(), path: String::new() }));
    let area = Area::from(&svg);
    area.fill(&WHITE).and_then(|()| draw(&area)).expect("text in memory can be written");
    let mut svg = svg.borrow_mut();
    svg.flush();
    std::mem::take(&mut svg.text) + "</svg>\n"
}

/// The backend: what is drawn so far, and the path that the next mark may join.
pub struct Svg {
    size: (u32, u32),
    text: String,
    style: String,
    path: String,
}

type Written = Result<(), DrawingErrorKind<Infallible>>;

impl Svg {
    /// Marks of one style become one path, as long as nothing else is drawn between them.
    fn add(&mut self, colour: BackendColor, style: String, path: &str) -> Written {
        if colour.alpha > 0.0 {
            if self.style != style {
                self.flush();
                self.style = style;
            }
            self.path.push_str(path);
        }
        Ok(())
    }

    fn flush(&mut self) {
        if !self.path.is_empty() {
            let _ = writeln!(self.text, "<path {} d=\"{}\"/>", self.style, self.path);
            self.path.clear();
        }
    }
}

impl DrawingBackend for Svg {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Written {
        Ok(())
    }

    fn present(&mut self) -> Written {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Written {
        self.add(colour, filled(colour), &format!("M{x} {y}h1v1h-1z"))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Written {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        s: &S,
    ) -> Written {
        self.add(s.color(), stroked(s.color(), s.stroke_width()), &joined(path))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        s: &S,
        fill: bool,
    ) -> Written {
        let style = if fill { filled(s.color()) } else { stroked(s.color(), s.stroke_width()) };
        self.add(s.color(), style, &format!("M{x0} {y0}H{x1}V{y1}H{x0}z"))
    }

    /// A dot, filled or not: a line of no length with round ends.
    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, r: u32, s: &S, _: bool) -> Written {
        let style = format!("{} stroke-linecap=\"round\"", stroked(s.color(), 2 * r));
        self.add(s.color(), style, &format!("M{x} {y}h0"))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        p: I,
        s: &S,
    ) -> Written {
        // A path of its own: polygons that run in opposite directions would cancel where they overlap.
        self.flush();
        self.add(s.color(), filled(s.color()), &format!("{}z", joined(p)))?;
        self.flush();
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Written {
        if text.is_empty() || style.color().alpha <= 0.0 {
            return Ok(());
        }
        self.flush();
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        // Attributes for the height of the baseline are understood differently by different programs.
        let drop = match style.anchor().v_pos {
            VPos::Top => 0.76,
            VPos::Center => 0.35,
            VPos::Bottom => -0.24,
        };
        let (cos, sin) = style.transform().transform(1, 0);
        let angle = if sin == 0 { 90 * (1 - cos) } else { 90 * sin };
        let turn = if angle == 0 { String::new() } else { format!(" transform=\"rotate({angle} {x} {y})\"") };
        let bold = if matches!(style.style(), FontStyle::Bold) { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            self.text,
            "<text x=\"{x}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{bold}{turn}>{}</text>",
            y + (drop * style.size()).round() as i32,
            style.size(),
            hex(style.color()),
            escape(text)
        );
        Ok(())
    }
}

fn hex(colour: BackendColor) -> String {
    let (r, g, b) = colour.rgb;
    format!("#{r:02X}{g:02X}{b:02X}")
}

fn filled(colour: BackendColor) -> String {
    format!("fill=\"{}\"", hex(colour))
}

fn stroked(colour: BackendColor, width: u32) -> String {
    format!("fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"", hex(colour))
}

/// Path data of a polyline.
fn joined(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let _ = write!(path, "{}{x} {y}", if path.is_empty() { 'M' } else { 'L' });
    }
    path
}

/// Markup escaped, characters that XML forbids dropped.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Width of a text whose letters are `size` high, in the unit of `size`: 0.6 of it a letter, as in a wide font, since nobody knows
/// the reader's.
pub fn text_width(text: &str, size: f64) -> f64 {
    0.6 * size * text.chars().count() as f64
}

/// `text` cut to about `width`, see [`text_width`].
pub fn fit(text: &str, size: f64, width: f64) -> String {
    let room = ((width / text_width("x", size)) as usize).max(2);
    if text.chars().count() <= room {
        return text.into();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::prelude::{Circle, Color, PathElement, Polygon, RED, Rectangle, TRANSPARENT};

    #[test]
    fn neighbours_share_a_path_and_order_is_kept() {
        let svg = figure(20.0, 10.0, "t", |area| {
            for at in [(1, 2), (3, 4)] {
                area.draw(&Circle::new(at, 12, RED.filled()))?;
            }
            area.draw(&PathElement::new([(0, 0), (5, -2), (5, 9), (7, 9)], Color::stroke_width(&RED, 7)))?;
            area.draw(&Polygon::new([(0, 0), (5, 0), (5, 5)], RED.to_rgba()))?;
            area.draw(&Rectangle::new([(9, 9), (2, 3)], TRANSPARENT.filled()))?;
            area.draw(&Rectangle::new([(9, 9), (2, 3)], RED.filled()))
        });
        let paths: Vec<&str> = svg.lines().filter(|line| line.starts_with("<path")).collect();
        assert_eq!(
            paths[1..],
            [
                "<path fill=\"none\" stroke=\"#FF0000\" stroke-width=\"24\" stroke-linecap=\"round\" d=\"M1 2h0M3 4h0\"/>",
                // What leaves the figure is held at its edge.
                "<path fill=\"none\" stroke=\"#FF0000\" stroke-width=\"7\" d=\"M0 0L5 0L5 9L7 9\"/>",
                "<path fill=\"#FF0000\" d=\"M0 0L5 0L5 5z\"/>",
                "<path fill=\"#FF0000\" d=\"M2 3H9V9H2z\"/>",
            ]
        );
        assert!(
            svg.contains("viewBox=\"0 0 200 100\" width=\"20\" height=\"10\"") && svg.ends_with("</svg>\n")
        );
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b>&\"'\u{0}\u{ffff}"), "&lt;b&gt;&amp;&quot;&#39;");
        assert!(figure(9.0, 9.0, "a<b", |_| Ok(())).contains("<title>a&lt;b</title>"));
        assert_eq!(fit("abcdef", 10.0, 18.5), "ab…");
        assert_eq!(fit("ab", 10.0, 17.0), "ab");
    }
}
