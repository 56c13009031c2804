//! The report of a sweep.

use std::path::Path;

use anyhow::Result;
use maud::{Markup, html};
use nn_dropout::{Config, Kind};

use super::chart::{Chart, Line, Point, TRAIN, VALIDATION};
use super::page::page;
use crate::metric::Metrics;
use crate::sweep::summary::columns;
use crate::sweep::{Answer, Mean, Objective, RECOMMENDED, Row, Sampler, State, Study, TrialResult};

/// Everything that is reported.
pub struct Sweep<'a> {
    pub objective: &'a Objective,
    pub study: &'a Study,
    pub ended: &'a [&'a TrialResult],
    pub answer: &'a Answer,
    /// The chosen settings.
    pub recommended: &'a str,
    /// The section on the uncertainty of the chosen network.
    pub uncertainty: Markup,
    pub out: &'a Path,
}

impl Sweep<'_> {
    pub fn html(&self) -> Result<String> {
        let (answer, study) = (self.answer, self.study);
        let chosen = &answer.rows[answer.chosen];
        let data = self.objective.data().file_stem().unwrap_or_default().to_string_lossy();
        let mut sentences = answer.sentences().into_iter();
        let (titles, cells) = columns(answer, study.metric);
        let layer = &chosen.candidate.dropout;
        let kind = layer.kind();
        // Options are in the settings below.
        let is_plain = Config::new(kind, layer.amount())? == *layer;
        let amount = format!("{:?}", layer.amount());
        let unfinished = study.len() - self.ended.len();
        let body = html! {
            p.lead { b { (sentences.next().unwrap_or_default()) } }
            @for sentence in sentences { p { (sentence) } }
            @if unfinished > 0 { p { b { "Not finished: " } (unfinished) " of " (study.len()) " trials have not run yet. The same command continues." } }
            (self.over_rates()?)
            div.scroll {
                table.numbers {
                    tr { @for title in &titles { th { (title) } } }
                    @for (i, cells) in cells.iter().enumerate() {
                        tr.chosen[i == answer.chosen] { @for cell in cells { td { (cell) } } }
                    }
                }
            }
            h2 { "How it was learned" }
            (self.learning()?)
            (self.uncertainty)
            h2 { "Put it into your network" }
            @if is_plain {
                div.scroll { table {
                    tr { th { "Burn" } td { code { "nn_dropout_burn::" (kind) "Config::new(" (amount) ")" } } }
                    tr { th { "Rust" } td { code { "nn_dropout::" (kind) "::new(" (amount) ")" } } }
                    @if kind == Kind::Dropout {
                        tr { th { "PyTorch" } td { code { "nn.Dropout(" (amount) ")" } } }
                        tr { th { "nanoGPT" } td { code { "dropout = " (amount) } } }
                    }
                } }
            }
            p { "All settings of the chosen training, as in " code { (self.out.join(RECOMMENDED).display()) } ":" }
            pre { (self.recommended) }
            p { "Train it again: " code { "nn-dropout train --config " (self.out.join(RECOMMENDED).display()) } }
            h2 { "Every trial" }
            details {
                summary { (self.ended.len()) " trials" }
                div.scroll { (self.trials()) }
            }
            h2 { "Run it again" }
            pre { (self.command()) }
            p { "The same settings give the same numbers, to the last digit, however many trials run side by side on this kind of machine. "
                "With nn-dropout " (env!("CARGO_PKG_VERSION")) "." }
        };
        Ok(page(&format!("Which dropout rate is right for {data}?"), &body))
    }

    /// The metric over the rates on both parts, and on the validation part alone, since a large gap hides everything else.
    fn over_rates(&self) -> Result<Markup> {
        let (y, factor) = self.study.metric.axis();
        let line = |color, mean: fn(&Row) -> Mean| {
            let point = |row: &Row| {
                let (x, Mean { value, error }) = (row.candidate.dropout.amount(), mean(row));
                Point { x, y: factor * value, error: error.map(|error| factor * error) }
            };
            let mut points: Vec<Point> = self.answer.rows.iter().filter(|row| row.complete > 0).map(point).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            // If other numbers vary too, neighbours do not belong to one curve.
            let joined = self
                .answer
                .rows
                .iter()
                .all(|row| row.candidate.hidden.is_none() && row.candidate.learning_rate.is_none());
            Line { color, points, joined }
        };
        let chart = |lines| {
            let mark = Some(self.answer.rows[self.answer.chosen].candidate.dropout.amount());
            let x = match self.objective.dropout().kind().amount() {
                "p" => "p, the dropout rate",
                name => name,
            };
            Chart { x, y, lines, mark, include: Vec::new() }.draw()
        };
        let validation = || line(VALIDATION, |row| row.validation);
        Ok(html! {
            (chart(vec![line(TRAIN, |row| row.train), validation()])?)
            p { "The " (self.study.metric.name()) " on the " b.train { "training" } " and the " b.validation { "validation" }
                " part, in eval mode, at the end of each training: means over seeds, with their standard errors. The grey line marks the "
                "choice: the least dropout whose mean on the validation part lies within one standard error of the best." }
            (chart(vec![validation()])?)
            p { "The same for the validation part alone." }
        })
    }

    /// The learning curves with the least and the most dropout, and of the chosen candidate.
    fn learning(&self) -> Result<Markup> {
        let complete: Vec<&Row> = self.answer.rows.iter().filter(|row| row.complete > 0).collect();
        let rate = |row: &&Row| row.candidate.dropout.amount();
        let (Some(&least), Some(&most)) = (
            complete.iter().min_by(|a, b| rate(a).total_cmp(&rate(b))),
            complete.iter().max_by(|a, b| rate(a).total_cmp(&rate(b))),
        ) else {
            return Ok(html! {});
        };
        let mut rows = vec![least, &self.answer.rows[self.answer.chosen], most];
        rows.dedup_by(|a, b| a.candidate == b.candidate);
        let [train, validation]: [fn(&Metrics) -> f64; 2] = [|at| at.train.loss, |at| at.validation.loss];
        let curves: Vec<_> =
            rows.iter().map(|row| [train, validation].map(|part| self.mean_curve(row, part))).collect();
        let all: Vec<f64> = curves.iter().flatten().flatten().map(|point| point.1).collect();
        let chart = |[train, validation]: &[Vec<(f64, f64)>; 2]| {
            let lines =
                vec![Line::new(TRAIN, train.iter().copied()), Line::new(VALIDATION, validation.iter().copied())];
            Chart {
                x: self.objective.unit(),
                y: self.study.metric.loss_name(),
                lines,
                mark: None,
                include: all.clone(),
            }
            .draw()
        };
        Ok(html! {
            p { "The " (self.study.metric.loss_name()) " after each " (self.objective.unit()) ", on the " b.train { "training" } " and the "
                b.validation { "validation" } " part, as means over seeds; all on one scale. Where the validation curve rises while the other falls, the network overfits; "
                "where both stay high, it underfits." }
            @for (row, curves) in rows.iter().zip(&curves) {
                h3 { (row.candidate) @if row.candidate == self.answer.rows[self.answer.chosen].candidate { ", chosen" } }
                (chart(curves)?)
            }
        })
    }

    /// The mean over the complete trials of a candidate at each measurement.
    fn mean_curve(&self, row: &Row, value: fn(&Metrics) -> f64) -> Vec<(f64, f64)> {
        let trials = self
            .ended
            .iter()
            .filter(|result| result.trial.candidate == row.candidate && result.state == State::Complete);
        let histories: Vec<&[Metrics]> = trials.map(|result| result.history.as_slice()).collect();
        let mean = |i: usize| histories.iter().map(|history| value(&history[i])).sum::<f64>() / histories.len() as f64;
        histories
            .first()
            .map_or_else(Vec::new, |first| first.iter().enumerate().map(|(i, at)| (at.epoch as f64, mean(i))).collect())
    }

    fn trials(&self) -> Markup {
        let metric = self.study.metric;
        html! {
            table.numbers {
                tr { th { "candidate" } th { "seed" } th { "training " (metric.name()) } th { "validation " (metric.name()) } th { (self.objective.unit()) "s" }
                    th { "seconds" } th { "state" } }
                @for result in self.ended {
                    tr {
                        td { (result.trial.candidate) }
                        td { (result.trial.seed) }
                        td { (metric.shown(result.last().train.metric)) }
                        td { (metric.shown(result.last().validation.metric)) }
                        td { (result.last().epoch) }
                        td { (format!("{:.1}", result.seconds)) }
                        td { (result.state.name()) @if result.state == State::Stopped { " early (median rule)" } }
                    }
                }
            }
        }
    }

    /// The command of this sweep.
    fn command(&self) -> String {
        let mut words = vec![
            "nn-dropout sweep".to_owned(),
            format!("--config {}", self.out.join(RECOMMENDED).display()),
            format!("--seeds {}", self.study.seeds),
        ];
        match &self.study.sampler {
            Sampler::Grid(layers) => {
                let rates: Vec<String> = layers.iter().map(|layer| layer.amount().to_string()).collect();
                words.push(format!("--rates {}", rates.join(",")));
            }
            Sampler::Tpe(space, trials) => {
                words.push(format!("--search tpe --trials {trials} --rates {},{}", space.rates.low, space.rates.high));
                words.extend(space.hidden.iter().map(|range| format!("--hidden-range {range}")));
                words.extend(space.learning_rate.iter().map(|range| format!("--learning-rate-range {range}")));
            }
        }
        words.join(" ")
    }
}
