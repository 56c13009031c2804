//! The results of a sweep as tables: `results.csv`, and the rows that the terminal and the report show.

use anyhow::{Result, anyhow};
use comfy_table::{CellAlignment, Table, presets};

use super::answer::{Answer, Row};
use super::trial::TrialResult;
use crate::metric::Metric;

/// `results.csv`: one row per trial, with the metrics at its end. A training on a text counts steps, not epochs.
pub fn csv(ended: &[&TrialResult]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["dropout", "seed", "train_metric", "val_metric", "epochs", "seconds", "state"])?;
    for result in ended {
        let TrialResult { trial, state, seconds, .. } = result;
        let last = result.last();
        let (train, validation) = (last.train.metric, last.validation.metric);
        writer.serialize((
            trial.candidate.dropout.amount(),
            trial.seed,
            train,
            validation,
            last.epoch,
            seconds,
            state.name(),
        ))?;
    }
    writer.into_inner().map_err(|error| anyhow!("{error}"))
}

/// The titles of the columns, and the cells of each candidate's row.
pub fn columns(answer: &Answer, metric: Metric) -> (Vec<String>, Vec<Vec<String>>) {
    let has = |of: fn(&Row) -> bool| answer.rows.iter().any(of);
    let (hidden, rate, stopped) = (
        has(|row| row.candidate.hidden.is_some()),
        has(|row| row.candidate.learning_rate.is_some()),
        has(|row| row.stopped > 0),
    );
    let optional = |shown: bool, cell: String| shown.then_some(cell);
    let name = metric.name();
    let titles = [
        Some(answer.rows[answer.chosen].candidate.dropout.kind().amount().to_owned()),
        optional(hidden, "hidden size".to_owned()),
        optional(rate, "learning rate".to_owned()),
        Some(format!("training {name}")),
        Some(format!("validation {name}")),
        Some("gap".to_owned()),
        Some("seeds".to_owned()),
        optional(stopped, "stopped early".to_owned()),
    ];
    let row = |row: &Row| {
        let mean = |value: String| if row.complete > 0 { value } else { "-".to_owned() };
        let cells = [
            Some(row.candidate.dropout.amount().to_string()),
            optional(hidden, row.candidate.hidden.map_or_else(String::new, |size| size.to_string())),
            optional(rate, row.candidate.learning_rate.map_or_else(String::new, |rate| rate.to_string())),
            Some(mean(row.train.shown(metric))),
            Some(mean(row.validation.shown(metric))),
            Some(mean(metric.difference(answer.gap(row)))),
            Some(row.complete.to_string()),
            optional(stopped, row.stopped.to_string()),
        ];
        cells.into_iter().flatten().collect()
    };
    (titles.into_iter().flatten().collect(), answer.rows.iter().map(row).collect())
}

/// The table for the terminal, with the chosen row marked.
pub fn table(answer: &Answer, metric: Metric) -> Table {
    let (titles, rows) = columns(answer, metric);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(titles.into_iter().chain([String::new()]));
    for (i, cells) in rows.into_iter().enumerate() {
        let mark = if i == answer.chosen { "<- chosen" } else { "" };
        table.add_row(cells.into_iter().chain([mark.to_owned()]));
    }
    let count = table.column_count();
    for column in table.column_iter_mut().take(count - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
