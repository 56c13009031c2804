//! Tables to learn from: the built-in digits or a CSV file, split and standardised.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::settings::{MlpSettings, Task, TrainFraction};

/// Rows of numbers, and what is to be predicted from each.
pub struct Table {
    /// Row by row.
    pub features: Vec<f32>,
    pub feature_count: usize,
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
    /// How much a target number of 1 is in the unit of the table.
    pub unit: f64,
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
            feature_count: digits.num_features,
            targets: Targets::Classes {
                numbers: digits.target.iter().map(|&digit| digit as usize).collect(),
                names: (0..10).map(|digit| digit.to_string()).collect(),
            },
        }
    }

    fn csv(path: &Path, target: &str, task: Task) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path)?;
        let header = reader.headers()?.clone();
        ensure!(!header.is_empty(), "the file is empty: expected a header row, then a row a sample");
        let header: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
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
                let place = || format!("row {row}, column `{}`", header[column]);
                let number = || {
                    let number = cell.parse::<f32>().ok().filter(|number| number.is_finite());
                    number.with_context(|| format!("{}: expected a number, but got `{cell}`", place()))
                };
                match (column == target_column, task) {
                    (false, _) => features.push(number()?),
                    (true, Task::Regression) => numbers.push(number()?),
                    (true, Task::Classification) => {
                        let hint = if number().is_ok() { "; for a number add --task regression" } else { "" };
                        ensure!(
                            is_class(cell),
                            "{}: expected an integer or a text as a class, but got `{cell}`{hint}",
                            place()
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
        Ok(Self { features, feature_count: header.len() - 1, targets })
    }

    /// How many numbers a model has to give for a row.
    pub fn outputs(&self) -> usize {
        match &self.targets {
            Targets::Classes { names, .. } => names.len(),
            Targets::Numbers(_) => 1,
        }
    }

    pub fn len(&self) -> usize {
        self.features.len() / self.feature_count
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.feature_count..][..self.feature_count]
    }

    /// Shuffles the rows, and gives the first `fraction` of them to training.
    pub fn split(self, fraction: TrainFraction, rng: &mut ChaCha8Rng) -> Result<Split> {
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
        for column in 0..self.feature_count {
            standardise(&mut train.features, &mut validation.features, column, self.feature_count);
        }
        let unit = match (&mut train.targets, &mut validation.targets) {
            (Targets::Numbers(train), Targets::Numbers(validation)) => standardise(train, validation, 0, 1),
            _ => 1.0,
        };
        Ok(Split { train, validation, unit })
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            features: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            feature_count: self.feature_count,
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

/// Gives a column of both parts mean 0 and standard deviation 1 over the training rows; a constant one becomes 0. Returns what
/// 1 stands for then.
fn standardise(train: &mut [f32], validation: &mut [f32], column: usize, columns: usize) -> f64 {
    let values = || train[column..].iter().step_by(columns).map(|&x| f64::from(x));
    let rows = values().count() as f64;
    let mean = values().sum::<f64>() / rows;
    let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / rows).sqrt();
    let factor = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    for part in [train, validation] {
        for x in part[column..].iter_mut().step_by(columns) {
            *x = ((f64::from(*x) - mean) * factor) as f32;
        }
    }
    deviation
}
