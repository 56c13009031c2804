//! A column of a table, and how it is read cell by cell.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Result, bail, ensure};

use super::cells::Cell;
use super::date::{Order, days};
use super::evidence::Reading;
use super::number::{self, Number, number};
use crate::settings::Decimal;
use crate::words::quoted;

/// A column that has been read.
pub struct Column {
    pub name: String,
    pub values: Values,
    pub reading: Reading,
}

/// The value of each row.
pub enum Values {
    /// NaN is missing. All have the same unit.
    Numbers {
        numbers: Vec<f64>,
        unit: Option<char>,
    },
    /// Days since 1970-01-01; NaN is missing.
    Dates(Vec<f64>),
    Categories(Categories),
}

/// Texts, each as its number among the names.
pub struct Categories {
    /// [`MISSING`] is missing.
    pub codes: Vec<u32>,
    /// Integers by value, others by letters.
    pub names: Vec<String>,
}

pub const MISSING: u32 = u32::MAX;

/// What a column is for.
#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    /// A sample of its cells decides what it holds, or else its first cell that is not missing.
    Feature,
    /// Its cells are names, whatever they look like.
    Categories,
    /// Its cells are the names of classes: texts or whole numbers.
    Classes,
    /// Its cells are numbers or dates.
    Numbers,
}

/// A column that is being read.
pub struct Builder {
    name: String,
    role: Role,
    reading: Reading,
    cells: Kind,
}

enum Kind {
    Unknown { missing: usize },
    Numbers { numbers: Vec<f64>, unit: Option<char> },
    Dates(Vec<f64>),
    Texts { codes: Vec<u32>, places: HashMap<String, u32> },
}

impl Builder {
    pub fn new(name: &str, role: Role, reading: Reading) -> Self {
        let are_texts = match role {
            Role::Feature => reading.are_texts == Some(true),
            Role::Numbers => false,
            Role::Categories | Role::Classes => true,
        };
        let texts = Kind::Texts { codes: Vec::new(), places: HashMap::new() };
        let cells = if are_texts { texts } else { Kind::Unknown { missing: 0 } };
        Self { name: name.to_owned(), role, reading, cells }
    }

    pub fn add(&mut self, cell: Cell) -> Result<()> {
        if let (Kind::Unknown { missing }, true) = (&self.cells, cell != Cell::Missing) {
            self.cells = self.kind(cell, *missing)?;
        }
        let decimal = self.reading.decimal.unwrap_or_default();
        match (&mut self.cells, cell) {
            (Kind::Unknown { missing }, _) => *missing += 1,
            (Kind::Numbers { numbers, .. } | Kind::Dates(numbers), Cell::Missing) => numbers.push(f64::NAN),
            (Kind::Texts { codes, .. }, Cell::Missing) => codes.push(MISSING),
            (Kind::Numbers { numbers, unit }, Cell::Text(text)) => match self.reading.number(text)? {
                Some(found) if found.unit == *unit => numbers.push(in_range(found.value)?),
                _ => {
                    let expected = match (unit, decimal) {
                        (Some(unit), _) => format!("a number with {unit}"),
                        (None, Decimal::Point) => "a number".to_owned(),
                        (None, Decimal::Comma) => "a number with a decimal comma".to_owned(),
                    };
                    let other = if decimal == Decimal::Point { Decimal::Comma } else { Decimal::Point };
                    let hint = if number(text, other).is_some() {
                        "; say which mark is decimal in all cells with --decimal . or --decimal ,".to_owned()
                    } else {
                        self.hint()
                    };
                    bail!("expected {expected}, as before, but got {}{hint}", quoted(text));
                }
            },
            (Kind::Numbers { numbers, .. }, Cell::Number(_) | Cell::Whole(_)) => {
                numbers.push(in_range(cell.number().unwrap_or(f64::NAN))?);
            }
            (Kind::Dates(dates), Cell::Date(date)) => dates.push(date),
            (Kind::Dates(dates), Cell::Text(text)) => match date(text, self.reading.order)? {
                Some(date) => dates.push(date),
                None => bail!("expected a date, as before, but got {}{}", quoted(text), self.hint()),
            },
            (Kind::Texts { codes, places }, cell) => {
                let name = match self.role {
                    Role::Categories => cell.name(),
                    Role::Classes => {
                        check_class(cell, decimal)?;
                        cell.name()
                    }
                    Role::Feature if self.reading.are_texts == Some(true) => cell.name(),
                    Role::Feature | Role::Numbers => {
                        let is_text = matches!(cell, Cell::Text(text) if number(text, decimal).is_none());
                        let name = cell.name();
                        ensure!(is_text, "expected a text, as before, but got {}{}", quoted(&name), self.hint());
                        name
                    }
                };
                let next = places.len() as u32;
                let code = match places.get(&*name) {
                    Some(code) => *code,
                    None => *places.entry(name.into_owned()).or_insert(next),
                };
                codes.push(code);
            }
            (Kind::Numbers { .. } | Kind::Dates(_), cell) => {
                bail!("got {} where the cells before are of another kind", quoted(&cell.name()))
            }
        }
        Ok(())
    }

    /// What the first cell makes of a column, after that many missing ones.
    fn kind(&self, cell: Cell, missing: usize) -> Result<Kind> {
        let before = vec![f64::NAN; missing];
        let decimal = self.reading.decimal.unwrap_or_default();
        Ok(match cell {
            Cell::Number(_) | Cell::Whole(_) => Kind::Numbers { numbers: before, unit: None },
            Cell::Date(_) => Kind::Dates(before),
            Cell::Text(text) => match number(text, decimal) {
                Some(Number { unit, .. }) => Kind::Numbers { numbers: before, unit },
                None if date(text, self.reading.order)?.is_some() => Kind::Dates(before),
                None if self.role == Role::Numbers || self.reading.are_texts == Some(false) => {
                    bail!("expected a number or a date, but got {}{}", quoted(text), self.hint())
                }
                None => Kind::Texts { codes: vec![MISSING; missing], places: HashMap::new() },
            },
            Cell::Missing => Kind::Unknown { missing },
        })
    }

    fn hint(&self) -> String {
        match self.role {
            Role::Feature => {
                let name = &self.name;
                format!("; correct the cell, or add --categories \"{name}\" if all are categories")
            }
            _ => String::new(),
        }
    }

    /// The column; `None` if all of its cells are missing.
    pub fn build(self) -> Option<Column> {
        let values = match self.cells {
            Kind::Unknown { .. } => return None,
            Kind::Numbers { numbers, unit } => Values::Numbers { numbers, unit },
            Kind::Dates(dates) => Values::Dates(dates),
            Kind::Texts { places, .. } if places.is_empty() => return None,
            Kind::Texts { codes, places } => {
                Values::Categories(Categories::sorted(codes, places, self.reading.decimal.unwrap_or_default()))
            }
        };
        Some(Column { name: self.name, values, reading: self.reading })
    }
}

impl Column {
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Numbers { numbers, .. } | Values::Dates(numbers) => numbers.len(),
            Values::Categories(categories) => categories.codes.len(),
        }
    }

    pub fn classes(&self) -> Option<&Categories> {
        match &self.values {
            Values::Categories(categories) => Some(categories),
            Values::Numbers { .. } | Values::Dates(_) => None,
        }
    }

    /// The number of missing cells.
    pub fn missing(&self) -> usize {
        match &self.values {
            Values::Numbers { numbers, .. } | Values::Dates(numbers) => {
                numbers.iter().filter(|number| number.is_nan()).count()
            }
            Values::Categories(categories) => categories.codes.iter().filter(|code| **code == MISSING).count(),
        }
    }
}

impl Categories {
    /// The names in order, in one spelling.
    fn sorted(mut codes: Vec<u32>, places: HashMap<String, u32>, decimal: Decimal) -> Self {
        let spelling = Spelling::of(&places.keys().map(String::as_str), decimal);
        let spelt = |name: String| spelling.canonical(&name, decimal).map_or_else(|| name.clone(), Cow::into_owned);
        let mut names: Vec<(String, u32)> = places.into_iter().map(|(name, place)| (spelt(name), place)).collect();
        let whole = |name: &str| name.parse::<i128>().ok();
        if names.iter().all(|(name, _)| whole(name).is_some()) {
            names.sort_by_key(|(name, _)| (whole(name), name.clone()));
        } else {
            names.sort();
        }
        let mut sorted: Vec<String> = Vec::new();
        let mut new = vec![0; names.len()];
        for (name, old) in names {
            if sorted.last() != Some(&name) {
                sorted.push(name);
            }
            new[old as usize] = sorted.len() as u32 - 1;
        }
        for code in codes.iter_mut().filter(|code| **code != MISSING) {
            *code = new[*code as usize];
        }
        Self { codes, names: sorted }
    }

    /// The number of names that a single row has.
    pub fn alone(&self) -> usize {
        self.counts(0..self.codes.len()).into_iter().filter(|count| *count == 1).count()
    }

    /// The number of rows of each name, of those rows that are asked for.
    pub fn counts(&self, rows: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        for row in rows {
            if let Some(count) = counts.get_mut(self.codes[row] as usize) {
                *count += 1;
            }
        }
        counts
    }
}

/// `True` or `False`, for the spellings of pandas, polars, R and of spreadsheets in some languages.
fn truth(text: &str) -> Option<&'static str> {
    const TRUE: [&str; 6] = ["true", "wahr", "vrai", "vero", "verdadero", "verdadeiro"];
    const FALSE: [&str; 4] = ["false", "falsch", "faux", "falso"];
    let is_in = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_in(&TRUE) {
        Some("True")
    } else if is_in(&FALSE) {
        Some("False")
    } else {
        None
    }
}

#[inline]
pub fn in_range(value: f64) -> Result<f64> {
    ensure!(value.abs() <= number::LARGEST, "expected a number of at most {:e}, but got {value}", number::LARGEST);
    Ok(value)
}

/// The date in a cell, if it holds one.
pub fn date(text: &str, order: Option<Order>) -> Result<Option<f64>> {
    match (days(text, order.unwrap_or(Order::Month)), order) {
        (Some(date), None) if days(text, Order::Day) != Some(date) => {
            bail!("{} can mean two days; write dates as in 2024-01-31", quoted(text))
        }
        (None, None) => Ok(days(text, Order::Day)),
        (date, _) => Ok(date),
    }
}

/// A number with a fraction is a measurement, not a class.
fn check_class(cell: Cell, decimal: Decimal) -> Result<()> {
    let found = match cell {
        Cell::Number(number) => Some(number),
        Cell::Text(text) => number(text, decimal).map(|number| number.value),
        Cell::Missing | Cell::Whole(_) | Cell::Date(_) => None,
    };
    ensure!(
        found.is_none_or(|number| number.fract() == 0.0 || number.is_infinite()),
        "expected a whole number or a text as a class, but got {}; for a number add --task regression",
        quoted(&cell.name())
    );
    Ok(())
}

/// How a name is written where all names of a column are truth values, or all are numbers: so that `1` is `1.0` and `TRUE` is `True`.
#[derive(Clone, Copy, PartialEq)]
pub enum Spelling {
    Truths,
    Numbers,
    Any,
}

impl Spelling {
    pub fn of<'a>(names: &(impl Iterator<Item = &'a str> + Clone), decimal: Decimal) -> Self {
        if names.clone().all(|name| truth(name).is_some()) {
            Self::Truths
        } else if names.clone().all(|name| Self::Numbers.canonical(name, decimal).is_some()) {
            Self::Numbers
        } else {
            Self::Any
        }
    }

    /// The one way to write this name, if it is of this kind.
    pub fn canonical(self, name: &str, decimal: Decimal) -> Option<Cow<'_, str>> {
        match self {
            Self::Truths => truth(name).map(Cow::from),
            // Whole numbers can have more digits than a number holds.
            Self::Numbers if name.parse::<i128>().is_ok() => Some(name.into()),
            Self::Numbers => {
                let number = number(name, decimal).filter(|number| number.unit.is_none() && number.value.is_finite());
                number.map(|number| number::shown(number.value).into())
            }
            Self::Any => Some(name.into()),
        }
    }
}
