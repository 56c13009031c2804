//! Files of tables, row by row: CSV and Parquet.

use std::borrow::Cow;

use anyhow::{Result, ensure};
use csv::StringRecord;

use super::csv_file::CsvRows;
use super::evidence::Reading;
use super::number::shown;
use super::output::{Kind, Value};
use super::parquet_file::{self, Fields, ParquetRows};
use crate::io::source::Source;
use crate::settings::CsvOptions;
use crate::words::quoted;

/// A table in a file, at its first row.
pub struct Cells {
    /// The names of the columns.
    pub header: Vec<String>,
    /// How numbers and dates are read in each column.
    pub readings: Vec<Reading>,
    /// What the file turned out to be.
    pub format: String,
    rows: Rows,
}

enum Rows {
    Csv(CsvRows),
    Parquet(ParquetRows),
}

/// A row of a table.
#[derive(Clone, Copy)]
pub enum Row<'a> {
    Csv(&'a StringRecord),
    Parquet(&'a Fields),
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Missing,
    /// Any text of a CSV file, a number too.
    Text(&'a str),
    Number(f64),
    /// A whole number of a Parquet file, as wide as it is there.
    Whole(i128),
    /// Days since 1970-01-01.
    Date(f64),
}

/// Texts that mean a missing value, as an empty cell does: those of pandas, and that of the UCI repository.
const MISSING: [&str; 20] = [
    "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "?", "#N/A", "#N/A N/A", "#NA",
    "#NV", "1.#QNAN", "-1.#IND", "1.#IND", "-1.#QNAN",
];

pub fn is_missing(cell: &str) -> bool {
    // Most cells are numbers, and none of these texts ends like one.
    let is_number = cell.as_bytes().last().is_some_and(u8::is_ascii_digit);
    !is_number && (cell.is_empty() || MISSING.contains(&cell))
}

impl Cells {
    /// A Parquet file, or else a CSV file with a header row. `usual` is how a column is read if the file does not show it.
    pub fn open(source: &Source, options: &CsvOptions, usual: impl Fn(&str) -> Reading) -> Result<Self> {
        let cells = if source.is_parquet()? {
            ensure!(
                *options == CsvOptions::default(),
                "--separator, --decimal and --encoding are for CSV files, and this is Parquet"
            );
            let (header, readings, rows) = ParquetRows::open(source, usual)?;
            Self { header, readings, format: "Parquet".to_owned(), rows: Rows::Parquet(rows) }
        } else {
            let (rows, format) = CsvRows::open(source.reader()?, options, usual)?;
            Self { header: rows.header.clone(), readings: rows.readings.clone(), format, rows: Rows::Csv(rows) }
        };
        ensure!(!cells.header.is_empty(), "the file is empty: expected a header row, then one row per sample");
        Ok(cells)
    }

    /// What a column can be written as.
    pub fn kind(&self, column: usize) -> Kind {
        match &self.rows {
            Rows::Csv(_) => Kind::Text,
            Rows::Parquet(rows) => rows.kinds[column],
        }
    }

    /// Refuses a column whose cells cannot be read.
    pub fn check(&self, column: usize) -> Result<()> {
        let name = quoted(&self.header[column]);
        ensure!(
            self.kind(column) != Kind::Nested,
            "column {name} is nested: expected numbers or texts; leave it out with --ignore"
        );
        Ok(())
    }

    /// The next row.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        Ok(match &mut self.rows {
            Rows::Csv(rows) => rows.next()?.map(Row::Csv),
            Rows::Parquet(rows) => rows.next()?.map(Row::Parquet),
        })
    }
}

impl<'a> Row<'a> {
    pub fn cell(self, column: usize) -> Cell<'a> {
        match self {
            Self::Csv(record) => match &record[column] {
                text if is_missing(text) => Cell::Missing,
                text => Cell::Text(text),
            },
            Self::Parquet(fields) => parquet_file::cell(&fields[column].1),
        }
    }

    /// The cell as it stands in the file, to be written again.
    pub fn value(self, column: usize) -> Value<'a> {
        match self {
            Self::Csv(record) if record[column].is_empty() => Value::Missing,
            Self::Csv(record) => Value::Text(record[column].into()),
            Self::Parquet(fields) => parquet_file::value(&fields[column].1),
        }
    }
}

impl<'a> Cell<'a> {
    /// The number that a Parquet file holds.
    pub fn number(self) -> Option<f64> {
        match self {
            Cell::Number(number) => Some(number),
            Cell::Whole(number) => Some(number as f64),
            Cell::Missing | Cell::Text(_) | Cell::Date(_) => None,
        }
    }

    /// The cell as the name of a category or class.
    pub fn name(self) -> Cow<'a, str> {
        match self {
            Cell::Missing => "".into(),
            Cell::Text(text) => text.into(),
            Cell::Number(number) => shown(number).into(),
            Cell::Whole(number) => number.to_string().into(),
            Cell::Date(days) => super::date::shown(days, days.fract() != 0.0).into(),
        }
    }
}
