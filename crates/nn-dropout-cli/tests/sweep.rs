//! `nn-dropout sweep`, run as a user runs it.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{entries, program, refuse, run, succeed, words};
use rusqlite::Connection;
use tempfile::TempDir;

/// Four trials, quick ones.
const QUICK: &str = "sweep --rates 0,0.5 --seeds 2 --hidden 16 --epochs 3 --quiet";

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

/// `results.csv`, without how long each trial took.
fn results(folder: &TempDir, out: &str) -> Vec<Vec<String>> {
    let text = read(folder, &format!("{out}/results.csv"));
    let (header, rows) = text.split_once('\n').unwrap();
    assert_eq!(header, "dropout,seed,train_metric,val_metric,epochs,seconds,state");
    let row =
        |line: &str| line.split(',').enumerate().filter(|(i, _)| *i != 5).map(|(_, cell)| cell.to_owned()).collect();
    rows.lines().map(row).collect()
}

/// A table with a smooth target, and noise in another column.
fn hills() -> String {
    let number = |i: usize, step: usize| (i * step % 97) as f64 / 97.0;
    let row = |i| {
        let (a, b, c) = (number(i, 31), number(i, 57), number(i, 11));
        format!("{a},{b},{c},{}\n", 50.0 * (a + (b - 0.5).powi(2)))
    };
    format!("a,b,c,height\n{}", (0..97).map(row).collect::<Vec<_>>().concat())
}

/// A text with some order in it.
fn story() -> String {
    (0..400)
        .map(|i| ["the cat sat on the mat. ", "a dog ran to the sea. ", "the sun is low. "][i * i % 7 % 3])
        .collect()
}

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

    // The answer is that of the table, by the rule.
    let of =
        |p: &str| -> Vec<f64> { rows.iter().filter(|row| row[0] == p).map(|row| row[3].parse().unwrap()).collect() };
    let statistics = |values: Vec<f64>| (f64::midpoint(values[0], values[1]), (values[0] - values[1]).abs() / 2.0);
    let ((none, none_error), (half, half_error)) = (statistics(of("0.0")), statistics(of("0.5")));
    let best = if half > none { (half, half_error) } else { (none, none_error) };
    let chosen = if none >= best.0 - best.1 { 0.0 } else { 0.5 };
    let mean = format!("validation accuracy {:.1} % ± {:.1}", 100.0 * none, 100.0 * none_error);
    assert!(printed.contains(&format!("\np = {chosen}: validation accuracy ")), "{printed}");
    assert!(chosen > 0.0 || printed.contains(&mean), "{printed}");
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
    for (name, line) in [("grid", grid), ("tpe", tpe), ("gpt", gpt)] {
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
    let said = format!("{stopped} of 30 trials were stopped early by the median stopping rule");
    assert!(read(&folder, "tpe-1/report.html").contains(&said));
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
    assert!(printed.contains("p = 0: validation R2 0.8"), "{printed}");
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

/// Waits until something holds.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_mins(2), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// How many rows of a study a query counts; none before there are tables.
fn count(study: &Path, of: &str) -> i64 {
    let count = || {
        let database = Connection::open_with_flags(study, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.query_row(&format!("SELECT count(*) FROM trial WHERE {of}"), [], |row| row.get(0))
    };
    count().unwrap_or(0)
}

fn start(folder: &TempDir, line: &str) -> Child {
    program(folder, &words(line)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn what_was_killed_resumes_and_ends_as_if_undisturbed() {
    let folder = TempDir::new().unwrap();
    write(&folder, "story.txt", &story());
    let grid = "sweep --rates 0,0.3,0.6 --seeds 4 --hidden 64 --epochs 12 --jobs 2 --quiet";
    let tpe = "sweep --search tpe --trials 14 --seeds 2 --hidden 64 --epochs 12 --jobs 2 --quiet";
    let gpt = "sweep --model gpt --data story.txt --rates 0,0.4 --seeds 2 --n-layer 1 --n-head 1 --n-embd 16 --block-size 16 --max-iters 60 \
               --eval-interval 10 --jobs 1 --quiet";
    // A folder of that name is not the data.
    fs::create_dir(folder.path().join("digits")).unwrap();
    // Killed after some trials; on a text, in the middle of one.
    for (name, line, sign) in [
        ("grid", grid, "state = 'complete'"),
        ("tpe", tpe, "state = 'complete'"),
        ("gpt", gpt, "state = 'running' AND checkpoint IS NOT NULL"),
    ] {
        let study = folder.path().join(name).join("study.db");
        for _ in 0..2 {
            let done = count(&study, "state <> 'running'");
            let mut child = start(&folder, &format!("{line} --out {name}"));
            wait_until("a trial", || count(&study, sign) > 0 && (name == "gpt" || count(&study, sign) > done));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(count(&study, "state = 'running'") > 0, "{name}: killed too late");
        let printed = succeed(&folder, &words(&format!("{line} --out {name}")));
        let undisturbed = succeed(&folder, &words(&format!("{line} --out {name}-undisturbed")));
        assert_eq!(
            printed.replace(name, ""),
            undisturbed.replace(&format!("{name}-undisturbed"), "").replace(name, "")
        );
        assert_eq!(results(&folder, name), results(&folder, &format!("{name}-undisturbed")));
        let curves = |out: &str| {
            let database = Connection::open(folder.path().join(out).join("study.db")).unwrap();
            let sql = "SELECT settings, epoch, train_loss, val_loss FROM trial JOIN epoch ON trial = id ORDER BY settings, epoch";
            let mut query = database.prepare(sql).unwrap();
            let rows = query.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, f64>(2)?, row.get::<_, f64>(3)?))
            });
            rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
        };
        assert_eq!(curves(name), curves(&format!("{name}-undisturbed")));
        // The killed processes leave nothing behind, and checkpoints take no more room.
        let database = Connection::open(&study).unwrap();
        let free =
            database.query_row("SELECT freelist_count FROM pragma_freelist_count", [], |row| row.get::<_, i64>(0));
        assert_eq!(free, Ok(0));
        assert!(entries(&folder.path().join(name)).iter().all(|entry| !entry.contains("worker")));
    }
}

#[test]
fn a_trial_whose_checkpoint_is_damaged_starts_again() {
    let folder = TempDir::new().unwrap();
    write(&folder, "story.txt", &story());
    let line = "sweep --model gpt --data story.txt --rates 0 --seeds 1 --n-layer 1 --n-head 1 --n-embd 8 --block-size 8 --max-iters 4 --quiet";
    succeed(&folder, &words(&format!("{line} --out undisturbed")));
    succeed(&folder, &words(&format!("{line} --out damaged --time-budget 0s")));
    let database = Connection::open(folder.path().join("damaged/study.db")).unwrap();
    let sql = "INSERT INTO trial (settings, state, seconds, checkpoint) VALUES ('{\"dropout\":0.0,\"seed\":42}', 'running', 1, x'00')";
    database.execute_batch(sql).unwrap();
    drop(database);
    succeed(&folder, &words(&format!("{line} --out damaged")));
    assert_eq!(results(&folder, "damaged"), results(&folder, "undisturbed"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_keeps_what_it_has() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let folder = TempDir::new().unwrap();
    let line = "sweep --rates 0,0.5 --seeds 2000 --hidden 16 --epochs 5 --quiet --out long";
    let child = start(&folder, line);
    let study = folder.path().join("long/study.db");
    wait_until("trials", || count(&study, "state = 'complete'") >= 4);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let rows = results(&folder, "long");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.starts_with(&format!("interrupted after {} of 4000 trials; the same command continues\n", rows.len()))
    );
    assert!(rows.len() >= 4 && printed.contains("\np = "), "{printed}");
    assert!(read(&folder, "long/report.html").contains("Not finished"));
    assert_eq!(entries(&folder.path().join("long")), ["recommended.toml", "report.html", "results.csv", "study.db"]);
}

#[test]
fn two_processes_share_a_study_and_run_no_trial_twice() {
    let folder = TempDir::new().unwrap();
    let line = "sweep --rates 0,0.2,0.4,0.6 --seeds 5 --hidden 32 --epochs 8 --jobs 1 --study both.db";
    let children = ["a", "b"].map(|out| start(&folder, &format!("{line} --out {out}")));
    let said = children.map(|child| {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let trial = |line: &str| line.split(": ").nth(1).filter(|_| line.starts_with("trial ")).map(str::to_owned);
        text.lines().filter_map(trial).collect::<Vec<_>>()
    });
    assert!(said.iter().all(|trials| !trials.is_empty()), "one did all the work: {said:?}");
    let mut trials = said.concat();
    assert_eq!(trials.len(), 20);
    trials.sort();
    trials.dedup();
    assert_eq!(trials.len(), 20, "a trial was run twice");
    assert_eq!(results(&folder, "a").len(), 20);
    assert_eq!(read(&folder, "a/results.csv"), read(&folder, "b/results.csv"));
    assert_eq!(entries(folder.path()), ["a", "b", "both.db"]);

    succeed(&folder, &words(&format!("{line} --quiet --study alone.db --out alone").replace("--study both.db", "")));
    assert_eq!(results(&folder, "a"), results(&folder, "alone"));
}

#[test]
fn a_file_that_is_not_a_study_of_this_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    succeed(&folder, &words(&format!("{QUICK} --study good.db --out out")));
    let good = fs::read(folder.path().join("good.db")).unwrap();
    let other = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        fs::write(&path, &good).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    write(
        &folder,
        "notes.db",
        "Dear diary, today I trained a network. It did not go well, since it learned everything by heart.",
    );
    Connection::open(folder.path().join("shop.db")).unwrap().execute_batch("CREATE TABLE sale (price REAL)").unwrap();
    other("format.db", "PRAGMA user_version = 7");
    other("version.db", "UPDATE experiment SET program = '0.0.9'");
    other("unmeasured.db", "DELETE FROM epoch WHERE trial = 1");
    other("unreadable.db", "UPDATE trial SET settings = '{\"dropout\":2}' WHERE id = 1");
    other("backwards.db", "PRAGMA ignore_check_constraints = 1; UPDATE trial SET seconds = -1");
    other("uneven.db", "DELETE FROM epoch WHERE trial = 2 AND epoch = 3");
    let mut damaged = good.clone();
    let length = damaged.len();
    damaged[length / 3..].fill(0x55);
    fs::write(folder.path().join("damaged.db"), &damaged).unwrap();
    fs::write(folder.path().join("cut.db"), &good[..length / 2]).unwrap();

    let other_epochs = QUICK.replace("--epochs 3", "--epochs 4");
    let tpe = format!("{QUICK} --search tpe");
    for (line, study, expected) in [
        (QUICK, "notes.db", "neither a study nor any SQLite database; name another file with --study"),
        (QUICK, "shop.db", "an SQLite database of another program, not a study"),
        (QUICK, "format.db", "a study in format 7, but this is nn-dropout 0.1.0, which writes format 2"),
        (
            QUICK,
            "version.db",
            "a study of nn-dropout 0.0.9, whose numbers may differ from those of this version, 0.1.0",
        ),
        (QUICK, "damaged.db", "the study is damaged: "),
        (QUICK, "unreadable.db", "the study is damaged: it says \"{\\\"dropout\\\":2}\""),
        (QUICK, "backwards.db", "the study is damaged: CHECK constraint failed in trial"),
        (QUICK, "cut.db", "the study is damaged: "),
        (
            QUICK,
            "unmeasured.db",
            "the study is damaged: the trial {\"dropout\":0.0,\"seed\":42} is not measured as the others are",
        ),
        (
            QUICK,
            "uneven.db",
            "the study is damaged: the trial {\"dropout\":0.5,\"seed\":42} is not measured as the others are",
        ),
        (&other_epochs, "good.db", "a study of another experiment: it has epochs = 3, not 4"),
        (&tpe, "good.db", "a study of another experiment: it has search = \"grid\", not \"tpe\""),
    ] {
        let before = fs::read(folder.path().join(study)).unwrap();
        let said = refuse(&folder, &words(&format!("{line} --study {study} --out fresh")));
        assert!(said.starts_with(&format!("error: {study}: {expected}")), "{said}");
        assert_eq!(fs::read(folder.path().join(study)).unwrap(), before, "{study} was changed");
    }

    let named = "--data hills.csv --target height --task regression";
    write(&folder, "hills.csv", &hills());
    let line = QUICK.replace("sweep", &format!("sweep {named} --study good.db --out fresh"));
    let said = refuse(&folder, &words(&line));
    let expected = "error: good.db: a study of another experiment: it has data = \"digits\", not \"a file\"";
    assert_eq!(said, expected);
}

#[test]
fn a_study_goes_on_with_the_contents_of_its_files_and_not_with_their_names() {
    const ELSE: &str = "name another study with --study, or another folder with --out";
    let folder = TempDir::new().unwrap();
    // The refusal, with the day left out.
    let dated = |line: &str| {
        let said = refuse(&folder, &words(line));
        let (before, rest) = said.split_once(" on 20").unwrap_or_else(|| panic!("{said}"));
        let (day, after) = rest.split_once(' ').unwrap();
        assert!(day.len() == 8 && day.split('-').count() == 3, "{said}");
        format!("{before} on DAY {after}")
    };

    write(&folder, "hills.csv", &hills());
    let line = "sweep --data hills.csv --target height --task regression --rates 0 --seeds 1 --hidden 4 --epochs 1 --quiet --out hills";
    succeed(&folder, &words(line));
    fs::create_dir(folder.path().join("data")).unwrap();
    write(&folder, "data/heights.csv", &hills());
    let renamed = line.replace("hills.csv", "data/heights.csv");
    succeed(&folder, &words(&renamed));
    assert_eq!(count(&folder.path().join("hills/study.db"), "state = 'complete'"), 1);
    for (file, line, named) in [("hills.csv", line, "then also"), ("data/heights.csv", &renamed, "then")] {
        write(&folder, file, &hills().replace("0.5", "0.6"));
        let said =
            format!("{file} is not the table that this study was begun with on DAY ({named} named hills.csv): {ELSE}");
        assert_eq!(dated(line), format!("error: hills/study.db: {said}"));
    }

    // A text, and the weights that it starts with.
    let gpt = "--model gpt --data story.txt --n-layer 1 --n-head 1 --n-embd 8 --block-size 8 --max-iters 2 --quiet";
    write(&folder, "story.txt", &story());
    succeed(&folder, &words(&format!("train {gpt} --out weights")));
    let line = format!("sweep {gpt} --rates 0 --seeds 1 --init weights/model.safetensors --out story");
    succeed(&folder, &words(&line));
    // What only some editors write makes no other text of it.
    write(&folder, "story.txt", &format!("\u{feff}{}", story()));
    let output = run(&folder, &words(&line));
    assert!(output.status.success());
    let note = "note: story.txt: the byte order mark at the start is left out\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), note);
    assert_eq!(count(&folder.path().join("story/study.db"), "state = 'complete'"), 1);
    write(&folder, "story.txt", &story().replacen("cat", "tac", 1));
    let said =
        format!("story.txt is not the text that this study was begun with on DAY (then also named story.txt): {ELSE}");
    assert_eq!(dated(&line), format!("error: story/study.db: {said}"));
    write(&folder, "story.txt", &story());
    succeed(&folder, &words(&format!("train {gpt} --seed 7 --out others")));
    let said = format!(
        "others/model.safetensors is not the file of weights that this study was begun with on DAY (then named \
         weights/model.safetensors): {ELSE}"
    );
    assert_eq!(dated(&line.replace("weights/", "others/")), format!("error: story/study.db: {said}"));
    let said = refuse(&folder, &words(&line.replace("--init weights/model.safetensors", "")));
    let expected = "error: story/study.db: a study of another experiment: it has init = \"a file\", and now no init";
    assert_eq!(said, expected);
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_reported_clearly_and_loses_nothing() {
    use std::process::Command;

    let folder = TempDir::new().unwrap();
    // Files cannot grow beyond this many blocks of 512 bytes: as on a full disk, writing fails.
    let limited = |blocks: u32, line: &str| {
        let program = program(&folder, &[]);
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{}' {line}", program.get_program().display());
        Command::new("sh").current_dir(folder.path()).args(["-c", &line]).output().unwrap()
    };
    let line = "sweep --rates 0,0.2,0.4,0.6 --seeds 8 --hidden 8 --epochs 30 --quiet --out out";
    let output = limited(64, line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: cannot write out/study.db: ") && said.lines().count() == 1, "{said}");
    let study = folder.path().join("out/study.db");
    let kept = count(&study, "state = 'complete'");
    assert!(kept > 0 && kept < 32, "{kept}");
    // With room again it continues where it was.
    succeed(&folder, &words(line));
    succeed(&folder, &words(&line.replace("--out out", "--out undisturbed")));
    assert_eq!(results(&folder, "out"), results(&folder, "undisturbed"));
}

#[test]
fn places_that_cannot_be_written_to_are_refused() {
    let folder = TempDir::new().unwrap();
    write(&folder, "file", "in the way");
    fs::create_dir(folder.path().join("photos")).unwrap();
    write(&folder, "photos/cat.png", "miaow");
    succeed(&folder, &words(&format!("{QUICK} --study good.db --out out")));
    for (place, expected) in [
        ("--out file/out", "cannot use file/out for the results: Not a directory (os error 20)"),
        ("--out file", "cannot use file for the results: Not a directory (os error 20)"),
        ("--out photos", "photos is not a sweep: it holds `cat.png`; name another folder with --out"),
        ("--study good.db --out photos", "photos is not a sweep: it holds `cat.png`; name another folder with --out"),
        ("--study file/a.db --out new", "there is no folder file for the study"),
        ("--study nonexist/s.db", "there is no folder nonexist for the study"),
        ("--study /nonexist/s.db --out new", "there is no folder /nonexist for the study"),
        ("--study new/deep/s.db --out new", "there is no folder new/deep for the study"),
        ("--study photos --out new", "cannot write photos: "),
    ] {
        let said = refuse(&folder, &words(&format!("{QUICK} {place}")));
        assert!(said.starts_with(&format!("error: {expected}")), "{place}: {said}");
    }
    // The folder for the results is made, with the study in it.
    succeed(&folder, &words(&format!("{QUICK} --study new/out/s.db --out new/out")));
    assert!(folder.path().join("new/out/s.db").exists());
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
        ("--search -x", "invalid value '-x' for '--search <SEARCH>'; [possible values: grid, tpe]"),
        ("--time-budget -5s", "'-5s' for '--time-budget <TIME>': expected a time such as 90s, 10m or 2h, but got -5s"),
        (
            "--target -x",
            "unexpected argument '-x' found; tip: a value that begins with a dash follows a `=`, as in --OPTION=-x",
        ),
        ("--seeds 18446744073709551615", "these are more than 1000000 trials, the most that a study has"),
        ("--search tpe --trials 1000001", "these are more than 1000000 trials, the most that a study has"),
        ("--seeds 0", "expected a whole number of at least 1, but got 0"),
        ("--jobs 0", "expected a whole number of at least 1, but got 0"),
        (
            "--dropout 0.5",
            "a sweep tries several rates: name them with --rates; another kind of layer stands in the file of --config",
        ),
        ("--force", "a study is never overwritten: name another folder with --out instead of --force"),
        ("--resume --out x", "a sweep resumes by itself; --resume is for train"),
        ("--trials 5", "--trials is for --search tpe; a grid tries every rate with every seed"),
        ("--hidden-range 4..8", "--hidden-range and --learning-rate-range are for --search tpe"),
        (
            "--search tpe --hidden-range 8..4",
            "expected two positive numbers, the lower first, as in 1..10, but got 8..4",
        ),
        ("--search tpe --hidden-range 4", "expected two positive numbers, the lower first, as in 1..10, but got 4"),
        ("--search tpe --hidden-range 4..100000000", "at most 1000000000 fit"),
        (
            "--search tpe --rates 0.5",
            "--search tpe needs a lowest and a highest rate, at least 0.01 apart, as in --rates 0,0.8",
        ),
        ("--search tpe --model gpt --data story.txt --hidden-range 4..8", "--hidden-range is for --model mlp"),
        ("--search luck", "invalid value 'luck' for '--search <SEARCH>'; [possible values: grid, tpe]"),
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
