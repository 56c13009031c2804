//! Studies in a real PostgreSQL server, which the tests start on a free port in a folder of its own, and stop.
//!
//! Without PostgreSQL's programs they are skipped, unless `NN_DROPOUT_POSTGRES` is `required`; with `skip` they are anyway.
#![cfg(unix)]

mod common;

use std::collections::HashSet;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use common::sweeps::{QUICK, hills, story, write};
use common::{program, wait_until, words};
use tempfile::TempDir;

const PASSWORD: &str = "open sesame";

/// A server that is stopped at the end of a test.
struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

/// The folder with PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let wanted = env::var("NN_DROPOUT_POSTGRES").unwrap_or_default();
    if wanted == "skip" {
        return None;
    }
    let in_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let found = debian.chain(in_path).find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists());
    if found.is_none() {
        assert_ne!(wanted, "required", "there is no PostgreSQL");
        eprintln!("skipped: there is no PostgreSQL, such as that of the Debian package postgresql");
    }
    found
}

impl Server {
    /// `None` where there is no PostgreSQL.
    fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { folder, programs, port };
        // PostgreSQL refuses to run as root.
        fs::set_permissions(server.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(server.file("password"), PASSWORD).unwrap();
        server.run(
            "initdb",
            &["-D", "data", "-U", "sweeper", "-A", "scram-sha-256", "--pwfile", "password", "--no-sync"],
        );
        server.up();
        Some(server)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, name: &str, args: &[&str]) {
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let program = self.programs.join(name);
        let mut command = if is_root { Command::new("runuser") } else { Command::new(&program) };
        if is_root {
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        // The server keeps what it inherits, and a pipe would not end.
        let log = fs::File::create(self.file("log")).unwrap();
        let command = command.args(args).current_dir(self.folder.path());
        let status = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).status().unwrap();
        assert!(status.success(), "{name}: {}", fs::read_to_string(self.file("log")).unwrap());
    }

    fn up(&self) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", self.port);
        self.run("pg_ctl", &["-D", "data", "-o", &options, "-l", "server.log", "-w", "start"]);
    }

    fn down(&self, mode: &str) {
        self.run("pg_ctl", &["-D", "data", "-m", mode, "-w", "stop"]);
    }

    fn address(&self) -> String {
        format!("postgres://sweeper@127.0.0.1:{}/postgres", self.port)
    }

    /// What a query gives, one line per row.
    fn query(&self, sql: &str) -> Vec<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "sweeper", "-d", "postgres", "-Atqc", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn count(&self, sql: &str) -> usize {
        self.query(sql).first().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.file("data/postmaster.pid").exists() {
            self.down("immediate");
        }
    }
}

/// The program with the password.
fn with_password(folder: &TempDir, line: &str) -> Command {
    let mut command = Command::new(program(folder, &[]).get_program());
    command.args(words(line)).current_dir(folder.path()).env("PGPASSWORD", PASSWORD).env("HOME", folder.path());
    command
}

fn output(folder: &TempDir, line: &str) -> Output {
    with_password(folder, line).output().unwrap()
}

fn succeed(folder: &TempDir, line: &str) -> String {
    let Output { status, stdout, stderr } = output(folder, line);
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn refuse(folder: &TempDir, line: &str) -> String {
    let Output { status, stderr, .. } = output(folder, line);
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), said.lines().count()), (Some(2), 1), "{line}: {said}");
    said.trim_end().to_owned()
}

fn start(folder: &TempDir, line: &str) -> Child {
    with_password(folder, line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The trials that a process said it has run.
fn trials(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let trial = |line: &str| line.split(": ").nth(1).filter(|_| line.starts_with("trial ")).map(str::to_owned);
    text.lines().filter_map(trial).collect()
}

/// The rows of `results.csv`, without how long each trial took.
fn results(folder: &TempDir, out: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join(out).join("results.csv")).unwrap();
    let without = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(column, _)| *column != 5);
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",")
    };
    text.lines().map(without).collect()
}

const ENDED: &str = "SELECT count(*) FROM nn_dropout.trial WHERE state IS NOT NULL";
/// The advisory locks of all trials that run.
const RUNNING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2";

/// The trials that can be resumed.
const CHECKPOINTS: &str = "SELECT count(*) FROM nn_dropout.trial WHERE checkpoint IS NOT NULL AND state IS NULL";

#[test]
fn a_thousand_trials_and_eight_workers_lose_nothing_and_do_nothing_twice() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    write(&folder, "hills.csv", &hills());
    let line = "sweep --data hills.csv --target height --task regression --rates 0,0.1,0.2,0.3 --seeds 250 --hidden 2 --epochs 1 --jobs 1";
    let address = server.address();
    let children = (0..8).map(|worker| start(&folder, &format!("{line} --study {address} --out worker-{worker}")));
    let said: Vec<Vec<String>> = children.collect::<Vec<_>>().into_iter().map(trials).collect();
    assert!(said.iter().all(|trials| !trials.is_empty()), "a worker had nothing to do");
    let all = said.concat();
    assert_eq!(all.len(), 1000);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1000, "a trial was run twice");
    assert_eq!(server.count(ENDED), 1000);
    assert_eq!(server.count("SELECT count(*) FROM nn_dropout.epoch"), 1000);
    assert_eq!(server.count(RUNNING), 0);

    // One process with a file has the same results, and so has every worker.
    succeed(&folder, &format!("{line} --quiet --out alone"));
    let alone = results(&folder, "alone");
    assert!((0..8).all(|worker| results(&folder, &format!("worker-{worker}")) == alone));
}

#[test]
fn workers_that_are_killed_and_a_server_that_restarts_change_nothing() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let line = "sweep --rates 0,0.2,0.4,0.6 --seeds 8 --hidden 48 --epochs 10 --jobs 1";
    let shared = format!("{line} --study {}", server.address());
    let steady = start(&folder, &format!("{shared} --out steady"));
    wait_until("a trial", || server.count(ENDED) > 0);
    let mut lost = 0;
    for round in 0..6 {
        let mut child = start(&folder, &format!("{shared} --quiet --out killed"));
        wait_until("two trials to run", || server.count(RUNNING) == 2 || server.count(ENDED) == 32);
        child.kill().unwrap();
        child.wait().unwrap();
        // Its trial is free at once.
        wait_until("its lock to go", || server.count(RUNNING) < 2);
        lost += usize::from(server.count(ENDED) < 32);
        if round == 2 {
            server.down("immediate");
            thread::sleep(Duration::from_millis(700));
            server.up();
        }
        if round == 4 {
            server.down("fast");
            server.up();
        }
    }
    assert!(lost > 2, "killed too late");
    let others = trials(start(&folder, &format!("{shared} --out other")));
    let steady = trials(steady);
    assert_eq!(server.count(ENDED), 32);
    let run: HashSet<&String> = steady.iter().chain(&others).collect();
    assert_eq!(run.len(), steady.len() + others.len(), "a trial was run twice");
    succeed(&folder, &format!("{line} --quiet --out alone"));
    for out in ["steady", "other"] {
        assert_eq!(results(&folder, out), results(&folder, "alone"));
    }
}

#[test]
fn a_lost_connection_loses_no_more_than_the_trial() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    write(&folder, "story.txt", &story());
    let line = "sweep --model gpt --data story.txt --rates 0,0.4 --seeds 2 --n-layer 1 --n-head 1 --n-embd 16 --block-size 16 \
                --max-iters 120 --eval-interval 10 --jobs 1";
    let shared = format!("{line} --study {}", server.address());

    // Whoever comes after a killed process goes on with its checkpoint.
    let mut child = start(&folder, &format!("{shared} --quiet --out killed"));
    wait_until("a checkpoint", || server.count(CHECKPOINTS) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(server.count(CHECKPOINTS) > 0);

    // A connection that is cut again and again is made again, and the trial is still ours.
    let child = start(&folder, &format!("{shared} --out cut"));
    for _ in 0..5 {
        wait_until("a trial to run", || server.count(RUNNING) > 0 || server.count(ENDED) == 4);
        server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nn-dropout'");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(trials(child).len(), 4);
    assert_eq!(server.count("SELECT count(*) FROM nn_dropout.trial WHERE checkpoint IS NOT NULL"), 0);

    // One that somebody else has got meanwhile is left to them.
    succeed(&folder, &format!("{line} --quiet --out alone"));
    assert_eq!(results(&folder, "cut"), results(&folder, "alone"));
}

#[test]
fn what_somebody_else_has_got_is_left_to_them() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let line = format!("sweep --rates 0.5 --seeds 1 --hidden 128 --epochs 60 --jobs 1 --study {}", server.address());
    let child = start(&folder, &format!("{line} --out first"));
    wait_until("the trial to run", || server.count(RUNNING) == 1);
    // The connection is cut, and another one takes the lock until the trial has been trained.
    let other = Command::new(server.programs.join("psql"))
        .args(["-h", "127.0.0.1", "-p", &server.port.to_string(), "-U", "sweeper", "-d", "postgres", "-c"])
        .arg(
            "SELECT pg_terminate_backend(pid), pg_sleep(0.2) FROM pg_stat_activity WHERE application_name = 'nn-dropout'; \
             SELECT pg_advisory_lock('nn_dropout.trial'::regclass::oid::integer, id) FROM nn_dropout.trial; SELECT pg_sleep(6)",
        )
        .env("PGPASSWORD", PASSWORD)
        .stdout(Stdio::null())
        .spawn();
    assert_eq!(trials(child).len(), 1, "it is trained once more when it is free");
    assert!(other.unwrap().wait().unwrap().success());
    assert_eq!(server.count(ENDED), 1);
    assert_eq!(server.count("SELECT count(*) FROM nn_dropout.epoch"), 10);
}

#[test]
fn a_study_can_be_looked_into_from_anywhere() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let address = server.address();
    assert_eq!(refuse(&folder, &format!("study show {address}")), format!("error: {address}: there is no study"));
    assert_eq!(succeed(&folder, &format!("study list {address}")), format!("there is no study in {address}\n"));
    let quick = QUICK;
    let printed = succeed(&folder, &format!("{quick} --study {address}"));
    assert!(
        printed.ends_with("results in runs/digits-sweep, the report in runs/digits-sweep/report.html\n"),
        "{printed}"
    );
    let named = |name: &str| format!("{address}#{name}");
    let study = fs::read_to_string(folder.path().join("runs/digits-sweep/study.txt")).unwrap();
    assert_eq!(study, named("digits-sweep\n"));
    // The same command finds everything done, and another experiment is another study.
    assert_eq!(succeed(&folder, &format!("{quick} --study {address}")), printed);
    let other = quick.replace("--epochs 3", "--epochs 2");
    succeed(&folder, &format!("{other} --study {address}"));
    let listed = succeed(&folder, &format!("study list {address}"));
    assert!(listed.contains(&named("digits-sweep  ")) && listed.contains(&named("digits-sweep-2  ")), "{listed}");
    let said = refuse(&folder, &format!("study show {address}"));
    assert!(
        said.contains("there are several studies: name one with") && said.ends_with("digits-sweep, digits-sweep-2"),
        "{said}"
    );
    let said = refuse(&folder, &format!("study show {}", named("nothing")));
    assert_eq!(said, format!("error: {}: there is no such study; only digits-sweep, digits-sweep-2", named("nothing")));
    let said = refuse(&folder, &format!("{other} --study {}", named("digits-sweep")));
    let expected = "a study of another experiment: it has epochs = 3, not 2";
    assert_eq!(said, format!("error: {}: {expected}", named("digits-sweep")));

    let shown = succeed(&folder, &format!("study show {}", named("digits-sweep")));
    assert!(shown.contains("trials   4 of 4 ended, 0 running now\n"), "{shown}");
    let answer = printed.lines().find(|line| line.starts_with("p = ")).unwrap();
    assert!(shown.contains(answer), "{shown}");
    succeed(&folder, &format!("study report {} --out seen", named("digits-sweep")));
    assert!(fs::read_to_string(folder.path().join("seen/report.html")).unwrap().contains(answer));
    let csv = succeed(&folder, &format!("study export {}", named("digits-sweep")));
    let own = fs::read_to_string(folder.path().join("runs/digits-sweep/results.csv")).unwrap();
    assert_eq!(csv.lines().collect::<HashSet<_>>(), own.lines().collect::<HashSet<_>>());

    let escaping = "\u{1b}[31m".to_owned();
    server.query(&format!("UPDATE nn_dropout.study SET name = '{escaping}' WHERE name = 'digits-sweep-2'"));
    assert!(!succeed(&folder, &format!("study list {address}")).contains(&escaping));
    assert_eq!(refuse(&folder, &format!("{quick} --study {}", named("../x"))).lines().count(), 1);

    // While others work.
    let child = start(
        &folder,
        &format!("sweep --rates 0,0.5 --seeds 20 --hidden 64 --epochs 20 --study {} --out long", named("long")),
    );
    wait_until("a trial", || server.count(RUNNING) > 0 && server.count(ENDED) > 9);
    let shown = succeed(&folder, &format!("study show {}", named("long")));
    assert!(shown.contains(" running now\n") && !shown.contains(" 0 running now"), "{shown}");
    succeed(&folder, &format!("study report {} --out during", named("long")));
    assert!(fs::read_to_string(folder.path().join("during/report.html")).unwrap().contains("Not finished"));
    trials(child);
}

#[test]
fn processes_that_begin_and_end_together_share_a_folder() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    write(&folder, "hills.csv", &hills());
    let line = "sweep --data hills.csv --target height --task regression --rates 0,0.5 --seeds 2 --hidden 4 --epochs 2 --jobs 1 --quiet";
    for round in 0..3 {
        server.query("DROP SCHEMA IF EXISTS nn_dropout CASCADE");
        let line = format!("{line} --seed {round} --study {}", server.address());
        let children: Vec<Child> = (0..8).map(|_| start(&folder, &line)).collect();
        for child in children {
            let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
            assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
            assert!(String::from_utf8(stdout).unwrap().contains("results in runs/hills-sweep, "));
        }
        assert_eq!(server.count("SELECT count(*) FROM nn_dropout.study"), 1);
        assert_eq!(fs::read_dir(folder.path().join("runs")).unwrap().count(), 1);
        assert!(folder.path().join("runs/hills-sweep/chosen/model.safetensors").exists());
        fs::remove_dir_all(folder.path().join("runs")).unwrap();
    }
}

#[test]
fn rows_that_somebody_deletes_are_made_again_or_missed() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let address = server.address();
    let line = format!("sweep --rates 0,0.5 --seeds 3 --hidden 64 --epochs 12 --jobs 1 --study {address}");
    let child = start(&folder, &format!("{line} --out out"));
    wait_until("a trial to run", || server.count(RUNNING) > 0);
    server.query("DELETE FROM nn_dropout.trial WHERE state IS NULL");
    trials(child);
    assert_eq!(server.count(ENDED), 6);
    let all = results(&folder, "out");

    // What has ended without measurements is damaged.
    server.query(
        "DELETE FROM nn_dropout.epoch WHERE trial = (SELECT min(id) FROM nn_dropout.trial WHERE state IS NOT NULL)",
    );
    for line in [format!("{line} --quiet --out out"), format!("study show {address}")] {
        assert!(refuse(&folder, &line).contains("is not measured as the others are"));
    }
    // What has ended without a transaction is found all the same, as after a restore.
    server.query("DELETE FROM nn_dropout.trial WHERE id NOT IN (SELECT trial FROM nn_dropout.epoch)");
    server.query("UPDATE nn_dropout.trial SET ended = NULL");
    assert_eq!(trials(start(&folder, &format!("{line} --out out"))).len(), 1);
    assert_eq!(results(&folder, "out"), all);

    server.query("DELETE FROM nn_dropout.study");
    let quick = "sweep --rates 0,0.5 --seeds 3 --hidden 64 --epochs 12 --jobs 1 --quiet";
    succeed(&folder, &format!("{quick} --study {address} --out again"));
}

#[test]
fn passwords_stay_secret_and_mistakes_are_named() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let address = server.address();
    let quick = "sweep --rates 0,0.5 --seeds 2 --hidden 8 --epochs 1 --quiet";
    let study = |address: &str| format!("{quick} --study {address}");

    // From a file, as PostgreSQL's own programs read it.
    let passes = folder.path().join(".pgpass");
    fs::write(&passes, format!("127.0.0.1:{}:postgres:sweeper:{PASSWORD}\n", server.port)).unwrap();
    fs::set_permissions(&passes, fs::Permissions::from_mode(0o600)).unwrap();
    let output = with_password(&folder, &study(&address)).env_remove("PGPASSWORD").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::remove_file(&passes).unwrap();
    // It is in no file.
    let run = folder.path().join("runs/digits-sweep");
    let entries = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    for path in entries {
        assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(PASSWORD), "{}", path.display());
    }

    let with_wrong = with_password(&folder, &study(&address)).env("PGPASSWORD", "wrong").output().unwrap();
    let said = String::from_utf8(with_wrong.stderr).unwrap();
    assert_eq!(said, format!("error: {address}: password authentication failed for user \"sweeper\"\n"));
    for secret in [
        address.replace("sweeper@", "sweeper:hush@"),
        address.replace("sweeper@", "sweeper:hu/hush@"),
        format!("{address}?password=hush"),
        address.replace("postgres://sweeper@", "mysql://sweeper:hush@"),
    ] {
        for line in [study(&secret), format!("study list {secret}")] {
            let said = refuse(&folder, &line);
            assert!(!said.contains("hush"), "{said}");
        }
    }
    let said = refuse(&folder, &study(&address.replace("/postgres", "/nowhere")));
    assert!(said.ends_with("/nowhere: database \"nowhere\" does not exist"), "{said}");
    let said = refuse(&folder, &study("postgres://sweeper@127.0.0.1:1/postgres"));
    assert!(said.starts_with("error: postgres://sweeper@127.0.0.1:1/postgres: cannot reach the server: "), "{said}");
    let said = refuse(&folder, &study(&format!("{address}?sslmode=require")));
    assert!(said.contains("server does not support TLS"), "{said}");
    let said = refuse(&folder, &format!("{} --out .", study(&address)));
    assert!(said.contains(". is not a sweep: it holds `"), "{said}");
    server.query("UPDATE nn_dropout.format SET version = 7");
    let said = refuse(&folder, &study(&address));
    let expected = "studies in format 7, but this is nn-dropout 0.1.0, which writes format 1";
    assert_eq!(said, format!("error: {address}: {expected}"));
}

#[test]
fn the_connection_can_be_encrypted_and_the_server_verified() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let openssl = |line: &str| {
        let output = Command::new("openssl").args(words(line)).current_dir(server.folder.path()).output();
        let output = output.expect("PostgreSQL for Debian comes with openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for name in ["own", "other"] {
        openssl(&format!("req -new -x509 -days 2 -nodes -subj /CN={name} -keyout {name}.key -out {name}.crt"));
    }
    fs::write(server.file("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    openssl("req -new -nodes -subj /CN=server -keyout server.key -out server.csr");
    openssl(
        "x509 -req -in server.csr -days 2 -CA own.crt -CAkey own.key -CAcreateserial -extfile names -out server.crt",
    );
    let [key, certificate, own, other] =
        ["server.key", "server.crt", "own.crt", "other.crt"].map(|name| server.file(name));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    // The server wants a key of its own that nobody else reads.
    let install = format!(
        "cp {0} data/server.key && chmod 600 data/server.key && cp {1} data/server.crt",
        key.display(),
        certificate.display()
    );
    let shell = server.folder.path().join("install.sh");
    fs::write(&shell, format!("{install} && echo 'ssl = on' >> data/postgresql.conf\n")).unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new(if is_root { "runuser" } else { "sh" });
    if is_root {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    assert!(command.arg(&shell).current_dir(server.folder.path()).status().unwrap().success());
    server.down("fast");
    server.up();
    let quick = "sweep --rates 0,0.5 --seeds 2 --hidden 8 --epochs 1 --quiet";
    let study = |root: &Path| {
        format!("{quick} --study {}?sslmode=verify-full&sslrootcert={}", server.address(), root.display())
    };
    succeed(&folder, &study(&own));
    let said = refuse(&folder, &study(&other));
    assert!(said.contains("certificate"), "{said}");
}
