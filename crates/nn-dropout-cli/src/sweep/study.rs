//! The study: an SQLite file that remembers every trial, for this process and for others that work on it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use tempfile::NamedTempFile;

use super::plan::Trial;
use crate::settings::differences;
use crate::training::{Metrics, Score};

/// "nndo", which tells a study from other SQLite files.
const APPLICATION: i32 = 0x6e6e_646f;
/// SQLite holds values of up to 10^9 bytes.
const MAX_CHECKPOINT: usize = 999_999_999;
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Goes up when the tables change.
const FORMAT: i32 = 1;
const TABLES: &str = "
CREATE TABLE experiment (
    program TEXT NOT NULL,  -- the version that computes it
    settings TEXT NOT NULL  -- all that its trials have in common, as TOML
) STRICT;
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    settings TEXT NOT NULL UNIQUE,  -- what makes it another trial than the others, as JSON
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'stopped')),
    worker TEXT,  -- the file that the process locks which runs it
    seconds REAL NOT NULL,
    checkpoint BLOB  -- of a long one that runs
) STRICT;
CREATE TABLE epoch (
    trial INTEGER NOT NULL REFERENCES trial,
    epoch INTEGER NOT NULL,
    train_loss REAL, train_metric REAL, val_loss REAL, val_metric REAL,  -- NULL is not a number
    PRIMARY KEY (trial, epoch)
) STRICT, WITHOUT ROWID;
";

/// How a trial has ended.
#[derive(Clone, Copy, PartialEq)]
pub enum State {
    Complete,
    /// Early, since it was hopeless.
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Stopped => "stopped",
        }
    }
}

/// A trial that has ended.
#[derive(Clone)]
pub struct Record {
    pub trial: Trial,
    pub state: State,
    pub seconds: f64,
    pub history: Vec<Metrics>,
}

impl Record {
    /// What the training has come to.
    pub fn last(&self) -> &Metrics {
        self.history.last().expect("a trial that has ended has been measured")
    }
}

/// Trials that have ended.
#[derive(Default)]
pub struct Results(HashMap<String, Record>);

impl Results {
    pub fn get(&self, trial: &Trial) -> Option<&Record> {
        self.0.get(&trial.key())
    }
}

/// What comes of trying to run a trial.
pub enum Claim {
    /// It is ours to run; it may go on from a checkpoint, made after so many seconds.
    Ours(Option<(Vec<u8>, f64)>),
    /// Another process or thread runs it or has run it.
    Taken,
}

/// An open study. Every process that works on one holds the lock of a file beside it: a trial whose process does not any more
/// is free again.
pub struct Study {
    path: PathBuf,
    database: Connection,
    worker: NamedTempFile,
    results: Results,
}

impl Study {
    /// Opens the study of an experiment, or begins it. The file of another experiment or program is left as it is.
    pub fn open(path: &Path, experiment: &str) -> Result<Self> {
        let open = || {
            let is_new = !path.exists();
            let mut database = Connection::open(path)?;
            database.busy_timeout(PATIENCE)?;
            if is_new {
                // The room of a checkpoint is given back.
                database.pragma_update(None, "auto_vacuum", "FULL")?;
            }
            // A commit is on the disk before it counts as done.
            database.pragma_update(None, "synchronous", "FULL")?;
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if is_empty(&transaction)? {
                begin(&transaction, experiment)?;
            } else {
                check(&transaction, experiment)?;
            }
            // While this process alone may write: nobody sees a worker that has no lock yet.
            let worker = worker(path)?;
            transaction.commit()?;
            Ok((database, worker))
        };
        let (database, worker) = open().map_err(|error| explain(error, path))?;
        Ok(Self { path: path.to_owned(), database, worker, results: Results::default() })
    }

    /// Whether there is a study of this experiment that can be worked on.
    pub fn is_of(path: &Path, experiment: &str) -> bool {
        let check = || {
            let mut database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            database.busy_timeout(PATIENCE)?;
            let transaction = database.transaction()?;
            check(&transaction, experiment)
        };
        check().is_ok()
    }

    /// All trials that have ended by now.
    pub fn results(&mut self) -> Result<&Results> {
        self.read_results().map_err(|error| explain(error, &self.path))?;
        Ok(&self.results)
    }

    fn read_results(&mut self) -> Result<()> {
        let mut trials =
            self.database.prepare("SELECT id, settings, state, seconds FROM trial WHERE state <> 'running'")?;
        let mut epochs = self.database.prepare(
            "SELECT epoch, train_loss, train_metric, val_loss, val_metric FROM epoch WHERE trial = ? ORDER BY epoch",
        )?;
        let mut rows = trials.query([])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(1)?;
            if self.results.0.contains_key(&key) {
                continue;
            }
            let history = epochs.query_map([row.get::<_, i64>(0)?], |row| {
                let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN));
                Ok(Metrics {
                    epoch: row.get(0)?,
                    train: Score { loss: number(1)?, metric: number(2)? },
                    validation: Score { loss: number(3)?, metric: number(4)? },
                })
            })?;
            let record = Record {
                trial: serde_json::from_str(&key)?,
                state: if row.get_ref(2)?.as_str()? == State::Stopped.name() {
                    State::Stopped
                } else {
                    State::Complete
                },
                seconds: row.get(3)?,
                history: history.collect::<Result<_, _>>()?,
            };
            self.results.0.insert(key, record);
        }
        Ok(())
    }

    /// Makes a trial ours, unless somebody has it.
    pub fn claim(&mut self, trial: &Trial) -> Result<Claim> {
        let (worker, path) = (self.worker_name(), &self.path);
        let mut claim = || {
            let settings = trial.key();
            let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let present: Option<(String, Option<String>)> = transaction
                .query_row("SELECT state, worker FROM trial WHERE settings = ?", [&settings], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let is_free =
                |owner: &Option<String>| owner.as_ref().is_none_or(|owner| !is_alive(&path.with_file_name(owner)));
            let claim = match present {
                None => {
                    transaction.execute(
                        "INSERT INTO trial (settings, state, worker, seconds) VALUES (?, 'running', ?, 0)",
                        params![settings, worker],
                    )?;
                    Claim::Ours(None)
                }
                Some((state, owner)) if state == "running" && is_free(&owner) => {
                    let (checkpoint, seconds): (Option<Vec<u8>>, f64) = transaction.query_row(
                        "UPDATE trial SET worker = ? WHERE settings = ? RETURNING checkpoint, seconds",
                        params![worker, settings],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )?;
                    Claim::Ours(checkpoint.map(|checkpoint| (checkpoint, seconds)))
                }
                Some(_) => Claim::Taken,
            };
            transaction.commit()?;
            Ok(claim)
        };
        claim().map_err(|error| explain(error, &self.path))
    }

    /// Where one of our trials can go on if we cannot. One of a model too large for an SQLite file would have to begin again.
    pub fn save(&self, trial: &Trial, checkpoint: &[u8], seconds: f64) -> Result<()> {
        if checkpoint.len() > MAX_CHECKPOINT {
            return Ok(());
        }
        let save = || {
            self.database.execute(
                "UPDATE trial SET checkpoint = ?, seconds = ? WHERE settings = ?",
                params![checkpoint, seconds, trial.key()],
            )?;
            Ok(())
        };
        save().map_err(|error| explain(error, &self.path))
    }

    /// Leaves one of our trials to whoever wants it.
    pub fn release(&self, trial: &Trial) -> Result<()> {
        let release = || {
            let settings = trial.key();
            self.database.execute("UPDATE trial SET worker = NULL WHERE settings = ?", [settings])?;
            Ok(())
        };
        release().map_err(|error| explain(error, &self.path))
    }

    /// One of our trials has ended.
    pub fn finish(&mut self, record: &Record) -> Result<()> {
        let mut finish = || {
            let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let id: i64 = transaction.query_row(
                "UPDATE trial SET state = ?, worker = NULL, seconds = ?, checkpoint = NULL WHERE settings = ? RETURNING id",
                params![record.state.name(), record.seconds, record.trial.key()],
                |row| row.get(0),
            )?;
            for Metrics { epoch, train, validation } in &record.history {
                transaction.execute(
                    "INSERT INTO epoch VALUES (?, ?, ?, ?, ?, ?)",
                    params![id, epoch, train.loss, train.metric, validation.loss, validation.metric],
                )?;
            }
            transaction.commit()?;
            Ok(())
        };
        finish().map_err(|error| explain(error, &self.path))
    }

    fn worker_name(&self) -> String {
        self.worker.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A locked file beside the study, for as long as this process works on it. Those of processes that were killed go.
fn worker(study: &Path) -> Result<NamedTempFile> {
    let prefix = format!("{}-worker-", study.file_name().unwrap_or_default().to_string_lossy());
    let folder = study.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            is_alive(&entry.path());
        }
    }
    let worker = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)?;
    worker.as_file().lock()?;
    Ok(worker)
}

/// Whether the process that made this file still holds its lock, as far as can be told. If it does not, the file goes.
fn is_alive(worker: &Path) -> bool {
    let file = match File::open(worker) {
        Ok(file) => file,
        Err(error) => return error.kind() != ErrorKind::NotFound,
    };
    let is_alive = file.try_lock().is_err();
    if !is_alive {
        // If it stays, it is found like this again.
        let _ = fs::remove_file(worker);
    }
    is_alive
}

fn is_empty(database: &Connection) -> Result<bool> {
    let tables: i64 = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(database, "application_id")? == 0)
}

/// Makes the tables.
fn begin(database: &Connection, experiment: &str) -> Result<()> {
    database.execute_batch(TABLES)?;
    database.execute("INSERT INTO experiment VALUES (?, ?)", [PROGRAM, experiment])?;
    database.pragma_update(None, "application_id", APPLICATION)?;
    database.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

fn pragma(database: &Connection, name: &str) -> Result<i32> {
    Ok(database.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Checks whose tables these are.
fn check(database: &Connection, experiment: &str) -> Result<()> {
    let application = pragma(database, "application_id")?;
    ensure!(application == APPLICATION, "an SQLite database of another program, and no study");
    let format = pragma(database, "user_version")?;
    ensure!(
        format == FORMAT,
        "a study in format {format}, and this is nn-dropout {PROGRAM}, which writes format {FORMAT}"
    );
    let fault: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    ensure!(fault == "ok", "the study is damaged: {}", fault.replace('\n', " "));
    let (made_by, settings): (String, String) =
        database.query_row("SELECT program, settings FROM experiment", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    ensure!(
        made_by == PROGRAM,
        "a study of nn-dropout {made_by}, whose numbers may differ from those of this version, {PROGRAM}"
    );
    if let Some((key, before, now)) = differences(&settings, experiment)?.next() {
        bail!("a study of another experiment: it has {key} = {before}, not {now}");
    }
    Ok(())
}

/// What went wrong with the file, for people.
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
