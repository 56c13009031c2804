//! `nn-dropout sweep`, run as a user runs it.

mod common;

use std::fs;

use common::sweeps::{QUICK, hills, read, results, story, write};
use common::{entries, program, refuse, run, succeed, words};
use rusqlite::Connection;
use tempfile::TempDir;

#[test]
fn a_sweep_answers_and_each_trial_is_a_training() {
    let folder = TempDir::new().unwrap();
    let printed = succeed(&folder, &words(QUICK));
    let out = "runs/digits-sweep";
    assert_eq!(
        entries(&folder.path().join(out)),
        ["chosen", "recommended.toml", "report.html", "results.csv", "study.db"]
    );
    let rows = results(&folder, out);
    let trials = rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect::<Vec<_>>();
    assert_eq!(trials, [("0.0", "42"), ("0.5", "42"), ("0.0", "43"), ("0.5", "43")]);
    for row in &rows {
        assert_eq!(row[4..], ["3", "complete"]);
        let line =
            format!("train --hidden 16 --epochs 3 --dropout {} --seed {} --quiet --out run --force", row[0], row[1]);
        succeed(&folder, &words(&line));
        let metrics = read(&folder, "run/metrics.csv");
        let last: Vec<&str> = metrics.lines().last().unwrap().split(',').collect();
        assert_eq!([&row[2], &row[3]], [last[2], last[4]], "{row:?}");
    }

    // The answer is that of the table.
    let mean = |p: &str, column: usize| {
        let values = rows.iter().filter(|row| row[0] == p).map(|row| row[column].parse::<f64>().unwrap());
        100.0 * values.sum::<f64>() / 2.0
    };
    let of = |p: &str| printed.lines().find(|line| line.trim_start().starts_with(&format!("{p} "))).unwrap();
    for p in ["0", "0.5"] {
        let [train, validation] = [2, 3].map(|column| mean(if p == "0" { "0.0" } else { p }, column));
        let (train, validation) = (format!(" {train:.1} %"), format!(" {validation:.1} % ± "));
        assert!(of(p).contains(&train) && of(p).contains(&validation), "{train} {validation} {printed}");
    }
    let difference = mean("0.5", 3) - mean("0.0", 3);
    assert!(of("0.5").contains(&format!(" {difference:+.1} [")), "{printed}");
    let chosen = if of("0").contains("<- chosen") { 0.0 } else { 0.5 };
    assert!(printed.contains(&format!("\np = {chosen}: validation accuracy ")), "{printed}");
    let recommended = read(&folder, &format!("{out}/recommended.toml"));
    assert!(recommended.contains(&format!("dropout = {chosen:?}\n")), "{recommended}");
    assert_eq!(recommended, read(&folder, &format!("{out}/chosen/config.toml")));
    let report = read(&folder, &format!("{out}/report.html"));
    let answer = printed.lines().find(|line| line.starts_with("p = ")).unwrap();
    for said in [answer, "How it was learned", "Every trial", "nn.Dropout(", "nn-dropout sweep --config"] {
        assert!(report.contains(said), "{said}");
    }
    assert_eq!(report.matches("http").count(), report.matches("http://www.w3.org/2000/svg").count(), "self-contained");

    // The same command finds everything done, and another experiment gets a folder of its own.
    assert_eq!(succeed(&folder, &words(QUICK)), printed);
    succeed(&folder, &words(&QUICK.replace("--epochs 3", "--epochs 2")));
    assert_eq!(entries(&folder.path().join("runs")), ["digits-sweep", "digits-sweep-2"]);
    // More seeds and rates only add trials.
    let line = QUICK.replace("--seeds 2", "--seeds 3").replace("0,0.5", "0,0.3,0.5");
    succeed(&folder, &words(&format!("{line} --out {out}")));
    let more = results(&folder, out);
    assert_eq!(more.len(), 9);
    assert!(rows.iter().all(|row| more.contains(row)));
    let database = Connection::open(folder.path().join(out).join("study.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM trial WHERE state = 'complete'"), 9);
    assert_eq!(count("SELECT count(*) FROM epoch"), 27);
}

#[test]
fn a_seed_is_any_64_bits() {
    let folder = TempDir::new().unwrap();
    for search in ["", " --search tpe --trials 4"] {
        let line = format!("{QUICK} --seed -1{search} --out out{}", search.len());
        let out = format!("out{}", search.len());
        let printed = succeed(&folder, &words(&line));
        assert_eq!(results(&folder, &out)[..2].iter().map(|row| &row[1]).max().unwrap(), "18446744073709551615");
        let recommended = read(&folder, &format!("{out}/recommended.toml"));
        assert!(recommended.ends_with("\nseed = -1\n"), "{recommended}");
        // The unsigned number is the same seed, and the study continues.
        assert_eq!(succeed(&folder, &words(&line.replace("-1", "18446744073709551615"))), printed);
        succeed(&folder, &words(&format!("train --config {out}/recommended.toml --quiet --out run{out}")));
    }
}

#[test]
fn what_it_recommends_can_be_swept_and_trained_again() {
    let folder = TempDir::new().unwrap();
    succeed(&folder, &words(&format!("{QUICK} --out first")));
    succeed(&folder, &words("train --config first/recommended.toml --quiet --out run"));
    assert_eq!(read(&folder, "run/metrics.csv"), read(&folder, "first/chosen/metrics.csv"));
    let report = read(&folder, "first/report.html");
    let start = report.find("nn-dropout sweep --config").unwrap();
    let command = report[start..].split('<').next().unwrap().trim_start_matches("nn-dropout ");
    succeed(&folder, &words(&format!("{command} --quiet --out again")));
    assert_eq!(results(&folder, "again"), results(&folder, "first"));
    succeed(&folder, &words(&format!("{command} --quiet --study first/study.db --out first")));
}

#[test]
fn results_do_not_depend_on_how_many_trials_run_side_by_side() {
    let folder = TempDir::new().unwrap();
    write(&folder, "story.txt", &story());
    let grid = QUICK.to_owned();
    let tpe = "sweep --search tpe --trials 30 --seeds 2 --rates 0,0.9 --hidden-range 8..32 --learning-rate-range 0.00001..0.1 \
               --hidden 16,16 --epochs 9 --quiet"
        .to_owned();
    let gpt = "sweep --model gpt --data story.txt --rates 0,0.4 --seeds 2 --n-layer 1 --n-head 1 --n-embd 8 --block-size 8 --max-iters 12 \
               --eval-interval 5 --quiet"
        .to_owned();
    let asha = "sweep --search asha --trials 40 --seeds 1 --rates 0,0.9 --input-rates 0,0.5 --learning-rate-range 0.00001..0.1 \
                --hidden 16 --epochs 9 --quiet"
        .to_owned();
    let folds = QUICK.replace("--seeds 2", "--seeds 1")
        + " --folds 3 --test-fraction 0.2 --metric log-loss --input-rates 0,0.2";
    for (name, line) in [("grid", grid), ("tpe", tpe), ("asha", asha), ("folds", folds), ("gpt", gpt)] {
        let printed: Vec<String> = ["1", "2", "5"]
            .into_iter()
            .map(|jobs| succeed(&folder, &words(&format!("{line} --jobs {jobs} --out {name}-{jobs}"))))
            .collect();
        for jobs in ["2", "5"] {
            assert_eq!(results(&folder, &format!("{name}-1")), results(&folder, &format!("{name}-{jobs}")));
        }
        let answer = |text: &str| text[..text.rfind("results in").unwrap()].to_owned();
        assert_eq!(answer(&printed[0]), answer(&printed[2]));
    }

    // Hopeless trials were stopped, and the report says by which rule.
    let rows = results(&folder, "tpe-1");
    assert_eq!(rows.len(), 30);
    let stopped = rows.iter().filter(|row| row[5] == "stopped").count();
    assert!((1..20).contains(&stopped), "{stopped}");
    for row in &rows {
        let epochs: usize = row[4].parse().unwrap();
        assert!(if row[5] == "stopped" { (4..9).contains(&epochs) } else { epochs == 9 }, "{row:?}");
    }
    let said = format!("{stopped} of 30 trials were stopped early by the median stopping rule (Golovin et al. 2017).");
    assert!(read(&folder, "tpe-1/report.html").contains(&said));
    // Successive halving keeps the best third at measurements 1 and 3.
    let halved = results(&folder, "asha-1");
    let epochs = |state: &str| {
        let rows = halved.iter().filter(|row| row[5] == state);
        rows.map(|row| row[4].parse().unwrap()).collect::<Vec<usize>>()
    };
    assert!(epochs("complete").iter().all(|epochs| *epochs == 9));
    let stopped = epochs("stopped");
    assert!(stopped.len() > 15 && stopped.iter().all(|epochs| [1, 3].contains(epochs)), "{stopped:?}");
    let said =
        format!("{} of 40 trials were stopped early by successive halving (ASHA, Li et al. 2020).", stopped.len());
    assert!(read(&folder, "asha-1/report.html").contains(&said));
    // It found something better than where it began.
    let merit = |row: &Vec<String>| row[3].parse::<f64>().unwrap();
    let (first, last) = (rows[..10].iter().map(merit).sum::<f64>(), rows[20..].iter().map(merit).sum::<f64>());
    assert!(last > first, "{first} {last}");
}

#[test]
fn a_regression_and_a_text_have_their_rate_too() {
    let folder = TempDir::new().unwrap();
    write(&folder, "hills.csv", &hills());
    let line = "sweep --data hills.csv --target height --task regression --rates 0,0.6 --seeds 3 --hidden 32 --epochs 40 \
                --train-fraction 0.6 --quiet";
    let printed = succeed(&folder, &words(line));
    assert!(printed.contains("p = 0: validation R2 0.9"), "{printed}");
    assert!(printed.contains("Dropout does not measurably help here."), "{printed}");
    assert!(results(&folder, "runs/hills-sweep").iter().all(|row| row[3].parse::<f64>().unwrap() < 1.0));

    write(&folder, "story.txt", &story());
    let line = "sweep --model gpt --data story.txt --rates 0,0.8 --seeds 2 --n-layer 1 --n-head 2 --n-embd 16 --block-size 16 --max-iters 60 \
                --eval-interval 20 --quiet";
    let printed = succeed(&folder, &words(line));
    assert!(printed.contains("p = 0: validation cross-entropy "), "{printed}");
    let rows = results(&folder, "runs/story-sweep");
    let loss = |row: &Vec<String>| row[3].parse::<f64>().unwrap();
    assert!(loss(&rows[0]) < loss(&rows[1]) && rows[0][4] == "60", "{rows:?}");
    assert!(!folder.path().join("runs/story-sweep/chosen").exists());
}

#[test]
fn the_layer_of_the_settings_is_tried_with_several_amounts() {
    let folder = TempDir::new().unwrap();
    write(&folder, "path.toml", "dropout = { kind = 'drop-path', p = 0.1, mode = 'batch' }\n");
    let sweep = |line: &str| succeed(&folder, &words(&format!("{QUICK} {line}")));
    let printed = sweep("--config path.toml --out path");
    assert!(printed.contains("\ndrop-path p = 0"), "{printed}");
    for row in results(&folder, "path") {
        let table = format!("kind='drop-path',p={},mode='batch'", row[0]);
        let line =
            format!("train --hidden 16 --epochs 3 --seed {} --quiet --out run --force --dropout {table}", row[1]);
        succeed(&folder, &words(&line));
        let metrics = read(&folder, "run/metrics.csv");
        let last: Vec<&str> = metrics.lines().last().unwrap().split(',').collect();
        assert_eq!([&row[2], &row[3]], [last[2], last[4]], "{row:?}");
    }
    let recommended = read(&folder, "path/recommended.toml");
    assert!(
        recommended.contains("kind = \"drop-path\"\n") && recommended.contains("mode = \"batch\"\n"),
        "{recommended}"
    );
    assert_eq!(recommended, read(&folder, "path/chosen/config.toml"));
    // The options are in the settings alone, so there is no line of code.
    let report = read(&folder, "path/report.html");
    assert!(report.contains("drop-path p = ") && !report.contains("nn.Dropout(") && !report.contains("DropPath"));

    // Another amount in the file is the same experiment, and what is recommended has one.
    write(&folder, "other.toml", "[dropout]\nkind = 'drop-path'\np = 0.7\nmode = 'batch'\n");
    assert_eq!(sweep("--config other.toml --out path"), printed);
    assert_eq!(sweep("--config path/recommended.toml --out path"), printed);
    // Another kind is another one, and so is another option.
    let refused = |dropout: &str, expected: &str| {
        write(&folder, "other.toml", dropout);
        let line = refuse(&folder, &words(&format!("{QUICK} --config other.toml --out path")));
        assert_eq!(line, format!("error: path/study.db: a study of another experiment: it has {expected}"));
    };
    refused(
        "dropout = { kind = 'alpha-dropout', p = 0.1 }",
        r#"dropout = { kind = "drop-path", mode = "batch" }, not { kind = "alpha-dropout" }"#,
    );
    refused(
        "dropout = { kind = 'drop-path', p = 0.1 }",
        r#"dropout = { kind = "drop-path", mode = "batch" }, not { kind = "drop-path" }"#,
    );
    refused("dropout = 0.1", r#"dropout = { kind = "drop-path", mode = "batch" }, and now no dropout"#);
    sweep("--out plain");
    let line = refuse(&folder, &words(&format!("{QUICK} --config path.toml --out plain")));
    let expected = r#"it has no dropout, and now dropout = { kind = "drop-path", mode = "batch" }"#;
    assert_eq!(line, format!("error: plain/study.db: a study of another experiment: {expected}"));

    // Amounts above 1 are standard deviations, say.
    write(&folder, "noise.toml", "dropout = { kind = 'gaussian-noise', stddev = 1.0 }\n");
    let noise = QUICK.replace("0,0.5", "0,2.5") + " --config noise.toml --out noise";
    let printed = succeed(&folder, &words(&noise));
    assert!(printed.trim_start().starts_with("stddev ") && printed.contains("\ngaussian-noise stddev = "), "{printed}");
    let amounts: Vec<String> = results(&folder, "noise").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(amounts, ["0.0", "2.5", "0.0", "2.5"]);
    let report = read(&folder, "noise/report.html");
    assert!(report.contains("nn_dropout_burn::GaussianNoiseConfig::new(") && !report.contains("nanoGPT"));
    let tpe = "sweep --search tpe --rates 0,2 --trials 3 --seeds 1 --hidden 4 --epochs 1 --quiet --config noise.toml --out tpe";
    succeed(&folder, &words(tpe));
    assert_eq!(results(&folder, "tpe").len(), 3);

    write(&folder, "gaussian.toml", "dropout = { kind = 'gaussian-dropout', p = 0.1 }\n");
    let line = refuse(&folder, &words("sweep --rates 0,1 --config gaussian.toml"));
    let expected = "--rates: gaussian-dropout takes p below 1: the variance of its noise is p / (1 - p)";
    assert_eq!(line, format!("error: {expected}"));
    write(&folder, "token.toml", "dropout = { kind = 'token-dropout', p = 0.1 }\n");
    let line = refuse(&folder, &words("sweep --config token.toml"));
    assert!(line.contains("token-dropout does not take the first axis for a batch"), "{line}");
}

/// The cells of a column of `results.csv`.
fn column(folder: &TempDir, out: &str, name: &str) -> Vec<String> {
    let text = read(folder, &format!("{out}/results.csv"));
    let (header, rows) = text.split_once('\n').unwrap();
    let place = header.split(',').position(|other| other == name).unwrap_or_else(|| panic!("no {name} in {header}"));
    rows.lines().map(|row| row.split(',').nth(place).unwrap().to_owned()).collect()
}

#[test]
fn every_fold_is_a_training_and_the_test_part_has_no_say() {
    let folder = TempDir::new().unwrap();
    let line = format!("{QUICK} --folds 3 --test-fraction 0.2");
    let printed = succeed(&folder, &words(&format!("{line} --out out")));
    let rows = results(&folder, "out");
    let folds = column(&folder, "out", "fold");
    assert_eq!(folds, ["1", "1", "2", "2", "3", "3", "1", "1", "2", "2", "3", "3"]);
    for (row, fold) in rows.iter().zip(&folds) {
        let options = format!("--dropout {} --seed {} --folds 3 --fold {fold} --test-fraction 0.2", row[0], row[1]);
        succeed(&folder, &words(&format!("train --hidden 16 --epochs 3 {options} --quiet --out run --force")));
        let metrics = read(&folder, "run/metrics.csv");
        let last: Vec<&str> = metrics.lines().last().unwrap().split(',').collect();
        assert_eq!([&row[2], &row[3]], [last[2], last[4]], "{row:?}");
    }
    // The chosen network is scored on the test part, as `train` scores it.
    let said = "On the test part, which had no say in the choice, the chosen network has accuracy ";
    let test = printed.split(said).nth(1).unwrap().split(',').next().unwrap();
    let scores = succeed(&folder, &words("train --config out/recommended.toml --out again --scores"));
    let value: f64 = scores.lines().find_map(|line| line.strip_prefix("test_accuracy=")).unwrap().parse().unwrap();
    assert!(test.starts_with(&format!("{:.1} % ± ", 100.0 * value)), "{test}");
    assert!(scores.lines().all(|line| line.split_once('=').unwrap().1.parse::<f64>().is_ok()), "{scores}");
    assert_eq!(scores.lines().count(), 3 * 6);
    assert!(read(&folder, "out/report.html").contains(said));
    // It is the same part for all seeds, and no other command finds another answer.
    assert_eq!(succeed(&folder, &words(&format!("{line} --out out"))), printed);
    let said = refuse(&folder, &words(&format!("{line} --fold 2 --out out")));
    assert_eq!(said, "error: --fold is for train: a sweep trains with every fold for validation");
    succeed(&folder, &words(&format!("{QUICK} --config out/recommended.toml --out out")));
}

#[test]
fn another_metric_can_decide() {
    let folder = TempDir::new().unwrap();
    for metric in ["balanced-accuracy", "macro-f1", "roc-auc", "log-loss", "calibration-error"] {
        let printed = succeed(&folder, &words(&format!("{QUICK} --metric {metric} --out {metric}")));
        let name = metric.replace('-', " ").replace("f1", "F1").replace("roc auc", "ROC AUC");
        assert!(printed.contains(&format!(": validation {name} ")), "{printed}");
        let key = format!("val_{}", metric.replace('-', "_"));
        assert_eq!(column(&folder, metric, "val_metric"), column(&folder, metric, &key));
        // Less of a loss is better, and so is more of a score.
        let values = column(&folder, metric, "val_metric");
        let number = |place: usize| values[place].parse::<f64>().unwrap();
        let mean = |p: usize| f64::midpoint(number(p), number(p + 2));
        let is_loss = ["log-loss", "calibration-error"].contains(&metric);
        let half_is_better = (mean(1) < mean(0)) == is_loss;
        let row = printed.lines().find(|line| line.trim_start().starts_with("0.5 ")).unwrap();
        let difference = row.split(" [").next().unwrap().split_whitespace().last().unwrap();
        assert_eq!(difference.starts_with('+'), half_is_better, "{printed}");
    }
    write(&folder, "hills.csv", &hills());
    let line = "sweep --data hills.csv --target height --task regression --rates 0,0.6 --seeds 2 --hidden 8 --epochs 4 --quiet --out mae";
    succeed(&folder, &words(&format!("{line} --metric mae")));
    assert_eq!(column(&folder, "mae", "val_metric"), column(&folder, "mae", "val_mae"));
    let said = refuse(&folder, &words(&format!("{line} --metric rmse")));
    assert_eq!(said, "error: mae/study.db: a study of another experiment: it has metric = \"mae\", not \"rmse\"");
    let said = refuse(&folder, &words(&format!("{line} --metric accuracy")));
    assert_eq!(said, "error: the metrics of this task are r2, rmse, mae");
    let said = refuse(&folder, &words(&format!("{QUICK} --metric r2")));
    let names = "accuracy, balanced-accuracy, macro-f1, roc-auc, log-loss, calibration-error";
    assert_eq!(said, format!("error: the metrics of this task are {names}"));
}

#[test]
fn inputs_and_layers_have_rates_of_their_own() {
    let folder = TempDir::new().unwrap();
    let printed = succeed(&folder, &words(&format!("{QUICK} --rates-per-layer --out inputs")));
    assert!(printed.trim_start().starts_with("p  inputs  training accuracy"), "{printed}");
    let inputs = column(&folder, "inputs", "input_dropout");
    assert_eq!(inputs[..6], ["0", "0.1", "0.2", "0", "0.1", "0.2"]);
    for (row, input) in results(&folder, "inputs").iter().zip(&inputs).take(6) {
        let options = format!("--dropout {} --input-dropout {input} --seed {}", row[0], row[1]);
        succeed(&folder, &words(&format!("train --hidden 16 --epochs 3 {options} --quiet --out run --force")));
        let last = read(&folder, "run/metrics.csv").lines().last().unwrap().split(',').nth(4).unwrap().to_owned();
        assert_eq!(row[3], last);
    }
    // Dropout of the features can be predicted with.
    succeed(&folder, &words("train --input-dropout 0.2 --dropout 0 --hidden 16 --epochs 2 --quiet --out run --force"));
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../nn-dropout-experiments/data/digits.csv");
    let predicted = succeed_quietly(&folder, &format!("predict --run run --data {digits} --samples 5"));
    let entropies = predicted.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().parse::<f64>().unwrap());
    assert!(entropies.filter(|information| *information > 0.0).count() > 1000, "samples differ");

    let layers = [
        "--layer",
        "kind = 'gaussian-dropout', p = 0.1",
        "--layer",
        "kind = 'dropout', p = 0.5, schedule = { kind = 'linear', steps = 20 }",
        "--layer",
        "0.5",
    ];
    let args: Vec<&str> = words(QUICK).into_iter().chain(layers).chain(["--out", "layers"]).collect();
    let printed = succeed(&folder, &args);
    let names = column(&folder, "layers", "layer");
    assert_eq!(names.len(), 12);
    assert!(names[0] == "gaussian-dropout" && names[4] == "dropout", "{names:?}");
    let schedule = "dropout { schedule = { kind = \"linear\", steps = 20 } }  0.5 ";
    assert!(printed.contains(schedule) && printed.contains(" gaussian-dropout  0.5 "), "{printed}");
    // Without noise all layers are the same.
    let rows = results(&folder, "layers");
    assert!(rows[0][2..4] == rows[2][2..4] && rows[0][2..4] == rows[4][2..4], "{rows:?}");
    assert!(rows[1][2..4] != rows[3][2..4] && rows[3][2..4] != rows[5][2..4], "{rows:?}");
    // The command in the report is this sweep.
    let report = read(&folder, "layers/report.html");
    assert!(report.contains("--layer '{ kind = &quot;gaussian-dropout&quot;"), "{report}");

    for (options, expected) in [
        ("--input-rates 0,2", "dropout probability has to be between 0 and 1, but got 2"),
        ("--input-rates 0,0.1 --input-dropout 0.1", "--input-rates tries several rates, and --input-dropout names one"),
        ("--search tpe --layer 0.1 --layer 0.2", "--layer is for a grid if there are several"),
        ("--search asha --input-rates 0.1", "a search needs a lowest and a highest of --input-rates"),
        ("--folds 1", "expected at least 2 folds, but got 1"),
        ("--folds 2000", "2000 folds are more than there are rows"),
        ("--seeds 1 --folds 99999999999999", "these are more than 1000000 trials, the most that a study has"),
        ("--test-fraction 0.9999", "a test fraction of 0.9999 leaves 0 of 1797 rows for the training"),
        ("--folds 3 --train-fraction 0.5", "--folds and --train-fraction exclude each other"),
        ("--group x", "--group names a column of a file; the built-in digits have none"),
        ("--test-fraction 0.0001", "a test fraction of 0.0001 holds back none of 1797 rows"),
    ] {
        let said = refuse(
            &folder,
            &words(&format!(
                "{} {options}",
                QUICK.replace("--seeds 2", if options.contains("--seeds") { "" } else { "--seeds 2" })
            )),
        );
        assert!(said.ends_with(expected), "{options}: {said}");
    }
}

fn succeed_quietly(folder: &TempDir, line: &str) -> String {
    common::said(folder, &words(line))[0].clone()
}

#[test]
fn rows_of_a_group_stay_together_and_a_group_is_no_feature() {
    let folder = TempDir::new().unwrap();
    // Each patient has measurements of their own, and a kind that has nothing to do with them: who has seen a patient knows the answer.
    let row = |i: usize| {
        let patient = i / 10;
        let measured = [37, 53, 71, 89].map(|step| (patient * step % 101).to_string()).join(",");
        format!("patient-{patient},{measured},{}\n", ["ill", "well"][patient * patient % 7 % 2])
    };
    write(&folder, "patients.csv", &format!("patient,a,b,c,d,kind\n{}", (0..400).map(row).collect::<String>()));
    let line = "sweep --data patients.csv --target kind --rates 0 --seeds 3 --hidden 64 --epochs 60 --folds 4 --quiet";
    let accuracy = |out: &str| {
        let values = column(&folder, out, "val_metric");
        values.iter().map(|value| value.parse::<f64>().unwrap()).sum::<f64>() / values.len() as f64
    };
    succeed_quietly(&folder, &format!("{line} --ignore patient --out rows"));
    succeed_quietly(&folder, &format!("{line} --group patient --out groups"));
    assert!(accuracy("rows") > 0.8 && accuracy("groups") < 0.7, "{} {}", accuracy("rows"), accuracy("groups"));
    let [description, _] =
        common::said(&folder, &words(&format!("{} --group patient --out groups", line.replace(" --quiet", ""))));
    assert!(description.contains("\ngroup       `patient`: 40 groups, which stay together\n"), "{description}");
    let schema = read(&folder, "groups/chosen/table.json");
    assert!(!schema.contains("patient"), "{schema}");
    write(&folder, "none.csv", "a,none,kind\n1,,x\n2,,y\n3,,x\n");
    for (options, expected) in [
        ("--group nobody", "there is no column `nobody`; only `patient`, `a`, `b`, `c`, `d`, `kind`"),
        ("--group kind", "column `kind` cannot be the group and the target, or ignored: a group is no feature anyway"),
        ("--group patient --folds 41", "41 folds are more than there are groups"),
        ("--group none --data none.csv", "none.csv: all cells of column `none` are missing: it names no groups"),
    ] {
        let line = line.replace("--folds 4 ", "").replace("--data patients.csv", "");
        let data = if options.contains("--data") { "" } else { "--data patients.csv" };
        let said = refuse(&folder, &words(&format!("{line} {data} {options}")));
        assert!(said.ends_with(expected), "{options}: {said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_log_stops_nothing_and_a_full_output_is_an_error() {
    use std::process::Command;

    let folder = TempDir::new().unwrap();
    let run = |line: &str| {
        let program = program(&folder, &[]);
        let line = format!("exec '{}' {line}", program.get_program().display());
        Command::new("sh").current_dir(folder.path()).args(["-c", &line]).output().unwrap()
    };
    let line = QUICK.replace("--quiet", "--out out");
    assert!(run(&format!("{line} 2>/dev/full")).status.success());
    assert_eq!(results(&folder, "out").len(), 4);
    for line in ["study export out/study.db", "train --hidden 4 --epochs 1 --scores --out run"] {
        let output = run(&format!("{line} >/dev/full"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "error: cannot write to standard output: No space left on device (os error 28)\n");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn networks_that_diverge_are_results_too() {
    let folder = TempDir::new().unwrap();
    write(&folder, "hills.csv", &hills());
    // They are never the best, also where all would be equal.
    let line = "sweep --metric roc-auc --search asha --trials 40 --seeds 1 --rates 0,0.5 --learning-rate-range 0.001..1e25 --hidden 8 --epochs 3 --quiet";
    let printed = succeed(&folder, &words(line));
    assert!(printed.contains("\np = ") && !printed.contains("ROC AUC 1.000"), "{printed}");
    let [rates, scores] = ["learning_rate", "val_roc_auc"].map(|name| column(&folder, "runs/digits-sweep", name));
    let diverged: Vec<&String> =
        rates.iter().zip(&scores).filter(|(_, score)| *score == "NaN").map(|(rate, _)| rate).collect();
    assert!(diverged.iter().any(|rate| rate.parse::<f64>().unwrap() > 1e3), "{rates:?} {scores:?}");
    for data in ["", "--data hills.csv --target height --task regression"] {
        let line = format!(
            "sweep {data} --learning-rate 1e30 --rates 0,0.5 --seeds 2 --hidden 8 --epochs 3 --quiet --out out"
        );
        let said = [0, 1].map(|_| succeed(&folder, &words(&line)));
        assert_eq!(said[0], said[1]);
        assert_eq!(said[0], "no score is a number: the networks diverged; what is known is in out/study.db\n");
        succeed(&folder, &words("study show out/study.db"));
        let refused = refuse(&folder, &words("study report out/study.db --out seen"));
        assert_eq!(refused, "error: out/study.db: there is no score to report yet");
        succeed(&folder, &words("study export out/study.db --format optuna-journal"));
        let line = format!("train {data} --learning-rate 1e30 --hidden 8 --epochs 3 --out run --force --scores");
        let scores = succeed(&folder, &words(&line));
        assert!(!scores.to_lowercase().contains("nan"), "{scores}");
        fs::remove_dir_all(folder.path().join("out")).unwrap();
    }
}

#[test]
fn a_time_budget_stops_and_the_same_command_continues() {
    let folder = TempDir::new().unwrap();
    let printed = succeed(&folder, &words(&format!("{QUICK} --time-budget 0s")));
    assert!(printed.starts_with("the time is over after 0 of 4 trials; the same command continues\n"), "{printed}");
    assert_eq!(results(&folder, "runs/digits-sweep").len(), 0);
    succeed(&folder, &words(&format!("{QUICK} --time-budget 400000000000years")));
    assert_eq!(results(&folder, "runs/digits-sweep").len(), 4);

    // It can also end when only the chosen network is missing.
    fs::remove_dir_all(folder.path().join("runs/digits-sweep/chosen")).unwrap();
    let printed = succeed(&folder, &words(&format!("{QUICK} --time-budget 0s")));
    let said = "stopped before the chosen network was trained; the same command continues\n";
    assert!(printed.starts_with(said) && printed.contains("\np = "), "{printed}");
    assert!(!succeed(&folder, &words(QUICK)).contains(said));
    succeed(&folder, &words("train --config runs/digits-sweep/recommended.toml --quiet --out again"));
    assert_eq!(read(&folder, "again/metrics.csv"), read(&folder, "runs/digits-sweep/chosen/metrics.csv"));
}

#[test]
fn bad_options_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    write(&folder, "story.txt", &story());
    for (options, expected) in [
        ("--rates 0,1.5", "dropout probability has to be between 0 and 1, but got 1.5"),
        ("--rates 0,x", "expected a finite number of at least 0, but got x"),
        ("--rates -0.1,0.2", "'-0.1' for '--rates <P,...>': expected a finite number of at least 0, but got -0.1"),
        ("--rates --seeds", "'--seeds' for '--rates <P,...>': expected a finite number of at least 0, but got --seeds"),
        ("--jobs -1", "'-1' for '--jobs <N>': expected a whole number of at least 1, but got -1"),
        ("--hidden -5,3", "'-5' for '--hidden <SIZES>': expected a whole number of at least 1, but got -5"),
        (
            "--search tpe --hidden-range -1..5",
            "'-1..5' for '--hidden-range <LOW..HIGH>': expected two positive numbers, the lower first, as in 1..10, but got -1..5",
        ),
        (
            "--search tpe --learning-rate-range -0.1..1",
            "'-0.1..1' for '--learning-rate-range <LOW..HIGH>': expected two positive numbers, the lower first, as in 1..10, but got \
             -0.1..1",
        ),
        ("--search -x", "invalid value '-x' for '--search <SEARCH>'; [possible values: grid, tpe, asha]"),
        ("--time-budget -5s", "'-5s' for '--time-budget <TIME>': expected a time such as 90s, 10m or 2h, but got -5s"),
        (
            "--target -x",
            "unexpected argument '-x' found; tip: a value that begins with a dash follows a `=`, as in --OPTION=-x",
        ),
        ("--seeds 18446744073709551615", "these are more than 1000000 trials, the most that a study has"),
        ("--search tpe --trials 1000001", "these are more than 1000000 trials, the most that a study has"),
        ("--seeds 0", "expected a whole number of at least 1, but got 0"),
        ("--jobs 0", "expected a whole number of at least 1, but got 0"),
        ("--dropout 0.5", "a sweep tries several rates: name them with --rates; another kind of layer with --layer"),
        ("--force", "a study is never overwritten: name another folder with --out instead of --force"),
        ("--resume --out x", "a sweep resumes by itself; --resume is for train"),
        ("--trials 5", "--trials is for a search; a grid tries every rate with every seed"),
        ("--hidden-range 4..8", "--hidden-range and --learning-rate-range are for a search"),
        (
            "--search tpe --hidden-range 8..4",
            "expected two positive numbers, the lower first, as in 1..10, but got 8..4",
        ),
        ("--search tpe --hidden-range 4", "expected two positive numbers, the lower first, as in 1..10, but got 4"),
        ("--search tpe --hidden-range 4..100000000", "at most 1000000000 fit"),
        (
            "--search tpe --rates 0.5",
            "a search needs a lowest and a highest rate, at least 0.01 apart, as in --rates 0,0.8",
        ),
        ("--search tpe --model gpt --data story.txt --hidden-range 4..8", "--hidden-range is for --model mlp"),
        ("--search luck", "invalid value 'luck' for '--search <SEARCH>'; [possible values: grid, tpe, asha]"),
        ("--model gpt", "--model gpt learns from --data FILE.txt or from --batches FILE.npy: name one"),
        (
            "--model gpt --batches x.npy",
            "--batches have no validation part, which a sweep needs: name a text with --data",
        ),
        (
            "--train-fraction 0.0001",
            "a train fraction of 0.0001 makes 0 of 1797 rows training rows; both parts need at least one",
        ),
        ("--study nowhere", "the name of a study ends as in nowhere.db"),
        ("--time-budget soon", "expected a time such as 90s, 10m or 2h, but got soon"),
    ] {
        let said = refuse(&folder, &words(&format!("sweep {options}")));
        assert!(said.starts_with("error: ") && said.ends_with(expected), "{options}: {said}");
    }
}

#[test]
fn without_a_terminal_there_is_one_line_per_trial() {
    let folder = TempDir::new().unwrap();
    let output = run(&folder, &words(&QUICK.replace("--quiet", "--jobs 1")));
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[0].starts_with("trial  1/4: p = 0, seed 42: validation accuracy "), "{said}");
    assert!(lines[1].contains("; best so far p = ") && lines[1].ends_with(" left"), "{said}");
}
