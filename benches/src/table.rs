//! The table that is printed.

use comfy_table::{CellAlignment, Table, presets};

use crate::case::{Case, name};
use crate::measure::Measured;
use crate::peers::{ALL_OURS, OURS, PAIRS};

/// One row per case, under a row for each operation, type and number of threads: the speed of each contender, then the
/// ratio of our speed to that of each other contender, then the ratios of the other [`PAIRS`].
pub fn table(results: &[(Case, Vec<Measured>)]) -> Table {
    let everyone = || results.iter().flat_map(|(_, measured)| measured).map(|measured| measured.who);
    let mut contenders: Vec<&str> = ALL_OURS.into_iter().filter(|&ours| everyone().any(|who| who == ours)).collect();
    let ours = contenders.len();
    for who in everyone() {
        if !contenders.contains(&who) {
            contenders.push(who);
        }
    }
    let others = contenders[ours..].iter().map(|&other| (OURS, other));
    let further = PAIRS.into_iter().filter(|(ours, other)| contenders.contains(ours) && contenders.contains(other));
    let pairs: Vec<(&str, &str)> = others.chain(further).collect();

    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let versus = pairs
        .iter()
        .map(|(ours, other)| if *ours == OURS { format!("vs {other}") } else { format!("{ours} vs {other}") });
    let headers = contenders.iter().map(|&who| who.to_owned()).chain(versus);
    table.set_header(["Gelem/s".to_owned()].into_iter().chain(headers));
    let mut group = None;
    for (case, measured) in results {
        let this_group = (case.op, case.dtype, case.threads);
        if group.replace(this_group) != Some(this_group) {
            let plural = if case.threads == 1 { "" } else { "s" };
            table.add_row([format!("{}, {}, {} thread{plural}", name(&case.op), name(&case.dtype), case.threads)]);
        }
        let seconds = |who: &str| measured.iter().find(|measured| measured.who == who).map(|measured| measured.seconds);
        let speeds = contenders.iter().map(|who| seconds(who).map(|seconds| speed(*case, seconds)));
        let ratios = pairs.iter().map(|(ours, other)| Some(significant(seconds(other)? / seconds(ours)?)));
        let cells = speeds.chain(ratios).map(Option::unwrap_or_default);
        table.add_row([elements(case.elements)].into_iter().chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// `64`, `16 Ki`, `4 Mi`.
fn elements(count: usize) -> String {
    if count.is_multiple_of(1 << 20) {
        format!("{} Mi", count >> 20)
    } else if count.is_multiple_of(1 << 10) {
        format!("{} Ki", count >> 10)
    } else {
        count.to_string()
    }
}

/// Billions of elements per second; for few elements also the time of a call, which says more.
fn speed(case: Case, seconds: f64) -> String {
    let speed = significant(case.gelem_per_s(seconds));
    if case.elements < 1 << 10 { format!("{speed} ({:.0} ns)", seconds * 1e9) } else { speed }
}

/// Three digits, or all before the point if there are more.
fn significant(number: f64) -> String {
    let after_point = 2 - number.log10().floor() as i32;
    format!("{number:.*}", after_point.clamp(0, 9) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([64, 1 << 10, 3 << 20, 1000].map(elements), ["64", "1 Ki", "3 Mi", "1000"]);
        assert_eq!([0.01234, 0.5, 5.126, 72.31, 1234.5].map(significant), ["0.0123", "0.500", "5.13", "72.3", "1234"]);
    }
}
