//! The results of a sweep as tables: `results.csv`, and the rows that the terminal and the report show.

use std::collections::HashSet;

use anyhow::{Result, anyhow};
use comfy_table::{CellAlignment, Table, presets};

use super::answer::{Answer, Row};
use super::trial::{Candidate, TrialResult};
use crate::metric::Metric;

/// `results.csv`: one row per trial, with the metrics at its end. A training on a text counts steps, not epochs. What no trial has is
/// no column.
pub fn csv(ended: &[&TrialResult]) -> Result<Vec<u8>> {
    type Column = (&'static str, fn(&TrialResult) -> Option<String>);
    let optional: [Column; 5] = [
        ("fold", |result| result.trial.fold.map(|fold| fold.to_string())),
        ("input_dropout", |result| {
            result.trial.candidate.input_dropout.as_ref().map(|input| input.amount().to_string())
        }),
        ("hidden", |result| result.trial.candidate.hidden.map(|size| size.to_string())),
        ("learning_rate", |result| result.trial.candidate.learning_rate.map(|rate| rate.to_string())),
        ("layer", |result| Some(result.trial.candidate.layer_name())),
    ];
    let layers = has_several_layers(ended.iter().map(|result| &result.trial.candidate));
    let shown: Vec<_> = optional
        .into_iter()
        .filter(|(name, of)| if *name == "layer" { layers } else { ended.iter().any(|result| of(result).is_some()) })
        .collect();
    let scores = ended.first().map_or(&[][..], |first| &first.validated.scores);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fixed = ["dropout", "seed", "train_metric", "val_metric", "epochs", "seconds", "state"].map(str::to_owned);
    let names = shown.iter().map(|(name, _)| (*name).to_owned());
    writer.write_record(
        fixed.into_iter().chain(names).chain(scores.iter().map(|(metric, _)| format!("val_{}", metric.key()))),
    )?;
    for result in ended {
        let TrialResult { trial, state, seconds, .. } = result;
        let last = result.last();
        let fixed = [
            format!("{:?}", trial.candidate.dropout.amount()),
            trial.seed.to_string(),
            format!("{:?}", last.train.metric),
            format!("{:?}", last.validation.metric),
            last.epoch.to_string(),
            format!("{seconds:?}"),
            state.name().to_owned(),
        ];
        let others = shown.iter().map(|(_, of)| of(result).unwrap_or_default());
        let score = |(metric, _): &(Metric, f64)| {
            let of = result.validated.scores.iter().find(|(other, _)| other == metric);
            of.map_or_else(String::new, |(_, value)| format!("{value:?}"))
        };
        let scores = scores.iter().map(score);
        writer.write_record(fixed.into_iter().chain(others).chain(scores))?;
    }
    writer.into_inner().map_err(|error| anyhow!("{error}"))
}

/// Whether candidates differ in more of their layer than its amount of noise.
pub fn has_several_layers<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> bool {
    candidates.map(Candidate::layer_name).collect::<HashSet<_>>().len() > 1
}

/// The titles of the columns, and the cells of each candidate's row.
pub fn columns(answer: &Answer, metric: Metric) -> (Vec<String>, Vec<Vec<String>>) {
    type Cell<'a> = Box<dyn Fn(&Row) -> Option<String> + 'a>;
    let several = has_several_layers(answer.rows.iter().map(|row| &row.candidate));
    let mean = |row: &Row, value: String| if row.complete > 0 { value } else { "-".to_owned() };
    let name = metric.name();
    let columns: Vec<(String, Cell)> = vec![
        ("layer".to_owned(), Box::new(|row| several.then(|| row.candidate.layer_name()))),
        (
            answer.rows[answer.chosen].candidate.dropout.kind().amount().to_owned(),
            Box::new(|row| Some(row.candidate.dropout.amount().to_string())),
        ),
        (
            "inputs".to_owned(),
            Box::new(|row| row.candidate.input_dropout.as_ref().map(|input| input.amount().to_string())),
        ),
        ("hidden size".to_owned(), Box::new(|row| row.candidate.hidden.map(|size| size.to_string()))),
        ("learning rate".to_owned(), Box::new(|row| row.candidate.learning_rate.map(|rate| rate.to_string()))),
        (format!("training {name}"), Box::new(|row| Some(mean(row, metric.shown(row.train))))),
        (format!("validation {name}"), Box::new(|row| Some(mean(row, answer.mean(&row.validation))))),
        ("gap".to_owned(), Box::new(|row| Some(mean(row, metric.difference(answer.gap(row)))))),
        (
            "against no dropout".to_owned(),
            Box::new(|row| row.to_none.as_ref().map(|to_none| answer.difference(to_none))),
        ),
        ("trials".to_owned(), Box::new(|row| Some(row.complete.to_string()))),
        ("stopped early".to_owned(), Box::new(|row| (answer.stopped() > 0).then(|| row.stopped.to_string()))),
    ];
    let shown: Vec<&(String, Cell)> =
        columns.iter().filter(|(_, cell)| answer.rows.iter().any(|row| cell(row).is_some())).collect();
    let cells = |row| shown.iter().map(|(_, cell)| cell(row).unwrap_or_default()).collect();
    (shown.iter().map(|(title, _)| title.clone()).collect(), answer.rows.iter().map(cells).collect())
}

/// What is said of a row beside its numbers.
pub fn mark(answer: &Answer, row: usize) -> &'static str {
    match row {
        row if row == answer.chosen => "<- chosen",
        row if row == answer.best => "best",
        row if answer.is_tied(row) => "may be best",
        _ => "",
    }
}

/// The table for the terminal, with the chosen row marked.
pub fn table(answer: &Answer, metric: Metric) -> Table {
    let (titles, rows) = columns(answer, metric);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(titles.into_iter().chain([String::new()]));
    for (i, cells) in rows.into_iter().enumerate() {
        table.add_row(cells.into_iter().chain([mark(answer, i).to_owned()]));
    }
    let count = table.column_count();
    for column in table.column_iter_mut().take(count - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
