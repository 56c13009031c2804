//! Texts of the user in messages: on one line, and not too long.

use std::io::{Write, stdout};

use anyhow::{Context, Result};

/// Prints a line. Whoever closed the pipe does not want it, and results are in files: that is no reason to stop.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// Prints a line for a person on stderr. A log that is full is no reason to stop.
#[macro_export]
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// Prints results that are in no file.
pub fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// A text in one line, without the control characters that a damaged file can bring into it.
pub fn plain(text: &str) -> String {
    let char = |char: char| if char.is_control() { char.escape_default().collect() } else { char.to_string() };
    text.lines().collect::<Vec<_>>().join(" ").chars().map(char).collect()
}

/// The most characters of a text that are shown.
const LONGEST: usize = 40;

/// The most names that are shown of a list.
const MOST: usize = 10;

/// A cell or a name between backticks, cut if it is long.
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    // These need no escape between backticks.
    shown = shown.replace("\\'", "'").replace("\\\"", "\"");
    if text.chars().nth(LONGEST).is_some() { format!("`{shown}…`") } else { format!("`{shown}`") }
}

/// The first names of a list, and how many more there are.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(MOST).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The name that is most like another one, if one is.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    let names = names.into_iter().map(|name| (likeness(name), name));
    let nearest = names.max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.filter(|(likeness, _)| *likeness > 0.8).map(|(_, name)| name)
}

/// What to say of a name that is not there: the nearest of those that are, or all.
pub fn instead<'a>(name: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, names.clone()) {
        Some(nearest) => format!("did you mean {}?", quoted(nearest)),
        None => format!("only {}", list(names)),
    }
}

/// A count with its noun: `1 row`, `2 rows`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_on_one_line_and_short() {
        assert_eq!(quoted("it's \"a\""), "`it's \"a\"`");
        assert_eq!(quoted("a\nb\u{1b}[0m"), "`a\\nb\\u{1b}[0m`");
        assert_eq!(quoted(&"é".repeat(41)), format!("`{}…`", "é".repeat(40)));
        let names: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
        let list = list(names.iter().map(String::as_str));
        assert!(list.starts_with("`0`, `1`") && list.ends_with("`9` and 4990 more"), "{list}");
    }

    #[test]
    fn the_nearest_name_is_offered() {
        assert_eq!(instead("Lags", ["colour", "legs"].into_iter()), "did you mean `legs`?");
        assert_eq!(instead("target", ["a", "b"].into_iter()), "only `a`, `b`");
        assert_eq!([counted(1, "row"), counted(2, "row")], ["1 row", "2 rows"]);
    }
}
