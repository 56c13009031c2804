//! What a sample of a table's cells shows about how they are to be read.

use anyhow::{Result, ensure};

use super::cells::is_missing;
use super::date::{Order, days};
use super::number::{Number, number};
use crate::settings::{Decimal, Separator};
use crate::words::quoted;

/// How the texts of a column are read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    pub decimal: Option<Decimal>,
    /// Nothing shows which mark is decimal in a cell that could be two numbers.
    pub is_unclear: bool,
    pub order: Option<Order>,
    /// Whether they are texts, or else numbers or dates.
    pub are_texts: Option<bool>,
}

impl Reading {
    /// The number in a cell, if it is one.
    pub fn number(self, text: &str) -> Result<Option<Number>> {
        let found = number(text, self.decimal.unwrap_or_default());
        if self.is_unclear {
            let [point, comma] = DECIMALS.map(|decimal| number(text, decimal));
            ensure!(
                point.is_none() || comma.is_none() || point == comma,
                "{} can be read as two numbers; say which mark is decimal with --decimal . or --decimal ,",
                quoted(text)
            );
        }
        Ok(found)
    }
}

/// What the cells of a column show.
#[derive(Clone, Copy, Default)]
pub struct Evidence {
    decimals: Votes,
    orders: Votes,
    /// A comma stands in a cell that could be read both ways.
    commas: bool,
    /// The cells that are not missing, and those of them that are neither numbers nor dates.
    cells: usize,
    texts: usize,
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

impl Evidence {
    pub fn add(&mut self, cell: &str) {
        let cell = cell.trim();
        if is_missing(cell) {
            return;
        }
        let numbers = DECIMALS.map(|decimal| number(cell, decimal).map(|number| number.value));
        let dates = ORDERS.map(|order| days(cell, order));
        self.decimals.add(numbers);
        self.orders.add(dates);
        self.commas |= numbers.iter().all(Option::is_some) && numbers[0] != numbers[1] && cell.contains(',');
        self.cells += 1;
        self.texts += usize::from(numbers.iter().chain(&dates).all(Option::is_none));
    }

    /// Whether a cell could be two numbers.
    fn is_unclear(&self) -> bool {
        self.decimals.unclear > 0
    }

    fn decimal(&self) -> Option<Decimal> {
        self.decimals.verdict().map(|verdict| DECIMALS[verdict])
    }

    /// Where commas separate cells, or nothing does, a comma groups digits; where another character does, it is decimal.
    fn by_separator(&self, separator: Option<Separator>) -> Option<Decimal> {
        match separator {
            None | Some(Separator::COMMA) => Some(Decimal::Point),
            Some(_) => self.commas.then_some(Decimal::Comma),
        }
    }

    fn order(&self) -> Option<Order> {
        self.orders.verdict().map(|verdict| ORDERS[verdict])
    }

    /// Fewer texts than one in ten are mistakes in a column of numbers or dates.
    fn are_texts(&self) -> Option<bool> {
        (self.cells > 0).then_some(10 * self.texts >= self.cells)
    }
}

/// How each column of a file is read. If its own cells do not show it, all else that speaks for a reading has to agree: how columns are
/// usually read, how the other columns are, and what separates the cells. `given` is the user's word.
pub fn decide(
    evidence: &[Evidence],
    names: &[String],
    separator: Option<Separator>,
    given: Option<Decimal>,
    usual: impl Fn(&str) -> Reading,
) -> Vec<Reading> {
    let decimal = common(evidence.iter().filter_map(Evidence::decimal));
    let order = common(evidence.iter().filter_map(Evidence::order));
    let read = |(evidence, name): (&Evidence, &String)| {
        let usual = usual(name);
        let others =
            [decimal, evidence.by_separator(separator)].map(|decimal| decimal.filter(|_| evidence.is_unclear()));
        let agreed = common([usual.decimal].into_iter().chain(others).flatten());
        let decimal = given.or(evidence.decimal()).or(agreed);
        let order = evidence.order().or(common([usual.order, order].into_iter().flatten()));
        let is_unclear = decimal.is_none() && evidence.is_unclear();
        Reading { decimal, is_unclear, order, are_texts: evidence.are_texts() }
    };
    evidence.iter().zip(names).map(read).collect()
}

/// What all verdicts are, if they agree.
fn common<T: PartialEq>(mut verdicts: impl Iterator<Item = T>) -> Option<T> {
    let first = verdicts.next()?;
    verdicts.all(|verdict| verdict == first).then_some(first)
}
