//! `nn-dropout predict`, run as a user runs it.

mod common;

use std::fs;

use common::{peak, said, succeed, words};
use tempfile::TempDir;

fn refuse(folder: &TempDir, args: &[&str], message: &str) {
    assert_eq!(common::refuse(folder, args), format!("error: {message}"));
}

/// A table whose target is a function of `a` and `b`: a class, or a number.
fn table(target: impl Fn(f64, f64) -> String) -> String {
    let number = |i: usize, step: usize| (i * step % 101) as f64 / 101.0;
    let row = |i| format!("{},{},{}\n", number(i, 31), number(i, 57), target(number(i, 31), number(i, 57)));
    format!("a,b,y\n{}", (0..500).map(row).collect::<Vec<_>>().concat())
}

/// The cells below the header.
fn cells(csv: &str, header: &str) -> Vec<Vec<String>> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(header));
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap()
}

#[test]
fn classes_are_predicted_with_their_probability_and_uncertainty() {
    let folder = TempDir::new().unwrap();
    let text = table(|a, b| if a + b > 1.0 { "far" } else { "near" }.to_owned());
    fs::write(folder.path().join("table.csv"), &text).unwrap();
    let train = ["train", "--data", "table.csv", "--target", "y", "--hidden", "32", "--epochs", "40", "--out"];
    succeed(&folder, &[&train[..], &["run", "--dropout", "0.3"]].concat());

    // The columns in another order, and one that the model does not know.
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let others: Vec<String> = rows.iter().map(|row| format!("{},x,{}\n", row[1], row[0])).collect();
    fs::write(folder.path().join("new.csv"), format!("b,name,a\n{}", others.concat())).unwrap();
    let predict = |more: &[&str]| succeed(&folder, &[&["predict", "--run", "run", "--data", "new.csv"], more].concat());
    let predicted = cells(&predict(&[]), "class,probability");
    assert_eq!(predicted.len(), 500);
    let right = predicted.iter().zip(&rows).filter(|(predicted, row)| predicted[0] == row[2]).count();
    assert!(right > 480, "{right}");
    assert!(predicted.iter().all(|row| (0.5..=1.0).contains(&number(&row[1]))));

    let header = "class,probability,entropy,mutual_information";
    let csv = predict(&["--samples", "20"]);
    assert_eq!(predict(&["--samples", "20"]), csv);
    assert_ne!(predict(&["--samples", "20", "--seed", "1"]), csv);
    assert_eq!(predict(&["--samples", "20", "--output", "out.csv"]), "");
    assert_eq!(fs::read_to_string(folder.path().join("out.csv")).unwrap(), csv);
    let sampled = cells(&csv, header);
    for row in &sampled {
        let [p, entropy, information] = [1, 2, 3].map(|i| number(&row[i]));
        assert!((-p * p.ln() - (1.0 - p) * (1.0 - p).ln() - entropy).abs() < 1e-5 || p > 0.999_999, "{row:?}");
        assert!(0.0 <= information && information <= entropy + 1e-9 && entropy <= 0.694, "{row:?}");
    }
    // Wrong answers are more uncertain than right ones.
    let mean = |right: bool| {
        let entropies: Vec<f64> = sampled
            .iter()
            .zip(&rows)
            .filter(|(s, row)| (s[0] == row[2]) == right)
            .map(|(s, _)| number(&s[2]))
            .collect();
        entropies.iter().sum::<f64>() / entropies.len() as f64
    };
    assert!(mean(false) > 1.3 * mean(true), "{} against {}", mean(false), mean(true));

    // Without dropout all samples are alike: nothing to learn about, and the prediction in eval mode.
    succeed(&folder, &[&train[..], &["plain", "--dropout", "0"]].concat());
    let plain = |more: &[&str]| said(&folder, &[&["predict", "--run", "plain", "--data", "new.csv"], more].concat());
    let ([once, silence], [sampled, note]) = (plain(&[]), plain(&["--samples", "3"]));
    assert_eq!(silence, "");
    assert!(note.starts_with("note: the run was trained with p = 0, so all samples of a row are the same"), "{note}");
    let (once, sampled) = (cells(&once, "class,probability"), cells(&sampled, header));
    for (once, sampled) in once.iter().zip(&sampled) {
        assert_eq!(once[0], sampled[0]);
        assert!((number(&once[1]) - number(&sampled[1])).abs() < 1e-9 && sampled[3] == "0", "{sampled:?}");
    }
}

#[test]
fn numbers_are_predicted_in_their_unit() {
    let folder = TempDir::new().unwrap();
    let text = table(|a, b| (1000.0 + 100.0 * a * b).to_string());
    fs::write(folder.path().join("table.csv"), &text).unwrap();
    let line = "train --data table.csv --target y --task regression --hidden 64 --epochs 60 --dropout 0.1 --out run";
    succeed(&folder, &words(line));
    let predict = |more: &[&str]| {
        let [stdout, note] = said(&folder, &[&["predict", "--run", "run", "--data", "table.csv"], more].concat());
        assert_eq!(
            note,
            "note: the run was trained on this very table, so the predictions are better than for new rows\n"
        );
        stdout
    };
    let targets = text.lines().skip(1).map(|line| number(line.rsplit(',').next().unwrap()));
    let errors =
        cells(&predict(&[]), "prediction").into_iter().zip(targets).map(|(row, y)| (number(&row[0]) - y).powi(2));
    let rmse = (errors.sum::<f64>() / 500.0).sqrt();
    assert!(rmse < 10.0, "{rmse}");
    let sampled = cells(&predict(&["--samples", "30"]), "prediction,deviation");
    assert!(sampled.iter().all(|row| (0.01..30.0).contains(&number(&row[1]))));
}

#[test]
fn what_cannot_be_predicted_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("table.csv", &table(|a, _| if a > 0.5 { "1" } else { "0" }.to_owned()));
    said(&folder, &["train", "--data", "table.csv", "--target", "y", "--hidden", "8", "--epochs", "1", "--out", "run"]);
    write("other.csv", "a,c\n1,2\n");
    write("text.csv", "a,b\n1,2\n3,many\n");
    write("empty.csv", "a,b\n");
    let refuse = |args: &[&str], message: &str| refuse(&folder, &[&["predict"], args].concat(), message);
    refuse(&["--run", "no", "--data", "table.csv"], "there is no run in no");
    let column = "other.csv: there is no column `b`, which the model needs; only `a`, `c`";
    refuse(&["--run", "run", "--data", "other.csv"], column);
    refuse(&["--run", "run", "--data", "text.csv"], "text.csv: row 2, column `b`: expected a number, but got `many`");
    refuse(&["--run", "run", "--data", "empty.csv"], "empty.csv: the file has no rows");
    refuse(&["--run", "run", "--data", "no.csv"], "no.csv: No such file or directory (os error 2)");
    let samples = "invalid value '0' for '--samples <N>': expected a whole number of at least 1, but got 0";
    refuse(&["--run", "run", "--data", "table.csv", "--samples", "0"], samples);
}

#[test]
fn rows_with_gaps_and_new_texts_are_predicted_with_a_note() {
    let folder = TempDir::new().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let line =
        format!("train --data {fixtures}/animals.csv --target kind --ignore name --hidden 16 --epochs 20 --out run");
    succeed(&folder, &words(&line));
    let predict = |file: &str| said(&folder, &words(&format!("predict --run run --data {file}")));
    let [csv, parquet] = ["animals.csv", "animals-zstd.parquet"].map(|file| predict(&format!("{fixtures}/{file}")));
    assert!(csv[0] == parquet[0] && csv[1].contains("on this very table") && parquet[1].is_empty());

    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("new.csv", "legs,colour,weight,tame\n2,pink,40,True\n2,NA,,True\n3,grey,40,True\n");
    write("gaps.csv", "legs,colour,weight,tame\n2,,40,True\n2,,,True\n3,,40,True\n");
    let ([new, note], [gaps, silence]) = (predict("new.csv"), predict("gaps.csv"));
    assert_eq!(
        note,
        "note: column `colour`: 2 of 2 cells hold what the model has not seen, such as `pink`, and count as missing\n"
    );
    assert!(new == gaps && silence.is_empty());
}

/// A run of a classification, in a folder with its table.
fn classifier() -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = table(|a, b| {
        if a + b > 1.2 {
            "far"
        } else if a > b {
            "near"
        } else {
            "in, between"
        }
        .to_owned()
    });
    let text = text.replace("in, between", "\"in, between\"");
    fs::write(folder.path().join("table.csv"), &text).unwrap();
    said(&folder, &words("train --data table.csv --target y --hidden 16 --epochs 5 --dropout 0.2 --out run"));
    folder
}

#[test]
fn probabilities_and_columns_of_the_data_can_be_added() {
    let folder = classifier();
    fs::write(
        folder.path().join("new.csv"),
        "id,a,b,\"the name\"\n007,0.5,0.25,\"x, y\"\n12345678901234567890,0.1,0.9,\n",
    )
    .unwrap();
    let predict = |more: &str| succeed(&folder, &words(&format!("predict --run run --data new.csv {more}")));
    let csv = predict("--probabilities --samples 5 --keep id");
    let header =
        "id,class,probability,entropy,mutual_information,probability_far,\"probability_in, between\",probability_near";
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(header));
    for (line, id) in lines.by_ref().zip(["007", "12345678901234567890"]) {
        let cells: Vec<&str> = line.rsplitn(6, ',').collect();
        let probabilities = [2, 1, 0].map(|i| number(cells[i]));
        assert!(
            line.starts_with(&format!("{id},")) && (probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6,
            "{line}"
        );
        let most = probabilities.iter().copied().fold(0.0, f64::max);
        assert_eq!(number(cells[5].rsplit(',').next().unwrap()), most, "{line}");
    }
    let kept = succeed(&folder, &["predict", "--run", "run", "--data", "new.csv", "--keep", "the name,b"]);
    assert!(kept.starts_with("the name,b,class,probability\n\"x, y\",0.25,") && kept.contains("\n,0.9,"), "{kept}");
    let line = "new.csv: there is no column `ids` to keep; did you mean `id`?";
    refuse(&folder, &words("predict --run run --data new.csv --keep ids"), line);

    // An index of many rows keeps their order.
    let rows = (0..5000).map(|n| format!("{n},{},0.5,\n", f64::from(n) / 5000.0)).collect::<Vec<_>>().concat();
    fs::write(folder.path().join("new.csv"), format!("id,a,b,c\n{rows}")).unwrap();
    let ids: Vec<String> =
        predict("--keep id").lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert!(ids.iter().enumerate().all(|(n, id)| *id == n.to_string()) && ids.len() == 5000);
    refuse(
        &folder,
        &words("predict --run run --data new.csv --samples 2 --keep id,a,b,d"),
        "new.csv: there is no column `d` to keep; only `id`, `a`, `b`, `c`",
    );
}

#[test]
fn predictions_can_be_a_parquet_file() {
    let folder = classifier();
    let predict = |more: &str| said(&folder, &words(&format!("predict --run run --data table.csv --samples 3 {more}")));
    for name in ["out.parquet", "out.PQ"] {
        predict(&format!("--probabilities --keep y --output {name}"));
        // A table like any other: its cells are those of the CSV file.
        let described = succeed(&folder, &words(&format!("describe --data {name}")));
        assert!(
            described.starts_with("table       Parquet, 500 rows\nnumbers     `probability`, `entropy`, "),
            "{described}"
        );
        assert!(described.contains("categories  `y` (3), `class` ("), "{described}");
    }
    predict("--probabilities --keep y --output out.csv");
    // A network learns the same from both.
    for name in ["out.parquet", "out.csv"] {
        said(&folder, &words(&format!("train --data {name} --target y --hidden 4 --epochs 2 --quiet --out of-{name}")));
    }
    let [parquet, csv] =
        ["parquet", "csv"].map(|end| fs::read(folder.path().join(format!("of-out.{end}/model.safetensors"))).unwrap());
    assert!(parquet == csv);
    // What is refused leaves the file as it was.
    fs::write(folder.path().join("late.csv"), "a,b\n".to_owned() + &"0.5,0.5\n".repeat(3000) + "x,1\n").unwrap();
    for name in ["out.parquet", "out.csv"] {
        let before = fs::read(folder.path().join(name)).unwrap();
        let line = "late.csv: row 3001, column `a`: expected a number, but got `x`";
        refuse(&folder, &words(&format!("predict --run run --data late.csv --output {name}")), line);
        assert!(fs::read(folder.path().join(name)).unwrap() == before);
    }
    refuse(
        &folder,
        &words("predict --run run --data table.csv --output no/out.csv"),
        "cannot write no/out.csv: No such file or directory (os error 2)",
    );
}

#[test]
fn an_output_is_never_the_data_or_a_device_and_names_no_column_twice() {
    let folder = classifier();
    let before = fs::read(folder.path().join("table.csv")).unwrap();
    let refuse =
        |more: &str, line: &str| refuse(&folder, &words(&format!("predict --run run --data table.csv {more}")), line);
    refuse("--output ./table.csv", "./table.csv is the data: name another file with --output");
    refuse("--output run", "cannot write run: expected a regular file, or a new one");
    refuse("--keep y,y", "two columns of the predictions would be named `y`; leave one out of --keep");
    let csv = "out.csv.gz: predictions are CSV or Parquet: expected a name that ends in .csv or .parquet, not in .gz";
    refuse("--output out.csv.gz", csv);
    fs::write(folder.path().join("class.csv"), "a,b,class\n0.5,0.5,x\n").unwrap();
    let twice = "two columns of the predictions would be named `class`; leave one out of --keep";
    self::refuse(&folder, &words("predict --run run --data class.csv --keep class"), twice);
    assert!(fs::read(folder.path().join("table.csv")).unwrap() == before);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("real.csv", folder.path().join("link.csv")).unwrap();
        fs::write(folder.path().join("real.csv"), "old").unwrap();
        said(&folder, &words("predict --run run --data table.csv --output link.csv"));
        assert!(
            folder.path().join("link.csv").is_symlink()
                && fs::read_to_string(folder.path().join("real.csv")).unwrap().starts_with("class,")
        );
        refuse("--output /dev/full", "cannot write /dev/full: expected a regular file, or a new one");
    }
}

#[test]
fn kept_columns_of_parquet_keep_their_types() {
    let folder = TempDir::new().unwrap();
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tables");
    let train = format!(
        "train --data {tables}/polars.parquet --target count --task regression --hidden 4 --epochs 2 --out run"
    );
    said(&folder, &words(&train));
    let keep = "weight,count,colour,tame,day,seen,kind";
    for name in ["kept.parquet", "kept.csv"] {
        said(
            &folder,
            &words(&format!("predict --run run --data {tables}/pyarrow-ns.parquet --keep {keep} --output {name}")),
        );
    }
    // A network learns the same from the kept columns as from the table itself.
    let learn = |data: &str, out: &str| {
        said(
            &folder,
            &words(&format!("train --data {data} --target kind --ignore prediction --hidden 4 --epochs 2 --out {out}")),
        );
        fs::read(folder.path().join(out).join("model.safetensors")).unwrap()
    };
    let plain = fs::read_to_string(format!("{tables}/pandas-plain.csv")).unwrap();
    let with = |(n, line): (usize, &str)| format!("{line},{}\n", if n == 0 { "prediction" } else { "0" });
    fs::write(folder.path().join("plain.csv"), plain.lines().enumerate().map(with).collect::<String>()).unwrap();
    let expected = learn("plain.csv", "of-plain");
    assert!(learn("kept.parquet", "of-parquet") == expected && learn("kept.csv", "of-csv") == expected);
    let described = succeed(&folder, &words("describe --data kept.parquet"));
    assert!(
        described.contains("numbers     `weight`, `count`, `prediction`")
            && described.contains("dates       `day` (2023"),
        "{described}"
    );
}

#[test]
fn new_rows_are_read_as_those_of_the_training() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    // In the training only column `b` shows that points group digits; the new file has nothing that shows it.
    let row = |n: usize| format!("1.{:03};0,{};{}/{}/2024;{}\n", n % 1000, n % 10, 1 + n % 28, 1 + n % 12, n % 2);
    write("table.csv", &format!("a;b;day;y\n{}", (0..200).map(row).collect::<String>()));
    said(&folder, &words("train --data table.csv --target y --hidden 4 --epochs 1 --out run"));
    let predict = |table: &str| {
        write("new.csv", table);
        succeed(&folder, &words("predict --run run --data new.csv"))
    };
    let expected = predict("a,b,day\n1150,3,2024-04-03\n");
    assert_eq!(predict("a;b;day\n1.150;3;3/4/2024\n"), expected);
    assert_ne!(predict("a;b;day\n1150;3;4/3/2024\n"), expected);
    assert_eq!(predict("a;b;day\n1.150;3,0;03.04.2024\n"), expected);
    // Where points look decimal in the new file, it has to be said.
    write("new.csv", "a,b,day\n1.150,3,2024-04-03\n");
    let unclear = "new.csv: row 1, column `a`: `1.150` can be read as two numbers; say which mark is decimal with --decimal . or --decimal ,";
    refuse(&folder, &words("predict --run run --data new.csv"), unclear);
    assert_eq!(succeed(&folder, &words("predict --run run --data new.csv --decimal ,")), expected);
    // But what a file shows itself comes first.
    assert_eq!(predict("a,b,day\n1150.0,3,4/3/2024\n1150.5,3,4/13/2024\n").lines().nth(1), expected.lines().nth(1));
    write("new.csv", "a,b,day\n1150,3,2024-04-03 9 o'clock\n");
    let line = "new.csv: row 1, column `day`: expected a date, but got `2024-04-03 9 o'clock`";
    refuse(&folder, &words("predict --run run --data new.csv"), line);
    write("new.csv", "a,b,day\n5 %,3,2024-04-03\n");
    refuse(
        &folder,
        &words("predict --run run --data new.csv"),
        "new.csv: row 1, column `a`: expected a number, but got `5 %`",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_number_of_rows_and_samples_does_not_matter_for_memory() {
    let folder = classifier();
    let row = |n: usize| format!("{},{},some text that is not needed\n", n % 97, n % 89);
    for count in [2_000, 100_000] {
        let text: String = (0..count).map(row).collect();
        fs::write(folder.path().join(format!("{count}.csv")), format!("a,b,text\n{text}")).unwrap();
    }
    let peaks = [(2_000, 2), (100_000, 2), (2_000, 50)].map(|(count, samples)| {
        peak(
            &folder,
            &words(&format!("predict --run run --data {count}.csv --keep text --samples {samples} --output out.csv")),
        )
    });
    assert!(peaks.iter().all(|peak| *peak < peaks[0] + 16_000), "{peaks:?} kB");
}

/// A sample is one sub-network for all rows: what is predicted for a row is the same to the last digit, alone or among others.
#[test]
fn a_rows_prediction_does_not_depend_on_the_others() {
    let folder = TempDir::new().unwrap();
    let text = table(|a, b| if a + b > 1.0 { "far" } else { "near" }.to_owned());
    let numbers = table(|a, b| (2.0 * a - b).to_string());
    for (name, text, options) in [
        ("classes", &text, "--dropout 0.5"),
        ("numbers", &numbers, "--task regression --dropout 0.5"),
        ("noise", &text, r#"--dropout kind="gaussian-dropout",p=0.5"#),
        ("paths", &text, r#"--dropout {kind="drop-path",p=0.5,schedule={kind="linear",steps=9}}"#),
    ] {
        fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
        let train = format!("train --data {name}.csv --target y {options} --hidden 96,33 --epochs 3 --out {name}");
        succeed(&folder, &words(&train));
        let rows: Vec<&str> = text.lines().skip(1).collect();
        let predict = |rows: &[&str], more: &str| -> Vec<String> {
            fs::write(folder.path().join("new.csv"), format!("a,b,y\n{}\n", rows.join("\n"))).unwrap();
            let args = format!("predict --run {name} --data new.csv {more}");
            let [predicted, _] = said(&folder, &words(&args));
            predicted.lines().skip(1).map(str::to_owned).collect()
        };
        for more in ["", "--samples 7"] {
            let whole = predict(&rows, more);
            assert_eq!(whole.len(), rows.len());
            for row in [0, 9, 255, 256, 300, 499] {
                assert_eq!(predict(&rows[row..=row], more), whole[row..=row], "{name} {more}: row {row} alone");
            }
            assert_eq!(predict(&rows[5..200], more), whole[5..200], "{name} {more}: some rows");
            let shuffled: Vec<usize> = (0..rows.len()).map(|i| i * 77 % rows.len()).collect();
            let predicted = predict(&shuffled.iter().map(|&row| rows[row]).collect::<Vec<_>>(), more);
            assert!(shuffled.iter().zip(&predicted).all(|(&row, line)| whole[row] == *line), "{name} {more}: shuffled");
        }
    }
}
