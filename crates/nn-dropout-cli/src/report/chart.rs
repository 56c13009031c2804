//! Charts as SVG.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;

/// Dark enough on white and light enough on black: the same curves serve both.
pub const TRAIN: RGBColor = RGBColor(214, 112, 32);
pub const VALIDATION: RGBColor = RGBColor(46, 134, 222);

/// What is left aside.
pub const OTHERS: RGBColor = RGBColor(136, 136, 136);

/// A chart with lines.
pub struct Chart<'a> {
    pub x: &'a str,
    pub y: &'a str,
    pub lines: Vec<Line>,
    /// A place on the x axis to mark.
    pub mark: Option<f64>,
    /// Values that the y axis has to include besides the lines.
    pub include: Vec<f64>,
}

/// Points, joined by default. Those that are not a number are left out.
pub struct Line {
    pub color: RGBColor,
    pub points: Vec<Point>,
    pub joined: bool,
}

#[derive(Clone, Copy)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// The length of a bar above and below.
    pub error: Option<f64>,
}

impl Line {
    pub fn new(color: RGBColor, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().map(|(x, y)| Point { x, y, error: None }).collect();
        Self { color, points, joined: true }
    }
}

impl Chart<'_> {
    /// Draws it once for wide and once for narrow screens, since letters do not grow with the screen.
    pub fn draw(&self) -> Result<Markup> {
        Ok(html! {
            figure aria-label=(format!("{} over {}", self.y, self.x)) role="img" {
                div.wide { (self.svg((720, 300))?) }
                div.narrow { (self.svg((360, 260))?) }
            }
        })
    }

    fn svg(&self, size: (u32, u32)) -> Result<Markup> {
        let points = || self.lines.iter().flat_map(|line| &line.points).filter(|point| point.y.is_finite());
        let ends = points().flat_map(|point| [-1.0, 1.0].map(|sign| point.y + sign * point.error.unwrap_or(0.0)));
        let (low, high) = range(ends.chain(self.include.iter().copied().filter(|y| y.is_finite())));
        let margin = (0.05 * (high - low)).max(1e-3);
        let (first, last) = range(points().map(|point| point.x));
        let last = if first < last { last } else { first + 1.0 };
        // Room for the outermost bars.
        let aside = if points().any(|point| point.error.is_some()) { 0.02 * (last - first) } else { 0.0 };

        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            let grey = OTHERS;
            let text = ("sans-serif", 13).into_font().color(&grey);
            let mut chart = ChartBuilder::on(&root)
                .margin(8)
                .margin_right(24)
                .x_label_area_size(36)
                .y_label_area_size(56)
                .build_cartesian_2d(first - aside..last + aside, low - margin..high + margin)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .axis_style(grey)
                .bold_line_style(grey.mix(0.25))
                .light_line_style(TRANSPARENT)
                .label_style(text)
                .x_labels(size.0 as usize / 70)
                .y_labels(6)
                .x_label_formatter(&|x| short(*x))
                .y_label_formatter(&|y| short(*y))
                .x_desc(self.x)
                .y_desc(self.y)
                .draw()?;
            if let Some(x) = self.mark {
                chart.draw_series(LineSeries::new([(x, low - margin), (x, high + margin)], grey.stroke_width(1)))?;
            }
            for line in &self.lines {
                let points = || line.points.iter().filter(|point| point.y.is_finite());
                let ends = || points().map(|point| (point.x, point.y));
                if line.joined {
                    chart.draw_series(LineSeries::new(ends(), line.color.stroke_width(2)))?;
                } else {
                    chart.draw_series(ends().map(|end| Circle::new(end, 4, line.color.filled())))?;
                }
                chart.draw_series(points().filter_map(|&Point { x, y, error }| {
                    let error = error?;
                    Some(ErrorBar::new_vertical(x, y - error, y, y + error, line.color.stroke_width(2).filled(), 8))
                }))?;
            }
            root.present()?;
        }
        Ok(PreEscaped(svg))
    }
}

/// The lowest and the highest of some numbers; 0 and 1 if there are none.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// A label without the last digits, which are rounding errors.
fn short(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A chart of one metric over epochs or steps on both parts: `(epoch, value)` each.
pub fn curves(time: &str, metric: &str, train: &[(usize, f64)], validation: &[(usize, f64)]) -> Result<Markup> {
    let line = |color, points: &[(usize, f64)]| Line::new(color, points.iter().map(|&(x, y)| (x as f64, y)));
    let lines = vec![line(TRAIN, train), line(VALIDATION, validation)];
    Chart { x: time, y: metric, lines, mark: None, include: Vec::new() }.draw()
}
