//! Tables to learn from: the built-in digits or a CSV file, split and standardised.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::settings::{MlpSettings, Task, TrainFraction};

/// Rows of numbers, and what is to be predicted from each.
pub struct Table {
    /// Row by row.
    pub features: Vec<f32>,
    /// What the features are called.
    pub columns: Vec<String>,
    pub targets: Targets,
}

/// What is to be predicted, for each row.
pub enum Targets {
    /// A class number, and what the numbers stand for.
    Classes {
        numbers: Vec<usize>,
        names: Vec<String>,
    },
    Numbers(Vec<f32>),
}

/// The same table in two parts, features and target numbers standardised with the statistics of the first.
pub struct Split {
    pub train: Table,
    pub validation: Table,
    pub schema: Schema,
}

/// What a model has to know of the table that it learns from, to be used on others: `table.json` in its folder.
#[derive(Deserialize, Serialize)]
pub struct Schema {
    pub features: Vec<Column>,
    pub target: Target,
}

/// A column of numbers, and how it is standardised.
#[derive(Deserialize, Serialize)]
pub struct Column {
    name: String,
    mean: f64,
    deviation: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Their names, in the order of a model's outputs.
    Classes(Vec<String>),
    Numbers(Column),
}

impl Column {
    /// From the values in the training rows.
    fn of(name: &str, values: impl Iterator<Item = f32> + Clone) -> Self {
        let values = values.map(f64::from);
        let rows = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / rows;
        let deviation = (values.map(|x| (x - mean).powi(2)).sum::<f64>() / rows).sqrt();
        Self { name: name.to_owned(), mean, deviation }
    }

    /// A value with mean 0 and standard deviation 1 over the training rows. A column that was constant there is 0.
    fn standardise(&self, value: f32) -> f32 {
        let factor = if self.deviation > 0.0 { 1.0 / self.deviation } else { 0.0 };
        ((f64::from(value) - self.mean) * factor) as f32
    }

    /// What a standardised value was.
    pub fn restore(&self, value: f64) -> f64 {
        value * self.deviation + self.mean
    }

    /// How much a standardised 1 is in the unit of the table.
    pub fn unit(&self) -> f64 {
        self.deviation
    }
}

impl Schema {
    /// How many numbers a model has to give for a row.
    pub fn outputs(&self) -> usize {
        match &self.target {
            Target::Classes(names) => names.len(),
            Target::Numbers(_) => 1,
        }
    }

    /// The standardised features of the rows of a CSV file, row by row, which has a column for each. Others do not matter.
    pub fn read_features(&self, path: &Path) -> Result<Vec<f32>> {
        let read = || {
            let (mut reader, header) = open(path)?;
            let place = |column: &Column| {
                let place = header.iter().position(|name| *name == column.name);
                place.with_context(|| format!("there is no column `{}`, which the model looks at", column.name))
            };
            let places = self.features.iter().map(place).collect::<Result<Vec<_>>>()?;
            let mut features = Vec::new();
            for (row, record) in reader.records().enumerate() {
                let record = record?;
                for (column, &place) in self.features.iter().zip(&places) {
                    features.push(column.standardise(number(&record[place], row + 1, &column.name)?));
                }
            }
            ensure!(!features.is_empty(), "there are no rows in it");
            Ok(features)
        };
        read().with_context(|| path.display().to_string())
    }
}

/// A CSV file at its first row, and what its columns are called.
fn open(path: &Path) -> Result<(csv::Reader<File>, Vec<String>)> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path)?;
    let header = reader.headers()?.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    Ok((reader, header))
}

/// The number in a cell.
fn number(cell: &str, row: usize, column: &str) -> Result<f32> {
    let number = cell.parse::<f32>().ok().filter(|number| number.is_finite());
    number.with_context(|| format!("row {row}, column `{column}`: expected a number, but got `{cell}`"))
}

impl Table {
    /// The table that `settings` name.
    pub fn load(settings: &MlpSettings) -> Result<Self> {
        let table = if settings.data == Path::new("digits") {
            ensure!(settings.target.is_none(), "--target names a column of a CSV file; the built-in digits have none");
            ensure!(
                settings.task == Task::Classification,
                "the built-in digits are classes, and no task for regression"
            );
            Self::digits()
        } else {
            let path = settings.data.display();
            let Some(target) = &settings.target else {
                bail!("{path}: which column is to be predicted? Name it with --target");
            };
            Self::csv(&settings.data, target, settings.task).with_context(|| path.to_string())?
        };
        let path = settings.data.display();
        match &table.targets {
            Targets::Classes { names, .. } => ensure!(
                names.len() > 1,
                "{path}: all rows are of one class, `{}`; there is nothing to learn",
                names.concat()
            ),
            Targets::Numbers(numbers) => ensure!(
                numbers.iter().any(|number| *number != numbers[0]),
                "{path}: the target of all rows is {}; there is nothing to learn",
                numbers[0]
            ),
        }
        Ok(table)
    }

    /// 1,797 handwritten digits of 8x8 pixels: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
    /// Machine Learning Repository, 1998.
    fn digits() -> Self {
        let digits = smartcore::dataset::digits::load_dataset();
        Self {
            features: digits.data,
            columns: (0..digits.num_features).map(|pixel| format!("pixel_{pixel}")).collect(),
            targets: Targets::Classes {
                numbers: digits.target.iter().map(|&digit| digit as usize).collect(),
                names: (0..10).map(|digit| digit.to_string()).collect(),
            },
        }
    }

    fn csv(path: &Path, target: &str, task: Task) -> Result<Self> {
        let (mut reader, header) = open(path)?;
        ensure!(!header.is_empty(), "the file is empty: expected a header row, then a row a sample");
        let columns = || header.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let target_column = match header.iter().enumerate().filter(|(_, name)| **name == target).collect::<Vec<_>>()[..]
        {
            [(column, _)] => column,
            [] => bail!("there is no column `{target}`, only {}", columns()),
            _ => bail!("there is more than one column `{target}`"),
        };
        ensure!(header.len() > 1, "there is no column besides `{target}` to predict it from");

        let (mut features, mut labels, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for (row, record) in reader.records().enumerate() {
            let record = record?;
            let row = row + 1;
            for (column, cell) in record.iter().enumerate() {
                let number = || number(cell, row, &header[column]);
                match (column == target_column, task) {
                    (false, _) => features.push(number()?),
                    (true, Task::Regression) => numbers.push(number()?),
                    (true, Task::Classification) => {
                        let hint = if number().is_ok() { "; for a number add --task regression" } else { "" };
                        ensure!(
                            is_class(cell),
                            "row {row}, column `{target}`: expected an integer or a text as a class, but got `{cell}`{hint}"
                        );
                        labels.push(cell.to_owned());
                    }
                }
            }
        }
        ensure!(!features.is_empty(), "the file has a header, but no rows");

        let targets = match task {
            Task::Regression => Targets::Numbers(numbers),
            Task::Classification => {
                let names = sorted_classes(&labels);
                let number = |label| names.iter().position(|name| name == label).expect("names are made of the labels");
                Targets::Classes { numbers: labels.iter().map(number).collect(), names }
            }
        };
        let columns = header.into_iter().filter(|name| name != target).collect();
        Ok(Self { features, columns, targets })
    }

    pub fn len(&self) -> usize {
        self.features.len() / self.columns.len()
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.columns.len()..][..self.columns.len()]
    }

    /// Shuffles the rows, and gives the first `fraction` of them to training.
    pub fn split(&self, fraction: TrainFraction, rng: &mut ChaCha8Rng) -> Result<Split> {
        let mut rows: Vec<usize> = (0..self.len()).collect();
        rows.shuffle(rng);
        let count = (fraction.get() * rows.len() as f64).round() as usize;
        ensure!(
            (1..rows.len()).contains(&count),
            "a train fraction of {fraction} makes {count} of {} rows training rows; both parts need at least one",
            rows.len()
        );
        let (train, validation) = rows.split_at(count);
        let (mut train, mut validation) = (self.select(train), self.select(validation));
        let count = self.columns.len();
        let values = |column: usize| train.features[column..].iter().step_by(count).copied();
        let features: Vec<Column> =
            self.columns.iter().enumerate().map(|(i, name)| Column::of(name, values(i))).collect();
        let target = match &train.targets {
            Targets::Classes { names, .. } => Target::Classes(names.clone()),
            Targets::Numbers(numbers) => Target::Numbers(Column::of("", numbers.iter().copied())),
        };
        let schema = Schema { features, target };
        for part in [&mut train, &mut validation] {
            for (column, x) in schema.features.iter().cycle().zip(&mut part.features) {
                *x = column.standardise(*x);
            }
            if let (Target::Numbers(column), Targets::Numbers(numbers)) = (&schema.target, &mut part.targets) {
                for x in numbers {
                    *x = column.standardise(*x);
                }
            }
        }
        Ok(Split { train, validation, schema })
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            features: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            columns: self.columns.clone(),
            targets: match &self.targets {
                Targets::Classes { numbers, names } => {
                    Targets::Classes { numbers: rows.iter().map(|&row| numbers[row]).collect(), names: names.clone() }
                }
                Targets::Numbers(numbers) => Targets::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            },
        }
    }
}

/// A number that is not whole is a measurement, not a class.
fn is_class(cell: &str) -> bool {
    !cell.is_empty() && (cell.parse::<i64>().is_ok() || cell.parse::<f64>().is_err())
}

/// The distinct labels: integers by their value, others by their letters.
fn sorted_classes(labels: &[String]) -> Vec<String> {
    let distinct: BTreeSet<&String> = labels.iter().collect();
    let mut classes: Vec<String> = distinct.into_iter().cloned().collect();
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| class.parse::<i64>().ok());
    }
    classes
}
