//! Tables to learn from: the built-in digits or a file.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::cells::{Cells, number};
use super::column::{Builder, Column, is_class, numbered};
use crate::settings::{DIGITS, MlpSettings, Task};

/// The features of each row, and its target.
pub struct Table {
    pub columns: Vec<Column>,
    pub targets: Targets,
}

/// The target of each row.
pub enum Targets {
    /// Class numbers, and the name of each class.
    Classes {
        numbers: Vec<usize>,
        names: Vec<String>,
    },
    Numbers(Vec<f32>),
}

impl Table {
    /// The table that the settings name.
    pub fn load(settings: &MlpSettings) -> Result<Self> {
        let table = if settings.data == Path::new(DIGITS) {
            ensure!(settings.target.is_none(), "--target names a column of a CSV file; the built-in digits have none");
            ensure!(
                settings.task == Task::Classification,
                "the built-in digits are classes: regression needs a table of your own"
            );
            ensure!(
                settings.ignore.is_empty() && settings.categories.is_empty(),
                "--ignore and --categories name columns of a file; the built-in digits have none"
            );
            Self::digits()
        } else {
            let path = settings.data.display();
            let Some(target) = &settings.target else {
                bail!("{path}: which column should be predicted? Name it with --target");
            };
            Self::read(settings, target).with_context(|| path.to_string())?
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
        let column = |pixel: usize| Column {
            name: format!("pixel_{pixel}"),
            values: digits.data[pixel..].iter().step_by(digits.num_features).copied().collect(),
            categories: None,
        };
        Self {
            columns: (0..digits.num_features).map(column).collect(),
            targets: Targets::Classes {
                numbers: digits.target.iter().map(|&digit| digit as usize).collect(),
                names: (0..10).map(|digit| digit.to_string()).collect(),
            },
        }
    }

    fn read(settings: &MlpSettings, target: &str) -> Result<Self> {
        let Cells { header, rows } = Cells::open(&settings.data)?;
        ensure!(!header.is_empty(), "the file is empty: expected a header row, then one row per sample");
        for name in settings.ignore.iter().chain(&settings.categories).map(String::as_str).chain([target]) {
            match header.iter().filter(|column| *column == name).count() {
                1 => {}
                0 => {
                    let columns = header.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                    bail!("there is no column `{name}`, only {columns}")
                }
                _ => bail!("there is more than one column `{name}`"),
            }
        }
        ensure!(
            !settings.ignore.iter().any(|name| name == target),
            "column `{target}` cannot be both the target and ignored"
        );
        let is_feature = |name: &String| *name != target && !settings.ignore.contains(name);
        ensure!(header.iter().any(is_feature), "there is no column besides `{target}` to predict it from");

        let builder = |name: &String| is_feature(name).then(|| Builder::new(name, settings.categories.contains(name)));
        let mut builders: Vec<Option<Builder>> = header.iter().map(builder).collect();
        let (mut labels, mut numbers) = (Vec::new(), Vec::new());
        for (row, record) in rows.enumerate() {
            let record = record?;
            for ((cell, name), builder) in record.iter().zip(&header).zip(&mut builders) {
                let place = || format!("row {}, column `{name}`", row + 1);
                match builder {
                    Some(builder) => builder.add(cell).with_context(place)?,
                    None if name != target => {}
                    None if settings.task == Task::Regression => {
                        numbers.push(
                            number(cell)
                                .with_context(|| format!("{}: expected a number, but got `{cell}`", place()))?,
                        );
                    }
                    None => {
                        let hint = if number(cell).is_some() { "; for a number add --task regression" } else { "" };
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
        ensure!(!labels.is_empty() || !numbers.is_empty(), "the file has a header, but no rows");

        let targets = match settings.task {
            Task::Regression => Targets::Numbers(numbers),
            Task::Classification => {
                let (numbers, names) = numbered(&labels);
                Targets::Classes { numbers, names }
            }
        };
        let columns = builders.into_iter().flatten().map(Builder::build).collect::<Result<_>>()?;
        Ok(Self { columns, targets })
    }

    pub fn len(&self) -> usize {
        match &self.targets {
            Targets::Classes { numbers, .. } => numbers.len(),
            Targets::Numbers(numbers) => numbers.len(),
        }
    }

    /// The columns with missing values, and how many are missing.
    pub fn missing(&self) -> impl Iterator<Item = (&str, usize)> {
        let missing = |column: &Column| column.values.iter().filter(|value| value.is_nan()).count();
        self.columns.iter().map(move |column| (column.name.as_str(), missing(column))).filter(|(_, count)| *count > 0)
    }
}
