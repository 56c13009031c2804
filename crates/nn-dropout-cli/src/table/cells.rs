//! Files of tables, cell by cell: CSV and Parquet.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, ensure};
use csv::StringRecord;
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};

/// A table in a file, at its first row.
pub struct Cells {
    /// The names of the columns.
    pub header: Vec<String>,
    /// The cells of each row, as text; a missing value is empty.
    pub rows: Box<dyn Iterator<Item = Result<StringRecord>>>,
}

/// Texts that mean a missing value, as an empty cell does: those of pandas, and that of the UCI repository.
const MISSING: [&str; 10] = ["NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None", "?"];

pub fn is_missing(cell: &str) -> bool {
    cell.is_empty() || MISSING.contains(&cell)
}

/// A finite number.
pub fn number(cell: &str) -> Option<f32> {
    cell.parse::<f32>().ok().filter(|number| number.is_finite())
}

impl Cells {
    /// A file whose name ends in `.parquet`, or else a CSV file with a header row.
    pub fn open(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
            return Self::parquet(path);
        }
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path)?;
        let header = reader.headers()?.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(Self { header, rows: Box::new(reader.into_records().map(|record| Ok(record?))) })
    }

    fn parquet(path: &Path) -> Result<Self> {
        let reader = SerializedFileReader::new(File::open(path)?)?;
        let schema = parquet::file::reader::FileReader::metadata(&reader).file_metadata().schema_descr_ptr();
        let columns = schema.root_schema().get_fields();
        for column in columns {
            ensure!(column.is_primitive(), "column `{}` is nested: expected numbers or texts", column.name());
        }
        let header = columns.iter().map(|column| column.name().to_owned()).collect();
        Ok(Self { header, rows: Box::new(reader.into_iter().map(|row| Ok(record(&row?)))) })
    }
}

fn record(row: &Row) -> StringRecord {
    let cells = row.get_column_iter().map(|(_, field)| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.trim().to_owned(),
        // As pandas writes them to a CSV file.
        Field::Bool(true) => "True".to_owned(),
        Field::Bool(false) => "False".to_owned(),
        // As Rust writes them: Parquet's formats add zeros or letters.
        Field::Float(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        other => other.to_string(),
    });
    cells.collect()
}
