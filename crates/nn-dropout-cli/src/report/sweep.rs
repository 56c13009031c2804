//! The report of a sweep.

use std::path::Path;

use anyhow::Result;
use maud::{Markup, html};
use nn_dropout::{Config, Kind};
use nn_dropout_experiments::io::files::write;
use nn_dropout_experiments::metric::{Metric, Metrics};
use nn_dropout_experiments::say;
use nn_dropout_experiments::settings::Settings;
use nn_dropout_experiments::sweep::summary::{columns, csv, has_several_layers, mark, table};
use nn_dropout_experiments::sweep::{
    Answer, Block, Candidate, Estimate, Row, State, Trial, TrialResult, account, row_error,
};
use nn_dropout_experiments::trainer::Validated;

use super::chart::{Chart, Line, OTHERS, Point, TRAIN, VALIDATION};
use super::page::page;
use crate::io::run_dir::REPORT;
use crate::sweep::{RECOMMENDED, TRIALS};

/// Everything that is reported.
pub struct Report<'a> {
    /// Those that all trials share.
    pub settings: &'a Settings,
    /// The name of the search.
    pub search: &'a str,
    /// The options of `sweep`.
    pub options: &'a str,
    pub ended: &'a [&'a TrialResult],
    /// The number of trials that are still to come.
    pub unfinished: usize,
    /// What the chosen network is trained with.
    pub first: Block,
    pub chosen: ChosenNetwork,
    pub out: &'a Path,
}

/// What is known of the network that was trained with the chosen settings.
#[derive(Default)]
pub struct ChosenNetwork {
    /// The section on its uncertainty.
    pub uncertainty: Markup,
    /// Its scores on the test part.
    pub test: Option<Validated>,
}

impl Report<'_> {
    /// `None` if no score is there, or none is a number.
    pub fn answer(&self) -> Option<Answer> {
        Answer::of(self.ended.iter().copied(), self.settings.metric())
    }

    /// Writes the trials.
    pub fn write_trials(&self) -> Result<()> {
        write(&self.out.join(TRIALS), &csv(self.ended)?)
    }

    /// Writes the chosen settings.
    pub fn write_recommended(&self, answer: &Answer) -> Result<()> {
        let recommended = self.recommended(answer).settings(self.settings).to_toml()?;
        write(&self.out.join(RECOMMENDED), recommended.as_bytes())
    }

    /// The trial of the chosen candidate that is trained again.
    pub fn recommended(&self, answer: &Answer) -> Trial {
        Trial::new(answer.rows[answer.chosen].candidate.clone(), self.first)
    }

    /// Writes the page.
    pub fn write(&self, answer: &Answer) -> Result<()> {
        write(&self.out.join(REPORT), self.html(answer)?.as_bytes())
    }

    /// Prints the answer.
    pub fn print(&self, answer: &Answer) {
        say!("{}\n", table(answer, self.settings.metric()));
        for sentence in answer.sentences().into_iter().chain(self.test()) {
            say!("{sentence}");
        }
        if answer.stopped() > 0 {
            say!("{}", self.account(answer));
        }
        say!("results in {}, the report in {}", self.out.display(), self.out.join(REPORT).display());
    }

    fn account(&self, answer: &Answer) -> String {
        account(self.search, answer.rows.len(), self.ended.len(), answer.stopped())
    }

    /// The scores on the test part in a sentence.
    fn test(&self) -> Option<String> {
        let Validated { scores, left_out, groups } = self.chosen.test.as_ref()?;
        let shown = scores.iter().map(|(metric, value)| {
            let is_first = *metric == self.settings.metric();
            let error = if is_first {
                format!(" ± {}", metric.difference(row_error(left_out, groups)))
            } else {
                String::new()
            };
            format!("{} {}{error}", metric.name(), metric.shown(*value))
        });
        let shown: Vec<String> = shown.collect();
        Some(format!("On the test part, which had no say in the choice, the chosen network has {}.", shown.join(", ")))
    }

    pub fn html(&self, answer: &Answer) -> Result<String> {
        let metric = self.settings.metric();
        let chosen = &answer.rows[answer.chosen];
        let recommended = self.recommended(answer).settings(self.settings).to_toml()?;
        let data = self.settings.data().file_stem().unwrap_or_default().to_string_lossy();
        let mut sentences = answer.sentences().into_iter().chain(self.test());
        let (titles, cells) = columns(answer, metric);
        let layer = &chosen.candidate.dropout;
        let kind = layer.kind();
        // Options are in the settings below.
        let is_plain = Config::new(kind, layer.amount())? == *layer;
        let amount = format!("{:?}", layer.amount());
        let total = self.ended.len() + self.unfinished;
        let body = html! {
            p.lead { b { (sentences.next().unwrap_or_default()) } }
            @for sentence in sentences { p { (sentence) } }
            @if self.unfinished > 0 { p { b { "Not finished: " } (self.unfinished) " of " (total) " trials have not ended yet." } }
            (self.over_rates(answer)?)
            div.scroll {
                table.numbers {
                    tr { @for title in &titles { th { (title) } } th {} }
                    @for (i, cells) in cells.iter().enumerate() {
                        tr.chosen[i == answer.chosen] { @for cell in cells { td { (cell) } } td.words { (mark(answer, i)) } }
                    }
                }
            }
            p { "After each mean is its standard error, and after each difference its interval. Both are for new rows and new seeds: they "
                "come from a jackknife over groups of rows and from the differences between seeds, which are paired, since all candidates see the "
                "same rows, initial weights and batches. All intervals of the table hold together with a probability of 95 %. "
                b { "May be best" } " means that the data cannot tell a candidate and the best apart." }
            h2 { "How it was learned" }
            p { (self.account(answer)) }
            (self.learning(answer)?)
            @if self.ended.iter().any(|result| result.validated.scores.len() > 1) {
                h2 { "Other scores" }
                p { "On the validation part at the end of each training, as means. " b { (metric.name()) } " decides." }
                div.scroll { (self.scores(answer)) }
            }
            (self.chosen.uncertainty)
            h2 { "Put it into your network" }
            @if is_plain {
                div.scroll { table {
                    tr { th { "Burn" } td { code { "nn_dropout_burn::" (kind) "Config::new(" (amount) ")" } } }
                    tr { th { "candle" } td { code { "nn_dropout_candle::" (kind) "::new(" (amount) ")" } } }
                    tr { th { "Rust" } td { code { "nn_dropout::" (kind) "::new(" (amount) ")" } } }
                    @if kind == Kind::Dropout {
                        tr { th { "PyTorch" } td { code { "nn.Dropout(" (amount) ")" } } }
                        tr { th { "nanoGPT" } td { code { "dropout = " (amount) } } }
                    }
                } }
            }
            p { "All settings of the chosen training, as in " code { (self.out.join(RECOMMENDED).display()) } ":" }
            pre { (recommended) }
            p { "Train it again: " code { "nn-dropout train --config " (self.out.join(RECOMMENDED).display()) } }
            h2 { "Every trial" }
            details {
                summary { (self.ended.len()) " trials" }
                div.scroll { (self.trials()) }
            }
            h2 { "Run it again" }
            pre { "nn-dropout sweep --config " (self.out.join(RECOMMENDED).display()) " " (self.options) }
            p { "The same settings give the same numbers, to the last digit, however many trials run side by side on this kind of machine. "
                "With nn-dropout " (env!("CARGO_PKG_VERSION")) "." }
        };
        Ok(page(&format!("Which dropout rate is right for {data}?"), &body))
    }

    /// The metric over the rates on both parts, and the difference to no dropout, or to the best.
    fn over_rates(&self, answer: &Answer) -> Result<Markup> {
        let (y, factor) = self.settings.metric().axis();
        let x = match self.settings.dropout().kind().amount() {
            "p" => "p, the dropout rate",
            name => name,
        };
        // If other numbers vary too, neighbours do not belong to one curve.
        let candidates = || answer.rows.iter().map(|row| &row.candidate);
        let is_plain = |candidate: &Candidate| *candidate == Candidate::layer(candidate.dropout.clone());
        let joined = candidates().all(is_plain) && !has_several_layers(candidates());
        let line = |color, points: Vec<Point>, joined| {
            let mut points = points;
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Line { color, points, joined }
        };
        let complete = || answer.rows.iter().enumerate().filter(|(_, row)| row.complete > 0);
        let amount = |row: &Row| row.candidate.dropout.amount();
        let train = complete().map(|(_, row)| Point { x: amount(row), y: factor * row.train, error: None });
        let validation = complete().map(|(_, row)| {
            let Estimate { value, error, .. } = row.validation;
            Point { x: amount(row), y: factor * value, error: error.map(|error| factor * error) }
        });
        let (train, validation) = (train.collect(), validation.collect());
        let mark = Some(amount(&answer.rows[answer.chosen]));
        let scores = Chart {
            x,
            y: &y,
            lines: vec![line(TRAIN, train, joined), line(VALIDATION, validation, joined)],
            mark,
            include: Vec::new(),
        };

        let has_none = answer.rows.iter().any(|row| row.to_none.is_some());
        let difference = |row: &Row| if has_none { row.to_none } else { row.to_best };
        let points = |tied: bool| {
            let rows = complete().filter(|(i, _)| answer.is_tied(*i) == tied);
            let point = |(_, row): (usize, &Row)| {
                // What the others are compared with.
                let difference = difference(row);
                Some(Point {
                    x: amount(row),
                    y: difference.map_or(0.0, |difference| factor * difference.value),
                    error: difference.and_then(|difference| answer.margin(&difference)).map(|margin| factor * margin),
                })
            };
            rows.filter_map(point).collect::<Vec<_>>()
        };
        let unit = if factor == 1.0 { "" } else { ", points" };
        let reference = if has_none { "no dropout" } else { "the best" };
        let title = format!("better than {reference}{unit}");
        let lines = vec![line(OTHERS, points(false), false), line(VALIDATION, points(true), false)];
        let differences = Chart { x, y: &title, lines, mark, include: vec![0.0] };
        Ok(html! {
            (scores.draw()?)
            p { "The " (self.settings.metric().name()) " on the " b.train { "training" } " and the " b.validation { "validation" }
                " part, in eval mode, at the end of each training: means, with the standard error on the validation part. The grey line marks the "
                "choice: the least dropout within one standard error of the best." }
            @if answer.rows[answer.best].validation.error.is_some() {
                (differences.draw()?)
                p { "How much better each is than " (reference) ", with its interval. The data cannot tell "
                    b.validation { "these" } " and the best apart"
                    @if (0..answer.rows.len()).any(|row| !answer.is_tied(row)) { "; the " b.others { "others" } " are known to be worse" } "." }
            }
        })
    }

    /// The means of all scores.
    fn scores(&self, answer: &Answer) -> Markup {
        let metrics: Vec<Metric> = self
            .ended
            .first()
            .map_or_else(Vec::new, |first| first.validated.scores.iter().map(|(metric, _)| *metric).collect());
        let mean = |row: &Row, metric: usize| {
            let complete = self.complete(row);
            let values = complete.iter().filter_map(|result| result.validated.scores.get(metric));
            values.map(|(_, value)| value).sum::<f64>() / complete.len() as f64
        };
        html! {
            table.numbers {
                tr { th { "candidate" } @for metric in &metrics { th { (metric.name()) } } }
                @for (i, row) in answer.rows.iter().enumerate().filter(|(_, row)| row.complete > 0) {
                    tr.chosen[i == answer.chosen] {
                        td { (row.candidate) }
                        @for (place, metric) in metrics.iter().enumerate() { td { (metric.shown(mean(row, place))) } }
                    }
                }
            }
        }
    }

    /// The complete trials of a candidate.
    fn complete(&self, row: &Row) -> Vec<&TrialResult> {
        let is_of = |result: &&&TrialResult| result.trial.candidate == row.candidate && result.state == State::Complete;
        self.ended.iter().filter(is_of).copied().collect()
    }

    /// The learning curves with the least and the most dropout, and of the chosen candidate.
    fn learning(&self, answer: &Answer) -> Result<Markup> {
        let complete: Vec<&Row> = answer.rows.iter().filter(|row| row.complete > 0).collect();
        let rate = |row: &&Row| row.candidate.dropout.amount();
        let (Some(&least), Some(&most)) = (
            complete.iter().min_by(|a, b| rate(a).total_cmp(&rate(b))),
            complete.iter().max_by(|a, b| rate(a).total_cmp(&rate(b))),
        ) else {
            return Ok(html! {});
        };
        let mut rows = vec![least, &answer.rows[answer.chosen], most];
        rows.dedup_by(|a, b| a.candidate == b.candidate);
        let [train, validation]: [fn(&Metrics) -> f64; 2] = [|at| at.train.loss, |at| at.validation.loss];
        let curves: Vec<_> =
            rows.iter().map(|row| [train, validation].map(|part| self.mean_curve(row, part))).collect();
        let all: Vec<f64> = curves.iter().flatten().flatten().map(|point| point.1).collect();
        let chart = |[train, validation]: &[Vec<(f64, f64)>; 2]| {
            let lines =
                vec![Line::new(TRAIN, train.iter().copied()), Line::new(VALIDATION, validation.iter().copied())];
            Chart {
                x: self.settings.unit(),
                y: self.settings.metric().loss_name(),
                lines,
                mark: None,
                include: all.clone(),
            }
            .draw()
        };
        Ok(html! {
            p { "The " (self.settings.metric().loss_name()) " after each " (self.settings.unit()) ", on the " b.train { "training" } " and the "
                b.validation { "validation" } " part, as means over seeds; all on one scale. Where the validation curve rises while the other falls, the network overfits; "
                "where both stay high, it underfits." }
            @for (row, curves) in rows.iter().zip(&curves) {
                h3 { (row.candidate) @if row.candidate == answer.rows[answer.chosen].candidate { ", chosen" } }
                (chart(curves)?)
            }
        })
    }

    /// The mean over the complete trials of a candidate at each measurement.
    fn mean_curve(&self, row: &Row, value: fn(&Metrics) -> f64) -> Vec<(f64, f64)> {
        let histories: Vec<&[Metrics]> = self.complete(row).iter().map(|result| result.history.as_slice()).collect();
        let mean = |i: usize| histories.iter().map(|history| value(&history[i])).sum::<f64>() / histories.len() as f64;
        histories
            .first()
            .map_or_else(Vec::new, |first| first.iter().enumerate().map(|(i, at)| (at.epoch as f64, mean(i))).collect())
    }

    fn trials(&self) -> Markup {
        let metric = self.settings.metric();
        let folds = self.ended.iter().any(|result| result.trial.fold.is_some());
        html! {
            table.numbers {
                tr { th { "candidate" } th { "seed" } @if folds { th { "fold" } } th { "training " (metric.name()) } th { "validation " (metric.name()) } th { (self.settings.unit()) "s" }
                    th { "seconds" } th { "state" } }
                @for result in self.ended {
                    tr {
                        td { (result.trial.candidate) }
                        td { (result.trial.seed) }
                        @if let Some(fold) = result.trial.fold { td { (fold) } }
                        td { (metric.shown(result.last().train.metric)) }
                        td { (metric.shown(result.last().validation.metric)) }
                        td { (result.last().epoch) }
                        td { (format!("{:.1}", result.seconds)) }
                        td { (result.state.name()) @if result.state == State::Stopped { " early" } }
                    }
                }
            }
        }
    }
}
