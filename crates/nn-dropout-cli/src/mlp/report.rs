//! `report.html` of a perceptron.

use std::path::Path;

use anyhow::{Context, Result};
use maud::html;

use super::data::Split;
use super::train::Metrics;
use crate::report::{curves, page};
use crate::settings::MlpSettings;

/// The page for a run that has finished at least one epoch.
pub fn html(settings: &MlpSettings, split: &Split, history: &[Metrics], folder: &Path) -> Result<String> {
    let last = history.last().context("a report needs an epoch to report on")?;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let gap = format!("{:.1}", 100.0 * (last.train_accuracy - last.val_accuracy));
    let points = |value: fn(&Metrics) -> f64| history.iter().map(|row| (row.epoch, value(row))).collect::<Vec<_>>();
    let accuracy = curves("epoch", "accuracy", &points(|row| row.train_accuracy), &points(|row| row.val_accuracy))?;
    let loss = curves("epoch", "cross-entropy", &points(|row| row.train_loss), &points(|row| row.val_loss))?;
    let folder = folder.display();

    let body = html! {
        p.lead {
            "After " (history.len()) " of " (settings.epochs) " epochs the network is right on "
            b.train { (percent(last.train_accuracy)) } " of its training rows and on "
            b.validation { (percent(last.val_accuracy)) } " of the validation rows: a gap of "
            b { (gap) } " points."
        }
        h2 { "Accuracy" }
        (accuracy)
        h2 { "Loss" }
        (loss)
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
    };
    Ok(page(&format!("Training with dropout p = {}", settings.dropout), &body))
}
