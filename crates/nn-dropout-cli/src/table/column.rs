//! A column of a table, and how it is read cell by cell.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::cells::{is_missing, number};

/// A column of numbers or of categories.
pub struct Column {
    pub name: String,
    /// The number of each row, or the index of its category; NaN if it is missing.
    pub values: Vec<f32>,
    pub categories: Option<Vec<String>>,
}

/// The most categories of a column. Texts with more are names, from which nothing can be learned.
const MAX_CATEGORIES: usize = 100;

/// A column that is being read.
pub struct Builder {
    name: String,
    cells: Kind,
}

/// The first cell that is not missing decides the kind.
enum Kind {
    Unknown { missing: usize },
    Numbers(Vec<f32>),
    Texts { cells: Vec<Option<String>>, named: bool },
}

impl Builder {
    pub fn new(name: &str, is_category: bool) -> Self {
        let cells =
            if is_category { Kind::Texts { cells: Vec::new(), named: true } } else { Kind::Unknown { missing: 0 } };
        Self { name: name.to_owned(), cells }
    }

    pub fn add(&mut self, cell: &str) -> Result<()> {
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

    pub fn build(self) -> Result<Column> {
        let name = self.name;
        match self.cells {
            Kind::Unknown { .. } => bail!("column `{name}` is empty; leave it out with --ignore \"{name}\""),
            Kind::Numbers(values) => Ok(Column { name, values, categories: None }),
            Kind::Texts { cells, .. } => {
                let texts: Vec<String> = cells.iter().flatten().cloned().collect();
                let (numbers, categories) = numbered(&texts);
                ensure!(
                    categories.len() <= MAX_CATEGORIES,
                    "column `{name}` has {} different texts, and at most {MAX_CATEGORIES} can be categories; leave it out with --ignore \"{name}\"",
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

/// Numbers out of range count too.
fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok()
}

/// A number with a fraction is a measurement, not a class.
pub fn is_class(cell: &str) -> bool {
    !cell.is_empty() && (cell.parse::<i64>().is_ok() || !is_number(cell))
}

/// The distinct labels in order, integers by value and others by letters, and the number of each label among them.
pub fn numbered(labels: &[String]) -> (Vec<usize>, Vec<String>) {
    let mut places: BTreeMap<&str, usize> = labels.iter().map(|label| (label.as_str(), 0)).collect();
    let mut names: Vec<String> = places.keys().map(|&name| name.to_owned()).collect();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().ok());
    }
    for (place, name) in names.iter().enumerate() {
        *places.get_mut(name.as_str()).expect("every name is a label") = place;
    }
    (labels.iter().map(|label| places[label.as_str()]).collect(), names)
}
