//! `nn-dropout predict`, run as a user runs it.

mod common;

use std::fs;

use common::{run, succeed, words};
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
    let plain = |more: &[&str]| succeed(&folder, &[&["predict", "--run", "plain", "--data", "new.csv"], more].concat());
    let (once, sampled) = (cells(&plain(&[]), "class,probability"), cells(&plain(&["--samples", "3"]), header));
    for (once, sampled) in once.iter().zip(&sampled) {
        assert_eq!(once[0], sampled[0]);
        assert!((number(&once[1]) - number(&sampled[1])).abs() < 1e-9 && number(&sampled[3]) < 1e-9, "{sampled:?}");
    }
}

#[test]
fn numbers_are_predicted_in_their_unit() {
    let folder = TempDir::new().unwrap();
    let text = table(|a, b| (1000.0 + 100.0 * a * b).to_string());
    fs::write(folder.path().join("table.csv"), &text).unwrap();
    let line = "train --data table.csv --target y --task regression --hidden 64 --epochs 60 --dropout 0.1 --out run";
    succeed(&folder, &words(line));
    let predict =
        |more: &[&str]| succeed(&folder, &[&["predict", "--run", "run", "--data", "table.csv"], more].concat());
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
    succeed(
        &folder,
        &["train", "--data", "table.csv", "--target", "y", "--hidden", "8", "--epochs", "1", "--out", "run"],
    );
    write("other.csv", "a,c\n1,2\n");
    write("text.csv", "a,b\n1,2\n3,many\n");
    write("empty.csv", "a,b\n");
    let refuse = |args: &[&str], message: &str| refuse(&folder, &[&["predict"], args].concat(), message);
    refuse(&["--run", "no", "--data", "table.csv"], "there is no run in no");
    let column = "other.csv: there is no column `b`, which the model needs";
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
    let predict = |file: &str| run(&folder, &words(&format!("predict --run run --data {file}")));
    let [csv, parquet] = ["animals.csv", "animals-zstd.parquet"].map(|file| predict(&format!("{fixtures}/{file}")));
    assert!(csv.stdout == parquet.stdout && csv.stderr.is_empty() && parquet.stderr.is_empty());

    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("new.csv", "legs,colour,weight,tame\n2,pink,40,True\n2,NA,,True\n3,grey,40,True\n");
    write("gaps.csv", "legs,colour,weight,tame\n2,,40,True\n2,,,True\n3,,40,True\n");
    let (new, gaps) = (predict("new.csv"), predict("gaps.csv"));
    let note = "note: column `colour`: 2 cells hold what the model has not seen, as `pink`, and count as missing\n";
    assert_eq!(String::from_utf8(new.stderr).unwrap(), note);
    assert_eq!(new.stdout, gaps.stdout);
    assert!(new.status.success() && gaps.stderr.is_empty());
}
