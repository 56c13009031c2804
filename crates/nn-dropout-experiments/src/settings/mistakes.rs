//! Common mistakes in TOML files: what is wrong, and how it is written.

use toml::de::DeTable;

use super::file::options;
use super::layer::EXAMPLE;
use super::options::{NO_KEYS, Options};
use crate::words;

/// What is wrong in a text that is not TOML: the line, the reason, and the line as it should be.
pub fn syntax(text: &str) -> String {
    let (_, errors) = DeTable::parse_recoverable(text);
    let place = |error: &toml::de::Error| error.span().unwrap_or_default();
    let Some(first) = errors.iter().min_by_key(|error| place(error).start) else {
        return "not TOML".to_owned();
    };
    let lines: Vec<&str> = text.lines().map(uncommented).collect();
    let number = text.bytes().take(place(first).start).filter(|byte| *byte == b'\n').count();
    let in_section = lines[..number.min(lines.len())].iter().any(|line| line.trim_start().starts_with('['));
    let (number, statement) = statement(&lines, number);
    let reason = if first.message() == "duplicate key" {
        format!("the key `{}` is there twice", &text[place(first)])
    } else {
        let start = || statement.trim().chars().take(80).collect::<String>();
        repaired(&statement, in_section)
            .unwrap_or_else(|| format!("expected KEY = VALUE, as in epochs = 30, but got {}", start()))
    };
    format!("line {}: {reason}", number + 1)
}

/// A line without the comment at its end.
fn uncommented(line: &str) -> &str {
    let is_comment = |at: &usize| {
        let before = &line[..*at];
        before.matches(['"', '\'']).count().is_multiple_of(2)
            && before.chars().next_back().is_none_or(char::is_whitespace)
    };
    let end = line.match_indices('#').map(|(at, _)| at).find(is_comment);
    &line[..end.unwrap_or(line.len())]
}

/// A line's statement, and the number of the line where it starts: a list can go over several lines.
fn statement(lines: &[&str], number: usize) -> (usize, String) {
    let begins_list = |start: &usize| {
        let value = lines[*start].split_once('=').map_or("", |(_, value)| value.trim());
        let is_open =
            |begin, end| value.starts_with(begin) && lines[*start..number].iter().all(|line| !line.contains(end));
        is_open('[', ']') || is_open('{', '}')
    };
    let start = (0..number.min(lines.len())).rev().find(|line| lines[*line].contains('='));
    let Some(start) = start.filter(begins_list) else {
        return (number, lines.get(number).map_or_else(String::new, |line| (*line).to_owned()));
    };
    let rest = lines[start + 1..].iter().take_while(|line| !line.contains('='));
    (start, rest.fold(lines[start].to_owned(), |statement, line| statement + " " + line))
}

/// The reason why a statement is no TOML, with the statement as it should be. What is proposed is accepted, but for the keys of a
/// section.
fn repaired(statement: &str, in_section: bool) -> Option<String> {
    if statement.trim_start().starts_with("//") {
        return Some("comments begin with #".to_owned());
    }
    let assigned = statement.split_once('=').map(|(key, value)| (key, value.trim_start_matches(['=', '>'])));
    let apart = || statement.split_once(':').or_else(|| statement.trim().split_once(char::is_whitespace));
    let (key, value) = assigned.or_else(apart)?;
    let key = key.trim().trim_matches(QUOTES).replace(char::is_whitespace, "_");
    let value = value.trim();
    if key.is_empty() || value.is_empty() {
        return (!key.is_empty()).then(|| format!("the key `{key}` has no value"));
    }
    if value.starts_with('{') {
        return Some(format!("a table stands in braces, and its texts in straight quotes, as in dropout = {EXAMPLE}"));
    }
    if value.contains('=') {
        return Some("expected one KEY = VALUE in a line".to_owned());
    }
    let bare = value.trim_end_matches([',', ';']).trim();
    let as_is = if assigned.is_some() { "expected KEY = VALUE" } else { "a `=` stands between key and value" };
    let mut repairs = vec![(as_is, bare.to_owned()), ("true and false have small letters", bare.to_lowercase())];
    repairs.extend(numbers(bare).map(|number| ("numbers are written as 1000 and 0.5", number)));
    let texts = if bare.starts_with('"') && bare.contains('\\') {
        "in double quotes a backslash begins a special character"
    } else {
        "texts stand in straight quotes"
    };
    repairs.extend(quoted(bare).map(|text| (texts, text)));
    let values: Vec<&str> = bare.split([',', ';']).flat_map(|part| separated(part, bare)).collect();
    repairs.push((LISTS, format!("[{}]", values.join(", "))));
    let quoted: Option<Vec<String>> = values.iter().map(|value| quoted(value)).collect();
    repairs.extend(quoted.map(|values| (LISTS, format!("[{}]", values.join(", ")))));

    let mut refused = None;
    for (reason, value) in repairs {
        let line = format!("{key} = {value}");
        match DeTable::parse(&line).map(|table| if in_section { Ok(()) } else { options(table.get_ref()).map(drop) }) {
            Ok(Ok(())) => return Some(format!("{reason}: write {line}")),
            Ok(Err(error)) => refused = refused.or(Some(error.to_string())),
            Err(_) => {}
        }
    }
    refused
}

const LISTS: &str = "lists stand in brackets, with commas between the values";
/// Quotes, and what word processors make of them.
const QUOTES: &[char] = &['"', '\'', '`', '“', '”', '„', '‟', '‘', '’', '‚', '«', '»'];

/// The parts of a list that only spaces separate.
fn separated<'a>(part: &'a str, list: &str) -> Vec<&'a str> {
    let part = part.trim_matches(|char: char| "[](){}".contains(char) || char.is_whitespace());
    let is_one = list.contains([',', ';', '"', '\'']);
    if is_one {
        Some(part).filter(|part| !part.is_empty()).into_iter().collect()
    } else {
        part.split_whitespace().collect()
    }
}

/// A text in the quotes that it needs.
fn quoted(text: &str) -> Option<String> {
    let text = text.trim_matches(QUOTES);
    let quote = if text.contains('\\') { '\'' } else { '"' };
    (!text.contains('"')).then(|| format!("{quote}{text}{quote}"))
}

/// What a number with separators can mean.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let groups: Vec<&str> = text.split([',', ' ', '\'', '_']).collect();
    let thousands = groups[1..].iter().all(|group| group.len() == 3).then(|| groups.concat());
    let decimal = (groups.len() == 2).then(|| text.replace(',', "."));
    let is_number = |number: &String| number.parse::<f64>().is_ok();
    let tidied = |number: String| {
        let number = number.trim_start_matches('0').to_owned();
        let number = if number.starts_with(|char: char| char.is_ascii_digit()) { number } else { format!("0{number}") };
        if number.ends_with('.') { number + "0" } else { number }
    };
    thousands.into_iter().chain(decimal).filter(is_number).map(tidied)
}

/// The name of the option that a key may mean.
pub fn nearest(key: &str) -> Option<&'static str> {
    let key = key.trim_start_matches('-').replace('-', "_");
    words::nearest(&key, Options::NAMES.iter().copied().filter(|name| !NO_KEYS.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use super::EXAMPLE;

    #[test]
    fn each_mistake_is_named_with_its_line_and_what_to_write() {
        const TEXTS: &str = "texts stand in straight quotes: write";
        const LISTS: &str = "lists stand in brackets, with commas between the values: write";
        const NUMBERS: &str = "numbers are written as 1000 and 0.5: write";
        const TABLES: &str = "a table stands in braces, and its texts in straight quotes, as in";
        const BACKSLASHES: &str = "in double quotes a backslash begins a special character: write";
        for (line, expected) in [
            ("data = tr.csv", format!("{TEXTS} data = \"tr.csv\"")),
            ("data = my table.csv  # the old one", format!("{TEXTS} data = \"my table.csv\"")),
            ("data = \"tr.csv", format!("{TEXTS} data = \"tr.csv\"")),
            ("data = tr.csv'", format!("{TEXTS} data = \"tr.csv\"")),
            ("data = “tr.csv”", format!("{TEXTS} data = \"tr.csv\"")),
            ("target = 'it's'", format!("{TEXTS} target = \"it's\"")),
            ("task = regression", format!("{TEXTS} task = \"regression\"")),
            ("data = C:\\new\\t.csv", format!("{TEXTS} data = 'C:\\new\\t.csv'")),
            ("data = \"C:\\Users\\t.csv\"", format!("{BACKSLASHES} data = 'C:\\Users\\t.csv'")),
            ("hidden = 64, 32", format!("{LISTS} hidden = [64, 32]")),
            ("hidden = (64, 32)", format!("{LISTS} hidden = [64, 32]")),
            ("hidden = [64 32]", format!("{LISTS} hidden = [64, 32]")),
            ("hidden = [64, 32", format!("{LISTS} hidden = [64, 32]")),
            ("hidden = [\n  64  # wide\n  32\n]", format!("{LISTS} hidden = [64, 32]")),
            ("ignore = name, tail", format!("{LISTS} ignore = [\"name\", \"tail\"]")),
            ("ignore = [\"name\", \"tail]", format!("{LISTS} ignore = [\"name\", \"tail\"]")),
            ("epochs = 1,000", format!("{NUMBERS} epochs = 1000")),
            ("epochs = 1 000", format!("{NUMBERS} epochs = 1000")),
            ("epochs = 007", format!("{NUMBERS} epochs = 7")),
            ("dropout = 0,5", format!("{NUMBERS} dropout = 0.5")),
            ("dropout = 0,125", format!("{NUMBERS} dropout = 0.125")),
            ("dropout = .5", format!("{NUMBERS} dropout = 0.5")),
            ("learning_rate = 1.", format!("{NUMBERS} learning_rate = 1.0")),
            ("dropout = { kind = drop-path, p = 0.1 }", format!("{TABLES} dropout = {EXAMPLE}")),
            ("dropout = { kind = \"drop-path\", p = 0.1", format!("{TABLES} dropout = {EXAMPLE}")),
            ("dropout = {\n  kind = drop-path,\n  p = 0.1\n}", format!("{TABLES} dropout = {EXAMPLE}")),
            ("quiet = True", "true and false have small letters: write quiet = true".to_owned()),
            ("dropout 0.5", "a `=` stands between key and value: write dropout = 0.5".to_owned()),
            ("dropout: 0.5", "a `=` stands between key and value: write dropout = 0.5".to_owned()),
            ("dropout == 0.5", "expected KEY = VALUE: write dropout = 0.5".to_owned()),
            ("dropout = 0.5,", "expected KEY = VALUE: write dropout = 0.5".to_owned()),
            ("batch size = 8", "expected KEY = VALUE: write batch_size = 8".to_owned()),
            ("dropout =", "the key `dropout` has no value".to_owned()),
            ("n_head = 1\nn_head = 2", "the key `n_head` is there twice".to_owned()),
            ("dropout = 0.5 n_head = 2", "expected one KEY = VALUE in a line".to_owned()),
            (
                "dropout = 50%",
                format!(
                    "key `dropout`: expected a number between 0 and 1, or a table such as {EXAMPLE}, but got \"50%\""
                ),
            ),
            ("quiet = yes", "key `quiet`: expected true or false, but got \"yes\"".to_owned()),
            ("// a comment", "comments begin with #".to_owned()),
            ("{", "expected KEY = VALUE, as in epochs = 30, but got {".to_owned()),
        ] {
            // Two lines before, one after; the file of an editor that writes what others do not.
            let text = format!("# Settings\r\nseed = 1\r\n{line}\r\nmax_iters = 2\r\n");
            let said = parse(&text).err().map(|error| error.to_string());
            let number = if line.starts_with("n_head") { 4 } else { 3 };
            assert_eq!(said, Some(format!("line {number}: {expected}")), "{line}");
        }
    }

    #[test]
    fn mistakes_in_a_section_are_named_too() {
        for (line, expected) in [
            ("kind = drop-path", "texts stand in straight quotes: write kind = \"drop-path\""),
            ("p = 0,1", "numbers are written as 1000 and 0.5: write p = 0.1"),
            ("clipping = True", "true and false have small letters: write clipping = true"),
        ] {
            let said = parse(&format!("epochs = 3\n[dropout]\n{line}\n")).err().map(|error| error.to_string());
            assert_eq!(said, Some(format!("line 3: {expected}")));
        }
    }

    #[test]
    fn a_key_that_is_none_is_named_with_what_it_may_mean() {
        for (text, expected) in [
            ("drop_out = 0.5", "unknown key `drop_out`: did you mean `dropout`?"),
            ("dropout_rate = 0.5", "unknown key `dropout_rate`: did you mean `dropout`?"),
            ("--batch-size = 3", "unknown key `--batch-size`: did you mean `batch_size`?"),
            ("Epoch = 3", "unknown key `Epoch`: did you mean `epochs`?"),
            (
                "foo = 3",
                "unknown key `foo`: the keys are the options that `nn-dropout train --help` shows, with underscores for dashes",
            ),
            ("seeds = 3", "`seeds` is an option of the command line only"),
            ("config = \"x.toml\"", "`config` is an option of the command line only"),
            ("[train]\nepochs = 3", "unknown section [train]: keys stand in no section"),
        ] {
            assert_eq!(parse(text).err().map(|error| error.to_string()).as_deref(), Some(expected), "{text}");
        }
    }
}
