//! A sweep, as `nn-dropout sweep` does it. Any worker can run any of its trials.

use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use js_sys::Date;
use nn_dropout_experiments::metric::{Metrics, Score};
use nn_dropout_experiments::mlp::trainer::MlpTrainer;
use nn_dropout_experiments::settings::Settings;
use nn_dropout_experiments::sweep::summary::{columns, csv, mark};
use nn_dropout_experiments::sweep::{Answer, Results, Sampler, State, Study, Trial, TrialResult, Verdict, blocks};
use nn_dropout_experiments::table::Table;
use nn_dropout_experiments::trainer::{Trainer, Validated};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wasm_bindgen::prelude::*;

use crate::training::{js_error, load, mlp_settings};

/// All of them are listed before the first one runs.
const MAX_TRIALS: usize = 10_000;

/// A sweep over rates of dropout.
#[wasm_bindgen]
pub struct Sweep {
    settings: Settings,
    table: Table,
    study: Study,
}

/// A trial that has ended, on its way between workers.
#[derive(Deserialize, Serialize)]
struct Ended {
    trial: usize,
    seconds: f64,
    validated: Validated,
    history: Vec<Measured>,
}

/// The epoch, and loss and metric of both parts as their bits: JSON has no infinity.
type Measured = (usize, [[u64; 2]; 2]);

#[wasm_bindgen]
impl Sweep {
    /// A sweep on a file of this name, or on the built-in digits, with settings as in a run's `config.toml`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        name: &str,
        table: Option<Vec<u8>>,
        settings: &str,
        rates: Vec<f64>,
        seeds: usize,
    ) -> Result<Sweep, JsError> {
        Self::of(name, table, settings, rates, seeds).map_err(js_error)
    }

    fn of(name: &str, table: Option<Vec<u8>>, settings: &str, mut rates: Vec<f64>, seeds: usize) -> Result<Self> {
        ensure!(seeds > 0 && !rates.is_empty(), "expected at least one rate and one seed");
        let trials = seeds.saturating_mul(rates.len());
        ensure!(trials <= MAX_TRIALS, "these are {trials} trainings, and at most {MAX_TRIALS} are done in a browser");
        let settings = mlp_settings(name, settings)?;
        let table = load(table, &settings)?;
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let (seed, folds) = (settings.seed, settings.folds);
        let mut study = Study {
            sampler: Sampler::grid(std::slice::from_ref(&settings.dropout), &rates, None)?,
            seed,
            blocks: blocks(seed, seeds, folds),
            metric: settings.metric(),
            measurements: settings.measurements(),
            trials: Vec::new(),
        };
        study.extend(&Results::default())?;
        let sweep = Self { settings: Settings::Mlp(settings), table, study };
        // What is wrong with the settings shows here.
        sweep.trainer(0)?;
        Ok(sweep)
    }

    fn trainer(&self, trial: usize) -> Result<MlpTrainer> {
        let Settings::Mlp(settings) = self.study.trials[trial].settings(&self.settings) else {
            unreachable!("a sweep has the settings of a perceptron")
        };
        MlpTrainer::new(settings, &self.table, ProgressBar::hidden())
    }

    /// What is known of the table, line by line.
    pub fn notes(&self) -> Vec<String> {
        let description = &self.table.description;
        let lines = description.to_string().lines().map(str::to_owned).collect::<Vec<_>>();
        lines.into_iter().chain(description.warnings.iter().cloned()).collect()
    }

    /// The number of trials.
    #[wasm_bindgen(getter)]
    pub fn trials(&self) -> usize {
        self.study.len()
    }

    /// The name of a trial.
    pub fn trial(&self, trial: usize) -> String {
        self.study.trials[trial].to_string()
    }

    /// Trains a network. What comes back is for [`answer`](Self::answer) and [`results_csv`](Self::results_csv).
    pub fn run(&self, trial: usize) -> Result<String, JsError> {
        let run = || {
            let start = Date::now();
            let mut trainer = self.trainer(trial)?;
            let mut history = Vec::new();
            while let Some(Metrics { epoch, train, validation }) = trainer.advance()? {
                let bits = |score: Score| [score.loss.to_bits(), score.metric.to_bits()];
                history.push((epoch, [bits(train), bits(validation)]));
            }
            let validated = trainer.validate();
            Ok(serde_json::to_string(&Ended { trial, seconds: (Date::now() - start) / 1e3, validated, history })?)
        };
        run().map_err(js_error)
    }

    /// What these trials show, as JSON. `undefined` if no score is a number.
    pub fn answer(&self, results: Vec<String>) -> Result<Option<String>, JsError> {
        let answer = || -> Result<Option<String>> {
            let ended = self.ended(&results)?;
            let metric = self.study.metric;
            let Some(answer) = Answer::of(ended.iter(), metric) else { return Ok(None) };
            let (titles, cells) = columns(&answer, metric);
            let rows = answer.rows.iter().zip(cells).enumerate().map(|(i, (row, cells))| {
                json!({
                    "cells": cells,
                    "mark": mark(&answer, i),
                    "rate": row.candidate.dropout.amount(),
                    "train": row.train,
                    "validation": row.validation.value,
                    "error": row.validation.error,
                    "complete": row.complete,
                })
            });
            let rows: Vec<_> = rows.collect();
            let chosen = &answer.rows[answer.chosen].candidate;
            let verdict = match answer.effect() {
                _ if !answer.is_certain() => "unknown",
                Some(Verdict::Better) => "helps",
                Some(Verdict::Worse) => "harms",
                Some(Verdict::Unsure) => "unsure",
                None if chosen.is_without_dropout() && answer.is_compared() => "none",
                None => "unknown",
            };
            let recommended = Trial::new(chosen.clone(), self.study.blocks[0]).settings(&self.settings);
            let (axis, factor) = metric.axis();
            let answer = json!({
                "metric": metric.name(),
                "axis": axis,
                "factor": factor,
                "columns": titles,
                "rows": rows,
                "chosen": answer.chosen,
                "best": answer.best,
                "certain": answer.is_certain(),
                "helpful": answer.helpful(),
                "verdict": verdict,
                "sentences": answer.sentences(),
                "config": recommended.to_toml()?,
            });
            Ok(Some(answer.to_string()))
        };
        answer().map_err(js_error)
    }

    /// These trials as `results.csv`.
    pub fn results_csv(&self, results: Vec<String>) -> Result<String, JsError> {
        let csv = || {
            let ended = self.ended(&results)?;
            Ok(String::from_utf8(csv(&ended.iter().collect::<Vec<_>>())?)?)
        };
        csv().map_err(js_error)
    }

    /// The results in the order of the trials, whatever order they came in.
    fn ended(&self, results: &[String]) -> Result<Vec<TrialResult>> {
        let mut ended =
            results.iter().map(|result| Ok(serde_json::from_str::<Ended>(result)?)).collect::<Result<Vec<Ended>>>()?;
        ended.sort_by_key(|ended| ended.trial);
        let result = |Ended { trial, seconds, validated, history }: Ended| TrialResult {
            trial: self.study.trials[trial].clone(),
            state: State::Complete,
            seconds,
            validated,
            history: history.into_iter().map(metrics).collect(),
        };
        Ok(ended.into_iter().map(result).collect())
    }
}

fn metrics((epoch, bits): Measured) -> Metrics {
    let [train, validation] =
        bits.map(|[loss, metric]| Score { loss: f64::from_bits(loss), metric: f64::from_bits(metric) });
    Metrics { epoch, train, validation }
}
