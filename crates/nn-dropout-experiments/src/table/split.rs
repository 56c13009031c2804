//! A table split into parts to train on, for validation and for a test, encoded as numbers.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use anyhow::{Result, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::column::MISSING;
use super::data::{Table, Targets};
use super::schema::Schema;
use crate::settings::MlpSettings;

/// All parts, and the encoding that they share.
pub struct Split {
    pub train: Part,
    pub validation: Part,
    pub test: Option<Part>,
    pub schema: Schema,
}

/// Rows, encoded for a model.
pub struct Part {
    /// Row by row.
    features: Vec<f32>,
    inputs: usize,
    pub targets: Targets,
    /// The sampling unit of each row in the table: the row, or its group.
    pub units: Vec<u64>,
}

impl Split {
    /// Splits the rows that `fixed` does not hold back for the test, at random but with equal shares of each class, and with the rows of
    /// a group in one part. `random` is another for each seed, and `fixed` the same.
    pub fn of(table: &Table, settings: &MlpSettings, random: &mut ChaCha8Rng, fixed: &mut ChaCha8Rng) -> Result<Self> {
        let mut rest: Vec<usize> = (0..table.len()).collect();
        let mut test = None;
        if let Some(share) = settings.test_fraction {
            let parts: [Vec<usize>; 2] = deal(table, rest, [share.get(), 1.0 - share.get()], fixed);
            let [held_back, others] = parts;
            ensure!(!held_back.is_empty(), "a test fraction of {share} holds back none of {} rows", table.len());
            ensure!(
                others.len() > 1,
                "a test fraction of {share} leaves {} of {} rows for the training",
                others.len(),
                table.len()
            );
            (rest, test) = (others, Some(held_back));
        }
        let count = rest.len();
        let share = settings.train_share();
        let (train, validation) = if let Some(folds) = settings.folds {
            let folds = folds.get();
            let what = if table.groups.is_some() { "groups" } else { "rows" };
            ensure!(folds <= count, "{folds} folds are more than there are {what}");
            let mut parts = deal_all(table, rest, &vec![1.0 / folds as f64; folds], random);
            ensure!(parts.iter().all(|part| !part.is_empty()), "{folds} folds are more than there are {what}");
            let validation = parts.remove(settings.fold.map_or(1, NonZeroUsize::get) - 1);
            (parts.concat(), validation)
        } else {
            let [train, validation] = deal(table, rest, [share, 1.0 - share], random);
            (train, validation)
        };
        ensure!(
            !train.is_empty() && !validation.is_empty(),
            "a train fraction of {share} makes {} of {count} rows training rows; both parts need at least one",
            train.len(),
        );
        let schema = Schema::of(table, &train);
        ensure!(schema.inputs() > 0, "all cells of the training rows are missing");
        let part = |rows: &[usize]| -> Result<Part> {
            Ok(Part {
                features: schema.encode(table, rows)?,
                inputs: schema.inputs(),
                targets: schema.encode_targets(table, rows)?,
                units: rows.iter().map(|&row| unit(table, row)).collect(),
            })
        };
        let test = test.map(|rows| part(&rows)).transpose()?;
        Ok(Self { train: part(&train)?, validation: part(&validation)?, test, schema })
    }
}

/// What is sampled as a whole: a group, or a row without one.
fn unit(table: &Table, row: usize) -> u64 {
    let group = table.groups.as_ref().map(|groups| groups[row]).filter(|&group| group != MISSING);
    group.map_or(row as u64 | 1 << 63, u64::from)
}

fn deal<const N: usize>(table: &Table, rows: Vec<usize>, shares: [f64; N], random: &mut ChaCha8Rng) -> [Vec<usize>; N] {
    deal_all(table, rows, &shares, random).try_into().expect("there is a part for each share")
}

/// Deals rows to parts with these shares, at random.
fn deal_all(table: &Table, mut rows: Vec<usize>, shares: &[f64], random: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    rows.shuffle(random);
    let (class_of, classes): (Box<dyn Fn(usize) -> usize>, usize) = match &table.targets {
        Targets::Classes { numbers, names } => (Box::new(|row| numbers[row]), names.len()),
        Targets::Numbers(_) | Targets::Dates(_) => (Box::new(|_| 0), 1),
    };
    let mut parts = vec![Vec::new(); shares.len()];
    // The place of the first of the smallest numbers.
    let least = |costs: Vec<f64>| (1..costs.len()).fold(0, |best, i| if costs[i] < costs[best] { i } else { best });

    if table.groups.is_none() {
        // Class by class, the next row goes to the part that lacks most. So each part gets its share of each class, and rare classes go
        // anywhere.
        let mut order: Vec<usize> = (0..classes).collect();
        order.shuffle(random);
        rows.sort_by_key(|&row| order[class_of(row)]);
        for row in rows {
            let cost = |(part, share): (&Vec<usize>, &f64)| (part.len() as f64 + 0.5) / share;
            let place = least(parts.iter().zip(shares).map(cost).collect());
            parts[place].push(row);
        }
        return parts;
    }

    let mut places = HashMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    let mut totals = vec![0.0; classes + 1];
    for row in rows {
        totals[class_of(row)] += 1.0;
        totals[classes] += 1.0;
        let place = *places.entry(unit(table, row)).or_insert(units.len());
        if place == units.len() {
            units.push(Vec::new());
        }
        units[place].push(row);
    }
    // The largest group first, each goes where its classes, and rows as such, are most lacking: as in scikit-learn's
    // StratifiedGroupKFold, for any shares.
    units.sort_by_key(|unit| usize::MAX - unit.len());
    let mut counts = vec![vec![0.0; classes + 1]; shares.len()];
    for unit in units {
        let mut own = vec![0.0; classes + 1];
        for &row in &unit {
            own[class_of(row)] += 1.0;
            own[classes] += 1.0;
        }
        let cost = |(counts, share): (&Vec<f64>, &f64)| {
            let excess =
                |kind: usize| own[kind] * (2.0 * (counts[kind] - share * totals[kind]) + own[kind]) / totals[kind];
            let of_classes = (0..classes).filter(|&class| own[class] > 0.0).map(excess).sum::<f64>();
            of_classes + classes as f64 * excess(classes)
        };
        let place = least(counts.iter().zip(shares).map(cost).collect());
        for (count, own) in counts[place].iter_mut().zip(&own) {
            *count += own;
        }
        parts[place].extend(unit);
    }
    parts
}

impl Part {
    pub fn len(&self) -> usize {
        self.features.len() / self.inputs
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.inputs..][..self.inputs]
    }

    /// All rows, one after the other.
    pub fn rows(&self) -> &[f32] {
        &self.features
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::column::{Column, Values};
    use super::super::description::Description;
    use super::super::evidence::Reading;
    use super::*;
    use crate::settings::Options;
    use crate::trainer::rng;

    /// A table with `rows` rows, whose only feature is their number.
    fn table(rows: usize, class: impl Fn(usize) -> usize, groups: Option<Vec<u32>>) -> Table {
        let numbers: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        let column = Column {
            name: "row".to_owned(),
            values: Values::Numbers { numbers, unit: None },
            reading: Reading::default(),
        };
        let numbers: Vec<usize> = (0..rows).map(class).collect();
        let names = (0..=numbers.iter().copied().max().unwrap()).map(|class| class.to_string()).collect();
        Table {
            columns: vec![column],
            targets: Targets::Classes { numbers, names },
            groups,
            blake3: None,
            description: Description::default(),
        }
    }

    fn rows(table: &Table, share: f64, seed: u64) -> [Vec<usize>; 2] {
        deal(table, (0..table.len()).collect(), [share, 1.0 - share], &mut rng(seed, 0))
    }

    #[test]
    fn each_part_has_its_share_of_each_class() {
        // 80 rows of one class, 16 of another, 4 alone.
        let class = |row: usize| {
            if row < 80 {
                0
            } else if row < 96 {
                1
            } else {
                row - 94
            }
        };
        let table = table(100, class, None);
        let mut alone = HashSet::new();
        for seed in 0..20 {
            let [train, validation] = rows(&table, 0.25, seed);
            assert_eq!((train.len(), validation.len()), (25, 75));
            let all: HashSet<usize> = train.iter().chain(&validation).copied().collect();
            assert_eq!(all.len(), 100, "each row is in one part");
            let count = |class_of: usize| train.iter().filter(|row| class(**row) == class_of).count();
            assert!((19..=21).contains(&count(0)) && (3..=5).contains(&count(1)), "{} {}", count(0), count(1));
            alone.extend(train.iter().copied().filter(|row| *row >= 96));
        }
        assert_eq!(alone.len(), 4, "rare classes go anywhere");
        assert_ne!(rows(&table, 0.25, 1), rows(&table, 0.25, 2));
        assert_eq!(rows(&table, 0.25, 1), rows(&table, 0.25, 1));
    }

    #[test]
    fn rows_of_a_group_stay_together() {
        let group = |row: usize| if row < 10 { MISSING } else { (row / 7) as u32 };
        let table = table(200, |row| row % 3, Some((0..200).map(group).collect()));
        for seed in 0..20 {
            let [train, validation] = rows(&table, 0.4, seed);
            assert_eq!(train.len() + validation.len(), 200);
            assert!((70..=90).contains(&train.len()), "{}", train.len());
            let of = |rows: &[usize]| rows.iter().map(|&row| unit(&table, row)).collect::<HashSet<_>>();
            assert!(of(&train).is_disjoint(&of(&validation)));
            for class in 0..3 {
                let count = train.iter().filter(|row| *row % 3 == class).count();
                assert!((21..=33).contains(&count), "{count}");
            }
        }
    }

    #[test]
    fn groups_of_one_class_each_go_to_all_parts() {
        for (groups, classes, folds) in [(30, 10, 5), (6, 6, 3), (6, 3, 6), (40, 2, 4)] {
            let class = |row: usize| row / 10 % classes;
            let table = table(groups * 10, class, Some((0..groups * 10).map(|row| (row / 10) as u32).collect()));
            let parts = deal_all(&table, (0..table.len()).collect(), &vec![1.0 / folds as f64; folds], &mut rng(1, 0));
            let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
            let even = groups * 10 / folds;
            assert!(sizes.iter().all(|size| *size > 0 && size.abs_diff(even) <= 10), "{groups} {classes}: {sizes:?}");
            let [train, validation] = rows(&table, 0.25, 1);
            assert!(!train.is_empty() && train.len() < validation.len(), "{groups} {classes}");
        }
    }

    #[test]
    fn folds_cover_all_rows_once_and_the_test_part_is_always_the_same() {
        let table = table(103, |row| row % 4, None);
        let split = |fold, seed| {
            let mut settings = MlpSettings::of(Options::default());
            settings.folds = NonZeroUsize::new(5);
            settings.fold = NonZeroUsize::new(fold);
            settings.test_fraction = "0.2".parse().ok();
            Split::of(&table, &settings, &mut rng(seed, 0), &mut rng(0, 1)).unwrap()
        };
        let units = |part: &Part| part.units.iter().copied().collect::<HashSet<u64>>();
        let test = units(split(1, 1).test.as_ref().unwrap());
        assert_eq!(test.len(), 21);
        for seed in 1..4 {
            let mut seen = HashSet::new();
            for fold in 1..=5 {
                let split = split(fold, seed);
                assert_eq!(units(split.test.as_ref().unwrap()), test);
                let (train, validation) = (units(&split.train), units(&split.validation));
                assert!((16..=17).contains(&validation.len()) && train.len() + validation.len() == 82);
                assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
                assert!(validation.iter().all(|row| seen.insert(*row)), "a row is in two folds");
            }
            assert_eq!(seen.len(), 82);
        }
    }
}
