//! Tables that are written row by row, as CSV or as Parquet.

use std::borrow::Cow;
use std::io::Write;
use std::mem::take;
use std::sync::Arc;

use anyhow::Result;
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::date;

/// What the cells of a column are, where the format tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    Number,
    Whole,
    Date,
    Time,
    /// Lists and structures, which are neither read nor written.
    Nested,
}

/// A cell to write.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    Missing,
    Text(Cow<'a, str>),
    Number(f64),
    Whole(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01.
    Time(i64),
}

impl Value<'_> {
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Missing => Value::Missing,
            Self::Number(number) => Value::Number(number),
            Self::Whole(number) => Value::Whole(number),
            Self::Date(days) => Value::Date(days),
            Self::Time(time) => Value::Time(time),
        }
    }
}

/// A table that is being written.
pub enum TableWriter<W: Write + Send> {
    Csv(csv::Writer<W>),
    Parquet { writer: SerializedFileWriter<W>, columns: Vec<Pending>, rows: usize },
}

/// The cells of a column that are not written yet.
pub struct Pending {
    values: Values,
    /// 0 for a missing cell, 1 for a value.
    levels: Vec<i16>,
}

enum Values {
    Texts(Vec<ByteArray>),
    Numbers(Vec<f64>),
    Wholes(Vec<i64>),
    Dates(Vec<i32>),
}

/// The rows that are written to a Parquet file at once.
const ROWS: usize = 1 << 16;

impl<W: Write + Send> TableWriter<W> {
    pub fn new(output: W, header: &[(String, Kind)], as_parquet: bool) -> Result<Self> {
        if as_parquet {
            return Self::parquet(output, header);
        }
        let mut writer = csv::Writer::from_writer(output);
        writer.write_record(header.iter().map(|(name, _)| name))?;
        Ok(Self::Csv(writer))
    }

    fn parquet(output: W, header: &[(String, Kind)]) -> Result<Self> {
        let fields = header.iter().map(|(name, kind)| kind.field(name)).collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
        let writer = SerializedFileWriter::new(output, schema, properties)?;
        Ok(Self::Parquet { writer, columns: header.iter().map(|(_, kind)| kind.pending()).collect(), rows: 0 })
    }

    /// Adds a row, whose values are missing or of the kinds in the header.
    pub fn add(&mut self, row: &[Value]) -> Result<()> {
        match self {
            Self::Csv(writer) => {
                for value in row {
                    match value {
                        Value::Missing => writer.write_field("")?,
                        Value::Text(text) => writer.write_field(text.as_ref())?,
                        Value::Number(number) => writer.write_field(number.to_string())?,
                        Value::Whole(number) => writer.write_field(number.to_string())?,
                        Value::Date(days) => writer.write_field(date::shown(f64::from(*days), false))?,
                        Value::Time(time) => writer.write_field(date::shown_time(*time))?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Self::Parquet { writer, columns, rows } => {
                for (value, column) in row.iter().zip(&mut *columns) {
                    column.add(value);
                }
                *rows += 1;
                if *rows == ROWS {
                    write_rows(writer, columns)?;
                    *rows = 0;
                }
            }
        }
        Ok(())
    }

    /// Writes what is left, and gives the output back.
    pub fn finish(self) -> Result<W> {
        match self {
            Self::Csv(writer) => Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?),
            Self::Parquet { mut writer, mut columns, rows } => {
                if rows > 0 {
                    write_rows(&mut writer, &mut columns)?;
                }
                Ok(writer.into_inner()?)
            }
        }
    }
}

impl Kind {
    fn field(self, name: &str) -> Result<Arc<Type>> {
        let (physical, converted, logical) = match self {
            Self::Text | Self::Nested => (Physical::BYTE_ARRAY, ConvertedType::UTF8, None),
            Self::Number => (Physical::DOUBLE, ConvertedType::NONE, None),
            Self::Whole => (Physical::INT64, ConvertedType::NONE, None),
            Self::Date => (Physical::INT32, ConvertedType::DATE, None),
            Self::Time => (Physical::INT64, ConvertedType::NONE, Some(LogicalType::timestamp(false, TimeUnit::MICROS))),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        Ok(Arc::new(builder.with_converted_type(converted).with_logical_type(logical).build()?))
    }

    fn pending(self) -> Pending {
        let values = match self {
            Self::Text | Self::Nested => Values::Texts(Vec::new()),
            Self::Number => Values::Numbers(Vec::new()),
            Self::Whole | Self::Time => Values::Wholes(Vec::new()),
            Self::Date => Values::Dates(Vec::new()),
        };
        Pending { values, levels: Vec::new() }
    }
}

impl Pending {
    fn add(&mut self, value: &Value) {
        match (value, &mut self.values) {
            (Value::Text(text), Values::Texts(texts)) => texts.push(text.as_bytes().to_vec().into()),
            (Value::Number(number), Values::Numbers(numbers)) => numbers.push(*number),
            (Value::Whole(number) | Value::Time(number), Values::Wholes(wholes)) => wholes.push(*number),
            (Value::Date(days), Values::Dates(dates)) => dates.push(*days),
            _ => return self.levels.push(0),
        }
        self.levels.push(1);
    }
}

fn write_rows<W: Write + Send>(writer: &mut SerializedFileWriter<W>, columns: &mut [Pending]) -> Result<()> {
    let mut group = writer.next_row_group()?;
    for Pending { values, levels } in columns {
        let Some(column) = group.next_column()? else { break };
        let levels = take(levels);
        match values {
            Values::Texts(texts) => write_column::<ByteArrayType>(column, &take(texts), &levels)?,
            Values::Numbers(numbers) => write_column::<DoubleType>(column, &take(numbers), &levels)?,
            Values::Wholes(wholes) => write_column::<Int64Type>(column, &take(wholes), &levels)?,
            Values::Dates(dates) => write_column::<Int32Type>(column, &take(dates), &levels)?,
        }
    }
    group.close()?;
    Ok(())
}

fn write_column<T: DataType>(mut column: SerializedColumnWriter, values: &[T::T], levels: &[i16]) -> Result<()> {
    column.typed::<T>().write_batch(values, Some(levels), None)?;
    Ok(column.close()?)
}
