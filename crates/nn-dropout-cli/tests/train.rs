//! `nn-dropout train`, run as a user runs it.

mod common;

use std::fmt::Write as _;
use std::fs;

use common::{entries, program, refuse, said, succeed, words};
use safetensors::SafeTensors;
use tempfile::TempDir;

/// Small and quick, yet with two dropout layers.
const QUICK: &[&str] = &["train", "--hidden", "32,16", "--epochs", "3"];

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

/// The rows of a run's metrics, as numbers.
fn metrics(folder: &TempDir, run: &str) -> Vec<[f64; 5]> {
    let text = read(folder, &format!("{run}/metrics.csv"));
    assert!(text.starts_with("epoch,train_loss,train_accuracy,val_loss,val_accuracy\n"));
    assert!(text.ends_with('\n'));
    rows(&text)
}

/// What is below the header.
fn rows(text: &str) -> Vec<[f64; 5]> {
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap())
        .collect()
}

#[test]
fn both_parts_are_measured_as_often_as_asked_and_that_changes_nothing_else() {
    let folder = TempDir::new().unwrap();
    let run = |options: &str, out: &str| {
        said(&folder, &words(&format!("train --hidden 8 --quiet {options} --out {out}")));
        metrics(&folder, out)
    };
    let epochs = |rows: &[[f64; 5]]| rows.iter().map(|row| row[0] as usize).collect::<Vec<_>>();
    let tenths = run("--epochs 25", "tenths");
    assert_eq!(epochs(&tenths), [3, 6, 9, 12, 15, 18, 21, 24, 25]);
    let each = run("--epochs 25 --eval-interval 1", "each");
    assert_eq!(epochs(&each), (1..=25).collect::<Vec<_>>());
    for row in tenths {
        assert_eq!(row, each[row[0] as usize - 1]);
    }
    assert_eq!(epochs(&run("--epochs 7 --eval-interval 3", "some")), [3, 6, 7]);
    assert_eq!(epochs(&run("--epochs 2 --eval-interval 99", "end")), [2]);
    let [tenths, each] =
        ["tenths", "each"].map(|run| fs::read(folder.path().join(run).join("model.safetensors")).unwrap());
    assert!(tenths == each);
    assert!(read(&folder, "some/report.html").contains("every 3 epochs and at the end"));
    assert!(read(&folder, "some/config.toml").contains("eval_interval = 3\n"));
    assert!(refuse(&folder, &words("train --eval-interval 0")).contains("but got 0"));
}

#[test]
fn the_digits_are_learned_and_all_results_are_there() {
    let folder = TempDir::new().unwrap();
    let printed = succeed(&folder, &["train", "--hidden", "64,32", "--epochs", "10", "--dropout", "0.2"]);
    let out = "runs/digits-p0.2-seed42";
    assert_eq!(
        entries(&folder.path().join(out)),
        ["config.toml", "metrics.csv", "model.safetensors", "report.html", "table.json"]
    );

    let rows = metrics(&folder, out);
    assert_eq!(rows.len(), 10);
    for (i, [epoch, train_loss, train_accuracy, val_loss, val_accuracy]) in rows.iter().enumerate() {
        assert_eq!(*epoch, (i + 1) as f64);
        assert!(*train_loss > 0.0 && *val_loss > 0.0);
        assert!((0.0..=1.0).contains(train_accuracy) && (0.0..=1.0).contains(val_accuracy));
    }
    let [.., train_accuracy, _, val_accuracy] = rows[9];
    assert!(val_accuracy > 0.85, "{rows:?}");
    for said in [
        format!("training accuracy    {:5.1} %", 100.0 * train_accuracy),
        format!("validation accuracy  {:5.1} %", 100.0 * val_accuracy),
        format!("gap                  {:5.1} points", 100.0 * (train_accuracy - val_accuracy)),
        format!("results in {out}, curves in {out}/report.html"),
    ] {
        assert!(printed.lines().any(|line| line == said), "`{said}` is not in {printed}");
    }

    let weights = fs::read(folder.path().join(out).join("model.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&weights).unwrap();
    let mut shapes: Vec<_> = weights.tensors().iter().map(|(name, t)| (name.clone(), t.shape().to_vec())).collect();
    shapes.sort();
    let expected: [(&str, &[usize]); 6] = [
        ("hidden.0.bias", &[64]),
        ("hidden.0.weight", &[64, 64]),
        ("hidden.1.bias", &[32]),
        ("hidden.1.weight", &[32, 64]),
        ("output.bias", &[10]),
        ("output.weight", &[10, 32]),
    ];
    assert_eq!(shapes, expected.map(|(name, shape)| (name.to_owned(), shape.to_vec())));

    let report = read(&folder, &format!("{out}/report.html"));
    let curves = |colour: &str| report.matches(&format!("stroke=\"{colour}\" stroke-width=\"2\"")).count();
    assert_eq!([curves("#D67020"), curves("#2E86DE")], [4, 6], "two pairs of curves and one, each in two widths");
    assert!(report.contains(&format!("nn-dropout train --config {out}/config.toml")));
    let outside = report.replace("http://www.w3.org/2000/svg", "");
    for link in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!outside.contains(link), "the report is not self-contained: {link}");
    }
}

#[test]
fn results_are_the_same_bytes_on_any_number_of_threads_and_from_their_own_config() {
    let folder = TempDir::new().unwrap();
    // Wide enough that Burn's matrix products and sums run on several threads.
    let args =
        ["train", "--hidden", "512,256", "--epochs", "2", "--batch-size", "200", "--seed", "18446744073709551615"];
    for threads in ["1", "2", "5"] {
        let status =
            program(&folder, &[]).args(args).args(["--out", threads]).env("RAYON_NUM_THREADS", threads).output();
        assert!(status.unwrap().status.success());
    }
    succeed(&folder, &["train", "--config", "1/config.toml", "--out", "again"]);
    for file in ["metrics.csv", "model.safetensors", "config.toml"] {
        let [one, others @ ..] =
            ["1", "2", "5", "again"].map(|run| fs::read(folder.path().join(run).join(file)).unwrap());
        for other in others {
            assert!(one == other, "{file} differs");
        }
    }
}

#[test]
fn a_seed_is_any_64_bits_and_a_negative_one_their_two_s_complement() {
    let folder = TempDir::new().unwrap();
    write(&folder, "table.csv", &flowers(["1", "2"]));
    write(&folder, "signed.toml", "seed = -1\n");
    write(&folder, "unsigned.toml", "seed = 18446744073709551615\n");
    let table = ["--data", "table.csv", "--target", "kind", "--force", "--out", "run"];
    let runs =
        ["--seed -1", "--seed 18446744073709551615", "--config signed.toml", "--config unsigned.toml"].map(|seed| {
            said(&folder, &[QUICK, &table, &words(seed)].concat());
            assert!(read(&folder, "run/config.toml").ends_with("\nseed = -1\n"));
            read(&folder, "run/metrics.csv")
        });
    assert!(runs.iter().all(|metrics| *metrics == runs[0]));
    said(&folder, &["train", "--config", "run/config.toml", "--out", "again"]);
    assert_eq!(read(&folder, "again/metrics.csv"), runs[0]);
    said(&folder, &[QUICK, &table, &["--seed", "-9223372036854775808"]].concat());
    assert!(read(&folder, "run/config.toml").ends_with("\nseed = -9223372036854775808\n"));

    let predict =
        |seed| said(&folder, &words(&format!("predict --run run --data table.csv --samples 2 --seed {seed}")));
    assert_eq!(predict("-1"), predict("18446744073709551615"));
    let applied = ["-1", "18446744073709551615"].map(|seed| {
        let line =
            format!("apply run/model.safetensors --output noisy.safetensors --layer dropout --p 0.5 --seed {seed}");
        said(&folder, &words(&line));
        fs::read(folder.path().join("noisy.safetensors")).unwrap()
    });
    assert!(applied[0] == applied[1]);
}

#[test]
fn seed_and_dropout_change_the_results() {
    let folder = TempDir::new().unwrap();
    for (name, more) in [("a", ["--seed", "1"]), ("b", ["--seed", "2"]), ("c", ["--dropout", "0"])] {
        succeed(&folder, &with(QUICK, &with(&["--out", name], &more)));
    }
    let [a, b, c] = ["a", "b", "c"].map(|run| metrics(&folder, run));
    assert_ne!(a, b);
    assert_ne!(a, c);
}

#[test]
fn everything_dropped_is_legal_and_learns_only_the_frequencies() {
    let folder = TempDir::new().unwrap();
    succeed(&folder, &with(QUICK, &["--dropout", "1", "--out", "all"]));
    let [.., last] = metrics(&folder, "all")[..] else { panic!("no rows") };
    assert!(last[4] < 0.3, "{last:?}");
}

#[test]
fn quiet_and_other_runs_do_not_matter() {
    let folder = TempDir::new().unwrap();
    succeed(&folder, QUICK);
    succeed(&folder, &with(QUICK, &["--quiet"]));
    let [first, second] = ["runs/digits-p0.5-seed42", "runs/digits-p0.5-seed42-2"];
    assert_eq!(metrics(&folder, first), metrics(&folder, second));
}

/// Two classes that a line separates, with features of very different size.
fn flowers(classes: [&str; 2]) -> String {
    let mut text = String::from("\u{feff}petal,\"sepal, wide\", kind ,constant\n");
    for i in 0..60 {
        let class = i % 2;
        let (petal, sepal) = (1000.0 * class as f64 + (i * 37 % 100) as f64, -1e-3 * (i % 7) as f64);
        writeln!(text, "{petal}, {sepal:e},{},7", classes[class]).unwrap();
    }
    text
}

#[test]
fn a_csv_file_works_the_same_way() {
    let folder = TempDir::new().unwrap();
    for (name, classes) in [("text.csv", ["setosa", "\"virginica, wild\""]), ("integers.csv", ["10", "-9"])] {
        write(&folder, name, &flowers(classes));
        let args = ["train", "--data", name, "--target", "kind", "--epochs", "20", "--dropout", "0.1", "--seed", "3"];
        let [_, warnings] = said(&folder, &args);
        assert!(
            warnings.starts_with("warning: constant, so nothing can be learned from it: `constant`\n"),
            "{warnings}"
        );
        let stem = name.trim_end_matches(".csv");
        let rows = metrics(&folder, &format!("runs/{stem}-p0.1-seed3"));
        assert!(rows[9][4] > 0.9, "{name}: {rows:?}");
    }
    // Names do not matter, and 60 rows are split 15 to 45.
    assert_eq!(metrics(&folder, "runs/text-p0.1-seed3").len(), 10);
    let report = read(&folder, "runs/text-p0.1-seed3/report.html");
    assert!(report.contains("15 to train on, 45 for validation"));
}

/// A table whose target is a smooth function of two of its columns; the third one is noise.
fn hills() -> String {
    let number = |i: usize, step: usize| (i * step % 97) as f64 / 97.0;
    let row = |i| {
        let (a, b, c) = (number(i, 31), number(i, 57), number(i, 11));
        format!("{a},{b},{c},{}\n", 1000.0 + 50.0 * (a - b * b))
    };
    format!("a,b,c,height\n{}", (0..600).map(row).collect::<Vec<_>>().concat())
}

#[test]
fn numbers_are_predicted_where_the_task_is_regression() {
    let folder = TempDir::new().unwrap();
    write(&folder, "hills.csv", &hills());
    let line =
        "train --data hills.csv --target height --task regression --hidden 64 --epochs 60 --dropout 0.1 --out run";
    let printed = succeed(&folder, &words(line));
    assert!(
        printed.starts_with("table       CSV")
            && printed.contains("\ntraining R2")
            && printed.contains("\nvalidation R2"),
        "{printed}"
    );
    let text = read(&folder, "run/metrics.csv");
    assert!(text.starts_with("epoch,train_rmse,train_r2,val_rmse,val_r2\n6,"), "{text}");
    let rows = rows(&text);
    let [.., rmse, r2] = rows[9];
    assert!(r2 > 0.9 && rmse < 5.0, "R2 {r2}, RMSE {rmse}");
    assert!(rows[0][3] > rmse);
    // In the unit of the targets, whose standard deviation is 50 times the root of 1/12 + 4/45.
    assert!((rmse / (1.0 - r2).sqrt() / 20.7 - 1.0).abs() < 0.1, "R2 {r2}, RMSE {rmse}");
    let report = read(&folder, "run/report.html");
    assert!(report.contains("R2") && report.contains("RMSE") && !report.contains("accuracy"));
    let bytes = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor("output.weight").unwrap().shape(), [1, 64]);

    let refused = |text: &str| {
        write(&folder, "table.csv", text);
        refuse(&folder, &["train", "--data", "table.csv", "--target", "y", "--task", "regression"])
    };
    assert_eq!(refused("a,y\n1,x\n"), "error: table.csv: row 1, column `y`: expected a number or a date, but got `x`");
    assert_eq!(
        refused("a,y\n1,2\n2,x\n"),
        "error: table.csv: row 2, column `y`: expected a number, as before, but got `x`"
    );
    assert_eq!(refused("a,y\n1,\n"), "error: table.csv: the target of all rows is missing");
    assert_eq!(refused("a,y\n1,7\n2,7\n"), "error: table.csv: the target of all rows is 7; there is nothing to learn");
    let digits = refuse(&folder, &["train", "--task", "regression"]);
    assert_eq!(digits, "error: the built-in digits are classes: regression needs a table of your own");
}

#[test]
fn options_come_from_the_command_line_then_the_file_then_the_defaults() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        "options.toml",
        "dropout = 0.25\nhidden = [16]\nepochs = 2\nlearning_rate = 0.01\nseed = 7\nquiet = true\nout = \"there\"\n",
    );
    succeed(&folder, &["train", "--config", "options.toml", "--seed", "8", "--dropout", "0"]);
    assert_eq!(
        read(&folder, "there/config.toml"),
        "data = \"digits\"\ntask = \"classification\"\ndropout = 0.0\nhidden = [16]\nepochs = 2\nbatch_size = 32\nlearning_rate = 0.01\n\
         train_fraction = 0.25\nseed = 8\n"
    );
}

#[test]
fn a_run_is_overwritten_only_by_force_and_other_folders_never() {
    let folder = TempDir::new().unwrap();
    succeed(&folder, &with(QUICK, &["--out", "mine"]));
    let before = read(&folder, "mine/metrics.csv");
    let line = refuse(&folder, &with(QUICK, &["--out", "mine", "--seed", "5"]));
    assert_eq!(line, "error: mine holds a run already; overwrite it with --force, or name another with --out");
    assert_eq!(read(&folder, "mine/metrics.csv"), before);
    succeed(&folder, &with(QUICK, &["--out", "mine", "--seed", "5", "--force"]));
    assert_ne!(read(&folder, "mine/metrics.csv"), before);
    assert_eq!(entries(&folder.path().join("mine")).len(), 5);

    fs::create_dir(folder.path().join("photos")).unwrap();
    write(&folder, "photos/cat.png", "miaow");
    let line = refuse(&folder, &with(QUICK, &["--out", "photos", "--force"]));
    assert_eq!(line, "error: photos is not a run: it holds `cat.png`; name another folder with --out");
    assert_eq!(entries(&folder.path().join("photos")), ["cat.png"]);

    let line = refuse(&folder, &with(QUICK, &["--out", "photos/cat.png"]));
    assert!(line.starts_with("error: cannot use photos/cat.png for the results: "), "{line}");
}

#[test]
fn texts_are_categories_and_what_is_missing_does_not_matter() {
    let folder = TempDir::new().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let options = "--target kind --ignore name --hidden 32,32 --epochs 60 --dropout 0.1 --train-fraction 0.6";
    for (file, out) in [("animals.csv", "csv"), ("animals-snappy.parquet", "snappy"), ("animals-zstd.parquet", "zstd")]
    {
        succeed(&folder, &words(&format!("train --data {fixtures}/{file} {options} --out {out}")));
    }
    // The same table in another format gives the same bytes.
    for out in ["snappy", "zstd"] {
        for file in ["model.safetensors", "metrics.csv"] {
            assert!(
                fs::read(folder.path().join(out).join(file)).unwrap()
                    == fs::read(folder.path().join("csv").join(file)).unwrap()
            );
        }
    }
    let rows = metrics(&folder, "csv");
    assert!(rows[9][4] > 0.85, "{:?}", rows[9]);
    let schema = read(&folder, "csv/table.json").replace([' ', '\n'], "");
    assert!(schema.contains(r#"{"name":"colour","categories":["blue","green","red"]}"#), "{schema}");
    assert!(
        schema.contains(r#"{"name":"tame","categories":["False","True"]}"#) && !schema.contains("animal"),
        "{schema}"
    );
    let report = read(&folder, "csv/report.html");
    assert!(
        report.contains("4, seen as 7 numbers") && report.contains("18 in colour") && report.contains("11 in weight")
    );
    let weights = fs::read(folder.path().join("csv/model.safetensors")).unwrap();
    assert_eq!(SafeTensors::deserialize(&weights).unwrap().tensor("hidden.0.weight").unwrap().shape(), [32, 7]);

    // Numbers can be categories.
    succeed(&folder, &words(&format!("train --data {fixtures}/animals.csv {options} --categories legs --out legs")));
    let schema = read(&folder, "legs/table.json").replace([' ', '\n'], "");
    assert!(schema.contains(r#"{"name":"legs","categories":["2","3","4"]}"#), "{schema}");

    let line = refuse(&folder, &words(&format!("train --data {fixtures}/animals.csv {options} --categories lags")));
    assert!(line.ends_with("there is no column `lags`; did you mean `legs`?"), "{line}");
    let line = refuse(&folder, &words("train --ignore pixel_0"));
    assert_eq!(line, "error: --ignore and --categories name columns of a file; the built-in digits have none");
    write(&folder, "broken.parquet", "PAR1, but no more");
    let line = refuse(&folder, &words("train --data broken.parquet --target kind"));
    assert!(line.starts_with("error: broken.parquet: "), "{line}");
}

#[test]
fn bad_tables_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    for (text, expected) in [
        ("", "the file is empty: expected a header row, then one row per sample"),
        ("a,y\n", "the file has a header, but no rows"),
        ("a,b\n1,2\n", "there is no column `y`; only `a`, `b`"),
        ("y\n1\n2\n", "there is no column besides `y` to predict it from"),
        ("a,y,y\n1,2,3\n", "2 columns are named `y`: rename all but one"),
        (
            "b,y\n,0\nNaN,1\n",
            "there is no column besides `y` to predict it from; `b` is left out: all of its cells are missing",
        ),
        ("a,y\n1e309,0\n1,1\n", "row 1, column `a`: expected a number of at most 1e307, but got inf"),
        (
            "a,y\n1,0.5\n2,1\n",
            "row 1, column `y`: expected a whole number or a text as a class, but got `0.5`; for a number add --task regression",
        ),
        ("a,y\n1,0\n2,\n", "all rows are of one class, `0`; there is nothing to learn"),
        ("a,y\n1,spam\n2,spam\n", "all rows are of one class, `spam`; there is nothing to learn"),
        (
            "a,y\n1,0\n2,1,3\n",
            "line 3 has 3 cells, but the header has 2: put cells that hold `,` between quotes, or name the missing columns in the header",
        ),
    ] {
        write(&folder, "table.csv", text);
        let line = refuse(&folder, &["train", "--data", "table.csv", "--target", "y"]);
        assert!(line.starts_with("error: table.csv: ") && line.ends_with(expected), "{text:?}: {line}");
    }
    write(&folder, "table.csv", "a,y\n1,0\n2,1\n");
    let line = refuse(&folder, &["train", "--data", "table.csv", "--target", "y", "--train-fraction", "0.1"]);
    assert_eq!(line, "error: a train fraction of 0.1 makes 0 of 2 rows training rows; both parts need at least one");
    let line = refuse(&folder, &["train", "--data", "missing.csv", "--target", "y"]);
    assert!(line.starts_with("error: missing.csv: ") && line.contains("No such file"), "{line}");
    let line = refuse(&folder, &["train", "--data", "table.csv"]);
    assert_eq!(line, "error: table.csv: which column should be predicted? Name it with --target");
    let line = refuse(&folder, &["train", "--target", "y"]);
    assert_eq!(line, "error: --target names a column of a file; the built-in digits have none");
}

#[test]
fn bad_options_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    for (args, expected) in [
        (["--dropout", "1.5"], "dropout probability has to be between 0 and 1, but got 1.5"),
        (["--dropout", "-0.1"], "dropout probability has to be between 0 and 1, but got -0.1"),
        (["--dropout", "nan"], "dropout probability has to be between 0 and 1, but got NaN"),
        (
            ["--dropout", "half"],
            r#"expected a number between 0 and 1, or a table such as { kind = "drop-path", p = 0.1 }, but got half"#,
        ),
        (["--dropout", "kind = \"drop-path\""], "drop-path needs `p`"),
        (["--dropout", "{ p = 0.1 }"], r#"a table has a key `kind`, as in dropout = { kind = "drop-path", p = 0.1 }"#),
        (
            ["--dropout", "kind = \"drop-path\", p = 2"],
            "key `p`: dropout probability has to be between 0 and 1, but got 2",
        ),
        (["--hidden", "-5"], "'-5' for '--hidden <SIZES>': expected a whole number of at least 1, but got -5"),
        (["--hidden", "-5,-6"], "'-5' for '--hidden <SIZES>': expected a whole number of at least 1, but got -5"),
        (["--seed", "-x"], "'-x' for '--seed <N>': expected a whole number from -2^63 to 2^64 - 1, but got -x"),
        (["--task", "-x"], "'-x' for '--task <TASK>'; [possible values: classification, regression]"),
        (
            ["--learning-rate", "-1e-3"],
            "'-1e-3' for '--learning-rate <RATE>': expected a positive number, but got -0.001",
        ),
        (["--out", "-x"], "tip: a value that begins with a dash follows a `=`, as in --OPTION=-x"),
        (["--hidden", "64,0"], "expected a whole number of at least 1, but got 0"),
        (["--hidden", "1000000,1000000"], "at most 1000000000 fit"),
        (["--epochs", "-1"], "expected a whole number of at least 1, but got -1"),
        (
            ["--seed", "-9223372036854775809"],
            "expected a whole number from -2^63 to 2^64 - 1, but got -9223372036854775809",
        ),
        (["--seed", "half"], "expected a whole number from -2^63 to 2^64 - 1, but got half"),
        (["--learning-rate", "0"], "expected a positive number, but got 0"),
        (["--learning-rate", "inf"], "expected a positive number, but got inf"),
        (["--train-fraction", "1"], "expected a number above 0 and below 1, but got 1"),
        (["--drop", "0.5"], "unexpected argument '--drop' found; tip: a similar argument exists: '--dropout'"),
        (["--config", "missing.toml"], "cannot read missing.toml: No such file or directory (os error 2)"),
    ] {
        let line = refuse(&folder, &with(&["train"], &args));
        assert!(line.starts_with("error: ") && line.ends_with(expected), "{args:?}: {line}");
    }
}

#[test]
fn bad_config_files_are_refused_with_file_key_and_expectation() {
    let folder = TempDir::new().unwrap();
    for (text, expected) in [
        ("dropout = 1.5", "key `dropout`: dropout probability has to be between 0 and 1, but got 1.5"),
        (
            "dropout = \"half\"",
            r#"key `dropout`: expected a number between 0 and 1, or a table such as { kind = "drop-path", p = 0.1 }, but got "half""#,
        ),
        ("epochs = 0", "key `epochs`: expected a whole number of at least 1, but got 0"),
        ("epochs = 2.5", "key `epochs`: expected a whole number of at least 1, but got 2.5"),
        ("hidden = [64, \"x\"]", "key `hidden`: expected a whole number of at least 1, but got \"x\""),
        ("hidden = 64", "key `hidden`: expected a list in brackets, but got 64"),
        ("data = 3", "key `data`: expected a text in quotes, but got 3"),
        (
            "data = \"C:\\new\\table.csv\"",
            "key `data`: in double quotes a backslash begins a special character; write 'C:\\new\\table.csv'",
        ),
        ("model = \"cnn\"", "key `model`: expected \"mlp\" or \"gpt\", but got \"cnn\""),
        ("task = 2026-11-26", "key `task`: expected \"classification\" or \"regression\", but got 2026-11-26"),
        ("learning_rate = true", "key `learning_rate`: expected a positive number, but got true"),
        ("learning_rate = -1.0", "key `learning_rate`: expected a positive number, but got -1"),
        ("train_fraction = 0.0", "key `train_fraction`: expected a number above 0 and below 1, but got 0"),
        (
            "seed = 18446744073709551616",
            "key `seed`: expected a whole number from -2^63 to 2^64 - 1, but got 18446744073709551616",
        ),
        ("quiet = 1", "key `quiet`: expected true or false, but got 1"),
        ("drop_out = 0.5", "unknown key `drop_out`: did you mean `dropout`?"),
        ("epochs = 3\ndata = tr.csv", "line 2: texts stand in straight quotes: write data = \"tr.csv\""),
    ] {
        write(&folder, "bad.toml", text);
        let line = refuse(&folder, &["train", "--config", "bad.toml"]);
        assert_eq!(line, format!("error: bad.toml: {expected}"));
    }
    fs::write(folder.path().join("bad.toml"), [0xFF, 0xFE, b'e', 0]).unwrap();
    assert_eq!(refuse(&folder, &["train", "--config", "bad.toml"]), "error: bad.toml: expected a text in UTF-8");
}

/// The kinds of layers that a perceptron's activations can have.
const KINDS: &str =
    "dropout, dropout2d, alpha-dropout, feature-alpha-dropout, drop-path, gaussian-dropout, gaussian-noise";

#[test]
fn dropout_can_be_of_any_kind_that_takes_rows() {
    let folder = TempDir::new().unwrap();
    let run = |dropout: &str, out: &str| {
        succeed(&folder, &with(QUICK, &["--dropout", dropout, "--force", "--out", out]));
        read(&folder, &format!("{out}/metrics.csv"))
    };
    let plain = run("0.3", "plain");
    assert!(read(&folder, "plain/config.toml").contains("\ndropout = 0.3\n"));
    // The same layer as a table, and then written as the number.
    assert_eq!(run("kind = 'dropout', p = 0.3", "table"), plain);
    assert_eq!(read(&folder, "table/config.toml"), read(&folder, "plain/config.toml"));

    for (dropout, said) in [
        ("kind = 'dropout', p = 0.3, shared_axes = [0]", "dropout p = 0.3"),
        ("kind = 'alpha-dropout', p = 0.3", "alpha-dropout p = 0.3"),
        ("{ kind = 'drop-path', p = 0.3, mode = 'batch', scale_by_keep = false }", "drop-path p = 0.3"),
        ("kind = 'gaussian-dropout', p = 0.3", "gaussian-dropout p = 0.3"),
        ("kind = 'gaussian-noise', stddev = 2", "gaussian-noise stddev = 2"),
        ("kind = 'dropout', p = 0.3, schedule = { kind = 'linear', steps = 20 }", "dropout p = 0.3"),
    ] {
        let metrics = run(dropout, "run");
        assert_ne!(metrics, plain, "{dropout}");
        let report = read(&folder, "run/report.html");
        assert!(report.contains(&format!("<h1>Training with {said}</h1>")), "{dropout}");
        // What is written is read again, from a section of a file as from a table in braces.
        let config = read(&folder, "run/config.toml");
        succeed(&folder, &["train", "--config", "run/config.toml", "--out", "again", "--force"]);
        assert_eq!(read(&folder, "again/metrics.csv"), metrics, "{config}");
        assert_eq!(read(&folder, "again/config.toml"), config);
        let table = if dropout.starts_with('{') { dropout.to_owned() } else { format!("{{ {dropout} }}") };
        write(&folder, "inline.toml", &format!("dropout = {table}"));
        succeed(&folder, &with(QUICK, &["--config", "inline.toml", "--out", "again", "--force"]));
        assert_eq!(read(&folder, "again/config.toml"), config);
    }
    succeed(&folder, &with(QUICK, &["--dropout", "kind = 'drop-path', p = 0.25"]));
    succeed(&folder, &with(QUICK, &["--dropout", "kind = 'gaussian-noise', stddev = 1"]));
    assert_eq!(
        entries(&folder.path().join("runs")),
        ["digits-drop-path-p0.25-seed42", "digits-gaussian-noise-stddev1.0-seed42"]
    );
}

/// 1,797 digits, a quarter of them in batches of 32: 15 steps an epoch.
#[test]
fn a_schedule_counts_the_steps_of_the_optimiser() {
    let folder = TempDir::new().unwrap();
    let run = |dropout: &str| {
        succeed(&folder, &with(QUICK, &["--dropout", dropout, "--force", "--out", "run"]));
        metrics(&folder, "run")
    };
    let scheduled =
        |kind: &str, steps: u64| run(&format!("kind='dropout', p=0.3, schedule={{kind='{kind}', steps={steps}}}"));
    let (none, all) = (run("0"), run("0.3"));
    assert_eq!(scheduled("late", 45), none);
    assert_eq!(scheduled("late", 1_000), none);
    assert_eq!(scheduled("early", 45), all);
    let late = scheduled("late", 15);
    assert!(late[0] == none[0] && late[1] != none[1], "{late:?}");
    let early = scheduled("early", 30);
    assert!(early[..2] == all[..2] && early[2] != all[2], "{early:?}");
}

#[test]
fn dropout_that_takes_no_rows_is_refused_before_the_training() {
    let folder = TempDir::new().unwrap();
    let refused = |dropout: &str| {
        let line = refuse(&folder, &with(QUICK, &["--dropout", dropout]));
        line.strip_prefix("error: ").unwrap().to_owned()
    };
    let no_batch = |kind: &str| format!("{kind} does not take the first axis for a batch of samples");
    for (kind, why) in [
        ("dropout1d", no_batch("dropout1d")),
        ("dropout3d", no_batch("dropout3d")),
        ("drop-connect", no_batch("drop-connect")),
        ("embedding-dropout", no_batch("embedding-dropout")),
        ("token-dropout", no_batch("token-dropout")),
        ("drop-key", "drop-key is for the scores before a softmax".to_owned()),
        (
            "drop-block2d",
            "drop-block2d takes tensors of 4 dimensions (sample, channel, height, width), but got 2".to_owned(),
        ),
        (
            "drop-block3d",
            "drop-block3d takes tensors of 5 dimensions (sample, channel, depth, height, width), but got 2".to_owned(),
        ),
    ] {
        // Whatever its amount and its schedule.
        for rest in ["p = 0.5", "p = 0", "p = 0.1, schedule = { kind = 'late', steps = 1000 }"] {
            let expected = format!("dropout of a perceptron's [rows, units]: {why}; expected one of {KINDS}");
            assert_eq!(refused(&format!("kind = '{kind}', {rest}")), expected);
        }
    }
    assert_eq!(
        refused("kind = 'neftune-noise', alpha = 5"),
        format!("dropout of a perceptron's [rows, units]: {}; expected one of {KINDS}", no_batch("neftune-noise"))
    );
    assert_eq!(
        refused("kind = 'dropout', p = 0.1, shared_axes = [2]"),
        "dropout of a perceptron's [rows, units]: axis 2 cannot be shared by a tensor of 2 dimensions: axes are numbered from 0"
    );
    let zoneout = refused("kind = 'zoneout', p = 0.1");
    assert!(
        zoneout.contains("key `kind`: zoneout needs more than one tensor (")
            && zoneout.contains("; expected one of dropout, ")
    );

    // A run whose settings were changed by hand.
    succeed(&folder, &with(QUICK, &["--out", "run"]));
    write(&folder, "row.csv", &format!("{}\n{}\n", pixels(|i| format!("pixel {i}")), pixels(|_| "0".to_owned())));
    let config = read(&folder, "run/config.toml");
    for (dropout, message) in [
        ("{ kind = 'zoneout', p = 0.1 }", "key `dropout`: key `kind`: zoneout needs more than one tensor"),
        ("{ kind = 'drop-block2d', p = 0.1 }", "drop-block2d takes tensors of 4 dimensions"),
    ] {
        write(&folder, "run/config.toml", &config.replace("dropout = 0.5", &format!("dropout = {dropout}")));
        let line = refuse(&folder, &["predict", "--run", "run", "--data", "row.csv", "--samples", "2"]);
        assert!(line.starts_with("error: run/config.toml: ") && line.contains(message), "{line}");
    }
}

fn pixels(cell: impl Fn(usize) -> String) -> String {
    (0..64).map(cell).collect::<Vec<_>>().join(",")
}

#[test]
fn mistakes_in_a_table_of_dropout_are_named_with_what_is_accepted() {
    let folder = TempDir::new().unwrap();
    for (table, expected) in [
        ("kind = 'drop-paht', p = 0.1", "key `kind`: expected one of dropout, dropout1d, "),
        ("kind = 3, p = 0.1", "key `kind`: expected a text in quotes, but got 3"),
        ("p = 0.1", "a table has a key `kind`, as in dropout = { kind = \"drop-path\", p = 0.1 }"),
        ("kind = 'drop-path', pp = 0.1", "unknown key `pp`: did you mean `p`?"),
        (
            "kind = 'drop-path', p = 0.1, scale_by_kept = true",
            "unknown key `scale_by_kept`: did you mean `scale_by_keep`?",
        ),
        (
            "kind = 'drop-path', p = 0.1, foo = true",
            "unknown key `foo`: the keys are kind, p, stddev, alpha, shared_axes, channels_last, mode, scale_by_keep, block_size, \
             clipping, coupled_channels, schedule",
        ),
        ("kind = 'drop-path', p = 'x'", "key `p`: expected a number between 0 and 1, but got \"x\""),
        ("kind = 'drop-path', p = 1.5", "key `p`: dropout probability has to be between 0 and 1, but got 1.5"),
        ("kind = 'drop-path', stddev = 1.5", "`stddev` is not for drop-path, which takes `p`"),
        ("kind = 'gaussian-noise'", "gaussian-noise needs `stddev`"),
        ("kind = 'gaussian-noise', stddev = -1", "key `stddev`: expected a finite number of at least 0, but got -1"),
        (
            "kind = 'gaussian-dropout', p = 1",
            "gaussian-dropout takes p below 1: the variance of its noise is p / (1 - p)",
        ),
        ("kind = 'dropout', p = 0.1, mode = 'row'", "`mode` is for drop-path, not for dropout"),
        ("kind = 'dropout', p = 0.1, channels_last = false", "`channels_last` is for dropout1d, dropout2d, "),
        (
            "kind = 'dropout', p = 0.1, clipping = false",
            "`clipping` is for drop-block2d, drop-block3d, not for dropout",
        ),
        ("kind = 'drop-path', p = 0.1, mode = 'all'", "key `mode`: expected \"row\" or \"batch\", but got \"all\""),
        ("kind = 'dropout', p = 0.1, shared_axes = 1", "key `shared_axes`: expected a list in brackets, but got 1"),
        (
            "kind = 'dropout', p = 0.1, shared_axes = [-1]",
            "key `shared_axes`: expected a whole number of at least 0, but got -1",
        ),
        (
            "kind = 'drop-block2d', p = 0.1, block_size = 0",
            "key `block_size`: expected a whole number of at least 1, but got 0",
        ),
        ("kind = 'drop-path', p = 0.1, scale_by_keep = 1", "key `scale_by_keep`: expected true or false, but got 1"),
        (
            "kind = 'dropout', p = 0.1, schedule = { kind = 'lin', steps = 3 }",
            "key `schedule`: unknown variant `lin`, expected one of `constant`, `linear`, `curriculum`, `early`, `early-linear`, `late`",
        ),
        ("kind = 'dropout', p = 0.1, schedule = { kind = 'linear' }", "key `schedule`: missing field `steps`"),
        ("kind = 'dropout', p = 0.1, schedule = 'linear'", "key `schedule`: "),
    ] {
        write(&folder, "bad.toml", &format!("dropout = {{ {table} }}\n"));
        for (line, start) in [
            (refuse(&folder, &["train", "--dropout", table]), "error: invalid value '"),
            (refuse(&folder, &["train", "--config", "bad.toml"]), "error: bad.toml: "),
        ] {
            assert!(line.starts_with(start) && line.contains(expected), "{table}: {line}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_what_it_finished_readable() {
    use std::process::Stdio;
    use std::thread;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let folder = TempDir::new().unwrap();
    let child = program(&folder, &words("train --hidden 32 --epochs 1000000 --eval-interval 2 --out long"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let finished_some =
        || fs::read_to_string(folder.path().join("long/metrics.csv")).is_ok_and(|text| text.lines().count() > 3);
    let start = Instant::now();
    while !finished_some() {
        assert!(start.elapsed() < Duration::from_mins(2), "no epochs");
        thread::sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();

    assert_eq!(output.status.code(), Some(130));
    let rows = metrics(&folder, "long");
    let printed = String::from_utf8(output.stdout).unwrap();
    let [epoch, ..] = rows[rows.len() - 1];
    assert!(printed.starts_with(&format!("interrupted after {epoch} of 1000000 epochs\n")), "{printed}");
    assert_eq!(entries(&folder.path().join("long")).len(), 5);
    let weights = fs::read(folder.path().join("long/model.safetensors")).unwrap();
    assert_eq!(SafeTensors::deserialize(&weights).unwrap().len(), 4);
    assert!(read(&folder, "long/report.html").ends_with("</html>"));
}

#[test]
fn help_and_version_go_to_stdout() {
    let folder = TempDir::new().unwrap();
    assert!(succeed(&folder, &["--version"]).starts_with("nn-dropout 0."));
    assert!(succeed(&folder, &["train", "--help"]).contains("--train-fraction <SHARE>"));
}

#[test]
fn a_device_that_the_program_was_not_built_for_is_refused() {
    let folder = TempDir::new().unwrap();
    assert_eq!(
        refuse(&folder, &["train", "--device", "rocm"]),
        "error: --device rocm needs a program built with `--features rocm`, and this one has cpu"
    );
    assert_eq!(
        refuse(&folder, &["train", "--device", "quantum"]),
        "error: invalid value 'quantum' for '--device <DEVICE>'; [possible values: cpu, cuda, metal, rocm, vulkan, wgpu]"
    );
    let cpu = succeed(&folder, &with(QUICK, &["--device", "cpu", "--out", "run"]));
    assert!(cpu.contains("validation accuracy"), "{cpu}");
    assert!(!read(&folder, "run/config.toml").contains("device"));
}
