//! Tables to learn from: the built-in digits or a file.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::cells::{Cell, Cells};
use super::column::{Builder, Categories, Column, Role, Values};
use super::date::{Order, days};
use super::description::Description;
use super::evidence::Reading;
use super::number::number;
use crate::io::source::{Source, shown};
use crate::settings::{CsvOptions, DIGITS, Decimal, MlpSettings, Task};
use crate::words::{counted, instead, quoted};

/// The features of each row, and its target.
pub struct Table {
    pub columns: Vec<Column>,
    pub targets: Targets,
    /// The group of each row, if rows of one group have to stay together.
    pub groups: Option<Vec<u32>>,
    /// The BLAKE3 hash of the file.
    pub blake3: Option<String>,
    pub description: Description,
}

/// The target of each row.
pub enum Targets {
    /// Class numbers, and the name of each class.
    Classes {
        numbers: Vec<usize>,
        names: Vec<String>,
    },
    Numbers(Vec<f64>),
    /// Days since 1970-01-01.
    Dates(Vec<f64>),
}

/// What is in a file.
pub struct Contents {
    pub format: String,
    pub columns: Vec<Column>,
    pub target: Option<Column>,
    pub group: Option<Column>,
    /// The columns that are left out, and why.
    pub left_out: Vec<(String, String)>,
    /// The columns whose cells are texts although there are numbers among them, with one of the texts.
    pub mixed: Vec<(String, String)>,
    /// Whether most names of columns are numbers.
    pub named_by_numbers: bool,
    pub rows: usize,
    /// The rows that are left out, since they have no target.
    pub without_target: usize,
}

impl Table {
    /// The table that the settings name.
    pub fn load(settings: &MlpSettings) -> Result<Self> {
        if settings.data == Path::new(DIGITS) {
            check_digits(settings)?;
            return Ok(Self::digits());
        }
        let path = shown(&settings.data);
        ensure!(settings.target.is_some(), "{path}: which column should be predicted? Name it with --target");
        let load = || Self::read(&Source::open(&settings.data)?, settings);
        load().context(path)
    }

    /// The table in a file. The settings name its target.
    pub fn read(source: &Source, settings: &MlpSettings) -> Result<Self> {
        let contents = Contents::read(source, settings)?;
        contents.check_features(settings)?;
        let description = Description::of(&contents);
        let target = contents.target.context("a target is named")?;
        let targets = Targets::of(target, settings.task)?;
        if let (Some(group), None) = (&settings.group, &contents.group) {
            bail!("all cells of column {} are missing: it names no groups", quoted(group));
        }
        let groups = contents.group.map(|group| match group.values {
            Values::Categories(categories) => categories.codes,
            Values::Numbers { .. } | Values::Dates(_) => unreachable!("the cells of its role are names"),
        });
        Ok(Self { columns: contents.columns, targets, groups, blake3: Some(source.hash()?), description })
    }

    /// 1,797 handwritten digits of 8x8 pixels: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
    /// Machine Learning Repository, 1998, under CC BY 4.0.
    fn digits() -> Self {
        let mut lines = include_str!("../../data/digits.csv").lines();
        let names = lines.next().into_iter().flat_map(|header| header.split(','));
        let row = |line: &str| line.split(',').map(|cell| cell.parse().expect("a whole number")).collect();
        let rows: Vec<Vec<u8>> = lines.map(row).collect();
        let column = |i: usize| rows.iter().map(move |row| row[i]);
        let mut columns: Vec<Column> = names
            .enumerate()
            .map(|(i, name)| Column {
                name: name.to_owned(),
                values: Values::Numbers { numbers: column(i).map(f64::from).collect(), unit: None },
                reading: Reading::default(),
            })
            .collect();
        columns.truncate(columns.len() - 1);
        Self {
            targets: Targets::Classes {
                numbers: column(columns.len()).map(usize::from).collect(),
                names: (0..10).map(|digit| digit.to_string()).collect(),
            },
            columns,
            groups: None,
            blake3: None,
            description: Description::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.targets.len()
    }
}

fn check_digits(settings: &MlpSettings) -> Result<()> {
    ensure!(settings.target.is_none(), "--target names a column of a file; the built-in digits have none");
    ensure!(
        settings.task == Task::Classification,
        "the built-in digits are classes: regression needs a table of your own"
    );
    ensure!(
        settings.ignore.is_empty() && settings.categories.is_empty(),
        "--ignore and --categories name columns of a file; the built-in digits have none"
    );
    ensure!(settings.group.is_none(), "--group names a column of a file; the built-in digits have none");
    ensure!(
        settings.csv() == CsvOptions::default(),
        "--separator, --decimal and --encoding are for CSV files; the digits are built in"
    );
    Ok(())
}

/// A target with more classes than this is an identifier if most rows are alone in their class.
pub const FEW_CLASSES: usize = 20;

impl Targets {
    pub fn len(&self) -> usize {
        match self {
            Self::Classes { numbers, .. } => numbers.len(),
            Self::Numbers(numbers) | Self::Dates(numbers) => numbers.len(),
        }
    }

    /// Those of the rows to keep.
    #[must_use]
    pub fn filtered(&self, keep: &[bool]) -> Self {
        fn kept<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
            values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
        }
        match self {
            Self::Classes { numbers, names } => Self::Classes { numbers: kept(numbers, keep), names: names.clone() },
            Self::Numbers(numbers) => Self::Numbers(kept(numbers, keep)),
            Self::Dates(numbers) => Self::Dates(kept(numbers, keep)),
        }
    }

    fn of(column: Column, task: Task) -> Result<Self> {
        let Column { name, values, .. } = column;
        let name = quoted(&name);
        match values {
            Values::Numbers { numbers, .. } => {
                check_differ(&numbers)?;
                Ok(Self::Numbers(numbers))
            }
            Values::Dates(dates) => {
                check_differ(&dates)?;
                Ok(Self::Dates(dates))
            }
            Values::Categories(categories) => {
                ensure!(task == Task::Classification, "column {name} holds texts: expected numbers or dates");
                if let Some(reason) = no_classes(&name, &categories) {
                    bail!(reason);
                }
                let numbers = categories.codes.iter().map(|&code| code as usize).collect();
                Ok(Self::Classes { numbers, names: categories.names })
            }
        }
    }
}

/// Why a target cannot be classes, if it cannot.
pub fn no_classes(name: &str, categories: &Categories) -> Option<String> {
    let alone = categories.alone();
    let (classes, rows) = (categories.names.len(), categories.codes.len());
    if classes == 1 {
        return Some(format!("all rows are of one class, {}; there is nothing to learn", quoted(&categories.names[0])));
    }
    let are_numbers =
        categories.names.iter().all(|name| number(name, Decimal::Point).is_some() || days(name, Order::Day).is_some());
    let hint = if are_numbers { "; to predict a number or a date, add --task regression" } else { "" };
    (classes > FEW_CLASSES && 2 * alone > rows).then(|| {
        let rows = counted(rows, "row");
        format!("column {name} has {classes} classes in {rows}, {alone} of them in a single row: it names rows, not classes{hint}")
    })
}

fn check_differ(numbers: &[f64]) -> Result<()> {
    ensure!(
        numbers.iter().any(|number| *number != numbers[0]),
        "the target of all rows is {}; there is nothing to learn",
        numbers[0]
    );
    Ok(())
}

impl Contents {
    /// Reads a file; without a target in the settings, all of its columns as features.
    pub fn read(source: &Source, settings: &MlpSettings) -> Result<Self> {
        let mut cells = Cells::open(source, &settings.csv(), |_| Reading::default())?;
        let mut left_out = Vec::new();
        let roles = roles(&cells.header, settings, &mut left_out)?;
        let header = cells.header.clone();
        let builder = |(column, role): (usize, &Option<Role>)| {
            role.map(|role| Builder::new(&header[column], role, cells.readings[column]))
        };
        let mut builders: Vec<Option<Builder>> = roles.iter().enumerate().map(builder).collect();
        let target = header.iter().position(|name| settings.target.as_ref() == Some(name));
        let (mut rows, mut without_target) = (0, 0);
        for column in (0..header.len()).filter(|&column| builders[column].is_some()) {
            cells.check(column)?;
        }
        while let Some(row) = cells.next_row()? {
            rows += 1;
            if target.is_some_and(|target| row.cell(target) == Cell::Missing) {
                without_target += 1;
                continue;
            }
            for (column, builder) in builders.iter_mut().enumerate() {
                if let Some(builder) = builder {
                    let added = builder.add(row.cell(column));
                    added.with_context(|| format!("row {rows}, column {}", quoted(&header[column])))?;
                }
            }
        }
        ensure!(rows > 0, "the file has a header, but no rows");
        ensure!(without_target < rows, "the target of all rows is missing");

        let numbers = header.iter().filter(|name| number(name, Decimal::Point).is_some()).count();
        let are_counted = header.iter().enumerate().all(|(column, name)| *name == column.to_string());
        let named_by_numbers = 2 * numbers >= header.len() && !are_counted;
        let mut contents = Self {
            format: cells.format,
            columns: Vec::new(),
            target: None,
            group: None,
            left_out,
            mixed: Vec::new(),
            named_by_numbers,
            rows,
            without_target,
        };
        for (column, builder) in builders.into_iter().enumerate() {
            match builder.map(Builder::build) {
                None => {}
                Some(None) => {
                    let name = if header[column].is_empty() {
                        format!("column {}", column + 1)
                    } else {
                        header[column].clone()
                    };
                    contents.left_out.push((name, "all of its cells are missing".to_owned()));
                }
                Some(Some(built)) if target == Some(column) => contents.target = Some(built),
                Some(Some(built)) if Some(&header[column]) == settings.group.as_ref() => contents.group = Some(built),
                Some(Some(built)) => contents.add(built, settings, column)?,
            }
        }
        Ok(contents)
    }

    fn check_features(&self, settings: &MlpSettings) -> Result<()> {
        let left_out = self.left_out.iter().map(|(name, why)| format!("; {} is left out: {why}", quoted(name)));
        let left_out = left_out.collect::<Vec<_>>().concat();
        let target = quoted(settings.target.as_deref().unwrap_or_default());
        ensure!(!self.columns.is_empty(), "there is no column besides {target} to predict it from{left_out}");
        Ok(())
    }

    /// Adds a feature, unless nothing can be learned from it.
    fn add(&mut self, column: Column, settings: &MlpSettings, place: usize) -> Result<()> {
        ensure!(!column.name.is_empty(), "column {} has no name: give it one in the header", place + 1);
        match &column.values {
            Values::Categories(categories) if !settings.categories.contains(&column.name) => {
                let (texts, cells) = (categories.names.len(), column.len() - column.missing());
                // Nearly every row has a text of its own.
                if texts >= 20 && 10 * texts > 9 * cells {
                    let example = quoted(&categories.names[0]);
                    self.left_out
                        .push((column.name, format!("{texts} different texts in {cells} cells, such as {example}")));
                    return Ok(());
                }
                let decimal = column.reading.decimal.unwrap_or_default();
                let is_text = |name: &&String| number(name, decimal).is_none() && days(name, Order::Day).is_none();
                let text = categories
                    .names
                    .iter()
                    .find(is_text)
                    .filter(|_| !categories.names.iter().all(|name| is_text(&name)));
                self.mixed.extend(text.map(|text| (column.name.clone(), text.clone())));
            }
            Values::Numbers { numbers, .. } if column.name.starts_with("Unnamed: ") && counts_rows(numbers) => {
                self.left_out.push((column.name, "it counts the rows, as an index of pandas does".to_owned()));
                return Ok(());
            }
            _ => {}
        }
        self.columns.push(column);
        Ok(())
    }
}

/// Whether these are whole numbers that rise from row to row and hardly leave any out.
pub fn counts_rows(numbers: &[f64]) -> bool {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return false };
    let rises = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    rises && numbers.iter().all(|number| number.fract() == 0.0) && last - first < 1.1 * numbers.len() as f64
}

/// What each column is for; `None` if it is left out.
fn roles(header: &[String], settings: &MlpSettings, left_out: &mut Vec<(String, String)>) -> Result<Vec<Option<Role>>> {
    let target = settings.target.as_ref();
    for name in settings.ignore.iter().chain(&settings.categories).chain(target).chain(&settings.group) {
        let others = header.iter().map(String::as_str);
        ensure!(header.contains(name), "there is no column {}; {}", quoted(name), instead(name, others));
    }
    if let Some(target) = target.filter(|target| settings.ignore.contains(target)) {
        bail!("column {} cannot be both the target and ignored", quoted(target));
    }
    if let Some(group) =
        settings.group.as_ref().filter(|group| Some(*group) == target || settings.ignore.contains(group))
    {
        bail!("column {} cannot be the group and the target, or ignored: a group is no feature anyway", quoted(group));
    }
    let role = |(column, name): (usize, &String)| {
        let is_category = settings.categories.contains(name) || Some(name) == settings.group.as_ref();
        if settings.ignore.contains(name) {
            left_out.push((name.clone(), "--ignore".to_owned()));
            return Ok(None);
        }
        if Some(name) == target {
            return Ok(Some(match settings.task {
                Task::Regression => Role::Numbers,
                Task::Classification if is_category => Role::Categories,
                Task::Classification => Role::Classes,
            }));
        }
        if column == 0 && name.is_empty() {
            left_out
                .push(("column 1".to_owned(), "it has no name, as the row names of pandas and R have none".to_owned()));
            return Ok(None);
        }
        if name.starts_with("__index_level_") {
            left_out.push((name.clone(), "it is an index of pandas".to_owned()));
            return Ok(None);
        }
        Ok(Some(if is_category { Role::Categories } else { Role::Feature }))
    };
    let roles: Vec<Option<Role>> = header.iter().enumerate().map(role).collect::<Result<_>>()?;
    for name in
        header.iter().zip(&roles).filter(|(name, role)| role.is_some() && !name.is_empty()).map(|(name, _)| name)
    {
        let count = header.iter().filter(|other| *other == name).count();
        let hint =
            if Some(name) == target { String::new() } else { format!(", or leave them out with --ignore \"{name}\"") };
        ensure!(count == 1, "{count} columns are named {}: rename all but one{hint}", quoted(name));
    }
    Ok(roles)
}
