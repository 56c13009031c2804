//! What a sweep leaves behind, and what it says at its end.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use comfy_table::{CellAlignment, Table, presets};
use maud::html;

use super::answer::{Answer, Row};
use super::plan::{Plan, Trial};
use super::problem::Problem;
use super::report::Sweep;
use super::study::{Record, Results};
use crate::files::write as write_file;
use crate::interrupt;
use crate::run::{Ended, REPORT, first_entry};
use crate::training::Metric;

const TRIALS: &str = "results.csv";
/// Settings for `train --config`, with what has been chosen.
pub const RECOMMENDED: &str = "recommended.toml";
/// A run with it, of a perceptron: for `predict`.
const CHOSEN: &str = "chosen";

/// Refuses a folder that others use.
pub fn check_folder(out: &Path, study: &Path) -> Result<()> {
    if [study, &out.join(TRIALS)].iter().any(|ours| ours.starts_with(out) && ours.exists()) {
        return Ok(());
    }
    if let Some(first) = first_entry(out)? {
        let (shown, first) = (out.display(), first.display());
        bail!("{shown} is no sweep: it holds `{first}`; name another folder with --out");
    }
    Ok(())
}

/// Writes the results of the trials that have ended, and says what came out.
pub fn write(
    out: &Path,
    study: &Path,
    problem: &Problem,
    plan: &Plan,
    results: &Results,
    quiet: bool,
) -> Result<Ended> {
    let ended = plan.ended(results);
    let is_done = ended.len() == plan.len();
    if !is_done {
        let why = if interrupt::is_late() { "the time is over" } else { "interrupted" };
        println!("{why} after {} of {} trials; the same command goes on", ended.len(), plan.len());
    }
    let how = if is_done || interrupt::is_late() { Ended::Finished } else { Ended::Interrupted };
    write_file(&out.join(TRIALS), &csv(&ended)?)?;
    let Some(answer) = Answer::of(ended.iter().copied(), plan.metric) else {
        println!("no trial is complete; what is known is in {}", study.display());
        return Ok(how);
    };
    let chosen = Trial { candidate: answer.rows[answer.chosen].candidate.clone(), seed: plan.seed };
    let recommended = problem.config(&chosen)?;
    write_file(&out.join(RECOMMENDED), recommended.as_bytes())?;
    let mut uncertainty = html! {};
    if is_done {
        match problem.keep(&chosen, &out.join(CHOSEN), quiet)? {
            Some(section) => uncertainty = section,
            None => println!("stopped before the chosen network was trained; the same command goes on"),
        }
    }
    let sweep = Sweep { problem, plan, ended: &ended, answer: &answer, recommended: &recommended, uncertainty, out };
    write_file(&out.join(REPORT), sweep.html()?.as_bytes())?;

    println!("{}\n", table(&answer, plan.metric));
    for sentence in answer.sentences() {
        println!("{sentence}");
    }
    println!("results in {}, the report in {}", out.display(), out.join(REPORT).display());
    Ok(how)
}

/// Metrics are those of the end; a training of a text counts steps, not epochs.
fn csv(ended: &[&Record]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["dropout", "seed", "train_metric", "val_metric", "epochs", "seconds", "state"])?;
    for Record { trial, state, seconds, history } in ended {
        let last = history.last().context("a trial that has ended has been measured")?;
        let (train, validation) = (last.train.metric, last.validation.metric);
        writer.serialize((
            trial.candidate.dropout.get(),
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

/// What is said of each candidate: titles, and the cells of a row.
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
        Some("p".to_owned()),
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
            Some(row.candidate.dropout.get().to_string()),
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

/// For the terminal; the chosen row is marked.
fn table(answer: &Answer, metric: Metric) -> Table {
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
