//! Numbers as people write them: with a decimal point or comma, in groups of thousands, with a percent or a currency sign.

use crate::settings::Decimal;

/// A number, and the sign of what it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    pub value: f64,
    /// `%`, or a currency.
    pub unit: Option<char>,
}

/// Larger numbers would overflow where they are standardised.
pub const LARGEST: f64 = 1e307;

const CURRENCIES: &str = "$€£¥₹₩₽₺₫₪₴฿₦₱¢";

/// What separates groups of digits besides the mark that is not decimal: spaces and apostrophes of several kinds.
const GROUPERS: [char; 6] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}'];

/// The number in a cell, if it is one. It can be out of range.
pub fn number(text: &str, decimal: Decimal) -> Option<Number> {
    if decimal == Decimal::Point
        && let Ok(value) = text.parse::<f64>()
    {
        return (!value.is_nan()).then_some(Number { value, unit: None });
    }
    let (sign, text) = signed(text);
    let (unit, text) = with_unit(text);
    let (sign, text) = if sign.is_empty() && unit.is_some() { signed(text) } else { (sign, text) };
    let value = plain(sign, text, decimal)?.parse().ok()?;
    Some(Number { value, unit })
}

/// A number as a text that [`number`] reads, without a fraction if it is whole.
pub fn shown(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { (value as i64).to_string() } else { value.to_string() }
}

fn signed(text: &str) -> (&'static str, &str) {
    match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Takes the sign of a currency from either end, or a percent sign from the right.
fn with_unit(text: &str) -> (Option<char>, &str) {
    let is_currency = |sign: &char| CURRENCIES.contains(*sign);
    if let Some(sign) = text.chars().next().filter(is_currency) {
        return (Some(sign), text[sign.len_utf8()..].trim_start());
    }
    match text.chars().next_back().filter(|sign| *sign == '%' || is_currency(sign)) {
        Some(sign) => (Some(sign), text[..text.len() - sign.len_utf8()].trim_end()),
        None => (None, text),
    }
}

/// The number as Rust writes it.
fn plain(sign: &str, text: &str, decimal: Decimal) -> Option<String> {
    let (mark, grouper) = match decimal {
        Decimal::Point => ('.', ','),
        Decimal::Comma => (',', '.'),
    };
    let (mantissa, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
    let (whole, fraction) = mantissa.split_once(mark).unwrap_or((mantissa, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(fraction) {
        return None;
    }
    if is_digits(whole) || whole.is_empty() && mantissa.contains(mark) {
        return Some(format!("{sign}0{whole}.{fraction}{exponent}"));
    }
    let separator = whole.chars().find(|char| *char == grouper || GROUPERS.contains(char))?;
    let groups: Vec<&str> = whole.split(separator).collect();
    let [first, between @ .., last] = &groups[..] else { return None };
    // In India there are groups of two before the last one.
    let is_grouped = groups.iter().all(|group| is_digits(group))
        && first.len() <= 3
        && !first.starts_with('0')
        && between.iter().all(|group| matches!(group.len(), 2 | 3))
        && last.len() == 3;
    is_grouped.then(|| format!("{sign}{}.{fraction}{exponent}", groups.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decimal::{Comma, Point};

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, decimal, value, unit) in [
            ("1.5", Point, 1.5, None),
            ("-3e-2", Point, -0.03, None),
            ("1e300", Point, 1e300, None),
            ("6,764", Point, 6764.0, None),
            ("1,234,567.5", Point, 1_234_567.5, None),
            ("12,34,567", Point, 1_234_567.0, None),
            ("1 234.5", Point, 1234.5, None),
            ("1\u{202f}234\u{a0}%", Point, 1234.0, Some('%')),
            ("1'000", Point, 1000.0, None),
            ("12 %", Point, 12.0, Some('%')),
            ("$5", Point, 5.0, Some('$')),
            ("-$1,000.25", Point, -1000.25, Some('$')),
            ("$-5", Point, -5.0, Some('$')),
            ("5 €", Point, 5.0, Some('€')),
            ("\u{2212}7", Point, -7.0, None),
            (".5", Point, 0.5, None),
            ("1,5", Comma, 1.5, None),
            ("-0,25", Comma, -0.25, None),
            ("1.234,5", Comma, 1234.5, None),
            ("1.234", Comma, 1234.0, None),
            ("1,5e3", Comma, 1500.0, None),
            ("3", Comma, 3.0, None),
            ("1,25 €", Comma, 1.25, Some('€')),
            (",5", Comma, 0.5, None),
        ] {
            assert_eq!(number(text, decimal), Some(Number { value, unit }), "{text} {decimal:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_read_as_one() {
        for text in [
            "",
            "-",
            "%",
            "$",
            "1,5",
            "0,123",
            "1,2345",
            "12,34",
            "1,,000",
            ",000",
            "1,000,",
            "1.2.3",
            "2024-01-31",
            "a1",
            "1a",
            "e5",
            "1e",
            "nan",
            "--1",
            "1 2",
            "0x10",
            "Q1",
            "5 kg",
            "1, 000",
            "1.000.000",
            "٣",
        ] {
            assert_eq!(number(text, Point), None, "{text}");
        }
        for text in ["1.5", "1,2,3", "1.23", "31.12.2023", "12.345.6", "0.123", "1,", "NaN"] {
            assert_eq!(number(text, Comma), None, "{text}");
        }
    }

    #[test]
    fn shown_numbers_are_read_again() {
        for value in [0.0, -1.0, 0.1, 1e20, 123_456_789_012.0, -2.5e-7, 1e300] {
            assert_eq!(number(&shown(value), Point).unwrap().value, value);
        }
        assert_eq!(shown(2.0), "2");
    }
}
