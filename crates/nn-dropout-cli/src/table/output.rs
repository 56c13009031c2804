//! Tables that are written row by row, as CSV or as Parquet.

use std::borrow::Cow;
use std::io::Write;
use std::mem::take;
use std::sync::Arc;

use anyhow::{Context, Result};
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// What the cells of a column are, where the format tells.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    Number,
}

/// A cell to write. An empty text is a missing one.
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
}

/// A table that is being written.
pub enum TableWriter<W: Write + Send> {
    Csv(csv::Writer<W>),
    Parquet { writer: SerializedFileWriter<W>, columns: Vec<Pending>, rows: usize },
}

/// The cells of a column that are not written yet.
pub enum Pending {
    Texts(Vec<ByteArray>, Vec<i16>),
    Numbers(Vec<f64>),
}

/// The rows that are written to a Parquet file at once.
const ROWS: usize = 1 << 16;

impl<W: Write + Send> TableWriter<W> {
    pub fn csv(output: W, header: &[(String, Kind)]) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(output);
        writer.write_record(header.iter().map(|(name, _)| name))?;
        Ok(Self::Csv(writer))
    }

    pub fn parquet(output: W, header: &[(String, Kind)]) -> Result<Self> {
        let field = |(name, kind): &(String, Kind)| {
            let (physical, converted, repetition) = match kind {
                Kind::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8, Repetition::OPTIONAL),
                Kind::Number => (Physical::DOUBLE, ConvertedType::NONE, Repetition::REQUIRED),
            };
            let builder = Type::primitive_type_builder(name, physical).with_converted_type(converted);
            Ok(Arc::new(builder.with_repetition(repetition).build()?))
        };
        let fields = header.iter().map(field).collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
        let pending = |(_, kind): &(String, Kind)| match kind {
            Kind::Text => Pending::Texts(Vec::new(), Vec::new()),
            Kind::Number => Pending::Numbers(Vec::new()),
        };
        Ok(Self::Parquet {
            writer: SerializedFileWriter::new(output, schema, properties)?,
            columns: header.iter().map(pending).collect(),
            rows: 0,
        })
    }

    /// Adds a row, whose values are of the kinds in the header.
    pub fn add(&mut self, row: &[Value]) -> Result<()> {
        match self {
            Self::Csv(writer) => {
                for value in row {
                    match value {
                        Value::Text(text) => writer.write_field(text.as_ref())?,
                        Value::Number(number) => writer.write_field(number.to_string())?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Self::Parquet { writer, columns, rows } => {
                for (value, column) in row.iter().zip(&mut *columns) {
                    match (value, column) {
                        (Value::Text(text), Pending::Texts(texts, levels)) => {
                            levels.push(i16::from(!text.is_empty()));
                            if !text.is_empty() {
                                texts.push(text.as_bytes().to_vec().into());
                            }
                        }
                        (Value::Number(number), Pending::Numbers(numbers)) => numbers.push(*number),
                        _ => unreachable!("the header says which it is"),
                    }
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
            Self::Csv(writer) => {
                writer.into_inner().map_err(|error| error.into_error()).context("cannot write the table")
            }
            Self::Parquet { mut writer, mut columns, rows } => {
                if rows > 0 {
                    write_rows(&mut writer, &mut columns)?;
                }
                Ok(writer.into_inner()?)
            }
        }
    }
}

fn write_rows<W: Write + Send>(writer: &mut SerializedFileWriter<W>, columns: &mut [Pending]) -> Result<()> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut output) = group.next_column()? else { break };
        match column {
            Pending::Texts(texts, levels) => {
                output.typed::<ByteArrayType>().write_batch(&take(texts), Some(&take(levels)), None)?;
            }
            Pending::Numbers(numbers) => {
                output.typed::<DoubleType>().write_batch(&take(numbers), None, None)?;
            }
        }
        output.close()?;
    }
    group.close()?;
    Ok(())
}
