//! What a table holds, said in a few lines, and what looks wrong with it.

use std::fmt;

use super::column::{Categories, Column, MISSING, Values};
use super::data::{Contents, FEW_CLASSES, counts_rows, no_classes};
use super::date;
use super::number::shown;
use super::schema::{MAX_CATEGORIES, has_times};
use crate::words::{counted, list, quoted};
use crate::{note, say};

#[derive(Default)]
pub struct Description {
    /// Each with its title.
    lines: Vec<(&'static str, String)>,
    /// What may spoil a training.
    pub warnings: Vec<String>,
    /// The columns with missing cells, and how many are missing.
    pub missing: Vec<(String, usize)>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(title, text)| writeln!(f, "{title:<11} {text}"))
    }
}

impl Description {
    /// Prints it, and the warnings in any case.
    pub fn tell(&self, quiet: bool) {
        if !quiet && !self.lines.is_empty() {
            say!("{}", self.to_string().trim_end());
        }
        for warning in &self.warnings {
            note!("warning: {warning}");
        }
    }

    pub fn of(contents: &Contents) -> Self {
        let columns = &contents.columns;
        let named = |of: &dyn Fn(&Column) -> Option<String>| columns.iter().filter_map(of).collect::<Vec<_>>();
        let numbers = named(&|column| match &column.values {
            Values::Numbers { unit, .. } => Some(match unit {
                Some(unit) => format!("{} ({unit})", quoted(&column.name)),
                None => quoted(&column.name),
            }),
            _ => None,
        });
        let categories = named(&|column| match &column.values {
            Values::Categories(categories) => {
                let (name, count) = (quoted(&column.name), categories.names.len());
                let rare = if count > MAX_CATEGORIES {
                    format!(": the {} most frequent, the others together", MAX_CATEGORIES - 1)
                } else {
                    String::new()
                };
                Some(format!("{name} ({count}{rare})"))
            }
            _ => None,
        });
        let dates = named(&|column| match &column.values {
            Values::Dates(dates) => Some(format!("{} ({})", quoted(&column.name), range(dates))),
            _ => None,
        });
        let missing: Vec<(String, usize)> = columns
            .iter()
            .map(|column| (column.name.clone(), column.missing()))
            .filter(|(_, count)| *count > 0)
            .collect();
        let left_out = contents.left_out.iter().map(|(name, why)| format!("{} ({why})", quoted(name))).collect();
        let mut lines = vec![("table", format!("{}, {}", contents.format, counted(contents.rows, "row")))];
        for (title, items) in [
            ("numbers", numbers),
            ("categories", categories),
            ("dates", dates),
            ("left out", left_out),
            ("missing", missing.iter().map(|(name, count)| format!("{count} in {}", quoted(name))).collect()),
        ] {
            if !items.is_empty() {
                lines.push((title, some_of(&items, ", ")));
            }
        }
        if let Some(Column { name, values: Values::Categories(groups), .. }) = &contents.group {
            let groups = counted(groups.names.len(), "group");
            lines.push(("group", format!("{}: {groups}, which stay together", quoted(name))));
        }
        if let Some(target) = &contents.target {
            lines.push(("target", format!("{}: {}", quoted(&target.name), shares(target))));
        }
        Self { lines, warnings: warnings(contents), missing }
    }
}

/// The first of some items, and how many more there are.
fn some_of(items: &[String], separator: &str) -> String {
    const MOST: usize = 12;
    let shown = items[..items.len().min(MOST)].join(separator);
    match items.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The least and the greatest date.
fn range(dates: &[f64]) -> String {
    let time = has_times(dates);
    let [least, greatest] = ends(dates).map(|day| date::shown(day, time));
    format!("{least} to {greatest}")
}

/// The least and the greatest number that is not missing.
fn ends(numbers: &[f64]) -> [f64; 2] {
    [numbers.iter().copied().fold(f64::NAN, f64::min), numbers.iter().copied().fold(f64::NAN, f64::max)]
}

/// What the target holds.
fn shares(target: &Column) -> String {
    match &target.values {
        Values::Numbers { numbers, .. } => {
            let [least, greatest] = ends(numbers).map(shown);
            format!("numbers from {least} to {greatest}")
        }
        Values::Dates(dates) => range(dates),
        Values::Categories(categories) => {
            let rows = categories.codes.len();
            let classes = categories.names.iter().zip(categories.counts(0..rows));
            let share = |count: usize| 100.0 * count as f64 / rows as f64;
            let classes: Vec<String> =
                classes.map(|(name, count)| format!("{} {:.1} %", quoted(name), share(count))).collect();
            format!("{} classes, {}", classes.len(), some_of(&classes, ", "))
        }
    }
}

fn warnings(contents: &Contents) -> Vec<String> {
    let mut warnings = Vec::new();
    let Contents { columns, target, without_target, rows, .. } = contents;
    if let (Some(target), true) = (target, *without_target > 0) {
        let name = quoted(&target.name);
        warnings.push(format!("{without_target} of {} have no {name} and are left out", counted(*rows, "row")));
    }
    let constant = columns.iter().filter(|column| is_constant(column)).map(|column| column.name.as_str());
    let constant: Vec<&str> = constant.collect();
    if !constant.is_empty() {
        warnings.push(format!("constant, so nothing can be learned from it: {}", list(constant)));
    }
    for (column, text) in &contents.mixed {
        warnings.push(format!(
            "column {} holds numbers and texts, such as {}, so all of its cells are categories; correct the texts if they are mistakes",
            quoted(column),
            quoted(text)
        ));
    }
    if contents.named_by_numbers {
        warnings.push("most names of columns are numbers: is the header row missing?".to_owned());
    }
    if let Some((target, classes)) = target.as_ref().and_then(|target| Some((target, target.classes()?))) {
        warnings.extend(warn_of_classes(&quoted(&target.name), classes));
    }
    for column in columns {
        let name = quoted(&column.name);
        if matches!(&column.values, Values::Numbers { numbers, .. } if numbers.len() >= SMALL && counts_rows(numbers)) {
            warnings.push(format!(
                "column {name} counts the rows; if it is no measurement, leave it out with --ignore \"{}\"",
                column.name
            ));
        } else if target.as_ref().is_some_and(|target| can_be_told(target) && gives_away(column, target)) {
            let target = target.as_ref().map_or_else(String::new, |target| quoted(&target.name));
            warnings.push(format!(
                "column {name} alone gives {target} away; if it is not known when you predict, leave it out with --ignore \"{}\"",
                column.name
            ));
        }
    }
    warnings
}

fn warn_of_classes(name: &str, classes: &Categories) -> Option<String> {
    let count = classes.names.len();
    if let Some(reason) = no_classes(name, classes) {
        return Some(reason);
    }
    if count > FEW_CLASSES && classes.names.iter().all(|name| name.parse::<i64>().is_ok()) {
        return Some(format!(
            "column {name} has {count} different whole numbers, each of which is a class; to predict a number, add --task regression"
        ));
    }
    let alone = classes.alone();
    let have = if alone == 1 { "has" } else { "have" };
    (alone > 0).then(|| {
        format!("{alone} of {count} classes {have} only one row, so each is in the training or in the validation part, not in both")
    })
}

/// Fewer rows show nothing.
const SMALL: usize = 20;

fn is_constant(column: &Column) -> bool {
    match &column.values {
        Values::Numbers { numbers, .. } | Values::Dates(numbers) => {
            let mut known = numbers.iter().filter(|number| !number.is_nan());
            let first = known.next();
            known.all(|number| Some(number) == first)
        }
        Values::Categories(categories) => categories.names.len() == 1 && !categories.codes.contains(&MISSING),
    }
}

/// A target whose rows all differ follows from any other such column.
fn can_be_told(target: &Column) -> bool {
    target.classes().is_none_or(|classes| 2 * classes.names.len() <= classes.codes.len())
}

/// Whether the target follows from this column alone, judged by at most this many rows.
fn gives_away(column: &Column, target: &Column) -> bool {
    const ROWS: usize = 10_000;
    // Neither every second row nor a part of them.
    let scattered = |row: usize| (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) as usize % column.len();
    let rows: Vec<usize> =
        if column.len() > ROWS { (0..ROWS).map(scattered).collect() } else { (0..column.len()).collect() };
    if rows.len() < SMALL {
        return false;
    }
    match (&column.values, &target.values) {
        (Values::Numbers { numbers, .. } | Values::Dates(numbers), Values::Categories(classes)) => {
            ranges_are_classes(numbers, classes, rows)
        }
        (Values::Categories(texts), Values::Categories(classes)) => texts_are_classes(texts, classes, &rows),
        (
            Values::Numbers { numbers, .. } | Values::Dates(numbers),
            Values::Numbers { numbers: targets, .. } | Values::Dates(targets),
        ) => {
            let points = rows.iter().map(|&row| (numbers[row], targets[row])).filter(|(x, _)| !x.is_nan());
            is_line(&points.collect::<Vec<_>>())
        }
        (Values::Categories(_), _) => false,
    }
}

/// Whether each class has a range of the numbers to itself.
fn ranges_are_classes(numbers: &[f64], classes: &Categories, mut rows: Vec<usize>) -> bool {
    rows.retain(|&row| !numbers[row].is_nan());
    rows.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]).then(classes.codes[a].cmp(&classes.codes[b])));
    let mut present: Vec<u32> = rows.iter().map(|&row| classes.codes[row]).collect();
    present.dedup();
    let ranges = present.len();
    present.sort_unstable();
    present.dedup();
    // Equal numbers of two classes stand next to each other, so they need a look of their own.
    let is_shared =
        |pair: &[usize]| numbers[pair[0]] == numbers[pair[1]] && classes.codes[pair[0]] != classes.codes[pair[1]];
    rows.len() >= SMALL && present.len() > 1 && ranges == present.len() && !rows.windows(2).any(is_shared)
}

/// Whether each text, or none, stands for one class, and few rows have a text of their own.
fn texts_are_classes(texts: &Categories, classes: &Categories, rows: &[usize]) -> bool {
    let mut class_of = vec![MISSING; texts.names.len() + 1];
    for &row in rows {
        let (class, place) = (classes.codes[row], (texts.codes[row] as usize).min(texts.names.len()));
        if class_of[place] == MISSING {
            class_of[place] = class;
        } else if class_of[place] != class {
            return false;
        }
    }
    class_of.retain(|class| *class != MISSING);
    let texts = class_of.len();
    class_of.sort_unstable();
    class_of.dedup();
    class_of.len() > 1 && 2 * texts <= rows.len()
}

/// Whether the points lie on a line, but for rounding.
fn is_line(points: &[(f64, f64)]) -> bool {
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(|point| of(point) / count).sum::<f64>();
    let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
    let around = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|point| of(point.0 - x, point.1 - y)).sum::<f64>();
    let (xx, yy, xy) = (around(&|x, _| x * x), around(&|_, y| y * y), around(&|x, y| x * y));
    points.len() >= SMALL && xx > 0.0 && yy > 0.0 && xy * xy > 0.999_999 * xx * yy
}
