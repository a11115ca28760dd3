//! A report: one HTML file without scripts, fonts, links or requests, for phones and large screens, light and dark.
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::svg::escape;
use super::theme::dark_rules;
use crate::data::atomic::write_atomic;
use crate::error::{Error, Result};

/// How the answer is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Green.
    Good,
    /// Amber.
    Caution,
    /// Red.
    Bad,
    /// Grey: nothing has been judged.
    Neutral,
}

/// A picture with a name that serves as a file name.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Letters, digits and dashes.
    pub name: String,
    /// SVG text.
    pub svg: String,
}

impl Figure {
    /// A figure; what does not belong into a file name becomes a dash.
    pub fn new(name: &str, svg: String) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        Self { name: name.chars().map(plain).collect(), svg }
    }
}

/// One kind of picture: how to read it and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// One sentence on how to read it.
    pub read: String,
    /// One sentence on what to do if it looks bad.
    pub remedy: String,
    /// The pictures.
    pub figures: Vec<Figure>,
}

impl Section {
    /// A section; one without figures is left out of the page.
    pub fn new(heading: &str, read: &str, remedy: &str, figures: Vec<Figure>) -> Self {
        Self { heading: heading.into(), read: read.into(), remedy: remedy.into(), figures }
    }
}

/// Text for HTML, with what stands between backticks as code.
fn prose(text: &str) -> String {
    let text = escape(text);
    let mut html = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, code, after)) =
        rest.split_once('`').and_then(|(b, r)| r.split_once('`').map(|(c, a)| (b, c, a)))
    {
        let _ = write!(html, "{before}<code>{code}</code>");
        rest = after;
    }
    html + rest
}

/// A table: header, then rows.
pub type Rows = Vec<Vec<String>>;

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// Its colour.
    pub tone: Tone,
    /// The verdict in a few words.
    pub verdict: String,
    /// Sentences below it.
    pub findings: Vec<String>,
    /// Tables with a caption each, before the pictures.
    pub tables: Vec<(String, Rows)>,
    /// The pictures.
    pub sections: Vec<Section>,
    /// Name and value: sizes, times, device, seeds.
    pub facts: Vec<(String, String)>,
    /// The model file.
    pub model: String,
}

const STYLE: &str = include_str!("page.css");

impl Page {
    /// The file's text.
    pub fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<style>\n{STYLE}@media (prefers-color-scheme:dark){{\n{}}}\n</style></head>\n<body><main>\n",
            escape(&self.title),
            dark_rules()
        );
        let tone = match self.tone {
            Tone::Good => "good",
            Tone::Caution => "caution",
            Tone::Bad => "bad",
            Tone::Neutral => "neutral",
        };
        let _ = writeln!(html, "<h1>{}</h1>", escape(&self.title));
        let _ = writeln!(html, "<div class=\"verdict {tone}\"><p><b>{}</b></p>", prose(&self.verdict));
        if !self.findings.is_empty() {
            html.push_str("<ul>");
            self.findings.iter().for_each(|f| html.push_str(&format!("<li>{}</li>\n", prose(f))));
            html.push_str("</ul>");
        }
        html.push_str("</div>\n");
        self.tables.iter().for_each(|(caption, rows)| table(&mut html, caption, rows));
        for section in self.sections.iter().filter(|s| !s.figures.is_empty()) {
            let _ = writeln!(
                html,
                "<section><h2>{}</h2>\n<p>{} <span class=\"remedy\">{}</span></p>\n<div class=\"figures\">",
                escape(&section.heading),
                prose(&section.read),
                prose(&section.remedy)
            );
            for figure in &section.figures {
                let width = width(&figure.svg);
                // Wide figures scroll on a phone rather than shrink until nobody can read them.
                let least = (0.68 * width).min(width);
                let _ = writeln!(
                    html,
                    "<figure style=\"flex:0 1 {width}px\"><div style=\"min-width:{least:.0}px\">{}</div></figure>",
                    figure.svg.trim_end()
                );
            }
            html.push_str("</div></section>\n");
        }
        html.push_str("<section><h2>Run</h2>\n<dl>");
        for (name, value) in &self.facts {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
        }
        let _ = writeln!(
            html,
            "</dl>\n<details><summary>Model file</summary><pre>{}</pre></details></section>\n</main></body></html>",
            lines(&self.model)
        );
        html
    }

    /// Writes the page.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomic(path, |file| file.write_all(self.html().as_bytes()))
    }

    /// Writes every picture to a folder, as svg and as png of twice its size.
    pub fn write_figures(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
        for figure in self.sections.iter().flat_map(|s| &s.figures) {
            let path = folder.join(format!("{}.svg", figure.name));
            write_atomic(&path, |file| file.write_all(figure.svg.as_bytes()))?;
            let png = super::bitmap::png(&figure.svg, 2.0)?;
            write_atomic(&path.with_extension("png"), |file| file.write_all(&png))?;
        }
        Ok(())
    }
}

/// Escaped text that keeps its line breaks.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn table(html: &mut String, caption: &str, rows: &Rows) {
    let _ = writeln!(html, "<p class=\"caption\">{}</p><div class=\"scroll\"><table>", prose(caption));
    for (i, row) in rows.iter().enumerate() {
        let tag = if i == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        row.iter().for_each(|cell| {
            let class = if cell == "FAIL" { " class=\"bad\"" } else { "" };
            let _ = write!(html, "<{tag}{class}>{}</{tag}>", escape(cell));
        });
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

/// The width that a figure says it has.
fn width(svg: &str) -> f64 {
    let text = svg.split("width=\"").nth(1).and_then(|rest| rest.split('"').next());
    text.and_then(|w| w.parse().ok()).unwrap_or(350.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let svg = super::super::panels::coverage("a", &[0.5; 100], 9);
        Page {
            title: "Check of <mine>".into(),
            tone: Tone::Bad,
            verdict: "Do not trust it & co".into(),
            findings: vec!["posterior of a<b is 2 x too narrow".into()],
            tables: vec![("Parameters".into(), vec![vec!["name".into()], vec!["FAIL".into()]])],
            sections: vec![
                Section::new("Coverage", "Read.", "Do.", vec![Figure::new("coverage a/b", svg)]),
                Section::new("Empty", "", "", vec![]),
            ],
            facts: vec![("device".into(), "cpu".into())],
            model: "[flow]\nname = \"<x>\"".into(),
        }
    }

    #[test]
    fn backticks_are_code() {
        assert_eq!(prose("a `b<c` d `e`"), "a <code>b&lt;c</code> d <code>e</code>");
        assert_eq!(prose("one ` alone"), "one ` alone");
        assert_eq!(prose("`x` and ` alone"), "<code>x</code> and ` alone");
    }

    #[test]
    fn it_is_one_file_that_asks_for_nothing() {
        let html = page().html();
        // The namespace of SVG is a name and not an address that is fetched.
        let text = html.replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["http", "<script", "<link", "src=", "@import", "url(h", "<mine>", "a<b", "Empty"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
        for wanted in
            ["prefers-color-scheme:dark", "width=device-width", "Do not trust it &amp; co", "<h2>Coverage"]
        {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert!(text.contains("[flow]\nname = &quot;&lt;x&gt;&quot;") && text.contains("class=\"bad\">FAIL"));
    }

    #[test]
    fn figures_are_written_as_svg_and_png() {
        let folder = tempfile::tempdir().unwrap();
        page().write_figures(folder.path()).unwrap();
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        assert!(
            read("coverage-a-b.svg").starts_with(b"<svg") && read("coverage-a-b.png").starts_with(b"\x89PNG")
        );
    }
}
