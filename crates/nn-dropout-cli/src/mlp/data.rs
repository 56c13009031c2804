//! Tables to learn from: the built-in digits or a file, and their split.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::cells::{Cells, is_missing, number};
use super::schema::{Schema, Target};
use crate::numbers::TrainFraction;
use crate::settings::{DIGITS, MlpSettings, Task};

/// What is known of each row, and what is to be predicted from it.
pub struct Table {
    pub columns: Vec<Column>,
    pub targets: Targets,
}

/// A column of numbers or of categories.
pub struct Column {
    pub name: String,
    /// The number of each row, or the place of its category; NaN where it is missing.
    pub values: Vec<f32>,
    pub categories: Option<Vec<String>>,
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

/// A table in two parts, and how both are encoded.
pub struct Split {
    pub train: Part,
    pub validation: Part,
    pub schema: Schema,
}

/// Rows as a model sees them.
pub struct Part {
    /// Row by row.
    features: Vec<f32>,
    inputs: usize,
    /// Numbers are standardised.
    pub targets: Targets,
}

/// The most categories of a column. Beyond, a text is a name, which says nothing of other rows.
const MAX_CATEGORIES: usize = 100;

impl Table {
    /// The table that `settings` name.
    pub fn load(settings: &MlpSettings) -> Result<Self> {
        let table = if settings.data == Path::new(DIGITS) {
            ensure!(settings.target.is_none(), "--target names a column of a CSV file; the built-in digits have none");
            ensure!(
                settings.task == Task::Classification,
                "the built-in digits are classes, and no task for regression"
            );
            ensure!(
                settings.ignore.is_empty() && settings.categories.is_empty(),
                "--ignore and --categories name columns of a file; the built-in digits have none"
            );
            Self::digits()
        } else {
            let path = settings.data.display();
            let Some(target) = &settings.target else {
                bail!("{path}: which column is to be predicted? Name it with --target");
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
        ensure!(!header.is_empty(), "the file is empty: expected a header row, then a row a sample");
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
            "column `{target}` is to be predicted and to be ignored"
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

    /// The columns with missing values, and how many they miss.
    pub fn missing(&self) -> impl Iterator<Item = (&str, usize)> {
        let missing = |column: &Column| column.values.iter().filter(|value| value.is_nan()).count();
        self.columns.iter().map(move |column| (column.name.as_str(), missing(column))).filter(|(_, count)| *count > 0)
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
        let schema = Schema::of(self, train);
        let part = |rows: &[usize]| Part {
            features: schema.encode(self, rows),
            inputs: schema.inputs(),
            targets: match (&self.targets, &schema.target) {
                (Targets::Numbers(numbers), Target::Numbers(scale)) => {
                    Targets::Numbers(rows.iter().map(|&row| scale.standardise(numbers[row])).collect())
                }
                (Targets::Classes { numbers, names }, _) => {
                    Targets::Classes { numbers: rows.iter().map(|&row| numbers[row]).collect(), names: names.clone() }
                }
                (Targets::Numbers(_), Target::Classes(_)) => unreachable!("the schema is this table's"),
            },
        };
        Ok(Split { train: part(train), validation: part(validation), schema })
    }
}

impl Part {
    pub fn len(&self) -> usize {
        self.features.len() / self.inputs
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.inputs..][..self.inputs]
    }

    /// All rows, one after the other.
    pub fn rows(&self) -> &[f32] {
        &self.features
    }
}

/// A column that is being read.
struct Builder {
    name: String,
    cells: Kind,
}

/// The first cell that is not missing decides.
enum Kind {
    Unknown { missing: usize },
    Numbers(Vec<f32>),
    Texts { cells: Vec<Option<String>>, named: bool },
}

impl Builder {
    fn new(name: &str, is_category: bool) -> Self {
        let cells =
            if is_category { Kind::Texts { cells: Vec::new(), named: true } } else { Kind::Unknown { missing: 0 } };
        Self { name: name.to_owned(), cells }
    }

    fn add(&mut self, cell: &str) -> Result<()> {
        let missing = is_missing(cell);
        if let (Kind::Unknown { missing: before }, false) = (&self.cells, missing) {
            self.cells = if is_number(cell) {
                Kind::Numbers(vec![f32::NAN; *before])
            } else {
                Kind::Texts { cells: vec![None; *before], named: false }
            };
        }
        match &mut self.cells {
            Kind::Unknown { missing } => *missing += 1,
            Kind::Numbers(numbers) if missing => numbers.push(f32::NAN),
            Kind::Numbers(numbers) => {
                let name = &self.name;
                ensure!(
                    is_number(cell),
                    "expected a number, as before, but got `{cell}`; if they are categories, add --categories \"{name}\""
                );
                numbers.push(number(cell).with_context(|| format!("expected a number, but got `{cell}`"))?);
            }
            Kind::Texts { cells, .. } if missing => cells.push(None),
            Kind::Texts { cells, named } => {
                let name = &self.name;
                ensure!(
                    *named || !is_number(cell),
                    "expected a text, as before, but got `{cell}`; if they are categories, add --categories \"{name}\""
                );
                cells.push(Some(cell.to_owned()));
            }
        }
        Ok(())
    }

    fn build(self) -> Result<Column> {
        let name = self.name;
        match self.cells {
            Kind::Unknown { .. } => bail!("column `{name}` is empty; leave it out with --ignore \"{name}\""),
            Kind::Numbers(values) => Ok(Column { name, values, categories: None }),
            Kind::Texts { cells, .. } => {
                let texts: Vec<String> = cells.iter().flatten().cloned().collect();
                let (numbers, categories) = numbered(&texts);
                ensure!(
                    categories.len() <= MAX_CATEGORIES,
                    "column `{name}` has {} different texts, and at most {MAX_CATEGORIES} are taken as categories; leave it out with --ignore \"{name}\"",
                    categories.len()
                );
                let mut numbers = numbers.into_iter();
                let value = |cell: &Option<String>| {
                    cell.as_ref().and_then(|_| numbers.next()).map_or(f32::NAN, |number| number as f32)
                };
                Ok(Column { name, values: cells.iter().map(value).collect(), categories: Some(categories) })
            }
        }
    }
}

/// Also one that is out of range.
fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok()
}

/// A number that is not whole is a measurement, not a class.
fn is_class(cell: &str) -> bool {
    !cell.is_empty() && (cell.parse::<i64>().is_ok() || !is_number(cell))
}

/// The number of each label among the distinct ones, and these: integers by their value, others by their letters.
fn numbered(labels: &[String]) -> (Vec<usize>, Vec<String>) {
    let mut places: BTreeMap<&str, usize> = labels.iter().map(|label| (label.as_str(), 0)).collect();
    let mut names: Vec<String> = places.keys().map(|&name| name.to_owned()).collect();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().ok());
    }
    for (place, name) in names.iter().enumerate() {
        *places.get_mut(name.as_str()).expect("names are made of the labels") = place;
    }
    (labels.iter().map(|label| places[label.as_str()]).collect(), names)
}
