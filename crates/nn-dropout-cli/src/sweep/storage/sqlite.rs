//! A study in an SQLite file. Every process that works on it holds the lock of its own file beside it: a trial can be claimed once the
//! lock of its process is released.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use nn_dropout_experiments::metric::{Metrics, Score};
use nn_dropout_experiments::sweep::{Results, Trial, TrialResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use tempfile::NamedTempFile;

use super::{Backend, BegunWith, Claim, Description, Experiment, PROGRAM, add, check, result, today};

/// "nndo", which marks a study among SQLite files.
const APPLICATION: i32 = 0x6e6e_646f;
/// How long to wait while another process writes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Increases when the tables change.
const FORMAT: i32 = 3;
const TABLES: &str = "
CREATE TABLE experiment (
    program TEXT NOT NULL,  -- the version that computes it
    begun TEXT NOT NULL,  -- the day, in UTC
    settings TEXT NOT NULL,  -- all that its trials have in common, as TOML
    inputs TEXT NOT NULL,  -- the files that they depend on, as JSON
    config TEXT NOT NULL,  -- the settings of the process that began it, as TOML
    options TEXT NOT NULL,  -- its options of `sweep`
    trials INTEGER NOT NULL  -- how many that makes
) STRICT;
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    settings TEXT NOT NULL UNIQUE,  -- what makes it another trial than the others, as JSON
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'stopped')),
    worker TEXT,  -- the file that the process locks which runs it
    seconds REAL NOT NULL CHECK (seconds BETWEEN 0 AND 1e9),
    checkpoint BLOB,  -- of a long one that runs
    scores TEXT  -- of the validation part at the end, as JSON
) STRICT;
CREATE TABLE epoch (
    trial INTEGER NOT NULL REFERENCES trial,
    epoch INTEGER NOT NULL,
    train_loss REAL, train_metric REAL, val_loss REAL, val_metric REAL,  -- NULL is not a number
    PRIMARY KEY (trial, epoch)
) STRICT, WITHOUT ROWID;
";

/// An open file.
pub struct Sqlite {
    /// As the user named it.
    path: PathBuf,
    /// The file itself, if that is a link to it. Beside it are the files of workers.
    file: PathBuf,
    database: Connection,
    worker: Option<NamedTempFile>,
}

impl Sqlite {
    /// Opens the study of an experiment, or creates it. The file of another experiment or program is left unchanged.
    pub fn open(path: &Path, experiment: &Experiment) -> Result<Self> {
        let open = || {
            let is_new = !path.exists();
            let mut database = Connection::open(path)?;
            database.busy_timeout(PATIENCE)?;
            if is_new {
                // Deleting a checkpoint makes the file smaller.
                database.pragma_update(None, "auto_vacuum", "FULL")?;
            }
            // A commit returns only when it is on the disk.
            database.pragma_update(None, "synchronous", "FULL")?;
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if is_empty(&transaction)? {
                begin(&transaction, experiment)?;
            } else {
                check_file(&transaction)?;
                check_experiment(&transaction, experiment)?;
            }
            // Only this process can write now, so no other sees the worker file before it is locked.
            let file = path.canonicalize()?;
            let worker = worker(&file)?;
            transaction.commit()?;
            Ok((file, database, worker))
        };
        let (file, database, worker) = open().map_err(|error| explain(error, path))?;
        Ok(Self { path: path.to_owned(), file, database, worker: Some(worker) })
    }

    /// Opens a study to read it.
    pub fn open_existing(path: &Path) -> Result<Self> {
        let open = || {
            ensure!(path.is_file(), "there is no study");
            let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            database.busy_timeout(PATIENCE)?;
            check_file(&database)?;
            Ok((path.canonicalize()?, database))
        };
        let (file, database) = open().map_err(|error| explain(error, path))?;
        Ok(Self { path: path.to_owned(), file, database, worker: None })
    }

    fn explained<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| explain(error, &self.path))
    }

    fn worker_name(&self) -> String {
        let path = self.worker.as_ref().map(NamedTempFile::path);
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Whether the file is a study of this experiment that can be written to.
pub fn is_of(path: &Path, experiment: &Experiment) -> bool {
    let check = || {
        let mut database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        database.busy_timeout(PATIENCE)?;
        let transaction = database.transaction()?;
        check_file(&transaction)?;
        check_experiment(&transaction, experiment)
    };
    check().is_ok()
}

impl Backend for Sqlite {
    fn describe(&mut self) -> Result<Description> {
        let describe = || {
            let sql = "SELECT program, begun, settings, config, options, trials FROM experiment";
            let ([program, begun, settings, config, options], trials): ([String; 5], usize) =
                self.database.query_row(sql, [], |row| {
                    Ok(([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?], row.get(5)?))
                })?;
            let mut owners =
                self.database.prepare("SELECT worker FROM trial WHERE state = 'running' AND worker IS NOT NULL")?;
            let owners: Vec<String> = owners.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let running = owners.iter().filter(|owner| is_worker(&self.file, owner)).count();
            let name = self.path.display().to_string();
            Ok(Description {
                name,
                program,
                begun,
                settings,
                begun_with: BegunWith { config, options, trials },
                running,
            })
        };
        let described = describe();
        self.explained(described)
    }

    fn read_results(&mut self, results: &mut Results) -> Result<()> {
        let mut read = || {
            let mut trials = self
                .database
                .prepare("SELECT id, settings, state, seconds, scores FROM trial WHERE state <> 'running'")?;
            let mut epochs = self.database.prepare(
                "SELECT epoch, train_loss, train_metric, val_loss, val_metric FROM epoch WHERE trial = ? ORDER BY epoch",
            )?;
            let mut rows = trials.query([])?;
            while let Some(row) = rows.next()? {
                let key: String = row.get(1)?;
                if results.0.contains_key(&key) {
                    continue;
                }
                let history = epochs.query_map([row.get::<_, i64>(0)?], |row| {
                    let number =
                        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN));
                    Ok(Metrics {
                        epoch: row.get(0)?,
                        train: Score { loss: number(1)?, metric: number(2)? },
                        validation: Score { loss: number(3)?, metric: number(4)? },
                    })
                })?;
                let history = history.collect::<Result<_, _>>()?;
                let scores: Option<String> = row.get(4)?;
                let found = result(&key, row.get_ref(2)?.as_str()?, row.get(3)?, &scores.unwrap_or_default(), history)?;
                add(results, key, found)?;
            }
            Ok(())
        };
        let read = read();
        self.explained(read)
    }

    fn claim(&mut self, open: &[&Trial]) -> Result<Option<Claim>> {
        for (place, trial) in open.iter().enumerate() {
            let claimed = self.claim_one(place, trial);
            if let Some(claim) = self.explained(claimed)? {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    fn save(&mut self, trial: &Trial, checkpoint: &[u8], seconds: f64) -> Result<()> {
        let saved = self.database.execute(
            "UPDATE trial SET checkpoint = ?, seconds = ? WHERE settings = ? AND worker = ?",
            params![checkpoint, seconds, trial.key(), self.worker_name()],
        );
        self.explained(saved.map(drop).map_err(Into::into))
    }

    fn release(&mut self, trial: &Trial) -> Result<()> {
        let sql = "UPDATE trial SET worker = NULL WHERE settings = ? AND worker = ?";
        let released = self.database.execute(sql, [trial.key(), self.worker_name()]);
        self.explained(released.map(drop).map_err(Into::into))
    }

    fn finish(&mut self, result: &TrialResult) -> Result<bool> {
        let worker = self.worker_name();
        let mut finish = || {
            let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sql = "UPDATE trial SET state = ?, worker = NULL, seconds = ?, checkpoint = NULL, scores = ? \
                       WHERE settings = ? AND state = 'running' AND worker = ? RETURNING id";
            let validated = serde_json::to_string(&result.validated)?;
            let values = params![result.state.name(), result.seconds, validated, result.trial.key(), worker];
            let id: Option<i64> = transaction.query_row(sql, values, |row| row.get(0)).optional()?;
            let Some(id) = id else { return Ok(false) };
            for Metrics { epoch, train, validation } in &result.history {
                transaction.execute(
                    "INSERT INTO epoch VALUES (?, ?, ?, ?, ?, ?)",
                    params![id, epoch, train.loss, train.metric, validation.loss, validation.metric],
                )?;
            }
            transaction.commit()?;
            Ok(true)
        };
        let finished = finish();
        self.explained(finished)
    }
}

impl Sqlite {
    /// Claims a trial, unless another process or thread has it or has run it.
    fn claim_one(&mut self, place: usize, trial: &Trial) -> Result<Option<Claim>> {
        let (worker, file) = (self.worker_name(), &self.file);
        let settings = trial.key();
        let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let present: Option<(String, Option<String>)> = transaction
            .query_row("SELECT state, worker FROM trial WHERE settings = ?", [&settings], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let is_free = |owner: &Option<String>| owner.as_ref().is_none_or(|owner| !is_worker(file, owner));
        let claim = match present {
            None => {
                transaction.execute(
                    "INSERT INTO trial (settings, state, worker, seconds) VALUES (?, 'running', ?, 0)",
                    params![settings, worker],
                )?;
                Some(Claim { place, checkpoint: None })
            }
            Some((state, owner)) if state == "running" && is_free(&owner) => {
                let (checkpoint, seconds): (Option<Vec<u8>>, f64) = transaction.query_row(
                    "UPDATE trial SET worker = ? WHERE settings = ? RETURNING checkpoint, seconds",
                    params![worker, settings],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                Some(Claim { place, checkpoint: checkpoint.map(|checkpoint| (checkpoint, seconds)) })
            }
            Some(_) => None,
        };
        transaction.commit()?;
        Ok(claim)
    }
}

/// What the names of the files of workers begin with.
fn prefix(study: &Path) -> String {
    format!("{}-worker-", study.file_name().unwrap_or_default().to_string_lossy())
}

/// A locked file beside the study, for as long as this process works on it. The files of killed processes are removed.
fn worker(study: &Path) -> Result<NamedTempFile> {
    let prefix = prefix(study);
    let folder = study.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) && !is_locked(&entry.path()) {
            // If removing fails, the next process tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
    let worker = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)?;
    worker.as_file().lock()?;
    Ok(worker)
}

/// Whether this is the file of a process that works on the study.
fn is_worker(study: &Path, name: &str) -> bool {
    let is_plain = Path::new(name).file_name() == Some(OsStr::new(name));
    is_plain && name.starts_with(&prefix(study)) && is_locked(&study.with_file_name(name))
}

/// Whether a process holds the lock of a file, as far as can be known.
fn is_locked(file: &Path) -> bool {
    match File::open(file) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn is_empty(database: &Connection) -> Result<bool> {
    let tables: i64 = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(database, "application_id")? == 0)
}

/// Creates the tables.
fn begin(database: &Connection, Experiment { settings, inputs, begun_with }: &Experiment) -> Result<()> {
    database.execute_batch(TABLES)?;
    let inputs = serde_json::to_string(inputs)?;
    let BegunWith { config, options, trials } = begun_with;
    database.execute(
        "INSERT INTO experiment VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![PROGRAM, today(), settings, inputs, config, options, trials],
    )?;
    database.pragma_update(None, "application_id", APPLICATION)?;
    database.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

fn pragma(database: &Connection, name: &str) -> Result<i32> {
    Ok(database.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Checks that the file is an intact study of this format.
fn check_file(database: &Connection) -> Result<()> {
    let application = pragma(database, "application_id")?;
    ensure!(application == APPLICATION, "an SQLite database of another program, not a study");
    let format = pragma(database, "user_version")?;
    ensure!(
        format == FORMAT,
        "a study in format {format}, but this is nn-dropout {PROGRAM}, which writes format {FORMAT}"
    );
    let fault: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    ensure!(fault == "ok", "the study is damaged: {}", fault.replace('\n', " "));
    Ok(())
}

fn check_experiment(database: &Connection, experiment: &Experiment) -> Result<()> {
    let sql = "SELECT program, begun, settings, inputs FROM experiment";
    let [program, begun, settings, inputs]: [String; 4] =
        database.query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    check(experiment, &program, &begun, &settings, &inputs)
}

/// The error with the file, in plain words.
fn explain(error: anyhow::Error, path: &Path) -> anyhow::Error {
    let shown = path.display();
    match error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::NotADatabase) => {
            anyhow!("{shown}: neither a study nor any SQLite database; name another file with --study")
        }
        Some(ErrorCode::DatabaseCorrupt) => anyhow!("{shown}: the study is damaged: {error}"),
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            anyhow!("cannot write {shown}: {error}; what is in it is safe")
        }
        _ => error.context(format!("{shown}")),
    }
}
