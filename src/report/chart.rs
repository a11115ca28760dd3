//! Charts in the look of the reports: plotters lays out and draws, here are its sizes, fonts and colours.
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::svg::{Area, Drawn, Svg, fit, px, text_width};
use super::theme::{FAINT, GRID, INK};

/// Font size of headings, in pixels.
pub const TITLE: f64 = 13.0;
/// Of axes' names and legends.
pub const LABEL: f64 = 11.5;
/// Of ticks and notes.
pub const TICK: f64 = 10.0;
/// Length of a tick's mark, in pixels.
pub const TICK_MARK: f64 = 4.0;
/// Where headings and notes begin, in pixels from the left.
pub const MARGIN: f64 = 10.0;
/// Between an axis' name and the edge of the figure, in pixels.
pub const EDGE: f64 = 5.0;
/// Room for an axis below a chart: ticks, labels, name and edge, in pixels.
pub const BOTTOM: f64 = 2.0 * TICK_MARK + TICK + 5.0 + LABEL + EDGE;
/// Size of a panel in pixels: two beside each other on a large screen, one on a phone.
pub const WIDTH: f64 = 350.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 260.0;

/// A chart with linear axes.
pub type Chart = ChartContext<'static, Svg, Cartesian2d<Axis, Axis>>;

/// A chart's axes and the room around them, in pixels.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The axis to the right.
    pub x: Axis,
    /// The axis up.
    pub y: Axis,
    /// Their names, shown where there are ticks.
    pub names: [&'a str; 2],
    /// Whether they have ticks and labels.
    pub ticks: [bool; 2],
    /// Whether lines run across the chart.
    pub grid: bool,
    /// Room above.
    pub top: f64,
    /// Room at the right.
    pub right: f64,
    /// Room below, for the axis; see [`BOTTOM`].
    pub bottom: f64,
    /// Room at the left, for the axis; none without.
    pub left: f64,
}

impl<'a> Frame<'a> {
    /// Both axes with ticks, room for a heading.
    pub fn new(x: Axis, y: Axis, names: [&'a str; 2]) -> Self {
        let left = y.room(HEIGHT);
        Self { x, y, names, ticks: [true; 2], grid: false, top: 26.0, right: 14.0, bottom: BOTTOM, left }
    }

    /// Draws the axes in the area; the chart is ready for its series.
    pub fn open(&self, area: &Area) -> Drawn<Chart> {
        let edge = self.ticks.map(|ticks| if ticks { EDGE } else { 0.0 });
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(self.top))
            .margin_right(px(self.right))
            .margin_bottom(px(edge[0]))
            .margin_left(px(edge[1]))
            .x_label_area_size(px(self.bottom - edge[0]))
            .y_label_area_size(px(self.left - edge[1]))
            .build_cartesian_2d(self.x, self.y)?;
        let (wide, high) = chart.plotting_area().dim_in_pixel();
        let (wide, high) = (f64::from(wide) / 10.0, f64::from(high) / 10.0);
        let x = self.x;
        // A label must not leave the figure, nor run into that of the panel beside it.
        let slack = self.right.max(2.0);
        let label = |v: &f64| {
            let (at, text) = (wide * x.share(*v), x.label(*v));
            let half = text_width(&text, TICK) / 2.0;
            let fits = at - half > -slack.max(self.left - 20.0) && at + half < wide + slack;
            if fits { text } else { String::new() }
        };
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh().max_light_lines(0).bold_line_style(GRID.stroke_width(10));
        if !self.grid {
            mesh.disable_y_mesh();
        }
        let axis = if self.ticks.contains(&true) { FAINT } else { GRID };
        mesh.axis_style(axis.stroke_width(10))
            .x_labels(if self.ticks[0] { x.most_along(wide) } else { 0 })
            .y_labels(if self.ticks[1] { Axis::most_up(high) } else { 0 })
            .x_label_formatter(&label)
            .set_all_tick_mark_size(px(TICK_MARK))
            .label_style(font(TICK, FontStyle::Normal, FAINT, HPos::Center))
            .axis_desc_style(font(LABEL, FontStyle::Normal, INK, HPos::Center))
            .x_desc(if self.ticks[0] { fit(self.names[0], LABEL, wide) } else { String::new() })
            .y_desc(if self.ticks[1] { fit(self.names[1], LABEL, high) } else { String::new() })
            .draw()?;
        Ok(chart)
    }

    /// The same below a bold heading and, at the right, a note.
    pub fn headed(&self, area: &Area, heading: &str, note: &str) -> Drawn<Chart> {
        let width = f64::from(area.dim_in_pixel().0) / 10.0;
        let note = note.replace('-', "−").replace("NaN", "?");
        let room = width - MARGIN - self.right - text_width(&note, TICK) - 8.0;
        bold(area, (MARGIN, 13.0), HPos::Left, &fit(heading, 1.1 * TITLE, room))?;
        write(area, (width - self.right, 13.0), HPos::Right, (TICK, FAINT), &note)?;
        self.open(area)
    }
}

fn font(size: f64, style: FontStyle, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    let font = ("sans-serif", 10.0 * size, style).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(anchor, VPos::Center) }
}

/// A line of text with the middle of its height at `at`, pixels from the area's top left corner.
pub fn write(area: &Area, at: (f64, f64), anchor: HPos, look: (f64, RGBColor), text: &str) -> Drawn {
    area.draw_text(text, &font(look.0, FontStyle::Normal, look.1, anchor), (px(at.0), px(at.1)))
}

/// The same in bold, in the size of headings.
pub fn bold(area: &Area, at: (f64, f64), anchor: HPos, text: &str) -> Drawn {
    area.draw_text(text, &font(TITLE, FontStyle::Bold, INK, anchor), (px(at.0), px(at.1)))
}

/// A dot of its colour before each text, the first at `at`; below each other, or in a row. Pixels.
pub fn legend(area: &Area, at: (f64, f64), row: bool, entries: &[(RGBColor, &str)]) -> Drawn {
    let (mut x, mut y) = at;
    for (colour, text) in entries {
        area.draw(&Circle::new((px(x), px(y)), px(4.5), colour.filled()))?;
        write(area, (x + 10.0, y), HPos::Left, (LABEL, INK), text)?;
        (x, y) = if row { (x + 28.0 + text_width(text, LABEL), y) } else { (x, y + 17.0) };
    }
    Ok(())
}

/// A dashed line between two points; `width` in tenths of a pixel.
pub fn dashed(chart: &mut Chart, ends: [(f64, f64); 2], colour: RGBColor, width: u32) -> Drawn {
    chart.draw_series(DashedLineSeries::new(ends, 40, 30, colour.stroke_width(width))).map(drop)
}

/// The area between the points of a line and those of another, which has as many; each `(x, lower, upper)`.
pub fn band(chart: &mut Chart, points: &[(f64, f64, f64)], colour: RGBColor) -> Drawn {
    let upper = points.iter().map(|p| (p.0, p.2));
    let outline: Vec<_> = upper.chain(points.iter().rev().map(|p| (p.0, p.1))).collect();
    if outline.is_empty() { Ok(()) } else { chart.draw_series([Polygon::new(outline, colour)]).map(drop) }
}

/// A dot of `radius` tenths of a pixel at each point.
pub fn dots(
    chart: &mut Chart,
    points: impl IntoIterator<Item = (f64, f64)>,
    colour: RGBColor,
    radius: i32,
) -> Drawn {
    chart.draw_series(points.into_iter().map(|p| Circle::new(p, radius, colour.filled()))).map(drop)
}

/// The outline of a histogram: heights over the equal parts of an axis, from 0 at its beginning to 0 at its end.
pub fn outline(axis: Axis, heights: &[f64]) -> Vec<(f64, f64)> {
    let edge = |b: usize| axis.lo + (axis.hi - axis.lo) * b as f64 / heights.len() as f64;
    let steps = heights.iter().enumerate().flat_map(|(b, h)| [(edge(b), *h), (edge(b + 1), *h)]);
    let ends = if heights.is_empty() { [None; 2] } else { [axis.lo, axis.hi].map(|v| Some((v, 0.0))) };
    ends[0].into_iter().chain(steps).chain(ends[1]).collect()
}

/// A figure with nothing but a sentence.
pub fn empty(title: &str, sentence: &str) -> String {
    super::svg::figure(320.0, 60.0, title, |area| {
        write(area, (20.0, 30.0), HPos::Left, (TITLE, FAINT), sentence)
    })
}
