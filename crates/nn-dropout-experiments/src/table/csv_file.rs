//! CSV files, row by row: what separates their cells and how their numbers are written is found out, unless it is given.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use anyhow::{Result, anyhow, bail, ensure};
use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::evidence::{Evidence, Reading, decide};
use super::quotes::Quotes;
use crate::settings::{CsvOptions, Decimal, Encoding, Separator};
use crate::words::counted;

/// A CSV file at its first row.
pub struct CsvRows {
    pub header: Vec<String>,
    pub readings: Vec<Reading>,
    reader: csv::Reader<Box<dyn Read>>,
    /// If it is not UTF-8.
    encoding: Option<&'static encoding_rs::Encoding>,
    separator: Separator,
    record: StringRecord,
}

/// The bytes at the beginning of a file that are looked at to find out how it is written.
const SAMPLE: usize = 1 << 18;

impl CsvRows {
    /// The rows of a file, and what it turned out to be.
    pub fn open(bytes: Box<dyn Read>, options: &CsvOptions, usual: impl Fn(&str) -> Reading) -> Result<(Self, String)> {
        // A byte order mark says what the encoding is, and goes.
        let encoding = options.encoding.map(Encoding::get).filter(|encoding| *encoding != encoding_rs::UTF_8);
        let mut text = DecodeReaderBytesBuilder::new().encoding(encoding).build(bytes);
        let mut sample = Vec::new();
        text.by_ref().take(SAMPLE as u64).read_to_end(&mut sample)?;
        if sample.starts_with(b"\xef\xbb\xbf") {
            sample.drain(..3);
        }
        // Excel writes the separator into a line of its own.
        let mut separator = options.separator;
        if let [b's', b'e', b'p', b'=', given, b'\r' | b'\n', ..] = sample[..] {
            let end = sample.iter().position(|byte| *byte == b'\n').unwrap_or(sample.len() - 1);
            separator = separator.or_else(|| char::from(given).to_string().parse().ok());
            sample.drain(..=end);
        }
        let separator = separator.unwrap_or_else(|| find_separator(whole_lines(&sample)));
        let (names, evidence) = look_at(whole_lines(&sample), separator);
        let readings = decide(&evidence, &names, Some(separator), options.decimal, usual);

        let whole = Quotes::new(Cursor::new(sample).chain(text), separator.byte());
        let mut reader = builder(separator).from_reader(Box::new(whole) as Box<dyn Read>);
        let header = reader.headers().map_err(explain)?.clone();
        let mut rows = Self { header: Vec::new(), readings, reader, encoding, separator, record: StringRecord::new() };
        rows.header = header.iter().map(str::to_owned).collect();
        if names.len() == header.len() + 1 {
            rows.header.insert(0, String::new());
        }
        rows.readings.resize(rows.header.len(), Reading::default());
        let is_comma = |reading: &Reading| reading.decimal == Some(Decimal::Comma);
        let decimal = if rows.readings.iter().any(is_comma) { " and with decimal commas" } else { "" };
        let format = format!("CSV, separated by {separator}{decimal}");
        Ok((rows, format))
    }

    pub fn next(&mut self) -> Result<Option<&StringRecord>> {
        if !self.reader.read_record(&mut self.record).map_err(explain)? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        if let Some(encoding) = self.encoding {
            let is_lost = self.record.iter().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER));
            ensure!(!is_lost, "line {line} is not {}; name another --encoding", encoding.name());
        }
        let (count, expected) = (self.record.len(), self.header.len());
        if count != expected {
            let separator = self.separator;
            let hint = if count > expected {
                format!("put cells that hold {separator} between quotes, or name the missing columns in the header")
            } else {
                "complete the row, or remove it".to_owned()
            };
            bail!("line {line} has {}, but the header has {expected}: {hint}", counted(count, "cell"));
        }
        Ok(Some(&self.record))
    }
}

fn builder(separator: Separator) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.trim(Trim::All).flexible(true).delimiter(separator.byte());
    builder
}

/// What is decoded is UTF-8, so what is not has no other encoding yet.
fn explain(error: csv::Error) -> anyhow::Error {
    if let csv::ErrorKind::Utf8 { pos, .. } = error.kind() {
        let line = pos.as_ref().map_or(1, csv::Position::line);
        return anyhow!(
            "line {line} is not UTF-8; save the file as UTF-8, or name its encoding, such as --encoding windows-1252 (Western Europe) or \
             shift_jis (Japan)"
        );
    }
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow!("{other:?}"),
    }
}

/// A sample without the line that it cuts.
fn whole_lines(sample: &[u8]) -> &[u8] {
    if sample.len() < SAMPLE - 8 {
        return sample;
    }
    let end = sample.iter().rposition(|byte| *byte == b'\n').unwrap_or(sample.len());
    &sample[..end]
}

/// The separator that makes the most columns, if it makes the same number in each row; a comma if none does.
fn find_separator(sample: &[u8]) -> Separator {
    let columns = |separator: Separator| {
        let mut reader = builder(separator).from_reader(sample);
        let count = reader.byte_headers().map_or(0, ByteRecord::len);
        let rows: Vec<usize> = reader.byte_records().take(100).flatten().map(|record| record.len()).collect();
        // R names no column for the names of its rows. A row that is broken is reported later.
        let whole = [count, count + 1].map(|count| rows.iter().filter(|columns| **columns == count).count());
        if count > 1 && whole.iter().any(|whole| 2 * whole >= rows.len()) { count } else { 0 }
    };
    // Of equals the last is taken: commas stand inside cells more often than the others.
    let best =
        Separator::ALL.map(|separator| (columns(separator), separator)).into_iter().max_by_key(|(count, _)| *count);
    best.filter(|(count, _)| *count > 0).map_or(Separator::COMMA, |(_, separator)| separator)
}

/// The names of the columns, and what a sample of their cells shows.
fn look_at(sample: &[u8], separator: Separator) -> (Vec<String>, Vec<Evidence>) {
    let mut reader = builder(separator).from_reader(sample);
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
    let mut names: Vec<String> =
        reader.byte_headers().map_or_else(|_| Vec::new(), |names| names.iter().map(text).collect());
    if has_row_names(sample, separator, names.len()) {
        names.insert(0, String::new());
    }
    let mut evidence = vec![Evidence::default(); names.len()];
    for record in reader.byte_records().flatten() {
        for (cell, evidence) in record.iter().zip(&mut evidence) {
            evidence.add(&String::from_utf8_lossy(cell));
        }
    }
    (names, evidence)
}

/// Whether each row begins with a name that the header does not have, as R writes them: quoted, and each another one.
fn has_row_names(sample: &[u8], separator: Separator, columns: usize) -> bool {
    let first = sample.split(|byte| *byte == b'\n').nth(1);
    let mut rows = builder(separator).from_reader(sample);
    let mut names = HashSet::new();
    let mut is_name =
        |row: &ByteRecord| row.len() == columns + 1 && names.insert(row[0].to_vec()) && !row[columns].is_empty();
    columns > 1
        && first.is_some_and(|first| first.starts_with(b"\""))
        && rows.byte_records().flatten().all(|row| is_name(&row))
}
