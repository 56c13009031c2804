//! Tables to learn from: the built-in digits or a CSV file, split and standardised.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::settings::{MlpSettings, TrainFraction};

/// Rows of numbers, and the class of each.
pub struct Table {
    /// Row by row.
    pub features: Vec<f32>,
    pub feature_count: usize,
    /// A class number for each row.
    pub targets: Vec<usize>,
    /// What the class numbers stand for.
    pub classes: Vec<String>,
}

/// The same table in two parts, standardised with the statistics of the first.
pub struct Split {
    pub train: Table,
    pub validation: Table,
}

impl Table {
    /// The table that `settings` name.
    pub fn load(settings: &MlpSettings) -> Result<Self> {
        let table = if settings.data == Path::new("digits") {
            ensure!(settings.target.is_none(), "--target names a column of a CSV file; the built-in digits have none");
            Self::digits()
        } else {
            let path = settings.data.display();
            let Some(target) = &settings.target else {
                bail!("{path}: which column is to be predicted? Name it with --target");
            };
            Self::csv(&settings.data, target).with_context(|| path.to_string())?
        };
        ensure!(
            table.classes.len() > 1,
            "{}: all rows are of one class, `{}`; there is nothing to learn",
            settings.data.display(),
            table.classes.concat()
        );
        Ok(table)
    }

    /// 1,797 handwritten digits of 8x8 pixels: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
    /// Machine Learning Repository, 1998.
    fn digits() -> Self {
        let digits = smartcore::dataset::digits::load_dataset();
        Self {
            features: digits.data,
            feature_count: digits.num_features,
            targets: digits.target.iter().map(|&digit| digit as usize).collect(),
            classes: (0..10).map(|digit| digit.to_string()).collect(),
        }
    }

    fn csv(path: &Path, target: &str) -> Result<Self> {
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

        let mut features = Vec::new();
        let mut labels = Vec::new();
        for (row, record) in reader.records().enumerate() {
            let record = record?;
            let row = row + 1;
            for (column, cell) in record.iter().enumerate() {
                let place = || format!("row {row}, column `{}`", header[column]);
                if column == target_column {
                    ensure!(is_class(cell), "{}: expected an integer or a text as a class, but got `{cell}`", place());
                    labels.push(cell.to_owned());
                } else {
                    let number = cell.parse::<f32>().ok().filter(|number| number.is_finite());
                    features.push(number.with_context(|| format!("{}: expected a number, but got `{cell}`", place()))?);
                }
            }
        }
        ensure!(!labels.is_empty(), "the file has a header, but no rows");

        let classes = sorted_classes(&labels);
        let targets = labels
            .iter()
            .map(|label| classes.iter().position(|class| class == label).expect("classes are made of the labels"))
            .collect();
        Ok(Self { features, feature_count: header.len() - 1, targets, classes })
    }

    pub fn len(&self) -> usize {
        self.targets.len()
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
        let mut split = Split { train: self.select(train), validation: self.select(validation) };
        standardise(&mut split);
        Ok(split)
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            features: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            feature_count: self.feature_count,
            targets: rows.iter().map(|&row| self.targets[row]).collect(),
            classes: self.classes.clone(),
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

/// Gives every feature mean 0 and standard deviation 1 over the training rows; a constant one becomes 0.
fn standardise(split: &mut Split) {
    let (rows, columns) = (split.train.len() as f64, split.train.feature_count);
    for column in 0..columns {
        let values = || split.train.features[column..].iter().step_by(columns).map(|&x| f64::from(x));
        let mean = values().sum::<f64>() / rows;
        let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / rows).sqrt();
        let factor = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
        for table in [&mut split.train, &mut split.validation] {
            for x in table.features[column..].iter_mut().step_by(columns) {
                *x = ((f64::from(*x) - mean) * factor) as f32;
            }
        }
    }
}
