//! Parquet files, row by row.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::cells::Cell;
use super::date;
use crate::io::guard::guard;

/// The cells of a row, with the names of their columns.
pub type Fields = Vec<(String, Field)>;

pub struct ParquetRows {
    rows: RowIter<'static>,
    /// The columns of nanoseconds, which the reader gives as numbers.
    nanoseconds: Vec<usize>,
    fields: Fields,
}

/// The names of the columns, and the rows.
pub fn open(file: File) -> Result<(Vec<String>, ParquetRows)> {
    guard(|| {
        let length = file.metadata()?.len();
        let reader = SerializedFileReader::new(Checked { file, length })?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let columns = schema.root_schema().get_fields();
        for column in columns {
            ensure!(column.is_primitive(), "column `{}` is nested: expected numbers or texts", column.name());
        }
        let header = columns.iter().map(|column| column.name().to_owned()).collect();
        let nanoseconds = (0..columns.len()).filter(|&column| is_nanoseconds(&columns[column])).collect();
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok((header, ParquetRows { rows, nanoseconds, fields: Fields::new() }))
    })
}

fn is_nanoseconds(column: &Arc<Type>) -> bool {
    matches!(column.get_basic_info().logical_type_ref(), Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS)
}

impl ParquetRows {
    pub fn next(&mut self) -> Result<Option<&Fields>> {
        let Some(row) = guard(|| Ok(self.rows.next().transpose()?))? else { return Ok(None) };
        self.fields = row.into_columns();
        for &column in &self.nanoseconds {
            let field = &mut self.fields[column].1;
            if let Field::Long(nanoseconds) = field {
                *field = Field::TimestampMicros(*nanoseconds / 1000);
            }
        }
        for (name, field) in &mut self.fields {
            if let Field::Bytes(bytes) = field {
                let text = String::from_utf8(bytes.data().to_vec());
                ensure!(text.is_ok(), "column `{name}` holds bytes: expected numbers or texts");
                *field = Field::Str(text.unwrap_or_default());
            }
        }
        Ok(Some(&self.fields))
    }
}

pub fn cell(field: &Field) -> Cell<'_> {
    let number = |number: f64| if number.is_nan() { Cell::Missing } else { Cell::Number(number) };
    match field {
        Field::Str(text) => match text.trim() {
            text if super::cells::is_missing(text) => Cell::Missing,
            text => Cell::Text(text),
        },
        // As pandas writes them to a CSV file.
        Field::Bool(true) => Cell::Text("True"),
        Field::Bool(false) => Cell::Text("False"),
        Field::Byte(whole) => Cell::Number(f64::from(*whole)),
        Field::Short(whole) => Cell::Number(f64::from(*whole)),
        Field::Int(whole) => Cell::Number(f64::from(*whole)),
        Field::Long(whole) => Cell::Number(*whole as f64),
        Field::UByte(whole) => Cell::Number(f64::from(*whole)),
        Field::UShort(whole) => Cell::Number(f64::from(*whole)),
        Field::UInt(whole) => Cell::Number(f64::from(*whole)),
        Field::ULong(whole) => Cell::Number(*whole as f64),
        // The number with the fewest digits, as a CSV file has it.
        Field::Float(single) => number(single.to_string().parse().unwrap_or(f64::NAN)),
        Field::Float16(half) => number(half.to_f32().to_string().parse().unwrap_or(f64::NAN)),
        Field::Double(double) => number(*double),
        Field::Decimal(_) => number(field.to_string().parse().unwrap_or(f64::NAN)),
        Field::Date(days) => Cell::Date(f64::from(*days)),
        Field::TimestampMillis(time) => Cell::Date(*time as f64 / 86_400e3),
        Field::TimestampMicros(time) => Cell::Date(*time as f64 / 86_400e6),
        Field::TimeMillis(time) => Cell::Number(f64::from(*time) / 1e3),
        Field::TimeMicros(time) => Cell::Number(*time as f64 / 1e6),
        Field::Null | Field::Bytes(_) | Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
            Cell::Missing
        }
    }
}

/// The cell as a CSV file would have it.
pub fn text(field: &Field) -> Cow<'_, str> {
    match field {
        Field::Null => "".into(),
        Field::Str(text) => text.into(),
        Field::Bool(_) => cell(field).name(),
        Field::Float(number) => number.to_string().into(),
        Field::Double(number) => number.to_string().into(),
        Field::Date(_) | Field::TimestampMillis(_) | Field::TimestampMicros(_) => match cell(field) {
            Cell::Date(days) => date::shown(days, !matches!(field, Field::Date(_))).into(),
            _ => "".into(),
        },
        other => other.to_string().into(),
    }
}

/// A file that does not promise more than it has.
struct Checked {
    file: File,
    length: u64,
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Checked {
    type T = BufReader<Ending>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(Ending { file, ends: 0 }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF("a part of the file is missing".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// What is left of a file. The reader of Parquet's headers does not notice its end: it could go on for hours in a damaged file.
struct Ending {
    file: File,
    ends: u32,
}

impl Read for Ending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.ends += 1;
            if self.ends > 16 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(count)
    }
}
