//! The report of a perceptron's run.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context, Result};
use maud::{Markup, html};
use nn_dropout_experiments::metric::{Metric, Metrics, Scores};
use nn_dropout_experiments::mlp::model::Mlp;
use nn_dropout_experiments::mlp::prediction::{Predictor, SEED};
use nn_dropout_experiments::mlp::uncertainty::Reliability;
use nn_dropout_experiments::settings::layer::shown;
use nn_dropout_experiments::settings::{MlpSettings, Task};
use nn_dropout_experiments::table::{Split, Target, Targets};

use super::chart::{Chart, Line, VALIDATION, curves};
use super::page::page;
use crate::io::run_dir::CONFIG;

/// The page for a run that has finished at least one epoch.
pub fn html(
    settings: &MlpSettings,
    missing: &[(String, usize)],
    scores: &[(&str, Scores)],
    split: &Split,
    history: &[Metrics],
    uncertainty: &Markup,
    folder: &Path,
) -> Result<String> {
    let last = history.last().context("a report needs an epoch to report on")?;
    let (task, metric) = (settings.task, settings.metric());
    let points = |value: fn(&Metrics) -> f64| history.iter().map(|row| (row.epoch, value(row))).collect::<Vec<_>>();
    let (axis, factor) = metric.axis();
    let scaled = |value: fn(&Metrics) -> f64| {
        points(value).into_iter().map(|(epoch, y)| (epoch, factor * y)).collect::<Vec<_>>()
    };
    let metric_curves = curves("epoch", &axis, &scaled(|row| row.train.metric), &scaled(|row| row.validation.metric))?;
    let loss = curves("epoch", metric.loss_name(), &points(|row| row.train.loss), &points(|row| row.validation.loss))?;
    let [train, validation] = [last.train, last.validation].map(|score| metric.shown(score.metric));
    let gap = metric.merit(last.train.metric) - metric.merit(last.validation.metric);

    let scores = html! {
        h2 { "All scores" }
        div.scroll { table.numbers {
            tr { th {} @for (part, _) in scores { th { (part) } } }
            @for (place, (metric, _)) in scores.first().map_or(&[][..], |(_, scores)| scores).iter().enumerate() {
                tr { td.words { (metric.name()) } @for (_, scores) in scores { td { (metric.shown(scores[place].1)) } } }
            }
        } }
    };
    let (features, inputs) = (split.schema.features.len(), split.schema.inputs());

    let body = html! {
        p.lead {
            "After " (last.epoch) " of " (settings.epochs) " epochs the network "
            @match metric {
                Metric::Accuracy => {
                    "is right on " b.train { (train) } " of its training rows and on " b.validation { (validation) }
                    " of the validation rows: a gap of " b { (format!("{:.1}", 100.0 * gap)) } " points."
                }
                Metric::R2 => {
                    "explains " b.train { (train) } " of the variance of its training rows and " b.validation { (validation) }
                    " of that of the validation rows (R2, 1 at best); it is off by " b.train { (format!("{:.4}", last.train.loss)) }
                    " and " b.validation { (format!("{:.4}", last.validation.loss)) } " (RMSE)."
                }
                _ => {
                    "has a " (metric.name()) " of " b.train { (train) } " on its training rows and of " b.validation { (validation) }
                    " on the validation rows: a gap of " b { (metric.difference(gap)) } (metric.points()) "."
                }
            }
        }
        h2 { (capitalised(metric.name())) }
        (metric_curves)
        @if metric != Metric::LogLoss && metric != Metric::Rmse {
            h2 { (if task == Task::Classification { "Loss" } else { "RMSE" }) }
            (loss)
        }
        p { "Everything is measured in eval mode, where dropout does nothing: on the " b.train { "training" } " rows and on the "
            b.validation { "validation" } " rows"
            @if settings.eval_interval() == 1 { ", after each epoch." } @else { ", every " (settings.eval_interval()) " epochs and at the end." } }
        (scores)
        (uncertainty)
        h2 { "What was run" }
        table {
            tr { th { "data" } td { (settings.data.display()) } }
            @if let Some(target) = &settings.target { tr { th { "target" } td { (target) } } }
            tr { th { "rows" } td { (split.train.len()) " to train on, " (split.validation.len()) " for validation"
                @if let Some(test) = &split.test { ", " (test.len()) " held back for the test" } } }
            @if let Some(folds) = settings.folds { tr { th { "validation" } td { "fold " (settings.fold.map_or(1, NonZeroUsize::get)) " of " (folds) } } }
            @if let Some(group) = &settings.group { tr { th { "kept together" } td { "rows of one " (group) } } }
            tr { th { "features" } td { (features) @if features != inputs { ", seen as " (inputs) " numbers" } } }
            @for (column, count) in missing {
                tr { th { "missing" } td { (count) " in " (column) } }
            }
            @if let Targets::Classes { names, .. } = &split.train.targets { tr { th { "classes" } td { (names.len()) } } }
            tr { th { "hidden layers" } td { (settings.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) } }
            tr { th { "dropout" } td { (toml::Value::try_from(&settings.dropout)?) } }
            @if let Some(input) = &settings.input_dropout { tr { th { "of the features" } td { (toml::Value::try_from(input)?) } } }
            tr { th { "batch size" } td { (settings.batch_size) } }
            tr { th { "learning rate" } td { (settings.learning_rate) ", falling linearly to 0 (AdamW)" } }
            tr { th { "seed" } td { (settings.seed) } }
            tr { th { "program" } td { "nn-dropout " (env!("CARGO_PKG_VERSION")) } }
        }
        h2 { "Run it again" }
        pre { "nn-dropout train --config " (folder.join(CONFIG).display()) }
        @if last.epoch < settings.epochs.get() {
            p { "This run was interrupted after " (last.epoch) " epochs; the command runs all " (settings.epochs) "." }
        }
        p { "The same settings give the same numbers, to the last digit, on any number of threads of this kind of machine." }
    };
    Ok(page(&format!("Training with {}", shown(&settings.dropout)), &body))
}

fn capitalised(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// The number of predictions per validation row.
const SAMPLES: usize = 20;

/// A section on whether the model is more uncertain where it is wrong; empty without dropout. The model is in eval mode.
pub fn uncertainty(settings: &MlpSettings, split: &Split, model: Mlp, folder: &Path) -> Result<Markup> {
    if settings.is_without_dropout() {
        return Ok(html! {});
    }
    let predictor = Predictor::new(model, settings, NonZeroUsize::new(SAMPLES), SEED);
    let predictions = predictor.predict(&split.schema, split.validation.rows());
    let Reliability { kept, halves, auroc } = Reliability::of(&predictions, &split.validation);
    let is_classes = settings.task == Task::Classification;
    let (y, factor) = match &split.schema.target {
        Target::Classes(_) => Metric::Accuracy.axis(),
        Target::Numbers(scale) | Target::Dates(scale, _) => (Metric::Rmse.name().to_owned(), scale.unit()),
    };
    let [certain, others] =
        halves.map(|score| if is_classes { Metric::Accuracy.shown(score) } else { format!("{:.4}", factor * score) });
    let chart = Chart {
        x: "share of rows that are answered, most certain first, %",
        y: &y,
        lines: vec![Line::new(VALIDATION, kept.into_iter().map(|(share, score)| (100.0 * share, factor * score)))],
        mark: None,
        include: Vec::new(),
    };
    Ok(html! {
        h2 { "Does the network know when it is wrong?" }
        p {
            "Each validation row was predicted " (SAMPLES) " times with dropout on (Monte Carlo dropout). "
            @if let Some([entropy, information]) = auroc {
                @let verdict = if entropy >= 0.8 { "Yes" } else if entropy >= 0.65 { "To a degree" } else { "Hardly" };
                b { (verdict) ": " }
                "in " b { (format!("{:.0} %", 100.0 * entropy)) }
                " of all pairs of a wrong and a right answer the wrong one is more uncertain, by the predictive entropy (by the mutual information, " (format!("{:.0} %", 100.0 * information))
                "; chance is 50 %). The more certain half of the answers is right in " b { (certain) } ", the other half in " b { (others) } "."
            } @else if is_classes {
                "All answers are right, or all are wrong, so there is nothing to compare."
            } @else {
                "The half of the rows whose predictions deviate least from each other is off by " b { (certain) }
                ", the other half by " b { (others) } " (RMSE)."
            }
        }
        (chart.draw()?)
        p { code { "nn-dropout predict --run " (folder.display()) " --data FILE --samples " (SAMPLES) } " says how certain the network is about new rows." }
    })
}
