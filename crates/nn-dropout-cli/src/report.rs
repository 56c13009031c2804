//! `report.html`: one self-contained page that shows a run.

use std::path::Path;

use anyhow::{Context, Result};
use maud::{DOCTYPE, PreEscaped, html};
use plotters::prelude::*;

use crate::data::Split;
use crate::settings::Settings;
use crate::train::Metrics;

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

/// The page for a run that has finished at least one epoch.
pub fn html(settings: &Settings, split: &Split, history: &[Metrics], folder: &Path) -> Result<String> {
    let last = history.last().context("a report needs an epoch to report on")?;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let gap = format!("{:.1}", 100.0 * (last.train_accuracy - last.val_accuracy));
    let accuracy = curves("accuracy", history, |row| row.train_accuracy, |row| row.val_accuracy)?;
    let loss = curves("cross-entropy", history, |row| row.train_loss, |row| row.val_loss)?;
    let folder = folder.display();

    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Training with dropout p = " (settings.dropout) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Training with dropout p = " (settings.dropout) }
                p.lead {
                    "After " (history.len()) " of " (settings.epochs) " epochs the network is right on "
                    b.train { (percent(last.train_accuracy)) } " of its training rows and on "
                    b.validation { (percent(last.val_accuracy)) } " of the validation rows: a gap of "
                    b { (gap) } " points."
                }
                h2 { "Accuracy" }
                (PreEscaped(accuracy))
                h2 { "Loss" }
                (PreEscaped(loss))
                p { "All of it is measured in eval mode, where dropout does nothing: on the " b.train { "training" } " rows and on the "
                    b.validation { "validation" } " rows, after each epoch." }
                h2 { "What was run" }
                table {
                    tr { th { "data" } td { (settings.data.display()) } }
                    @if let Some(target) = &settings.target { tr { th { "target" } td { (target) } } }
                    tr { th { "rows" } td { (split.train.len()) " to train on, " (split.validation.len()) " for validation" } }
                    tr { th { "features" } td { (split.train.feature_count) } }
                    tr { th { "classes" } td { (split.train.classes.len()) } }
                    tr { th { "hidden layers" } td { (settings.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) } }
                    tr { th { "dropout" } td { (settings.dropout) } }
                    tr { th { "batch size" } td { (settings.batch_size) } }
                    tr { th { "learning rate" } td { (settings.learning_rate) ", falling linearly to 0 (AdamW)" } }
                    tr { th { "seed" } td { (settings.seed) } }
                    tr { th { "program" } td { "nn-dropout " (env!("CARGO_PKG_VERSION")) } }
                }
                h2 { "Run it again" }
                pre { "nn-dropout train --config " (folder) "/config.toml" }
                p { "The same settings give the same numbers, to the last digit, on any number of threads of this kind of machine." }
            }
        }
    };
    Ok(page.into_string())
}

/// The training and the validation curve of one metric over the epochs, as SVG.
fn curves(
    metric: &str,
    history: &[Metrics],
    train: impl Fn(&Metrics) -> f64,
    validation: impl Fn(&Metrics) -> f64,
) -> Result<String> {
    let values = || history.iter().flat_map(|row| [train(row), validation(row)]).filter(|value| value.is_finite());
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = (0.05 * (high - low)).max(1e-3);
    let epochs = 1..history.len().max(2);

    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (720, 300)).into_drawing_area();
        let grey = RGBColor(136, 136, 136);
        let text = ("sans-serif", 13).into_font().color(&grey);
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(epochs, low - margin..high + margin)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .axis_style(grey)
            .bold_line_style(grey.mix(0.25))
            .light_line_style(TRANSPARENT)
            .label_style(text)
            .x_desc("epoch")
            .y_desc(metric)
            .draw()?;
        let points = |value: &dyn Fn(&Metrics) -> f64| {
            history.iter().map(|row| (row.epoch, value(row))).filter(|(_, v)| v.is_finite()).collect::<Vec<_>>()
        };
        chart.draw_series(LineSeries::new(points(&train), TRAIN.stroke_width(2)))?;
        chart.draw_series(LineSeries::new(points(&validation), VALIDATION.stroke_width(2)))?;
        root.present()?;
    }
    Ok(svg)
}
