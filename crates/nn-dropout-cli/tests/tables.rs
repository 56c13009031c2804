//! Tables as people really have them: `train`, `describe` and `predict`, run as a user runs them.

mod common;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use common::{program, refuse, succeed, words};
use serde_json::Value;
use tempfile::TempDir;

const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tables");

/// A folder with one file in it.
fn folder(name: &str, contents: impl AsRef<[u8]>) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(&folder, name, contents);
    folder
}

fn write(folder: &TempDir, name: &str, contents: impl AsRef<[u8]>) {
    fs::write(folder.path().join(name), contents).unwrap();
}

fn read(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).unwrap()
}

/// What was printed on stdout and on stderr.
fn said(folder: &TempDir, line: &str) -> [String; 2] {
    common::said(folder, &words(line))
}

/// What `describe` prints for a table, with `more` options.
fn described(table: &str, more: &str) -> String {
    let folder = folder("t.csv", table);
    succeed(&folder, &words(&format!("describe --data t.csv {more}")))
}

/// What `describe` refuses a table with.
fn refused(table: &str, more: &str) -> String {
    let folder = folder("t.csv", table);
    let line = refuse(&folder, &words(&format!("describe --data t.csv {more}")));
    line.strip_prefix("error: t.csv: ").unwrap_or(&line).to_owned()
}

/// The schema of a network that was trained on a table for one epoch.
fn schema(table: &str, more: &str) -> Value {
    let folder = folder("t.csv", table);
    said(&folder, &format!("train --data t.csv --target y --hidden 2 --epochs 1 --out run {more}"));
    serde_json::from_slice(&read(&folder, "run/table.json")).unwrap()
}

/// The validation score after the last epoch.
fn score(folder: &TempDir, run: &str) -> f64 {
    let metrics = String::from_utf8(read(folder, &format!("{run}/metrics.csv"))).unwrap();
    metrics.lines().last().unwrap().rsplit(',').next().unwrap().parse().unwrap()
}

/// Rows of a header and of a function of their number.
fn rows(header: &str, count: usize, row: impl Fn(usize) -> String) -> String {
    (0..count).fold(format!("{header}\n"), |text, n| text + &row(n) + "\n")
}

#[test]
fn the_same_table_of_all_programs_is_read_alike() {
    let expected: Vec<Value> = serde_json::from_slice(&fs::read(format!("{TABLES}/expected.json")).unwrap()).unwrap();
    let columns = ["weight", "count", "colour", "tame", "day", "seen", "kind"];
    let cell = |row: &Value, column: &str| match &row[column] {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    };
    let line = |row: &Value| columns.map(|column| cell(row, column)).join(",");
    let plain = rows(&columns.join(","), expected.len(), |n| line(&expected[n]));
    let folder = folder("plain.csv", plain);
    let train = "--target kind --hidden 4 --epochs 2 --train-fraction 0.5 --quiet --out";
    said(&folder, &format!("train --data plain.csv {train} plain"));
    let [predicted, _] = said(&folder, "predict --run plain --data plain.csv --probabilities");
    assert_eq!(predicted.lines().count(), 41);

    let mut files: Vec<_> = fs::read_dir(TABLES).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !["py", "R", "sh", "json"].map(Some).contains(&path.extension().and_then(|end| end.to_str())));
    files.sort();
    assert!(files.len() > 40);
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_ansi =
            ["excel-like-de-ansi.csv", "libreoffice-de-default.csv", "libreoffice-ja-default.csv", "pandas-cp1252.csv"];
        let encoding = if is_ansi.contains(&name) { "--encoding windows-1252" } else { "" };
        let path = path.display();
        // Each cell is the same to a network.
        let [others, note] = said(&folder, &format!("predict --run plain --data {path} --probabilities {encoding}"));
        assert!(others == predicted && note.is_empty(), "{name}: {note}");
        // And each column makes the same network.
        let out = format!("of-{name}");
        said(&folder, &format!("train --data {path} {train} {out} {encoding}"));
        for file in ["model.safetensors", "metrics.csv"] {
            assert!(
                read(&folder, &format!("{out}/{file}")) == read(&folder, &format!("plain/{file}")),
                "{name}: {file}"
            );
        }
        if encoding.is_empty() {
            let description = succeed(&folder, &words(&format!("describe --data {path} --target kind")));
            assert!(
                description.contains("\ndates       `day` (2023-01-03 to 2024-10-27), `seen` (2023-01-03 08:05:00 to"),
                "{description}"
            );
            assert!(description.contains("\nmissing     2 in `weight`, 1 in `colour`\n"), "{description}");
        } else {
            let line = refuse(&folder, &words(&format!("describe --data {path}")));
            assert!(line.ends_with("such as --encoding windows-1252 (Western Europe) or shift_jis (Japan)"), "{line}");
        }
    }
}

#[test]
fn columns_of_one_name_are_refused() {
    let line = refused("a,a,y\n1,2,0\n3,4,1\n", "--target y");
    assert_eq!(line, "2 columns are named `a`: rename all but one, or leave them out with --ignore \"a\"");
    assert_eq!(refused("a,y,y\n1,2,0\n", "--target y"), "2 columns are named `y`: rename all but one");
    assert!(described("a,a,b,y\n1,2,3,0\n3,4,5,1\n", "--target y --ignore a").contains("numbers     `b`\n"));
    // A column that the model does not need may stand twice in new data.
    let folder = folder("t.csv", rows("a,y", 40, |n| format!("{n}.5,{}", n % 2)));
    said(&folder, "train --data t.csv --target y --hidden 2 --epochs 1 --out run");
    write(&folder, "twice.csv", "a,a\n1,2\n");
    let line = refuse(&folder, &words("predict --run run --data twice.csv"));
    assert_eq!(line, "error: twice.csv: 2 columns are named `a`, which the model needs once");
    write(&folder, "other.csv", "y,a,y\n1,2,3\n");
    succeed(&folder, &words("predict --run run --data other.csv"));
    let line = refuse(&folder, &words("predict --run run --data other.csv --keep y"));
    assert_eq!(line, "error: other.csv: 2 columns are named `y`; --keep cannot tell them apart");
}

#[test]
fn a_quote_that_never_closes_is_refused_where_it_opens() {
    for (table, place) in [
        ("a,y\n1,no\n2,\"yes\n3,no\n4,yes\n", "line 3: a quote opens before `yes` and never closes"),
        ("a,y\n1,no\n\"2\n,yes\n3,no\n", "line 3: a quote opens before `2` and never closes"),
        ("a,\"y\n1,no\n", "line 1: a quote opens before `y` and never closes"),
        ("a,b,y\n1,\"x\ny\nz\",no\n2,\"x\ny\",\"yes\n3,x,no\n", "line 6: a quote opens before `yes` and never closes"),
        ("a,y\n1,no\n2,\"", "line 3: a quote opens and never closes"),
    ] {
        let line = refused(table, "");
        assert!(
            line.starts_with(place) && line.ends_with("double it (\"\") if it belongs to the text"),
            "{table:?}: {line}"
        );
    }
    let closed = described("a,y\n1,\"no\nno\"\n2,\"say \"\"yes\"\"\"", "--target y");
    assert!(closed.contains("`no\\nno` 50.0 %, `say \"yes\"` 50.0 %"), "{closed}");
}

#[test]
fn text_after_a_closing_quote_is_refused() {
    for table in ["text\tclass\n\"foo\tham\n\"bar\tspam\nbaz\tham\n", "a,y\n1,\"foo\" bar\n"] {
        let line = refused(table, "");
        assert!(
            line.contains("text after a closing quote; double the quotes inside the cell (\"\"), or remove them"),
            "{line}"
        );
    }
}

#[test]
fn rows_of_another_length_are_refused_with_what_to_do() {
    assert_eq!(
        refused("a,y\n1,0\n2,1,3\n", ""),
        "line 3 has 3 cells, but the header has 2: put cells that hold `,` between quotes, or name the missing columns in the header"
    );
    assert_eq!(
        refused("a;b;y\n1;2;0\n1;2\n", ""),
        "line 3 has 2 cells, but the header has 3: complete the row, or remove it"
    );
    // R gives the names of the rows no name; but a separator at the end of each row is no name.
    assert!(described("a,b\n\"x\",1,2\n\"y\",3,4\n", "").contains("left out    `column 1` (it has no name"));
    for table in [
        "a,b\n1,2,\n3,4,\n",
        "a,b\n1,2,\n3,4,note\n",
        "weight,kind\n1,5,cat\n2,7,dog\n",
        "weight,kind\n\"1\",5,cat\n\"2\",7,dog\n\"1\",9,cat\n",
    ] {
        assert!(refused(table, "").starts_with("line 2 has 3 cells, but the header has 2"), "{table}");
    }
}

#[test]
fn numbers_keep_their_precision() {
    // What separates the classes is a billionth of the numbers.
    let folder =
        folder("t.csv", rows("a,b,y", 200, |n| format!("{}.0,{},{}", 1_000_000_000 + n % 2, n * 7 % 10, n % 2)));
    said(&folder, "train --data t.csv --target y --hidden 32 --epochs 60 --dropout 0.1 --out run");
    let reached = score(&folder, "run");
    assert!(reached > 0.95, "{reached}");
    let schema: Value = serde_json::from_slice(&read(&folder, "run/table.json")).unwrap();
    let (mean, deviation) =
        (schema["features"][0]["mean"].as_f64().unwrap(), schema["features"][0]["deviation"].as_f64().unwrap());
    assert!((mean - 1e9 - 0.5).abs() < 0.2 && (deviation - 0.5).abs() < 0.1, "{mean} {deviation}");

    // So for a target: times in seconds that differ by a few.
    write(&folder, "times.csv", rows("a,y", 200, |n| format!("{},{}", n % 10, 1_700_000_000 + n % 10)));
    said(
        &folder,
        "train --data times.csv --target y --task regression --hidden 16 --epochs 60 --dropout 0 --out times",
    );
    assert!(score(&folder, "times") > 0.9);
    let [predicted, _] = said(&folder, "predict --run times --data times.csv");
    let first: f64 = predicted.lines().nth(1).unwrap().parse().unwrap();
    assert!((first - 1_700_000_000.0).abs() < 2.0, "{first}");

    // Large and small numbers are numbers; infinity is none.
    let schema = self::schema(&rows("a,y", 40, |n| format!("{}e300,{}", n % 2, n % 2)), "");
    assert!((schema["features"][0]["deviation"].as_f64().unwrap() / 5e299 - 1.0).abs() < 0.2);
    let schema = self::schema(&rows("a,y", 40, |n| format!("{}e-300,{}", n % 2, n % 2)), "");
    assert!((schema["features"][0]["deviation"].as_f64().unwrap() / 5e-301 - 1.0).abs() < 0.2);
    for cell in ["inf", "-Infinity", "1e308", "1e999"] {
        let line = refused(&format!("a\n1\n{cell}\n"), "");
        assert!(line.starts_with("row 2, column `a`: expected a number of at most 1e307, but got "), "{line}");
    }
}

#[test]
fn numbers_are_read_as_people_write_them() {
    let mean = |table: &str| {
        let schema = schema(table, "--train-fraction 0.99");
        let feature = &schema["features"][0];
        assert!(feature["categories"].is_null(), "{table}");
        // Nearly all rows are for training: the mean is near that of both values.
        feature["mean"].as_f64().unwrap()
    };
    let table = |separator: &str, values: [&str; 2]| {
        rows(&["a", "y"].join(separator), 100, |n| format!("{}{separator}{}", values[n % 2], n % 2))
    };
    for (separator, values, expected) in [
        (",", ["\"6,764\"", "\"7,764\""], 7264.0),
        (",", ["\"1,234,567.5\"", "999.5"], 617_783.5),
        (",", ["\"1,5\"", "\"2,25\""], 1.875),
        (";", ["1,5", "2,25"], 1.875),
        (";", ["1.234,5", "999,5"], 1117.0),
        (";", ["1,234", "2,345"], 1.7895),
        ("\t", ["1.5", "2.5"], 2.0),
        ("|", ["1.5", "2.5"], 2.0),
        (",", ["12 %", "14 %"], 13.0),
        (",", ["$5", "\"$1,005\""], 505.0),
        (";", ["5,50 €", "6,50 €"], 6.0),
        (",", ["1 000", "2 000"], 1500.0),
        (",", ["1e3", "2e3"], 1500.0),
    ] {
        let found = mean(&table(separator, values));
        assert!((found / expected - 1.0).abs() < 0.01 * expected, "{values:?}: {found}");
    }
    // What can be read in two ways is refused, unless all that speaks for one of them agrees.
    for table in [
        "pop;k\n999;a\n1.234;b\n12.345;a\n",
        "answers,price\n\"1,2\",\"1,234\"\n\"2,3\",999\n",
        "version;price\n1.10;1,234\n1.9;2,500\n",
    ] {
        let line = refused(table, "");
        assert!(
            line.ends_with("can be read as two numbers; say which mark is decimal with --decimal . or --decimal ,"),
            "{line}"
        );
    }
    // That does not matter in a column of texts, of categories, or that is left out.
    let notes = "id;note\n1;1.234\n2;first\n3;second\n";
    assert!(described(notes, "").contains("categories  `note` (3)"));
    for more in ["--ignore pop", "--categories pop"] {
        described("pop;k\n999;a\n1.234;b\n12.345;a\n", more);
    }
    // Other columns show which mark is decimal, as far as a column of its own does not.
    let german = described("a;b\n1.234;0,5\n2.345;1,5\n", "");
    assert!(german.starts_with("table       CSV, separated by `;` and with decimal commas, 2 rows\n"), "{german}");
    let schema = schema(&rows("a;b;y", 100, |n| format!("1.23{};0,5{};{}", n % 10, n % 7, n % 2)), "");
    assert!((schema["features"][0]["mean"].as_f64().unwrap() - 1234.5).abs() < 2.0);
    // And the user has the last word.
    let schema = self::schema(&rows("a;y", 100, |n| format!("1,23{};{}", n % 10, n % 2)), "--decimal .");
    assert!((schema["features"][0]["mean"].as_f64().unwrap() - 1234.5).abs() < 2.0);
}

#[test]
fn a_number_of_another_kind_is_refused() {
    let mostly = rows("a;b", 30, |n| if n == 20 { "about 3;1".to_owned() } else { format!("{n},5;1") });
    for (table, expected) in [
        (mostly.as_str(), "row 21, column `a`: expected a number with a decimal comma, as before, but got `about 3`"),
        ("a\n12 %\n13\n", "row 2, column `a`: expected a number with %, as before, but got `13`"),
        ("a\n$5\n5 €\n", "row 2, column `a`: expected a number with $, as before, but got `5 €`"),
        (
            "a;b\n1,5;2\n2,5;2\n1.5;x\n",
            "row 3, column `a`: expected a number with a decimal comma, as before, but got `1.5`",
        ),
    ] {
        let line = refused(table, "");
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn the_separator_is_found_or_given() {
    for (separator, shown) in [(",", "`,`"), (";", "`;`"), ("\t", "tabs"), ("|", "`|`")] {
        let table = rows(&["a", "b, c", "y"].join(separator).replace("b, c", "\"b, c\""), 30, |n| {
            format!("{n}{separator}\"{},5\"{separator}{}", n % 3, n % 2)
        });
        let description = described(&table, "--target y");
        assert!(description.starts_with(&format!("table       CSV, separated by {shown}")), "{description}");
        assert!(description.contains("numbers     `a`, `b, c`\n"), "{description}");
    }
    assert!(described("a#b\n1#2\n", "--separator #").contains("separated by `#`, 1 row\nnumbers     `a`, `b`"));
    assert!(described("a\tb\n1\t2\n", "--separator tab").contains("numbers     `a`, `b`"));
    assert!(described("sep=;\r\na,b;c\r\n1;2\r\n", "").contains("numbers     `a,b`, `c`"));
    let line = refused("a,b\n", "--separator comma");
    assert!(line.ends_with("expected a character that separates cells, such as ; or tab, but got comma"), "{line}");
    let line = refused("a,b\n", "--encoding latin");
    assert!(
        line.ends_with("expected the name of an encoding, such as windows-1252 or shift_jis, but got latin"),
        "{line}"
    );
    assert!(described("日\n1\n", "").contains("`日`"));
    let folder = folder("sjis.csv", b"\x93\xfa,y\n1,2\n");
    assert!(succeed(&folder, &words("describe --data sjis.csv --encoding shift_jis")).contains("`日`"));
    // What was given is written down.
    write(&folder, "t.csv", rows("a#y", 40, |n| format!("{n},5#{}", n % 2)));
    said(
        &folder,
        "train --data t.csv --target y --separator # --decimal , --encoding utf-8 --hidden 2 --epochs 1 --out run",
    );
    let config = String::from_utf8(read(&folder, "run/config.toml")).unwrap();
    assert!(config.contains("separator = \"#\"\ndecimal = \",\"\nencoding = \"utf-8\"\n"), "{config}");
    said(&folder, "train --config run/config.toml --out again");
    let line = refuse(&folder, &words("train --separator ;"));
    assert_eq!(line, "error: --separator, --decimal and --encoding are for CSV files; the digits are built in");
    let line = refuse(&folder, &words(&format!("describe --separator ; --data {TABLES}/polars.parquet")));
    assert!(line.ends_with("--separator, --decimal and --encoding are for CSV files, and this is Parquet"), "{line}");
}

#[test]
fn indexes_and_names_of_rows_are_left_out() {
    let table = |header: &str| rows(header, 60, |n| format!("{},{},x{n},{}", n, n * 7 % 10, n % 2));
    for (name, why) in [
        ("", "`column 1` (it has no name, as the row names of pandas and R have none)"),
        ("Unnamed: 0", "`Unnamed: 0` (it counts the rows, as an index of pandas does)"),
        ("__index_level_0__", "`__index_level_0__` (it is an index of pandas)"),
    ] {
        let description = described(&table(&format!("{name},a,b,y")), "--target y");
        assert!(description.contains("numbers     `a`\n") && description.contains(why), "{description}");
        assert!(description.contains("`b` (60 different texts in 60 cells, such as `x0`)"), "{description}");
    }
    // A column that counts the rows under a name of its own may be a measurement.
    let description = described(&table("id,a,b,y"), "--target y");
    let warning = "warning: column `id` counts the rows; if it is no measurement, leave it out with --ignore \"id\"\n";
    assert!(description.contains("numbers     `id`, `a`\n") && description.ends_with(warning), "{description}");
    let ignored = described(&table("id,a,b,y"), "--target y --ignore id,b");
    assert!(
        ignored.contains("left out    `id` (--ignore), `b` (--ignore)") && !ignored.contains("warning"),
        "{ignored}"
    );
    assert_eq!(refused("a,,y\n1,2,0\n3,4,1\n", "--target y"), "column 2 has no name: give it one in the header");
    assert!(
        described("a,y,\n1,0,\n3,1,\n", "--target y").contains("left out    `column 3` (all of its cells are missing)")
    );
    let folder = folder("t.csv", "name,y\nx,0\n,1\n");
    let line = refuse(&folder, &words("train --data t.csv --target y --ignore name"));
    assert_eq!(line, "error: t.csv: there is no column besides `y` to predict it from; `name` is left out: --ignore");
}

#[test]
fn a_column_of_numbers_and_texts_is_categories_with_a_warning_or_has_a_mistake() {
    // Every fourth ticket has letters. All differ, so nothing can be learned from them.
    let tickets = described(
        &rows("ticket,y", 80, |n| format!("{}{},{}", ["", "", "", "PC "][n % 4], 10_000 + n * 7, n % 2)),
        "--target y",
    );
    assert!(tickets.contains("left out    `ticket` (80 different texts in 80 cells"), "{tickets}");
    let grades = described(
        &rows("grade,y", 80, |n| format!("{},{}", ["1", "2", "absent", "3"][n * 7 % 4], n % 2)),
        "--target y",
    );
    let warning = "warning: column `grade` holds numbers and texts, such as `absent`, so all of its cells are categories; correct the texts";
    assert!(grades.contains("categories  `grade` (4)") && grades.contains(warning), "{grades}");
    let dates = described("day,y\nunknown,0\n2024-01-05,1\n2024-01-06,0\n", "--target y");
    assert!(dates.contains("column `day` holds numbers and texts, such as `unknown`"), "{dates}");
    // A few texts are mistakes.
    for (row, cell) in [(0, "many"), (10, "n.a.")] {
        let line = refused(
            &rows("a,y", 40, |n| format!("{},{}", if n == row { cell.to_owned() } else { n.to_string() }, n % 2)),
            "",
        );
        let hint = "; correct the cell, or add --categories \"a\" if all are categories";
        assert!(
            line.starts_with(&format!("row {}, column `a`: expected a number", row + 1)) && line.ends_with(hint),
            "{line}"
        );
    }
    let line = refused(
        &rows("a,y", 40, |n| format!("\"{}\",{}", if n == 30 { "1,5".to_owned() } else { format!("{n}.5") }, n % 2)),
        "",
    );
    assert!(
        line.ends_with("got `1,5`; say which mark is decimal in all cells with --decimal . or --decimal ,"),
        "{line}"
    );
    // So is a missing header.
    let headless = described("5.1,3.5,setosa\n4.9,3.0,setosa\n", "");
    assert!(
        headless.ends_with("warning: most names of columns are numbers: is the header row missing?\n"),
        "{headless}"
    );
}

#[test]
fn what_a_network_cannot_take_is_refused() {
    let table = |outlier: &str| {
        rows("a,y", 200, |n| format!("{},{}", if n == 77 { outlier.to_owned() } else { (n % 7).to_string() }, n % 2))
    };
    let folder = folder("t.csv", table("3"));
    said(&folder, "train --data t.csv --target y --hidden 2 --epochs 1 --out run");
    write(&folder, "new.csv", "a\n1\n1e300\n");
    let line = refuse(&folder, &words("predict --run run --data new.csv"));
    assert!(
        line.starts_with("error: new.csv: row 2, column `a`: 1000000")
            && line.contains("is more than 1e9 deviations away from the mean"),
        "{line}"
    );
    write(&folder, "t.csv", table("1e200"));
    for target in ["--target y", "--target a --task regression"] {
        for train in ["train", "sweep --rates 0,0.5 --seeds 1"] {
            // In the training part the others lose all differences; in the validation part it is refused.
            let output =
                common::run(&folder, &words(&format!("{train} --data t.csv {target} --hidden 2 --epochs 1 --seed 1")));
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(
                output.status.success() || stderr.contains("deviations away from the mean of the training rows"),
                "{stderr}"
            );
        }
    }
}

#[test]
fn names_of_classes_and_categories_keep_what_tells_them_apart() {
    let classes = |labels: [&str; 2]| {
        described(&rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, labels[n % 2])), "--target y")
    };
    assert!(
        classes(["18446744073709551615", "18446744073709551614"])
            .contains("`18446744073709551614` 50.0 %, `18446744073709551615` 50.0 %")
    );
    // Numbers are spelt alike only where all names are numbers.
    let mixed = described("a,y\n1,1e3\n2,abc\n3,1000\n4,1000\n", "--target y");
    assert!(mixed.contains("3 classes, `1000` 50.0 %, `1e3` 25.0 %, `abc` 25.0 %"), "{mixed}");
    let folder = folder("t.csv", rows("a,y", 60, |n| format!("{},{}", ["1.0", "2.0", ""][n % 3], n % 2)));
    said(&folder, "train --data t.csv --target y --categories a --hidden 4 --epochs 2 --out run");
    write(&folder, "new.csv", "a\n1\n2\n");
    write(&folder, "old.csv", "a\n1.0\n2.0\n");
    assert_eq!(
        succeed(&folder, &words("predict --run run --data new.csv")),
        succeed(&folder, &words("predict --run run --data old.csv"))
    );
    let many = described(&rows("a,y", 400, |n| format!("{}.5,{}", n * 7 % 10, n % 90)), "--target y");
    assert!(many.contains("warning: column `y` has 90 different whole numbers, each of which is a class; to predict a number, add --task regression"));
}

#[test]
fn wrong_bytes_of_an_encoding_are_refused() {
    for (bytes, encoding, expected) in [
        (&b"c,k\nM\xfcller,a\n"[..], "utf-8", "line 2 is not UTF-8"),
        (&b"c,k\nM\xfcller,a\n"[..], "shift_jis", "line 2 is not Shift_JIS; name another --encoding"),
        (&b"c,k\nM\xfcller,a\n"[..], "latin-1", ""),
        (&b"c,k\n\x93\xfa,a\n"[..], "cp932", ""),
    ] {
        let folder = folder("t.csv", bytes);
        let line = format!("describe --data t.csv --encoding {encoding}");
        if expected.is_empty() {
            succeed(&folder, &words(&line));
        } else {
            let line = refuse(&folder, &words(&line));
            assert!(line.starts_with(&format!("error: t.csv: {expected}")), "{line}");
        }
    }
}

#[test]
fn nobody_has_to_listen() {
    let folder = folder("t.csv", rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, n % 2)));
    for line in ["describe --data t.csv", "train --data t.csv --target y --hidden 2 --epochs 1 --out run"] {
        let mut child = program(&folder, &words(line)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(0 | 2)) && stderr.lines().count() <= 1, "{line}: {stderr}");
    }
    assert!(folder.path().join("run/report.html").exists());
}

#[test]
fn a_column_that_gives_the_target_away_is_told() {
    let warned = |header: &str, row: &dyn Fn(usize) -> String, more: &str| {
        let description = described(&rows(header, 200, row), &format!("--target y {more}"));
        description.contains("warning: column `a` alone gives `y` away; if it is not known when you predict")
    };
    let noise = |n: usize| n * 7919 % 101;
    assert!(warned("a,y", &|n| format!("{}.5,{}", 1000 - n, n / 70), ""));
    assert!(!warned("a,y", &|n| format!("{},{}", noise(n), n / 70), ""));
    assert!(warned("a,y", &|n| format!("of {},{}", n / 25, n / 50), ""));
    assert!(!warned("a,y", &|n| format!("of {},{}", n / 25, noise(n) % 2), ""));
    assert!(warned("a,y", &|n| format!("{},{}", noise(n), 3.5 * noise(n) as f64 - 7.0), "--task regression"));
    assert!(!warned("a,y", &|n| format!("{},{}", noise(n), noise(n) + noise(n + 1)), "--task regression"));
    // A missing cell says something too.
    assert!(warned("a,y", &|n| format!("{},{}", ["yes", ""][n % 2], n % 2), ""));
    // Equal numbers of two classes.
    assert!(!warned("a,y", &|n| format!("{},{}", n / 100, n / 99), ""));
}

#[test]
fn dates_are_numbers_with_a_calendar() {
    let by_day = |date: &dyn Fn(usize) -> String| rows("day,y", 120, |n| format!("{},{}", date(n), n % 2));
    let iso = schema(&by_day(&|n| format!("2024-{:02}-{:02}", 1 + n / 28, 1 + n % 28)), "");
    let feature = &iso["features"][0];
    assert!(feature["days"]["mean"].as_f64().unwrap() > 19_000.0 && feature["time"] == false, "{feature}");
    for date in [
        &(|n: usize| format!("{}/{}/2024", 1 + n / 28, 1 + n % 28)) as &dyn Fn(usize) -> String,
        &|n| format!("{}/{}/2024", 1 + n % 28, 1 + n / 28),
        &|n| format!("{:02}.{:02}.24", 1 + n % 28, 1 + n / 28),
    ] {
        let other = schema(&by_day(date), "");
        assert_eq!(other["features"][0]["days"], feature["days"]);
    }
    let folder = folder("t.csv", by_day(&|n| format!("2024-01-31T{:02}:30:00Z", n % 24)));
    said(&folder, "train --data t.csv --target y --hidden 2 --epochs 1 --out run");
    let weights = read(&folder, "run/model.safetensors");
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(weights.tensor("hidden.0.weight").unwrap().shape(), [2, 7]);

    assert_eq!(
        refused("day\n03/04/2024\n05/06/2024\n", ""),
        "row 1, column `day`: `03/04/2024` can mean two days; write dates as in 2024-01-31"
    );
    assert_eq!(
        refused(&rows("day", 20, |n| if n == 1 { "soon".to_owned() } else { "2024-01-31".to_owned() }), ""),
        "row 2, column `day`: expected a date, as before, but got `soon`; correct the cell, or add --categories \"day\" if all are categories"
    );

    // A date can be the target, too.
    write(&folder, "due.csv", rows("a,y", 200, |n| format!("{},2024-03-{:02}", n % 28, 1 + n % 28)));
    said(&folder, "train --data due.csv --target y --task regression --hidden 32 --epochs 60 --dropout 0 --out due");
    assert!(score(&folder, "due") > 0.9);
    let [predicted, _] = said(&folder, "predict --run due --data due.csv --samples 2");
    assert!(predicted.starts_with("prediction,deviation\n2024-03-0"), "{predicted}");
    // So can one class a day, if the days repeat.
    assert!(
        described(&rows("a,y", 60, |n| format!("{n}.5,2024-03-0{}", 1 + n % 2)), "--target y")
            .contains("2 classes, `2024-03-01` 50.0 %")
    );
}

#[test]
fn labels_are_whole_numbers_texts_and_truth_values_in_any_spelling() {
    for (labels, names) in [
        (["0.0", "1.0"], "`0` 50.0 %, `1` 50.0 %"),
        (["\"0,0\"", "\"1,0\""], "`0` 50.0 %, `1` 50.0 %"),
        (["007", "7"], "`007` 50.0 %, `7` 50.0 %"),
        (["TRUE", "false"], "`False` 50.0 %, `True` 50.0 %"),
        (["WAHR", "FALSCH"], "`False` 50.0 %, `True` 50.0 %"),
        (["yes", "no"], "`no` 50.0 %, `yes` 50.0 %"),
        (["10", "9"], "`9` 50.0 %, `10` 50.0 %"),
    ] {
        let description = described(&rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, labels[n % 2])), "--target y");
        assert!(description.contains(&format!("target      `y`: 2 classes, {names}\n")), "{description}");
    }
    let description =
        described(&rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, [0.5, 1.5][n % 2])), "--target y --categories y");
    assert!(description.contains("`0.5` 50.0 %, `1.5` 50.0 %"), "{description}");
    // Truth values are one feature in any spelling, in the file of the training and in new ones.
    let folder = folder("t.csv", rows("a,y", 60, |n| format!("{},{}", ["True", "False"][n % 2], n % 2)));
    said(&folder, "train --data t.csv --target y --hidden 4 --epochs 2 --out run");
    write(&folder, "true.csv", "a\ntrue\nFALSE\n");
    write(&folder, "wahr.csv", "a\nWAHR\nfalsch\n");
    assert_eq!(
        succeed(&folder, &words("predict --run run --data true.csv")),
        succeed(&folder, &words("predict --run run --data wahr.csv"))
    );
}

#[test]
fn many_categories_are_taken_and_the_rare_ones_together() {
    // 150 airports: the first is the most frequent.
    let table = rows("a,y", 3000, |n| format!("airport {},{}", n % if n < 2250 { 150 } else { 20 }, n % 2));
    let folder = folder("t.csv", &table);
    let [stdout, _] =
        said(&folder, "train --data t.csv --target y --hidden 4 --epochs 1 --train-fraction 0.9 --out run");
    let schema: Value = serde_json::from_slice(&read(&folder, "run/table.json")).unwrap();
    let feature = &schema["features"][0];
    let categories: Vec<&str> =
        feature["categories"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(categories.len() == 99 && categories.contains(&"airport 19") && feature["others"] == true);
    assert!(stdout.contains("`a` (150: the 99 most frequent, the others together)"), "{stdout}");
    // The others have an input of their own, and no note, unless they are most of the cells.
    write(&folder, "one.csv", "a\nairport 0\nairport 0\nelsewhere\n");
    succeed(&folder, &words("predict --run run --data one.csv"));
    write(&folder, "all.csv", "a\nairport 0\nnowhere\nelsewhere\n");
    let [_, note] = said(&folder, "predict --run run --data all.csv");
    assert_eq!(
        note,
        "note: column `a`: 2 of 3 cells hold what the model has not seen, such as `nowhere`, and count as others\n"
    );
}

#[test]
fn rows_without_a_target_are_left_out_and_counted() {
    let table = rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, ["0", "1", "NA"][n % 3]));
    let folder = folder("t.csv", &table);
    let [stdout, warning] = said(&folder, "train --data t.csv --target y --hidden 4 --epochs 1 --out run");
    assert_eq!(warning, "warning: 20 of 60 rows have no `y` and are left out\n");
    assert!(stdout.contains("`0` 50.0 %, `1` 50.0 %"), "{stdout}");
    let report = String::from_utf8(read(&folder, "run/report.html")).unwrap();
    assert!(report.contains("10 to train on, 30 for validation"));
    assert_eq!(refused("a,y\n1,\n2,NA\n", "--target y"), "the target of all rows is missing");
}

#[test]
fn a_target_that_names_the_rows_is_refused() {
    let table = rows("a,y", 2000, |n| format!("{},{}", n % 7, n * 3));
    let folder = folder("t.csv", &table);
    let line = refuse(&folder, &words("train --data t.csv --target y"));
    assert_eq!(
        line,
        "error: t.csv: column `y` has 2000 classes in 2000 rows, 2000 of them in a single row: it names rows, not classes; to \
         predict a number or a date, add --task regression"
    );
    let few = described(
        &rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, if n < 3 { n + 5 } else { n % 2 })),
        "--target y",
    );
    assert!(
        few.ends_with("warning: 3 of 5 classes have only one row, so each is in the training or in the validation part, not in both\n"),
        "{few}"
    );
}

#[test]
fn a_description_is_short_and_warns() {
    let names: Vec<String> = (0..300).map(|n| format!("feature {n}")).collect();
    let table = rows(&format!("{},same,y", names.join(",")), 40, |n| {
        let cells: Vec<String> = (0..300).map(|column| (n * (column % 9 + 1) % 11).to_string()).collect();
        format!("{},7,{}", cells.join(","), n * 5 % 13 % 2)
    });
    let description = described(&table, "--target y");
    assert!(description.lines().all(|line| line.len() < 300), "{description}");
    assert!(description.contains("`feature 11` and 289 more\n"), "{description}");
    assert!(description.ends_with("warning: constant, so nothing can be learned from it: `same`\n"), "{description}");
    // It is told before a training, unless that is quiet; warnings always are.
    let folder = folder("t.csv", &table);
    let train = "train --data t.csv --target y --hidden 2 --epochs 1 --out";
    let [loud, warning] = said(&folder, &format!("{train} a"));
    let [quiet, again] = said(&folder, &format!("{train} b --quiet"));
    assert!(
        loud.starts_with("table       CSV") && loud.ends_with(&quiet.replace("b/", "a/").replace("in b", "in a")),
        "{loud}{quiet}"
    );
    assert!(warning == again && warning.starts_with("warning: constant"), "{warning}");
    let [sweep, _] =
        said(&folder, "sweep --data t.csv --target y --hidden 2 --epochs 1 --rates 0,0.5 --seeds 1 --out s");
    assert!(sweep.starts_with("table       CSV"), "{sweep}");
}

#[test]
fn names_that_are_not_there_are_told_in_one_short_line() {
    let names: Vec<String> = (0..5000).map(|n| format!("feature {n}")).collect();
    let table = format!("{}\n", names.join(","));
    assert_eq!(refused(&table, "--target feature_7"), "there is no column `feature_7`; did you mean `feature 7`?");
    let line = refused(&table, "--target zzz");
    assert!(
        line.starts_with("there is no column `zzz`; only `feature 0`, ") && line.ends_with(" and 4990 more"),
        "{line}"
    );
    // Line breaks in headers and cells stay inside the line.
    assert_eq!(refused("\"a\nb\",c\n1,2\n", "--target d"), "there is no column `d`; only `a\\nb`, `c`");
    assert_eq!(
        refused(&rows("a", 20, |n| if n == 1 { "\"x\ny\"".to_owned() } else { n.to_string() }), ""),
        "row 2, column `a`: expected a number, as before, but got `x\\ny`; correct the cell, or add --categories \"a\" if all are categories"
    );
    let long = rows("a", 20, |n| if n == 1 { "x".repeat(10_000) } else { n.to_string() });
    assert!(refused(&long, "").len() < 200);
}

#[test]
fn compressed_files_standard_input_and_files_of_any_name_are_read() {
    let table = rows("a,y", 60, |n| format!("{}.5,{}", n * 7 % 10, n % 2));
    let folder = folder("t.csv", &table);
    let train = "--target y --hidden 4 --epochs 2 --quiet --out";
    said(&folder, &format!("train --data t.csv {train} plain"));
    let [predicted, _] = said(&folder, "predict --run plain --data t.csv");

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(table.as_bytes()).unwrap();
    write(&folder, "t.csv.gz", gzip.finish().unwrap());
    write(&folder, "t.csv.zst", zstd::encode_all(table.as_bytes(), 3).unwrap());
    // The first bytes say what a file is, not its name.
    fs::copy(folder.path().join("t.csv.gz"), folder.path().join("table")).unwrap();
    for name in ["t.csv.gz", "t.csv.zst", "table"] {
        said(&folder, &format!("train --data {name} {train} {name}-run"));
        assert!(
            read(&folder, &format!("{name}-run/model.safetensors")) == read(&folder, "plain/model.safetensors"),
            "{name}"
        );
        assert_eq!(said(&folder, &format!("predict --run plain --data {name}"))[0], predicted, "{name}");
    }
    for name in ["t.pq", "parquet-file"] {
        fs::copy(format!("{TABLES}/polars.parquet"), folder.path().join(name)).unwrap();
        assert!(
            succeed(&folder, &words(&format!("describe --data {name}"))).starts_with("table       Parquet, 40 rows")
        );
    }

    let piped = |line: &str, input: &[u8]| {
        let mut child = program(&folder, &words(line)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).unwrap()
    };
    piped(&format!("train --data - {train} piped"), table.as_bytes());
    assert!(read(&folder, "piped/model.safetensors") == read(&folder, "plain/model.safetensors"));
    assert_eq!(piped("predict --run plain --data -", table.as_bytes()), predicted);
    assert_eq!(piped("predict --run plain --data -", &read(&folder, "t.csv.gz")), predicted);
    let parquet = fs::read(format!("{TABLES}/polars.parquet")).unwrap();
    assert!(piped("describe --data -", &parquet).starts_with("table       Parquet, 40 rows"));
    piped("sweep --data - --target y --hidden 4 --epochs 1 --rates 0,0.5 --seeds 1", table.as_bytes());
    assert!(folder.path().join("runs/stdin-sweep/report.html").exists());

    for (name, contents, expected) in [
        (
            "t.xlsx",
            &b"PK\x03\x04rest"[..],
            "an Excel workbook or another ZIP archive: save its table as CSV or Parquet",
        ),
        ("t.xls", b"\xd0\xcf\x11\xe0rest", "an old Excel workbook: save its table as CSV or Parquet"),
        ("t.bz2", b"BZh9rest", "compressed with bzip2 or xz: expected gzip, zstd or no compression"),
        ("t.csv.gz", &read(&folder, "t.csv.gz")[..60], ""),
        ("t.csv.zst", &read(&folder, "t.csv.zst")[..40], ""),
    ] {
        write(&folder, name, contents);
        let line = refuse(&folder, &words(&format!("describe --data {name}")));
        assert!(line.starts_with(&format!("error: {name}: ")) && line.ends_with(expected), "{line}");
    }
    assert_eq!(refuse(&folder, &words("describe --data plain")), "error: plain: expected a file, but got a folder");
}
