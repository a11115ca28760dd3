//! SVG written by hand: a figure has thousands of marks, and one path for all of them costs 9 bytes a mark, a tenth
//! of what an element each would.
use std::fmt::Write;

/// Posterior, estimates, curves.
pub const BLUE: &str = "#0072B2";
/// Truth, and what is outside a band.
pub const VERMILION: &str = "#D55E00";
/// Prior, bands, rules.
pub const GREY: &str = "#9AA0A6";
/// Light blue for areas under blue lines.
pub const PALE: &str = "#CFE3F1";
/// Text.
pub const INK: &str = "#333333";
/// Secondary text and axes.
pub const FAINT: &str = "#6B7177";

/// A figure being written; coordinates in pixels from the top left.
pub struct Svg {
    text: String,
    clips: usize,
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// Begins at the point.
    Start,
    /// Centred on it.
    Middle,
    /// Ends at it.
    End,
}

/// A figure's font size for titles, labels and ticks, in pixels.
pub const TITLE: f64 = 13.0;
/// Axis labels and notes.
pub const LABEL: f64 = 11.5;
/// Tick labels.
pub const TICK: f64 = 10.0;

impl Svg {
    /// An empty white figure with an accessible title.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
             font-family=\"sans-serif\" role=\"img\"><title>{}</title><rect width=\"{w}\" height=\"{h}\" \
             fill=\"#fff\"/>",
            escape(title),
            w = Px(width),
            h = Px(height),
        );
        Self { text, clips: 0 }
    }

    /// The finished figure.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        let _ = writeln!(
            self.text,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"/>",
            Px(x),
            Px(y),
            Px(width.max(0.0)),
            Px(height.max(0.0))
        );
    }

    /// A straight line; `dash` is e.g. `"4 3"`, or empty.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64, dash: &str) {
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let _ = writeln!(
            self.text,
            "<path d=\"M{} {}L{} {}\" stroke=\"{stroke}\" stroke-width=\"{}\" fill=\"none\"{dash}/>",
            Px(from.0),
            Px(from.1),
            Px(to.0),
            Px(to.1),
            Px(width)
        );
    }

    /// A polyline, stroked.
    pub fn polyline(&mut self, points: impl IntoIterator<Item = (f64, f64)>, stroke: &str, width: f64) {
        let d = path(points);
        if !d.is_empty() {
            let _ = writeln!(
                self.text,
                "<path d=\"{d}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{}\" stroke-linejoin=\"round\"/>",
                Px(width)
            );
        }
    }

    /// A polygon, filled.
    pub fn area(&mut self, points: impl IntoIterator<Item = (f64, f64)>, fill: &str) {
        let d = path(points);
        if !d.is_empty() {
            let _ = writeln!(self.text, "<path d=\"{d}Z\" fill=\"{fill}\"/>");
        }
    }

    /// Round dots of `diameter`, all in one path: lines of no length with round caps.
    pub fn dots(&mut self, points: impl IntoIterator<Item = (f64, f64)>, colour: &str, diameter: f64) {
        let mut d = String::new();
        for (x, y) in points {
            let _ = write!(d, "M{} {}h0", Px(x), Px(y));
        }
        self.strokes(&d, colour, diameter, true);
    }

    /// Vertical bars from `y0` to `y1` at `x`, all in one path.
    pub fn bars(&mut self, bars: impl IntoIterator<Item = (f64, f64, f64)>, colour: &str, width: f64) {
        let mut d = String::new();
        for (x, y0, y1) in bars {
            let _ = write!(d, "M{} {}V{}", Px(x), Px(y0), Px(y1));
        }
        self.strokes(&d, colour, width, false);
    }

    fn strokes(&mut self, d: &str, colour: &str, width: f64, round: bool) {
        if !d.is_empty() {
            let cap = if round { " stroke-linecap=\"round\"" } else { "" };
            let _ = writeln!(
                self.text,
                "<path d=\"{d}\" stroke=\"{colour}\" stroke-width=\"{}\" fill=\"none\"{cap}/>",
                Px(width)
            );
        }
    }

    /// A line of text; markup in it is escaped.
    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, fill: &str, text: &str) {
        self.styled(at, anchor, size, fill, text, "");
    }

    /// A line of text in bold.
    pub fn bold(&mut self, at: (f64, f64), anchor: Anchor, size: f64, fill: &str, text: &str) {
        self.styled(at, anchor, size, fill, text, " font-weight=\"600\"");
    }

    /// A line of text that runs upwards, centred on `at`.
    pub fn vertical(&mut self, at: (f64, f64), size: f64, fill: &str, text: &str) {
        let turn = format!(" transform=\"rotate(-90 {} {})\"", Px(at.0), Px(at.1));
        self.styled(at, Anchor::Middle, size, fill, text, &turn);
    }

    fn styled(&mut self, at: (f64, f64), anchor: Anchor, size: f64, fill: &str, text: &str, more: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = writeln!(
            self.text,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{fill}\"{anchor}{more}>{}</text>",
            Px(at.0),
            Px(at.1),
            Px(size),
            escape(text)
        );
    }

    /// Opens a group in which nothing shows outside the rectangle; close it with [`Svg::unclip`].
    pub fn clip(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.clips += 1;
        // Several figures share one page, and ids are the page's: the place makes them differ, and where two agree
        // they clip to the same rectangle.
        let id = format!("c{}-{}-{}-{}", Px(x), Px(y), Px(width), Px(height)).replace('.', "_");
        let _ = writeln!(
            self.text,
            "<clipPath id=\"{id}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath><g \
             clip-path=\"url(#{id})\">",
            Px(x),
            Px(y),
            Px(width),
            Px(height)
        );
    }

    /// Closes the group of [`Svg::clip`].
    pub fn unclip(&mut self) {
        if self.clips > 0 {
            self.clips -= 1;
            self.text.push_str("</g>\n");
        }
    }
}

/// Path data of a polyline.
fn path(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, Px(x), Px(y));
    }
    d
}

/// A coordinate to a tenth of a pixel, as short as it gets. What is not finite becomes 0 and cannot spoil the file.
struct Px(f64);

impl std::fmt::Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = if self.0.is_finite() { (self.0.clamp(-1e5, 1e5) * 10.0).round() as i64 } else { 0 };
        let sign = if tenths < 0 { "-" } else { "" };
        match (tenths.abs() / 10, tenths.abs() % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
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

/// `text` cut to about `width` pixels at font size `size`; a letter is taken as 0.56 of the size.
pub fn fit(text: &str, size: f64, width: f64) -> String {
    let room = ((width / (0.56 * size)) as usize).max(2);
    if text.chars().count() <= room {
        return text.into();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_always_numbers() {
        for (v, text) in
            [(1.0, "1"), (-0.04, "0"), (-0.26, "-0.3"), (12.35, "12.4"), (f64::NAN, "0"), (1e300, "100000")]
        {
            assert_eq!(Px(v).to_string(), text);
        }
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b>&\"'\u{0}\u{ffff}"), "&lt;b&gt;&amp;&quot;&#39;");
        assert_eq!(fit("abcdef", 10.0, 17.0), "ab…");
        assert_eq!(fit("ab", 10.0, 17.0), "ab");
    }
}
