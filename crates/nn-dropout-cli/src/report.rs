//! What the reports have in common: self-contained pages, with curves.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::prelude::*;

/// Dark enough on white, light enough on black: the curves are drawn once for both.
const TRAIN: RGBColor = RGBColor(214, 112, 32);
const VALIDATION: RGBColor = RGBColor(46, 134, 222);

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
.lead { font-size: 1.1rem; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.15rem 1.5rem 0.15rem 0; text-align: left; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 4px; }
.train { color: rgb(214, 112, 32); }
.validation { color: rgb(46, 134, 222); }
";

/// A page that needs nothing else.
pub fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    };
    page.into_string()
}

/// The training and the validation curve of one metric over epochs or steps, as SVG: `(epoch, value)` each.
pub fn curves(time: &str, metric: &str, train: &[(usize, f64)], validation: &[(usize, f64)]) -> Result<Markup> {
    let points = || train.iter().chain(validation).filter(|(_, value)| value.is_finite());
    let values = || points().map(|&(_, value)| value);
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = (0.05 * (high - low)).max(1e-3);
    let first = points().map(|point| point.0).min().unwrap_or(0);
    let last = points().map(|point| point.0).max().unwrap_or(0).max(first + 1);

    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (720, 300)).into_drawing_area();
        let grey = RGBColor(136, 136, 136);
        let text = ("sans-serif", 13).into_font().color(&grey);
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(first..last, low - margin..high + margin)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .axis_style(grey)
            .bold_line_style(grey.mix(0.25))
            .light_line_style(TRANSPARENT)
            .label_style(text)
            .x_desc(time)
            .y_desc(metric)
            .draw()?;
        let finite =
            |points: &[(usize, f64)]| points.iter().filter(|(_, v)| v.is_finite()).copied().collect::<Vec<_>>();
        chart.draw_series(LineSeries::new(finite(train), TRAIN.stroke_width(2)))?;
        chart.draw_series(LineSeries::new(finite(validation), VALIDATION.stroke_width(2)))?;
        root.present()?;
    }
    Ok(PreEscaped(svg))
}
