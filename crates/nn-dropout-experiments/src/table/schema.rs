//! How the cells of a table become the numbers that a network sees.

use std::collections::HashMap;
use std::ops::Not;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cells::Cell;
use super::column::{Categories, Column, MISSING, Spelling, Values, date, in_range};
use super::data::{Table, Targets};
use super::date::{Order, calendar};
use super::evidence::Reading;
use super::number::shown;
use crate::settings::Decimal;
use crate::words::{instead, quoted};

/// What a model has to know about its table to be used on another: `table.json` in its folder. All of it comes from the
/// training rows.
#[derive(Deserialize, Serialize)]
pub struct Schema {
    pub features: Vec<Feature>,
    pub target: Target,
    /// The BLAKE3 hash of the table's file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blake3: Option<String>,
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
    Number {
        #[serde(flatten)]
        scale: Scale,
        /// `%`, or a currency.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        unit: Option<char>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        decimal: Option<Decimal>,
    },
    /// One input per category: 1 for the row's own, 0 for the others.
    Categories {
        categories: Vec<String>,
        /// One input more, for all other texts.
        #[serde(skip_serializing_if = "Not::not", default)]
        others: bool,
    },
    /// The days since 1970-01-01, standardised, and their place in the calendar.
    Date {
        days: Scale,
        /// Whether the time of day is an input too.
        time: bool,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        first: Option<Order>,
    },
}

/// Standardised numbers beyond this one overflow in a network.
const FARTHEST: f32 = 1e9;

/// The most categories of a column, the one for all others among them.
pub const MAX_CATEGORIES: usize = 100;

/// A column of numbers, standardised to mean 0 and standard deviation 1 over the training rows. A constant column becomes 0, and so
/// does a missing number, which counts as the mean.
#[derive(Clone, Copy, Deserialize, Serialize)]
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
    /// Days since 1970-01-01; whether their times of day matter.
    Dates(Scale, bool),
}

/// The cells of a column that the model has not seen.
pub struct Unknown {
    pub column: String,
    /// The cells that are not missing.
    pub cells: usize,
    pub count: usize,
    /// The first of them.
    pub example: String,
    /// Whether they have an input of their own.
    pub are_others: bool,
}

impl Scale {
    /// The scale of the numbers that are not missing. Neither large numbers nor small differences of large ones are lost.
    fn of(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let numbers = numbers.filter(|number| !number.is_nan());
        let Some(first) = numbers.clone().next() else { return Self { mean: 0.0, deviation: 0.0 } };
        let count = numbers.clone().count() as f64;
        let mean = first + numbers.clone().map(|number| (number - first) / count).sum::<f64>();
        let widest = numbers.clone().map(|number| (number - mean).abs()).fold(0.0, f64::max);
        if widest == 0.0 {
            return Self { mean, deviation: 0.0 };
        }
        let squares: f64 = numbers.map(|number| ((number - mean) / widest).powi(2)).sum();
        Self { mean, deviation: widest * (squares / count).sqrt() }
    }

    #[inline]
    fn standardised(&self, number: f64) -> f32 {
        if self.deviation == 0.0 || number.is_nan() { 0.0 } else { ((number - self.mean) / self.deviation) as f32 }
    }

    /// The error of a number that is too far from the others says what to do.
    pub fn standardise(&self, number: f64) -> Result<f32> {
        let standardised = self.standardised(number);
        ensure!(
            standardised.abs() <= FARTHEST,
            "{} is more than {FARTHEST:e} deviations away from the mean of the training rows, {}: correct the cell, or leave its row out",
            shown(number),
            shown(self.mean)
        );
        Ok(standardised)
    }

    fn standardise_all(&self, numbers: &[f64]) -> Result<Vec<f32>> {
        let standardised: Vec<f32> = numbers.iter().map(|&number| self.standardised(number)).collect();
        let wrong = standardised.iter().position(|number| number.abs() > FARTHEST);
        wrong.map_or(Ok(0.0), |row| self.standardise(numbers[row]))?;
        Ok(standardised)
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
            Self::Numbers(_) | Self::Dates(..) => 1,
        }
    }

    /// The scale of a target that is a number.
    pub fn scale(&self) -> Option<&Scale> {
        match self {
            Self::Classes(_) => None,
            Self::Numbers(scale) | Self::Dates(scale, _) => Some(scale),
        }
    }
}

impl Feature {
    fn of(column: &Column, rows: &[usize]) -> Self {
        let encoding = match &column.values {
            Values::Numbers { numbers, unit } => Encoding::Number {
                scale: Scale::of(rows.iter().map(|&row| numbers[row])),
                unit: *unit,
                decimal: column.reading.decimal,
            },
            Values::Dates(dates) => Encoding::Date {
                days: Scale::of(rows.iter().map(|&row| dates[row])),
                time: has_times(dates),
                first: column.reading.order,
            },
            Values::Categories(categories) => {
                Self::categories(&categories.names, &categories.counts(rows.iter().copied()))
            }
        };
        Self { name: column.name.clone(), encoding }
    }

    /// The categories of the training rows, or the most frequent of them.
    fn categories(names: &[String], counts: &[usize]) -> Encoding {
        let mut places: Vec<usize> = (0..names.len()).filter(|&place| counts[place] > 0).collect();
        let others = places.len() > MAX_CATEGORIES;
        if others {
            places.sort_by_key(|&place| (usize::MAX - counts[place], place));
            places.truncate(MAX_CATEGORIES - 1);
            places.sort_unstable();
        }
        Encoding::Categories { categories: places.into_iter().map(|place| names[place].clone()).collect(), others }
    }

    /// The number of inputs of a model for this column.
    fn inputs(&self) -> usize {
        match &self.encoding {
            Encoding::Number { .. } => 1,
            Encoding::Categories { categories, others } => categories.len() + usize::from(*others),
            Encoding::Date { time, .. } => {
                if *time {
                    7
                } else {
                    5
                }
            }
        }
    }
}

/// Whether some of these days have a time.
pub fn has_times(days: &[f64]) -> bool {
    days.iter().any(|day| day.fract() != 0.0 && !day.is_nan())
}

/// Writes a date into the inputs of a model.
fn encode_date(date: f64, scale: &Scale, inputs: &mut [f32]) -> Result<()> {
    inputs[0] = scale.standardise(date)?;
    for (input, place) in inputs[1..].iter_mut().zip(calendar(date)) {
        *input = place as f32;
    }
    Ok(())
}

impl Schema {
    pub fn of(table: &Table, rows: &[usize]) -> Self {
        let scale = |numbers: &[f64]| Scale::of(rows.iter().map(|&row| numbers[row]));
        let target = match &table.targets {
            Targets::Classes { names, .. } => Target::Classes(names.clone()),
            Targets::Numbers(numbers) => Target::Numbers(scale(numbers)),
            Targets::Dates(dates) => Target::Dates(scale(dates), has_times(dates)),
        };
        let features = table.columns.iter().map(|column| Feature::of(column, rows)).collect();
        Self { features, target, blake3: table.blake3.clone() }
    }

    /// How the cells of a column are read in a file that does not show it.
    pub fn reading(&self, name: &str) -> Reading {
        match self.features.iter().find(|feature| feature.name == name).map(|feature| &feature.encoding) {
            Some(Encoding::Number { decimal, .. }) => Reading { decimal: *decimal, ..Reading::default() },
            Some(Encoding::Date { first, .. }) => Reading { order: *first, ..Reading::default() },
            Some(Encoding::Categories { .. }) | None => Reading::default(),
        }
    }

    /// The number of inputs of a model.
    pub fn inputs(&self) -> usize {
        self.features.iter().map(Feature::inputs).sum()
    }

    /// The inputs of a model for rows of this schema's own table, row by row.
    pub fn encode(&self, table: &Table, rows: &[usize]) -> Result<Vec<f32>> {
        let width = self.inputs();
        let mut inputs = vec![0.0; rows.len() * width];
        let mut first = 0;
        for (feature, column) in self.features.iter().zip(&table.columns) {
            let count = feature.inputs();
            let inputs = rows
                .iter()
                .zip(inputs.chunks_exact_mut(width))
                .map(|(&row, inputs)| (row, &mut inputs[first..first + count]));
            let place = || format!("column {}", quoted(&feature.name));
            match (&feature.encoding, &column.values) {
                (Encoding::Number { scale, .. }, Values::Numbers { numbers, .. }) => {
                    // In order first, since the rows are shuffled: the smaller numbers fit a cache better.
                    let numbers = scale.standardise_all(numbers).with_context(place)?;
                    inputs.for_each(|(row, inputs)| inputs[0] = numbers[row]);
                }
                (Encoding::Date { days, .. }, Values::Dates(dates)) => {
                    for (row, inputs) in inputs.filter(|(row, _)| !dates[*row].is_nan()) {
                        encode_date(dates[row], days, inputs).with_context(place)?;
                    }
                }
                (Encoding::Categories { categories, others }, Values::Categories(Categories { codes, names })) => {
                    let known = Known::of(categories, *others);
                    let places: Vec<Option<usize>> =
                        names.iter().map(|name| known.place(name, Decimal::Point)).collect();
                    for (row, inputs) in inputs.filter(|(row, _)| codes[*row] != MISSING) {
                        if let Some(place) = places[codes[row] as usize] {
                            inputs[place] = 1.0;
                        }
                    }
                }
                _ => unreachable!("the schema is this table's"),
            }
            first += count;
        }
        Ok(inputs)
    }

    /// The targets of these rows, standardised if they are numbers.
    pub fn encode_targets(&self, table: &Table, rows: &[usize]) -> Result<Targets> {
        Ok(match (&table.targets, self.target.scale()) {
            (Targets::Classes { numbers, names }, _) => {
                Targets::Classes { numbers: rows.iter().map(|&row| numbers[row]).collect(), names: names.clone() }
            }
            (Targets::Numbers(numbers) | Targets::Dates(numbers), Some(scale)) => {
                let standardised = rows.iter().map(|&row| Ok(f64::from(scale.standardise(numbers[row])?)));
                Targets::Numbers(standardised.collect::<Result<_>>().context("the target")?)
            }
            (Targets::Numbers(_) | Targets::Dates(_), None) => unreachable!("the schema is this table's"),
        })
    }

    /// An encoder of the rows of another table with this header and these readings.
    pub fn encoder(&self, header: &[String], readings: &[Reading]) -> Result<Encoder<'_>> {
        let columns = self.features.iter().map(|feature| {
            let places: Vec<usize> = (0..header.len()).filter(|&place| header[place] == feature.name).collect();
            let name = quoted(&feature.name);
            let others = || instead(&feature.name, header.iter().map(String::as_str));
            ensure!(!places.is_empty(), "there is no column {name}, which the model needs; {}", others());
            ensure!(places.len() == 1, "{} columns are named {name}, which the model needs once", places.len());
            let known = match &feature.encoding {
                Encoding::Categories { categories, others } => Known::of(categories, *others),
                Encoding::Number { .. } | Encoding::Date { .. } => Known::of(&[], false),
            };
            let unknown = Unknown {
                column: feature.name.clone(),
                cells: 0,
                count: 0,
                example: String::new(),
                are_others: known.others.is_some(),
            };
            Ok(EncodedColumn { feature, place: places[0], reading: readings[places[0]], known, unknown })
        });
        Ok(Encoder { columns: columns.collect::<Result<_>>()?, width: self.inputs() })
    }
}

/// The inputs of categories.
struct Known<'a> {
    places: HashMap<&'a str, usize>,
    others: Option<usize>,
    spelling: Spelling,
}

impl<'a> Known<'a> {
    fn of(categories: &'a [String], others: bool) -> Self {
        Self {
            places: categories.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect(),
            others: others.then_some(categories.len()),
            spelling: Spelling::of(&categories.iter().map(String::as_str), Decimal::Point),
        }
    }

    fn place(&self, name: &str, decimal: Decimal) -> Option<usize> {
        let name = self.spelling.canonical(name, decimal).unwrap_or(name.into());
        self.places.get(&*name).copied().or(self.others)
    }
}

/// Encodes the rows of a table one after the other.
pub struct Encoder<'a> {
    columns: Vec<EncodedColumn<'a>>,
    width: usize,
}

struct EncodedColumn<'a> {
    feature: &'a Feature,
    place: usize,
    reading: Reading,
    known: Known<'a>,
    unknown: Unknown,
}

impl Encoder<'_> {
    /// Adds the inputs of a row, the first of which is row 1, whose cells are given by the number of their column.
    pub fn add<'c>(&mut self, row: usize, cell: impl Fn(usize) -> Cell<'c>, inputs: &mut Vec<f32>) -> Result<()> {
        let mut first = inputs.len();
        inputs.resize(first + self.width, 0.0);
        for column in &mut self.columns {
            let count = column.feature.inputs();
            let cell = cell(column.place);
            if cell != Cell::Missing {
                column.unknown.cells += 1;
                let added = column.add(cell, &mut inputs[first..first + count]);
                added.with_context(|| format!("row {row}, column {}", quoted(&column.feature.name)))?;
            }
            first += count;
        }
        Ok(())
    }

    /// The places of the columns that the model needs.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|column| column.place)
    }

    /// The cells that the model has not seen, column by column. Where rare categories have an input of their own, only if they
    /// are most of the cells.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        let least = |unknown: &Unknown| if unknown.are_others { unknown.cells / 2 } else { 0 };
        self.columns.iter().map(|column| &column.unknown).filter(move |unknown| unknown.count > least(unknown))
    }
}

impl EncodedColumn<'_> {
    fn add(&mut self, cell: Cell, inputs: &mut [f32]) -> Result<()> {
        match &self.feature.encoding {
            Encoding::Number { scale, unit, .. } => {
                let number = match cell {
                    Cell::Number(_) | Cell::Whole(_) => cell.number(),
                    Cell::Text(text) => self
                        .reading
                        .number(text)?
                        .filter(|number| number.unit.is_none() || number.unit == *unit)
                        .map(|number| number.value),
                    Cell::Missing | Cell::Date(_) => None,
                };
                let expected = || format!("expected a number, but got {}", quoted(&cell.name()));
                inputs[0] = scale.standardise(in_range(number.with_context(expected)?)?)?;
            }
            Encoding::Date { days, .. } => {
                let date = match cell {
                    Cell::Date(date) => Some(date),
                    Cell::Text(text) => date(text, self.reading.order)?,
                    Cell::Missing | Cell::Number(_) | Cell::Whole(_) => None,
                };
                let expected = || format!("expected a date, but got {}", quoted(&cell.name()));
                encode_date(date.with_context(expected)?, days, inputs)?;
            }
            Encoding::Categories { .. } => {
                let name = cell.name();
                let place = self.known.place(&name, self.reading.decimal.unwrap_or_default());
                if let Some(place) = place {
                    inputs[place] = 1.0;
                }
                if place.is_none() || place == self.known.others {
                    if self.unknown.count == 0 {
                        self.unknown.example = name.into_owned();
                    }
                    self.unknown.count += 1;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_of_large_numbers_and_large_numbers_are_kept() {
        let scale = Scale::of([1e9, 1e9 + 1.0, f64::NAN, 1e9, 1e9 + 1.0].into_iter());
        assert_eq!((scale.mean, scale.deviation), (1e9 + 0.5, 0.5));
        assert_eq!([1e9, 1e9 + 1.0].map(|number| scale.standardise(number).unwrap()), [-1.0, 1.0]);
        let scale = Scale::of([-1e307, 1e307].into_iter());
        assert_eq!([-1e307, 1e307].map(|number| scale.standardise(number).unwrap()), [-1.0, 1.0]);
        let scale = Scale::of([3e-320, 1e-320].into_iter());
        assert!(scale.standardise(3e-320).unwrap().is_finite());
        // The mean of equal numbers is that number, although their sum is rounded.
        let scale = Scale::of(vec![0.1; 1_000_003].into_iter());
        assert_eq!((scale.mean, scale.deviation, scale.standardise(0.1).unwrap()), (0.1, 0.0, 0.0));
    }
}
