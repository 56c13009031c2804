//! Parquet files, row by row.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::cells::Cell;
use super::evidence::{Evidence, Reading, decide};
use super::output::{Kind, Value};
use crate::io::guard::guard;
use crate::io::source::{ReadSeek, Source};
use crate::words::quoted;

/// The cells of a row, with the names of their columns.
pub type Fields = Vec<(String, Field)>;

pub struct ParquetRows {
    rows: RowIter<'static>,
    /// What each column can be written as.
    pub kinds: Vec<Kind>,
    /// The columns of nanoseconds, which the reader gives as numbers.
    nanoseconds: Vec<usize>,
    fields: Fields,
}

/// The rows that are looked at to find out how texts are read.
const SAMPLE: usize = 1000;

impl ParquetRows {
    /// The names of the columns, how their texts are read, and the rows.
    pub fn open(source: &Source, usual: impl Fn(&str) -> Reading) -> Result<(Vec<String>, Vec<Reading>, Self)> {
        let (header, mut sample) = Self::at_start(source)?;
        let mut evidence = vec![Evidence::default(); header.len()];
        for _ in 0..SAMPLE {
            // What is damaged is reported when it is read.
            let Ok(Some(fields)) = sample.next() else { break };
            for ((_, field), evidence) in fields.iter().zip(&mut evidence) {
                if let Field::Str(text) = field {
                    evidence.add(text.trim());
                }
            }
        }
        let readings = decide(&evidence, &header, None, None, usual);
        let (header, rows) = Self::at_start(source)?;
        Ok((header, readings, rows))
    }

    fn at_start(source: &Source) -> Result<(Vec<String>, Self)> {
        guard(|| {
            let (source, length) = (source.try_clone()?, source.len()?);
            let reader = SerializedFileReader::new(Checked { source, length })?;
            #[cfg(not(feature = "zstd"))]
            for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
                ensure!(
                    !matches!(column.compression(), parquet::basic::Compression::ZSTD(_)),
                    "compressed with zstd: expected Snappy, gzip, LZ4, Brotli or no compression"
                );
            }
            let schema = reader.metadata().file_metadata().schema_descr_ptr();
            let columns = schema.root_schema().get_fields();
            let header = columns.iter().map(|column| column.name().to_owned()).collect();
            let nanoseconds = (0..columns.len()).filter(|&column| is_nanoseconds(&columns[column])).collect();
            let kinds = columns.iter().map(|column| kind(column)).collect();
            let rows = RowIter::from_file_into(Box::new(reader));
            Ok((header, Self { rows, kinds, nanoseconds, fields: Fields::new() }))
        })
    }
}

fn is_nanoseconds(column: &Arc<Type>) -> bool {
    let logical = column.get_basic_info().logical_type_ref();
    matches!(logical, Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS)
        || matches!(logical, Some(LogicalType::Time(time)) if time.unit == TimeUnit::NANOS)
}

impl ParquetRows {
    pub fn next(&mut self) -> Result<Option<&Fields>> {
        let Some(row) = guard(|| Ok(self.rows.next().transpose()?))? else { return Ok(None) };
        self.fields = row.into_columns();
        for &column in &self.nanoseconds {
            let field = &mut self.fields[column].1;
            if let Field::Long(nanoseconds) = field {
                let microseconds = nanoseconds.div_euclid(1000);
                let is_date = self.kinds[column] == Kind::Time;
                *field = if is_date { Field::TimestampMicros(microseconds) } else { Field::TimeMicros(microseconds) };
            }
        }
        for (name, field) in &mut self.fields {
            if let Field::Bytes(bytes) = field {
                let text = String::from_utf8(bytes.data().to_vec());
                ensure!(text.is_ok(), "column {} holds bytes: expected numbers or texts", quoted(name));
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
        Field::Byte(whole) => Cell::Whole((*whole).into()),
        Field::Short(whole) => Cell::Whole((*whole).into()),
        Field::Int(whole) => Cell::Whole((*whole).into()),
        Field::Long(whole) => Cell::Whole((*whole).into()),
        Field::UByte(whole) => Cell::Whole((*whole).into()),
        Field::UShort(whole) => Cell::Whole((*whole).into()),
        Field::UInt(whole) => Cell::Whole((*whole).into()),
        Field::ULong(whole) => Cell::Whole((*whole).into()),
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

/// What a column can be written as.
fn kind(column: &Type) -> Kind {
    let (converted, logical) = (column.get_basic_info().converted_type(), column.get_basic_info().logical_type_ref());
    if !column.is_primitive() {
        return Kind::Nested;
    }
    match (column.get_physical_type(), converted) {
        (_, ConvertedType::DATE) => Kind::Date,
        (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS) | (Physical::INT96, _) => Kind::Time,
        _ if matches!(logical, Some(LogicalType::Timestamp(_))) => Kind::Time,
        _ if matches!(logical, Some(LogicalType::Time(_))) => Kind::Text,
        (
            _,
            ConvertedType::UINT_64 | ConvertedType::DECIMAL | ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS,
        ) => Kind::Text,
        (Physical::INT32 | Physical::INT64, _) => Kind::Whole,
        (Physical::FLOAT | Physical::DOUBLE, _) => Kind::Number,
        _ => Kind::Text,
    }
}

/// The cell as a value of the kind of its column.
pub fn value(field: &Field) -> Value<'_> {
    match field {
        Field::Null => Value::Missing,
        Field::Str(text) => Value::Text(text.into()),
        Field::Bool(_) => Value::Text(cell(field).name()),
        Field::Date(days) => Value::Date(*days),
        Field::TimestampMillis(time) => Value::Time(time.saturating_mul(1000)),
        Field::TimestampMicros(time) => Value::Time(*time),
        // Columns of these types are written as texts.
        Field::ULong(_) | Field::Float16(_) | Field::Decimal(_) | Field::TimeMillis(_) | Field::TimeMicros(_) => {
            Value::Text(field.to_string().into())
        }
        _ => match cell(field) {
            Cell::Whole(whole) => Value::Whole(whole as i64),
            Cell::Number(number) => Value::Number(number),
            _ => Value::Missing,
        },
    }
}

/// A file that does not promise more than it has.
struct Checked {
    source: Source,
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
        Ok(BufReader::new(Ending { file: self.source.from(start)?, ends: 0 }))
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
    file: Box<dyn ReadSeek>,
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
