//! How the cells of a table become the numbers that a network sees.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cells::{Cells, is_missing, number};
use super::column::Column;
use super::data::{Table, Targets};

/// What a model has to know about its table to be used on another: `table.json` in its folder. All of it comes from the
/// training rows.
#[derive(Deserialize, Serialize)]
pub struct Schema {
    pub features: Vec<Feature>,
    pub target: Target,
}

/// A column that the model learns from.
#[derive(Deserialize, Serialize)]
pub struct Feature {
    pub name: String,
    #[serde(flatten)]
    encoding: Encoding,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Encoding {
    Number(Scale),
    /// One input per category: 1 for the row's own, 0 for the others.
    Categories {
        categories: Vec<String>,
    },
}

/// A column of numbers, standardised to mean 0 and standard deviation 1 over the training rows. A constant column becomes 0, and so
/// does a missing number, which counts as the mean.
#[derive(Deserialize, Serialize)]
pub struct Scale {
    mean: f64,
    deviation: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The names of the classes, in the order of a model's outputs.
    Classes(Vec<String>),
    Numbers(Scale),
}

/// The rows of a file, encoded for a model.
pub struct Inputs {
    /// Row by row.
    pub features: Vec<f32>,
    /// Texts that are not a category of their column: the number of cells, and the first text.
    pub unknown: BTreeMap<String, (usize, String)>,
}

impl Scale {
    /// The scale of the numbers that are not missing.
    fn of(numbers: impl Iterator<Item = f32> + Clone) -> Self {
        let numbers = numbers.filter(|number| !number.is_nan()).map(f64::from);
        let count = numbers.clone().count();
        if count == 0 {
            return Self { mean: 0.0, deviation: 0.0 };
        }
        let mean = numbers.clone().sum::<f64>() / count as f64;
        let deviation = (numbers.map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
        Self { mean, deviation }
    }

    pub fn standardise(&self, number: f32) -> f32 {
        if self.deviation > 0.0 && !number.is_nan() {
            ((f64::from(number) - self.mean) / self.deviation) as f32
        } else {
            0.0
        }
    }

    /// The number before it was standardised.
    pub fn restore(&self, number: f64) -> f64 {
        number * self.deviation + self.mean
    }

    /// What a standardised 1 is in the unit of the table.
    pub fn unit(&self) -> f64 {
        self.deviation
    }
}

impl Target {
    /// The number of outputs of a model.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes(names) => names.len(),
            Self::Numbers(_) => 1,
        }
    }
}

impl Feature {
    fn of(column: &Column, rows: &[usize]) -> Self {
        let values = rows.iter().map(|&row| column.values[row]);
        let encoding = match &column.categories {
            None => Encoding::Number(Scale::of(values)),
            Some(names) => {
                let occurs = |place: usize| values.clone().any(|value| value == place as f32);
                let names = names.iter().enumerate().filter(|(place, _)| occurs(*place));
                Encoding::Categories { categories: names.map(|(_, name)| name.clone()).collect() }
            }
        };
        Self { name: column.name.clone(), encoding }
    }

    /// The number of inputs of a model for this column.
    fn inputs(&self) -> usize {
        match &self.encoding {
            Encoding::Number(_) => 1,
            Encoding::Categories { categories } => categories.len(),
        }
    }
}

impl Schema {
    pub fn of(table: &Table, rows: &[usize]) -> Self {
        let target = match &table.targets {
            Targets::Classes { names, .. } => Target::Classes(names.clone()),
            Targets::Numbers(numbers) => Target::Numbers(Scale::of(rows.iter().map(|&row| numbers[row]))),
        };
        Self { features: table.columns.iter().map(|column| Feature::of(column, rows)).collect(), target }
    }

    /// The number of inputs of a model.
    pub fn inputs(&self) -> usize {
        self.features.iter().map(Feature::inputs).sum()
    }

    /// The inputs of a model for rows of this schema's own table, row by row.
    pub fn encode(&self, table: &Table, rows: &[usize]) -> Vec<f32> {
        let mut inputs = vec![0.0; rows.len() * self.inputs()];
        let mut first = 0;
        for (feature, column) in self.features.iter().zip(&table.columns) {
            // The input of each category of the table; none if no training row has it.
            let place = |name| {
                let Encoding::Categories { categories } = &feature.encoding else { return None };
                categories.iter().position(|known| known == name)
            };
            let places: Vec<Option<usize>> = column.categories.iter().flatten().map(place).collect();
            for (&row, inputs) in rows.iter().zip(inputs.chunks_exact_mut(self.inputs())) {
                let value = column.values[row];
                match &feature.encoding {
                    Encoding::Number(scale) => inputs[first] = scale.standardise(value),
                    Encoding::Categories { .. } if value.is_nan() => {}
                    Encoding::Categories { .. } => {
                        if let Some(place) = places[value as usize] {
                            inputs[first + place] = 1.0;
                        }
                    }
                }
            }
            first += feature.inputs();
        }
        inputs
    }

    /// The rows of a file that has a column for each feature. Other columns are ignored.
    pub fn read(&self, path: &Path) -> Result<Inputs> {
        self.read_cells(path).with_context(|| path.display().to_string())
    }

    fn read_cells(&self, path: &Path) -> Result<Inputs> {
        let cells = Cells::open(path)?;
        let place = |feature: &Feature| {
            let place = cells.header.iter().position(|name| *name == feature.name);
            place.with_context(|| format!("there is no column `{}`, which the model needs", feature.name))
        };
        let places = self.features.iter().map(place).collect::<Result<Vec<_>>>()?;
        let (mut features, mut unknown) = (Vec::new(), BTreeMap::new());
        for (row, record) in cells.rows.enumerate() {
            let record = record?;
            for (feature, &place) in self.features.iter().zip(&places) {
                let (cell, first) = (&record[place], features.len());
                features.resize(first + feature.inputs(), 0.0);
                if is_missing(cell) {
                    continue;
                }
                match &feature.encoding {
                    Encoding::Number(scale) => {
                        let number = number(cell).with_context(|| {
                            format!("row {}, column `{}`: expected a number, but got `{cell}`", row + 1, feature.name)
                        })?;
                        features[first] = scale.standardise(number);
                    }
                    Encoding::Categories { categories } => match categories.iter().position(|known| known == cell) {
                        Some(place) => features[first + place] = 1.0,
                        None => unknown.entry(feature.name.clone()).or_insert((0, cell.to_owned())).0 += 1,
                    },
                }
            }
        }
        ensure!(!features.is_empty(), "the file has no rows");
        Ok(Inputs { features, unknown })
    }
}
