//! CSV files, row by row: what separates their cells and how their numbers are written is found out, unless it is given.

use std::io::{Cursor, Read};

use anyhow::{Result, anyhow, bail, ensure};
use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::cells::{Reading, is_missing};
use super::date::{Order, days};
use super::number::number;
use crate::settings::{CsvOptions, Decimal, Encoding, Separator};
use crate::words::quoted;

/// A CSV file at its first row.
pub struct CsvRows {
    pub header: Vec<String>,
    pub readings: Vec<Reading>,
    reader: csv::Reader<Box<dyn Read>>,
    separator: Separator,
    record: StringRecord,
}

/// The bytes at the beginning of a file that are looked at to find out how it is written.
const SAMPLE: usize = 1 << 20;

/// A row after the last one. A quote that never closes swallows it.
const END: &str = "\u{1}end of table\u{1}";

impl CsvRows {
    /// The rows of a file, and what it turned out to be.
    pub fn open(bytes: Box<dyn Read>, options: &CsvOptions, usual: impl Fn(&str) -> Reading) -> Result<(Self, String)> {
        // A byte order mark says what the encoding is, and goes.
        let encoding = options.encoding.map(Encoding::get);
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
        let readings = decide(&evidence, &names, separator, options.decimal, usual);

        let end = format!("\n{END}\n");
        let rest = Cursor::new(sample).chain(text).chain(Cursor::new(end.into_bytes()));
        let mut reader = builder(separator).from_reader(Box::new(rest) as Box<dyn Read>);
        let header = reader.headers().map_err(|error| explain(error, options))?.clone();
        let mut rows = Self { header: Vec::new(), readings, reader, separator, record: StringRecord::new() };
        if rows.is_end(&header) {
            return Ok((rows, String::new()));
        }
        rows.check_closed(&header, 1)?;
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
        let is_there =
            self.reader.read_record(&mut self.record).map_err(|error| explain(error, &CsvOptions::default()))?;
        ensure!(is_there, "the file changed while it was read");
        if self.is_end(&self.record) {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        self.check_closed(&self.record, line)?;
        let (count, expected) = (self.record.len(), self.header.len());
        if count != expected {
            let separator = self.separator;
            let hint = if count > expected {
                format!("put cells that hold {separator} between quotes, or name the missing columns in the header")
            } else {
                "fill the row up, or remove it".to_owned()
            };
            bail!("line {line} has {count} cells, and the header has {expected}: {hint}");
        }
        Ok(Some(&self.record))
    }

    fn is_end(&self, record: &StringRecord) -> bool {
        record.len() == 1 && &record[0] == END
    }

    /// Checks that no quote is open at the end of the file.
    fn check_closed(&self, record: &StringRecord, line: u64) -> Result<()> {
        let Some(last) = record.iter().next_back().and_then(|last| last.strip_suffix(END)) else { return Ok(()) };
        let before: usize = record.iter().take(record.len() - 1).map(|cell| cell.matches('\n').count()).sum();
        let cell = quoted(last.lines().next().unwrap_or_default());
        bail!(
            "line {}: a quote opens before {cell} and never closes; close it, or double it (\"\") if it belongs to the text",
            line + before as u64
        );
    }
}

fn builder(separator: Separator) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.trim(Trim::All).flexible(true).delimiter(separator.byte());
    builder
}

fn explain(error: csv::Error, options: &CsvOptions) -> anyhow::Error {
    if let csv::ErrorKind::Utf8 { pos, .. } = error.kind() {
        let line = pos.as_ref().map_or(1, csv::Position::line);
        let hint = match options.encoding {
            None => "; save the file as UTF-8, or name its encoding, as in --encoding windows-1252",
            Some(_) => "",
        };
        return anyhow!("line {line} is not UTF-8{hint}");
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
    // Of equals the last is taken.
    let best = Separator::ALL.into_iter().rev().max_by_key(|separator| columns(*separator));
    best.filter(|best| columns(*best) > 0).unwrap_or(Separator::COMMA)
}

/// What the cells of a column say about how they are to be read.
#[derive(Clone, Copy, Default)]
struct Evidence {
    decimals: Votes,
    orders: Votes,
    /// A comma stands in a cell that could be read both ways.
    commas: bool,
}

/// The cells that can be read only in the first way, only in the second, differently in both, and not at all.
#[derive(Clone, Copy, Default)]
struct Votes {
    first: usize,
    second: usize,
    unclear: usize,
    neither: usize,
}

impl Votes {
    fn add(&mut self, [first, second]: [Option<f64>; 2]) {
        match (first, second) {
            (Some(first), Some(second)) if first == second => {}
            (Some(_), Some(_)) => self.unclear += 1,
            (Some(_), None) => self.first += 1,
            (None, Some(_)) => self.second += 1,
            (None, None) => self.neither += 1,
        }
    }

    /// 0 or 1 if cells show one way, and hardly any can be read in neither. Those are reported when they are read.
    fn verdict(self) -> Option<usize> {
        let shown = self.first + self.second;
        (shown > 0 && 10 * self.neither <= shown + self.unclear).then_some(usize::from(self.second > self.first))
    }
}

const DECIMALS: [Decimal; 2] = [Decimal::Point, Decimal::Comma];
const ORDERS: [Order; 2] = [Order::Month, Order::Day];

/// The names of the columns, and what a sample of their cells shows.
fn look_at(sample: &[u8], separator: Separator) -> (Vec<String>, Vec<Evidence>) {
    let mut reader = builder(separator).from_reader(sample);
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    let mut names: Vec<String> =
        reader.byte_headers().map_or_else(|_| Vec::new(), |names| names.iter().map(text).collect());
    if has_row_names(names.len(), builder(separator).from_reader(sample).byte_records().flatten()) {
        names.insert(0, String::new());
    }
    let mut evidence = vec![Evidence::default(); names.len()];
    for record in reader.byte_records().flatten() {
        for (cell, evidence) in record.iter().zip(&mut evidence) {
            let Ok(cell) = std::str::from_utf8(cell) else { continue };
            if !is_missing(cell) {
                let numbers = DECIMALS.map(|decimal| number(cell, decimal).map(|number| number.value));
                evidence.decimals.add(numbers);
                evidence.commas |= numbers.iter().all(Option::is_some) && cell.contains(',');
                evidence.orders.add(ORDERS.map(|order| days(cell, order)));
            }
        }
    }
    (names, evidence)
}

/// Whether each row has one cell more than the header, and the last cells are not all empty: R writes the names of the rows so.
fn has_row_names(columns: usize, rows: impl Iterator<Item = ByteRecord>) -> bool {
    let (mut count, mut is_filled) = (0, false);
    for row in rows {
        if row.len() != columns + 1 {
            return false;
        }
        count += 1;
        is_filled |= !row[columns].is_empty();
    }
    columns > 1 && count > 0 && is_filled
}

/// How each column is read: as its own cells show, else as the other columns are, else as is usual.
fn decide(
    evidence: &[Evidence],
    names: &[String],
    separator: Separator,
    given: Option<Decimal>,
    usual: impl Fn(&str) -> Reading,
) -> Vec<Reading> {
    let common = |verdict: &dyn Fn(&Evidence) -> Option<usize>| {
        let verdicts: Vec<usize> = evidence.iter().filter_map(verdict).collect();
        verdicts.first().copied().filter(|first| verdicts.iter().all(|verdict| verdict == first))
    };
    let decimal = common(&|evidence| evidence.decimals.verdict()).map(|verdict| DECIMALS[verdict]);
    let order = common(&|evidence| evidence.orders.verdict()).map(|verdict| ORDERS[verdict]);
    let read = |(evidence, name): (&Evidence, &String)| {
        let usual = usual(name);
        // Where commas separate no cells, they are decimal if nothing shows otherwise.
        let by_separator = (evidence.commas && separator != Separator::COMMA).then_some(Decimal::Comma);
        let own = evidence.decimals.verdict().map(|verdict| DECIMALS[verdict]);
        let own_order = evidence.orders.verdict().map(|verdict| ORDERS[verdict]);
        Reading {
            decimal: given.or(own).or(decimal).or(usual.decimal).or(by_separator),
            order: own_order.or(order).or(usual.order),
        }
    };
    evidence.iter().zip(names).map(read).collect()
}
