//! `report.html` of a perceptron.

use std::path::Path;

use anyhow::{Context, Result};
use maud::html;

use super::data::{Split, Targets};
use crate::report::{curves, page};
use crate::settings::{MlpSettings, Task};
use crate::training::Metrics;

/// The page for a run that has finished at least one epoch.
pub fn html(settings: &MlpSettings, split: &Split, history: &[Metrics], folder: &Path) -> Result<String> {
    let last = history.last().context("a report needs an epoch to report on")?;
    let (task, metric) = (settings.task, settings.task.metric());
    let points = |value: fn(&Metrics) -> f64| history.iter().map(|row| (row.epoch, value(row))).collect::<Vec<_>>();
    let metric_curves =
        curves("epoch", metric.name(), &points(|row| row.train.metric), &points(|row| row.validation.metric))?;
    let loss = curves("epoch", metric.loss_name(), &points(|row| row.train.loss), &points(|row| row.validation.loss))?;
    let [train, validation] = [last.train, last.validation].map(|score| metric.shown(score.metric));
    let gap = last.train.metric - last.validation.metric;
    let folder = folder.display();

    let body = html! {
        p.lead {
            "After " (history.len()) " of " (settings.epochs) " epochs the network "
            @if task == Task::Classification {
                "is right on " b.train { (train) } " of its training rows and on " b.validation { (validation) }
                " of the validation rows: a gap of " b { (format!("{:.1}", 100.0 * gap)) } " points."
            } @else {
                "explains " b.train { (train) } " of the variance of its training rows and " b.validation { (validation) }
                " of that of the validation rows (R2, 1 at best); it is off by " b.train { (format!("{:.4}", last.train.loss)) }
                " and " b.validation { (format!("{:.4}", last.validation.loss)) } " (RMSE)."
            }
        }
        h2 { (if task == Task::Classification { "Accuracy" } else { "R2" }) }
        (metric_curves)
        h2 { (if task == Task::Classification { "Loss" } else { "RMSE" }) }
        (loss)
        p { "All of it is measured in eval mode, where dropout does nothing: on the " b.train { "training" } " rows and on the "
            b.validation { "validation" } " rows, after each epoch." }
        h2 { "What was run" }
        table {
            tr { th { "data" } td { (settings.data.display()) } }
            @if let Some(target) = &settings.target { tr { th { "target" } td { (target) } } }
            tr { th { "rows" } td { (split.train.len()) " to train on, " (split.validation.len()) " for validation" } }
            tr { th { "features" } td { (split.schema.features.len()) } }
            @if let Targets::Classes { names, .. } = &split.train.targets { tr { th { "classes" } td { (names.len()) } } }
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
    };
    Ok(page(&format!("Training with dropout p = {}", settings.dropout), &body))
}
