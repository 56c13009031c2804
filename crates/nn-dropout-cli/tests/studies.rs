//! The studies of `nn-dropout sweep` in SQLite files: killed, shared, damaged, and looked into with `nn-dropout study`.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use common::sweeps::{QUICK, hills, read, results, story, write};
use common::{entries, program, refuse, run, succeed, wait_until, words};
use rusqlite::Connection;
use tempfile::TempDir;

#[cfg(unix)]
#[test]
fn a_study_deletes_no_files_and_a_link_to_it_is_the_same_study() {
    let folder = TempDir::new().unwrap();
    succeed(&folder, &words(&format!("{QUICK} --study study.db --out out")));
    let database = Connection::open(folder.path().join("study.db")).unwrap();
    write(&folder, "precious.txt", "not a worker");
    for owner in ["precious.txt", "study.db", "../precious.txt", "/etc/passwd", "study.db-worker-/../precious.txt", ""]
    {
        database.execute("UPDATE trial SET state = 'running', worker = ? WHERE id = 1", [owner]).unwrap();
        succeed(&folder, &words("study show study.db"));
        assert!(folder.path().join("precious.txt").exists() && folder.path().join("study.db").exists());
    }
    database.execute_batch("DELETE FROM epoch WHERE trial = 1").unwrap();
    succeed(&folder, &words(&format!("{QUICK} --study study.db --out out")));
    assert_eq!(read(&folder, "precious.txt"), "not a worker");

    // Two processes, one by a link in another folder.
    fs::create_dir(folder.path().join("linked")).unwrap();
    std::os::unix::fs::symlink("../shared.db", folder.path().join("linked/link.db")).unwrap();
    let line = "sweep --rates 0,0.2,0.4,0.6 --seeds 5 --hidden 32 --epochs 8 --jobs 1 --quiet";
    let first = start(&folder, &format!("{line} --study shared.db --out a"));
    wait_until("a trial", || count(&folder.path().join("shared.db"), "state = 'running'") > 0);
    let children = [first, start(&folder, &format!("{line} --study linked/link.db --out b"))];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(results(&folder, "a"), results(&folder, "b"));
    assert_eq!(entries(&folder.path().join("linked")), ["link.db"]);
}

#[test]
fn processes_that_end_together_share_a_folder() {
    let folder = TempDir::new().unwrap();
    write(&folder, "hills.csv", &hills());
    let line = "sweep --data hills.csv --target height --task regression --rates 0,0.2 --seeds 2 --hidden 8 --epochs 5 --jobs 1 --quiet";
    for round in 0..4 {
        let children: Vec<Child> =
            (0..6).map(|_| start(&folder, &format!("{line} --seed {round} --study s{round}.db"))).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_file_can_be_looked_into_like_any_study() {
    let folder = TempDir::new().unwrap();
    let printed = succeed(&folder, &words(QUICK));
    let listed = succeed(&folder, &words("study list"));
    assert!(listed.contains(" runs/digits-sweep/study.db ") && listed.contains(" 4 "), "{listed}");
    let study = "runs/digits-sweep/study.db";
    let shown = succeed(&folder, &words(&format!("study show {study}")));
    let answer = printed.lines().find(|line| line.starts_with("p = ")).unwrap();
    assert!(shown.contains(answer) && shown.contains("options  --seeds 2 --rates 0,0.5\n"), "{shown}");
    let csv = succeed(&folder, &words(&format!("study export {study}")));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(lines(&csv), lines(&read(&folder, "runs/digits-sweep/results.csv")));
    succeed(&folder, &words(&format!("study export {study} --format optuna-journal --output journal.log")));
    let journal = read(&folder, "journal.log");
    assert_eq!(journal.lines().count(), 1 + 4 + 4);
    assert!(journal.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    succeed(&folder, &words(&format!("study report {study} --out seen")));
    assert_eq!(entries(&folder.path().join("seen")), ["recommended.toml", "report.html", "results.csv"]);
    for (line, expected) in [
        ("study show nothing.db", "error: nothing.db: there is no study"),
        ("study show mysql://host/db", "error: mysql://...: expected an SQLite file, or postgres://"),
        ("study list nowhere", "error: nowhere: there is no study"),
        ("study show runs", "error: runs: there is no study"),
        (
            "study export runs/digits-sweep/study.db --output runs/digits-sweep/study.db",
            "error: runs/digits-sweep/study.db is the study itself: name another file with --output",
        ),
        ("sweep --scores", "the scores of a sweep are in results.csv; --scores is for train"),
        (
            "study report runs/digits-sweep/study.db --out .",
            "error: . holds other files: name another folder with --out",
        ),
    ] {
        let said = refuse(&folder, &words(line));
        assert!(said.contains(expected), "{line}: {said}");
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
        (QUICK, "format.db", "a study in format 7, but this is nn-dropout 0.1.0, which writes format 3"),
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
