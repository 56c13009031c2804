//! Dates and times as people write them, counted in days since 1970-01-01.

use std::f64::consts::TAU;

use chrono::{DateTime, Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// Which of the first two numbers of 03/04/2024 is the month.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    Day,
    Month,
}

const SECONDS: f64 = 86_400.0;

/// The day and time in a cell, if it holds them: `2024-01-31`, `31.1.2024`, `1/31/2024`, with a time of day and a zone or
/// without. Without a zone it is the local time; all cells of a column are taken alike.
pub fn days(text: &str, order: Order) -> Option<f64> {
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let day = f64::from(day(date, order)?);
    if time.is_empty() { Some(day) } else { Some(day + seconds(time)? / SECONDS) }
}

fn day(text: &str, order: Order) -> Option<i32> {
    let separator = text.chars().find(|char| ['-', '/', '.'].contains(char))?;
    let parts: Vec<&str> = text.split(separator).collect();
    let [first, second, third] = parts[..] else { return None };
    if !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (year, month, day) = match [first.len(), second.len(), third.len()] {
        [4, 1 | 2, 1 | 2] => (first, second, third),
        // A year of two digits could stand first between dashes.
        [2, 2, 2] if separator == '-' => return None,
        // It is read as POSIX does, and only where the others have two digits as well.
        [1 | 2, 1 | 2, 4] | [2, 2, 2] if separator == '.' || order == Order::Day => (third, second, first),
        [1 | 2, 1 | 2, 4] | [2, 2, 2] => (third, first, second),
        _ => return None,
    };
    let number: i32 = year.parse().ok()?;
    let year = match (year.len(), number) {
        (2, 69..) => 1900 + number,
        (2, _) => 2000 + number,
        _ => number,
    };
    let date = NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)?;
    Some(date.to_epoch_days())
}

/// The seconds since midnight, in universal time if there is a zone.
fn seconds(text: &str) -> Option<f64> {
    let (text, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => (text[..at].trim_end(), zone(&text[at..])?),
        None => (text.strip_suffix("UTC").unwrap_or(text).trim_end(), 0.0),
    };
    let (text, afternoon) = match text.get(text.len().saturating_sub(2)..) {
        Some(half) if half.eq_ignore_ascii_case("am") => (text[..text.len() - 2].trim_end(), Some(0.0)),
        Some(half) if half.eq_ignore_ascii_case("pm") => (text[..text.len() - 2].trim_end(), Some(12.0)),
        _ => (text, None),
    };
    let mut parts = text.split(':');
    let (hour, minute) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let second = match parts.next() {
        Some(second) if second.starts_with(|first: char| first.is_ascii_digit()) => {
            second.replace(',', ".").parse().ok()?
        }
        Some(_) => return None,
        None => 0.0,
    };
    let hour = match afternoon {
        Some(half) if (1.0..=12.0).contains(&hour) => hour % 12.0 + half,
        Some(_) => return None,
        None => hour,
    };
    let is_time = parts.next().is_none() && hour < 24.0 && minute < 60.0 && second < 61.0;
    is_time.then_some(hour * 3600.0 + minute * 60.0 + second - zone)
}

/// The seconds that a zone is ahead of universal time: `Z`, `+01:00`, `+0100` or `+01`.
fn zone(text: &str) -> Option<f64> {
    if text == "Z" {
        return Some(0.0);
    }
    let (sign, digits) = text.split_at(1);
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = match digits.len() {
        2 => (whole(&digits)?, 0.0),
        4 => (whole(digits.get(..2)?)?, whole(digits.get(2..)?)?),
        _ => return None,
    };
    let ahead = hours * 3600.0 + minutes * 60.0;
    Some(if sign == "-" { -ahead } else { ahead })
}

/// One or two digits.
fn whole(text: &str) -> Option<f64> {
    let is_number = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// As a text that [`days`] reads, to the second, with a time of day if it is asked for.
pub fn shown(days: f64, with_time: bool) -> String {
    let seconds = if with_time { (days * SECONDS).round() } else { days.round() * SECONDS };
    let format = if with_time { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d" };
    match DateTime::from_timestamp(seconds as i64, 0) {
        Some(time) => time.format(format).to_string(),
        None => format!("{days} days"),
    }
}

/// A time in microseconds since 1970-01-01, with the fraction of its second if it has one.
pub fn shown_time(microseconds: i64) -> String {
    match DateTime::from_timestamp_micros(microseconds) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => format!("{microseconds} microseconds"),
    }
}

/// Where a day lies in its year, in its week and, for its time, in its day: the sine and cosine of the angle, so that the last
/// day is next to the first one.
pub fn calendar(days: f64) -> [f64; 6] {
    let time = days - days.floor();
    let date = NaiveDate::from_epoch_days(days.floor() as i32).unwrap_or_default();
    let year = (f64::from(date.ordinal0()) + time) / if date.leap_year() { 366.0 } else { 365.0 };
    let week = (f64::from(date.weekday().num_days_from_monday()) + time) / 7.0;
    let [year, week, time] = [year, week, time].map(|turn| <[f64; 2]>::from((TAU * turn).sin_cos()));
    [year[0], year[1], week[0], week[1], time[0], time[1]]
}

#[cfg(test)]
mod tests {
    use super::Order::{Day, Month};
    use super::*;

    #[test]
    fn dates_are_read_as_programs_write_them() {
        let noon = 19753.5;
        for (text, order, expected) in [
            ("1970-01-01", Month, 0.0),
            ("2024-01-31", Month, 19753.0),
            ("2024/1/31", Day, 19753.0),
            ("31.01.2024", Month, 19753.0),
            ("31.01.24", Month, 19753.0),
            ("01/31/24", Month, 19753.0),
            ("1/31/2024", Month, 19753.0),
            ("31/1/2024", Day, 19753.0),
            ("31.12.69", Day, -1.0),
            ("1969-12-31 12:00", Day, -0.5),
            ("2024-01-31T12:00:00Z", Month, noon),
            ("2024-01-31 12:00:00.000000", Month, noon),
            ("2024-01-31 13:00:00+01:00", Month, noon),
            ("2024-01-31 06:30:00-0530", Month, noon),
            ("2024-01-31T12:00:00.000 UTC", Month, noon),
            ("1/31/2024 12:00 PM", Month, noon),
            ("2024-01-31 12:00 am", Month, 19753.0),
        ] {
            assert_eq!(days(text, order), Some(expected), "{text}");
        }
        assert_eq!(days("03/04/2024", Day), days("2024-04-03", Day));
        assert_eq!(days("03/04/2024", Month), days("2024-03-04", Day));
    }

    #[test]
    fn what_is_not_a_date_is_not_read_as_one() {
        for text in [
            "",
            "2024",
            "20240131",
            "2024-02-30",
            "2023-02-29",
            "1.2.3",
            "10.2.11",
            "13/13/2024",
            "2024-01-31x",
            "2024-01-31 25:00",
            "2024-01-31 12",
            "12:30",
            "2024-01-31 12:00 +1",
            "1-2-3",
            "a-b-c",
            "2024-01-31 13:00 pm",
            "24-01-31",
            "20-10-11",
            "٣.٣.٢٠٢٤",
            "2024-01-31 é",
        ] {
            assert_eq!(days(text, Month), None, "{text}");
        }
    }

    #[test]
    fn days_are_shown_as_they_are_read() {
        for text in ["1970-01-01", "2024-02-29", "1899-12-31"] {
            assert_eq!(shown(days(text, Day).unwrap(), false), text);
        }
        assert_eq!(shown(days("2024-02-29 23:59:59", Day).unwrap(), true), "2024-02-29 23:59:59");
        assert_eq!(shown(1e9, false), "1000000000 days");
    }

    #[test]
    fn the_calendar_goes_round() {
        let [monday, sunday] = ["2024-01-01", "2023-12-31"].map(|text| calendar(days(text, Day).unwrap()));
        assert_eq!(monday, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        // The day before is near in the year and in the week.
        assert!((sunday[0] - monday[0]).abs() < 0.02 && (sunday[1] - monday[1]).abs() < 0.001);
        assert!((sunday[2] + (TAU / 7.0).sin()).abs() < 1e-12);
        assert!((calendar(0.25)[4] - 1.0).abs() < 1e-12);
    }
}
