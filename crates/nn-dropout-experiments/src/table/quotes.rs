//! The quotes of CSV files, checked before they are read. The reader of the csv crate takes any file: text after a closing
//! quote belongs to the cell for it, and so does all that follows a quote that never closes.

use std::io::{Error, ErrorKind, Read, Result};

use memchr::{memchr, memchr_iter};

use crate::words::quoted;

/// Passes on what it reads unchanged, up to a wrong quote: that is an error, and the bytes that were read together with it
/// are lost.
pub struct Quotes<R> {
    inner: R,
    separator: u8,
    place: Place,
    /// The byte before the next one.
    before: u8,
    /// The line of the next byte. As for the csv crate, only `\n` ends a line.
    line: usize,
    cell: Cell,
}

/// Where the next byte stands.
#[derive(Clone, Copy)]
enum Place {
    /// Outside quotes, where a quote that does not begin a cell is text.
    Outside,
    Inside,
    /// After a quote inside a cell. It closes the cell, unless another one follows.
    Quote,
    /// After spaces that follow a closing quote.
    Space,
}

/// What earlier reads brought of the cell between quotes.
#[derive(Default)]
struct Cell {
    line: usize,
    /// Its first bytes, enough to show.
    start: Vec<u8>,
    length: usize,
}

/// The longest cell between quotes. A quote that never closes would make the csv crate keep the rest of the file.
const LONGEST: usize = 1 << 20;

/// The most bytes of the characters that are shown of a cell, and of one more.
const SHOWN: usize = 4 * 41;

impl<R: Read> Quotes<R> {
    /// Of UTF-8 without a byte order mark.
    pub fn new(inner: R, separator: u8) -> Self {
        // A file begins as a line does.
        Self { inner, separator, place: Place::Outside, before: b'\n', line: 1, cell: Cell::default() }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<()> {
        let quote_from = |at: usize| memchr(b'"', &bytes[at..]).map(|skipped| at + skipped);
        // Where the cell between quotes begins or goes on.
        let mut start = 0;
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            match self.place {
                Place::Outside => {
                    let Some(quote) = quote_from(at) else { break };
                    let before = quote.checked_sub(1).map_or(self.before, |before| bytes[before]);
                    at = quote + 1;
                    // After spaces it is text for the csv crate too, which trims a cell only once it has been read.
                    if self.ends_cell(before) {
                        self.place = Place::Inside;
                        self.cell.length = 0;
                        start = at;
                    }
                    continue;
                }
                Place::Inside => {
                    let quote = quote_from(at);
                    at = quote.unwrap_or(bytes.len());
                    if self.cell.length + at - start > LONGEST {
                        self.keep(bytes, start);
                        return Err(self.open("does not close within a megabyte"));
                    }
                    if quote.is_none() {
                        break;
                    }
                    self.place = Place::Quote;
                }
                Place::Quote if byte == b'"' => self.place = Place::Inside,
                Place::Quote | Place::Space if self.ends_cell(byte) => self.place = Place::Outside,
                Place::Quote | Place::Space if matches!(byte, b' ' | b'\t') => self.place = Place::Space,
                Place::Quote | Place::Space => {
                    // The quote stands on the line of the text.
                    let line = self.line + lines(&bytes[..at]);
                    let hint = "double the quotes inside the cell (\"\"), or remove them";
                    return Err(wrong(format!("line {line}: text after a closing quote; {hint}")));
                }
            }
            at += 1;
        }
        if matches!(self.place, Place::Inside | Place::Quote) {
            self.keep(bytes, start);
        }
        self.line += lines(bytes);
        self.before = bytes.last().copied().unwrap_or(self.before);
        Ok(())
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.separator || matches!(byte, b'\n' | b'\r')
    }

    /// Keeps what is to be known of a cell when more bytes have been read.
    fn keep(&mut self, bytes: &[u8], start: usize) {
        let cell = &mut self.cell;
        if start > 0 {
            cell.line = self.line + lines(&bytes[..start]);
            cell.start.clear();
        }
        cell.start.extend(bytes[start..].iter().take(SHOWN - cell.start.len()));
        cell.length += bytes.len() - start;
    }

    /// The error of a quote that is open.
    fn open(&self, what: &str) -> Error {
        let text = String::from_utf8_lossy(&self.cell.start);
        let first = text.split(['\n', '\r']).next().unwrap_or_default();
        let before = if first.trim().is_empty() { String::new() } else { format!(" before {}", quoted(first)) };
        let hint = "close it, or double it (\"\") if it belongs to the text";
        wrong(format!("line {}: a quote opens{before} and {what}; {hint}", self.cell.line))
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() && matches!(self.place, Place::Inside) {
            return Err(self.open("never closes"));
        }
        self.check(&buffer[..count])?;
        Ok(count)
    }
}

fn lines(bytes: &[u8]) -> usize {
    memchr_iter(b'\n', bytes).count()
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use csv::{QuoteStyle, ReaderBuilder, StringRecord, Trim, WriterBuilder};

    use super::*;

    type Rows = Vec<Vec<String>>;

    /// Gives so many bytes at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    /// The bytes that come through, or the message.
    fn passed(text: &str, separator: u8, piece: usize) -> std::result::Result<String, String> {
        let mut bytes = Vec::new();
        let read = Quotes::new(Pieces(text.as_bytes(), piece), separator).read_to_end(&mut bytes);
        match read {
            Ok(_) => Ok(String::from_utf8(bytes).unwrap()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                Err(error.to_string())
            }
        }
    }

    /// The message, whatever the pieces.
    fn refused(text: &str) -> String {
        let message = passed(text, b',', usize::MAX).unwrap_err();
        for piece in [1, 2, 3, 5, 7, 1 << 13] {
            assert_eq!(passed(text, b',', piece), Err(message.clone()), "{piece}");
        }
        message
    }

    #[test]
    fn good_quotes_pass_unchanged() {
        for text in [
            "",
            "a,b\n1,2\n",
            "\"a\",\"b\"\r\n\"1\",\"2\"",
            "\"a\"\r\"b\"\r",
            "\n\n\"a\"\n",
            "\"\"\n\"\"\"\"\n\"a \"\"b\"\" c\",\"\"",
            "\"a\nb\r\n,\"\"\n\" \t,1\n\"c\" ",
            "5\" pipe,a\"b\"c,\"d\"\n",
            "a, \"b\" c,  \"d\n\"e\"",
            "größer,\"größer\"",
        ] {
            for piece in [1, 2, 3, 5, usize::MAX] {
                assert_eq!(passed(text, b',', piece).as_deref(), Ok(text));
            }
        }
        let tabs = "\"a\"\t\"b\" \t\"c\"\n";
        assert_eq!(passed(tabs, b'\t', 1).as_deref(), Ok(tabs));
        assert!(passed("\"a\",\"b\"", b';', 1).is_err());
    }

    #[test]
    fn text_after_a_closing_quote_is_refused() {
        let hint = "text after a closing quote; double the quotes inside the cell (\"\"), or remove them";
        assert_eq!(refused("\"foo\" bar\n"), format!("line 1: {hint}"));
        assert_eq!(refused("a,b\n\"foo\tham\n\"bar\tspam"), format!("line 3: {hint}"));
        assert_eq!(refused("a\r\n1,\"x\ny\"\t \"z\"\n"), format!("line 3: {hint}"));
        assert_eq!(refused("\"a\n\"\"\n\"\"\"b"), format!("line 3: {hint}"));
    }

    #[test]
    fn an_open_quote_is_refused() {
        let hint = "close it, or double it (\"\") if it belongs to the text";
        assert_eq!(refused("a,\"b"), format!("line 1: a quote opens before `b` and never closes; {hint}"));
        assert_eq!(
            refused("a\n\"b\nc\",\"say \"\"x\"\"\r\n1,2\n"),
            format!("line 3: a quote opens before `say \"\"x\"\"` and never closes; {hint}")
        );
        let nothing = format!("line 2: a quote opens and never closes; {hint}");
        assert_eq!(refused("\n\""), nothing);
        assert_eq!(refused("\n\" \nb"), nothing);
        assert_eq!(
            refused(&format!("\"{}\n", "é".repeat(41))),
            format!("line 1: a quote opens before `{}…` and never closes; {hint}", "é".repeat(40))
        );
        let wide = "\u{1f600}".repeat(40);
        assert_eq!(
            refused(&format!("\"{wide}")),
            format!("line 1: a quote opens before `{wide}` and never closes; {hint}")
        );
    }

    #[test]
    fn an_open_quote_is_refused_after_a_megabyte() {
        let cell = |length: usize| format!("a\n\"{}\",b\n", "line\n".repeat(length).split_at(length).0);
        assert!(passed(&cell(LONGEST), b',', usize::MAX).is_ok());
        assert!(passed(&cell(LONGEST), b',', 1 << 13).is_ok());
        let message = "line 2: a quote opens before `line` and does not close within a megabyte; close it, or double it \
                       (\"\") if it belongs to the text";
        assert_eq!(refused(&cell(LONGEST + 1)), message);

        let mut file = Quotes::new(b"\"".chain(std::io::repeat(b'\n')), b',');
        let error = std::io::copy(&mut file, &mut std::io::sink()).unwrap_err().to_string();
        assert!(error.starts_with("line 1: a quote opens and does not close within a megabyte;"), "{error}");
        // Cells that are closed do not add up.
        let many = "\"abc\",\"\"\"\"\n".repeat(LONGEST / 8);
        assert_eq!(passed(&many, b',', 1 << 13), Ok(many));
    }

    #[test]
    fn an_empty_buffer_is_not_the_end() {
        let mut file = Quotes::new(&b"\"a\""[..], b',');
        let mut buffer = [0; 2];
        assert_eq!(file.read(&mut buffer).unwrap(), 2);
        assert_eq!(file.read(&mut []).unwrap(), 0);
        assert_eq!(file.read(&mut buffer).unwrap(), 1);
        assert_eq!(file.read(&mut buffer).unwrap(), 0);
    }

    /// The trimmed cells by the grammar of RFC 4180, cell by cell, or how the message about the first wrong quote begins.
    fn strict(text: &str, separator: char) -> std::result::Result<Rows, String> {
        let ends = |char: char| char == separator || char == '\n' || char == '\r';
        let line = |rest: &str| 1 + text[..text.len() - rest.len()].matches('\n').count();
        let (mut rows, mut row, mut rest) = (Rows::new(), Vec::new(), text);
        loop {
            // Empty lines are no rows.
            if row.is_empty() {
                rest = rest.trim_start_matches(['\n', '\r']);
                if rest.is_empty() {
                    return Ok(rows);
                }
            }
            let mut cell = String::new();
            if let Some(mut inside) = rest.strip_prefix('"') {
                loop {
                    let Some((part, after)) = inside.split_once('"') else {
                        return Err(format!("line {}: a quote opens", line(rest)));
                    };
                    cell += part;
                    let Some(more) = after.strip_prefix('"') else {
                        let spaces = |char: char| !ends(char) && (char == ' ' || char == '\t');
                        rest = after.trim_start_matches(spaces);
                        if !rest.is_empty() && !rest.starts_with(ends) {
                            return Err(format!("line {}: text after", line(after)));
                        }
                        break;
                    };
                    cell.push('"');
                    inside = more;
                }
            } else {
                let (text, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
                cell += text;
                rest = after;
            }
            row.push(cell.trim().to_owned());
            if let Some(next) = rest.strip_prefix(separator) {
                rest = next;
            } else {
                rows.push(std::mem::take(&mut row));
            }
        }
    }

    fn by_csv(text: &str, separator: u8, piece: usize) -> std::result::Result<Rows, String> {
        let quotes = Quotes::new(Pieces(text.as_bytes(), piece), separator);
        let mut builder = ReaderBuilder::new();
        builder.trim(Trim::All).flexible(true).has_headers(false).delimiter(separator);
        let rows = builder.from_reader(quotes).into_records().collect::<csv::Result<Vec<StringRecord>>>();
        let rows = rows.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error.to_string(),
            other => panic!("{other:?}"),
        })?;
        Ok(rows.iter().map(|row| row.iter().map(str::to_owned).collect()).collect())
    }

    fn compare(text: &str, separator: u8) {
        let expected = strict(text, char::from(separator));
        for piece in [1, 2, 3, 1 << 13] {
            match (&expected, by_csv(text, separator, piece)) {
                (Ok(expected), Ok(rows)) => assert_eq!(rows, *expected, "{text:?} in pieces of {piece}"),
                (Err(start), Err(message)) if message.starts_with(start.as_str()) => {}
                (expected, read) => panic!("{text:?} in pieces of {piece}: {read:?}, not {expected:?}"),
            }
        }
    }

    /// The same numbers each time, below `end`.
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 1_u64;
        move |end| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % end
        }
    }

    #[test]
    fn what_passes_is_read_as_it_is_meant() {
        for separator in [b',', b'\t', b' '] {
            let alphabet = ['a', ' ', '"', char::from(separator), '\n', '\r'];
            // All short texts, then random longer ones.
            for length in 0..=4 {
                for code in 0..6_usize.pow(length) {
                    let text: String = (0..length).map(|at| alphabet[code / 6_usize.pow(at) % 6]).collect();
                    compare(&text, separator);
                }
            }
            let mut number = numbers();
            for _ in 0..2_000 {
                let length = 6 + number(15);
                let text: String = (0..length).map(|_| alphabet[number(6)]).collect();
                compare(&text, separator);
            }
        }
    }

    #[test]
    fn what_the_csv_crate_writes_passes() {
        let mut number = numbers();
        let alphabet = ['a', 'é', ' ', '"', ',', ';', '\n', '\r'];
        for (style, separator) in [QuoteStyle::Necessary, QuoteStyle::Always, QuoteStyle::NonNumeric]
            .into_iter()
            .flat_map(|style| [(style, b','), (style, b';'), (style, b'\t')])
        {
            for _ in 0..200 {
                let rows: Rows = (0..=number(3))
                    .map(|_| {
                        let cell = |length| (0..length).map(|_| alphabet[number(8)]).collect();
                        [3, 0, 5, 1].map(cell).to_vec()
                    })
                    .collect();
                let mut writer = WriterBuilder::new().quote_style(style).delimiter(separator).from_writer(Vec::new());
                for row in &rows {
                    writer.write_record(row).unwrap();
                }
                let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
                let trimmed: Rows =
                    rows.iter().map(|row| row.iter().map(|cell| cell.trim().to_owned()).collect()).collect();
                for piece in [1, 3, 1 << 13] {
                    assert_eq!(passed(&text, separator, piece).as_deref(), Ok(text.as_str()));
                    assert_eq!(by_csv(&text, separator, piece).as_ref(), Ok(&trimmed));
                }
            }
        }
    }
}
