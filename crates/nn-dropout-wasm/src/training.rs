//! One network on one table, as `nn-dropout train` trains it.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use nn_dropout_experiments::io::source::Source;
use nn_dropout_experiments::metric::{Metrics, Score};
use nn_dropout_experiments::mlp::prediction::{Predictor, SEED};
use nn_dropout_experiments::mlp::trainer::MlpTrainer;
use nn_dropout_experiments::settings::{CsvOptions, DIGITS, MlpSettings, Settings, file};
use nn_dropout_experiments::table::{Cells, Column, Description, Part, Reading, Table, Targets, Values};
use nn_dropout_experiments::trainer::Trainer;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

/// A message in one line, with what led to it.
pub fn js_error(error: anyhow::Error) -> JsError {
    JsError::new(&format!("{error:#}"))
}

/// The names of a table's columns. `name` is that of its file.
#[wasm_bindgen]
pub fn columns(name: &str, table: Vec<u8>) -> Result<Vec<String>, JsError> {
    let open = || Cells::open(&Source::Memory(table.into()), &CsvOptions::default(), |_| Reading::default());
    Ok(open().with_context(|| name.to_owned()).map_err(js_error)?.header)
}

/// The settings in TOML, of a table by this name.
pub fn mlp_settings(name: &str, settings: &str) -> Result<MlpSettings> {
    let mut options = file::parse(settings)?;
    options.data = Some(name.into());
    match Settings::of(options)? {
        Settings::Mlp(settings) => Ok(settings),
        Settings::Gpt(_) => bail!("expected the settings of a perceptron"),
    }
}

/// The table in a file, or the built-in digits.
pub fn load(table: Option<Vec<u8>>, settings: &MlpSettings) -> Result<Table> {
    match table {
        Some(bytes) => {
            let name = settings.data.display().to_string();
            Table::read(&Source::Memory(bytes.into()), settings).context(name)
        }
        None => Table::load(settings),
    }
}

/// A network in training.
#[wasm_bindgen]
pub struct Training {
    settings: MlpSettings,
    table: Table,
    trainer: MlpTrainer,
}

#[wasm_bindgen]
impl Training {
    /// A network before its first step, for a file or the built-in digits, with settings as in a run's `config.toml`.
    #[wasm_bindgen(constructor)]
    pub fn new(table: Option<Vec<u8>>, settings: &str) -> Result<Training, JsError> {
        let new = || {
            let settings = mlp_settings(if table.is_some() { "data.csv" } else { DIGITS }, settings)?;
            let table = load(table, &settings)?;
            let trainer = MlpTrainer::new(settings.clone(), &table, ProgressBar::hidden())?;
            Ok(Self { settings, table, trainer })
        };
        new().map_err(js_error)
    }

    /// The number of epochs of the whole training.
    #[wasm_bindgen(getter)]
    pub fn epochs(&self) -> usize {
        self.trainer.length()
    }

    /// Trains until the network has been measured again: the epoch and both scores of both parts, as JSON. `undefined` at the end.
    pub fn advance(&mut self) -> Result<Option<String>, JsError> {
        let metrics = self.trainer.advance().map_err(js_error)?;
        Ok(metrics.map(|Metrics { epoch, train, validation }| {
            json!({"epoch": epoch, "train": score(train), "validation": score(validation)}).to_string()
        }))
    }

    /// The rows of a part, `train` or `validation`, one after the other: their numbers, and their classes.
    pub fn rows(&self, part: &str) -> Vec<f32> {
        let part = self.part(part);
        let columns: Vec<&[f64]> = self.table.columns.iter().filter_map(numbers).collect();
        let mut rows = Vec::new();
        for (row, &unit) in part.units.iter().enumerate() {
            let place = (unit & (u64::MAX >> 1)) as usize;
            rows.extend(columns.iter().map(|column| column[place] as f32));
            if let Targets::Classes { numbers, .. } = &part.targets {
                rows.push(numbers[row] as f32);
            }
        }
        rows
    }

    /// What the network reads in some rows of a part: the number of the class, and how uncertain that is, from 0 to 1: the entropy over
    /// Monte Carlo samples as a share of the largest there can be. Without samples it is in eval mode.
    pub fn read(&self, part: &str, rows: &[u32], samples: usize) -> Vec<f32> {
        let (part, schema) = (self.part(part), &self.trainer.split().schema);
        let features: Vec<f32> = rows.iter().flat_map(|&row| part.row(row as usize)).copied().collect();
        let predictions = self.predictor(samples).predict(schema, &features);
        let largest = (schema.target.outputs() as f64).ln();
        predictions
            .iter()
            .flat_map(|prediction| [prediction.class() as f32, (prediction.uncertainty / largest) as f32])
            .collect()
    }

    fn part(&self, name: &str) -> &Part {
        let split = self.trainer.split();
        if name == "train" { &split.train } else { &split.validation }
    }

    fn predictor(&self, samples: usize) -> Predictor {
        Predictor::new(self.trainer.model(), &self.settings, NonZeroUsize::new(samples), SEED)
    }

    /// What the network says on a grid over the plane of a table's two columns, row by row: the probabilities of the second class, and
    /// then their standard deviations over Monte Carlo samples. Without samples it is in eval mode.
    #[allow(clippy::too_many_arguments, reason = "JavaScript has no structs")]
    pub fn plane(
        &self,
        x_min: f64,
        x_max: f64,
        y_min: f64,
        y_max: f64,
        width: usize,
        height: usize,
        samples: usize,
    ) -> Result<Vec<f32>, JsError> {
        let at =
            |min: f64, max: f64, place: usize, count: usize| min + (max - min) * (place as f64 + 0.5) / count as f64;
        let points = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let axes: [Vec<f64>; 2] = [
            points.clone().map(|(x, _)| at(x_min, x_max, x, width)).collect(),
            points.map(|(_, y)| at(y_min, y_max, y, height)).collect(),
        ];
        let columns = self.table.columns.iter().zip(axes).map(|(column, numbers)| Column {
            name: column.name.clone(),
            values: Values::Numbers { numbers, unit: None },
            reading: Reading::default(),
        });
        let grid = Table {
            columns: columns.collect(),
            targets: Targets::Numbers(Vec::new()),
            groups: None,
            blake3: None,
            description: Description::default(),
        };
        let schema = &self.trainer.split().schema;
        let rows: Vec<usize> = (0..width * height).collect();
        let features = schema.encode(&grid, &rows).map_err(js_error)?;
        let predictions = self.predictor(samples).predict(schema, &features);
        let means = predictions.iter().map(|prediction| prediction.outputs[1] as f32);
        let deviations = predictions.iter().map(|prediction| prediction.deviations[1] as f32);
        Ok(means.chain(deviations).collect())
    }
}

/// Numbers that are none are `null`.
fn score(Score { loss, metric }: Score) -> Value {
    json!({"loss": loss, "metric": metric})
}

fn numbers(column: &Column) -> Option<&[f64]> {
    match &column.values {
        Values::Numbers { numbers, .. } => Some(numbers),
        Values::Categories(_) | Values::Dates(_) => None,
    }
}
