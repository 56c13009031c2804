//! Where a study is stored: an SQLite file with every trial, shared by all processes that work on it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow, bail, ensure};
use humantime::format_rfc3339_seconds;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use super::trial::{Results, State, Trial, TrialResult};
use crate::io::input::{Input, check_same};
use crate::metric::{Metrics, Score};
use crate::settings::file::differences;

/// "nndo", which marks a study among SQLite files.
const APPLICATION: i32 = 0x6e6e_646f;
/// The largest checkpoint that SQLite can hold.
const MAX_CHECKPOINT: usize = 999_999_999;
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// How long to wait while another process writes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Increases when the tables change.
const FORMAT: i32 = 2;
const TABLES: &str = "
CREATE TABLE experiment (
    program TEXT NOT NULL,  -- the version that computes it
    begun TEXT NOT NULL,  -- the day, in UTC
    settings TEXT NOT NULL,  -- all that its trials have in common, as TOML
    inputs TEXT NOT NULL  -- the files that they depend on, as JSON
) STRICT;
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    settings TEXT NOT NULL UNIQUE,  -- what makes it another trial than the others, as JSON
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'stopped')),
    worker TEXT,  -- the file that the process locks which runs it
    seconds REAL NOT NULL CHECK (seconds BETWEEN 0 AND 1e9),
    checkpoint BLOB  -- of a long one that runs
) STRICT;
CREATE TABLE epoch (
    trial INTEGER NOT NULL REFERENCES trial,
    epoch INTEGER NOT NULL,
    train_loss REAL, train_metric REAL, val_loss REAL, val_metric REAL,  -- NULL is not a number
    PRIMARY KEY (trial, epoch)
) STRICT, WITHOUT ROWID;
";

/// What all trials of a study have in common.
pub struct Experiment {
    /// As TOML, without files.
    pub settings: String,
    pub inputs: Vec<Input>,
}

/// The answer to a process that wants to run a trial.
pub enum Claim {
    /// It is ours. It may resume from a checkpoint, made after that many seconds.
    Ours(Option<(Vec<u8>, f64)>),
    /// Another process or thread is running it or has run it.
    Taken,
}

/// An open study. Every process that works on it holds the lock of its own file beside it: a trial can be claimed once the lock of
/// its process is released.
pub struct Storage {
    path: PathBuf,
    database: Connection,
    worker: NamedTempFile,
    results: Results,
}

impl Storage {
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
                check(&transaction, experiment)?;
            }
            // Only this process can write now, so no other sees the worker file before it is locked.
            let worker = worker(path)?;
            transaction.commit()?;
            Ok((database, worker))
        };
        let (database, worker) = open().map_err(|error| explain(error, path))?;
        Ok(Self { path: path.to_owned(), database, worker, results: Results::default() })
    }

    /// Whether the file is a study of this experiment that can be written to.
    pub fn is_of(path: &Path, experiment: &Experiment) -> bool {
        let check = || {
            let mut database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            database.busy_timeout(PATIENCE)?;
            let transaction = database.transaction()?;
            check(&transaction, experiment)
        };
        check().is_ok()
    }

    /// The results of all trials that have ended by now.
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
            let result = TrialResult {
                trial: from_json(&key)?,
                state: if row.get_ref(2)?.as_str()? == State::Stopped.name() {
                    State::Stopped
                } else {
                    State::Complete
                },
                seconds: row.get(3)?,
                history: history.collect::<Result<_, _>>()?,
            };
            ensure!(self.fits(&result), "the study is damaged: the trial {key} is not measured as the others are");
            self.results.0.insert(key, result);
        }
        Ok(())
    }

    /// Whether a result has measurements, and those of all other complete trials if it is complete.
    fn fits(&self, result: &TrialResult) -> bool {
        let epochs = |of: &TrialResult| of.history.iter().map(|metrics| metrics.epoch).collect::<Vec<_>>();
        let mut complete = self.results.0.values().filter(|other| other.state == State::Complete);
        let is_like_others = complete.next().is_none_or(|other| epochs(other) == epochs(result));
        !result.history.is_empty() && (result.state == State::Stopped || is_like_others)
    }

    /// Claims a trial, unless another process has it.
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

    /// Saves a checkpoint of one of our trials. If it is too large for SQLite, the trial has to start again after an interruption.
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

    /// Releases one of our trials, for any process to claim.
    pub fn release(&self, trial: &Trial) -> Result<()> {
        let release = || {
            let settings = trial.key();
            self.database.execute("UPDATE trial SET worker = NULL WHERE settings = ?", [settings])?;
            Ok(())
        };
        release().map_err(|error| explain(error, &self.path))
    }

    /// Stores the result of one of our trials.
    pub fn finish(&mut self, result: &TrialResult) -> Result<()> {
        let mut finish = || {
            let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let id: i64 = transaction.query_row(
                "UPDATE trial SET state = ?, worker = NULL, seconds = ?, checkpoint = NULL WHERE settings = ? RETURNING id",
                params![result.state.name(), result.seconds, result.trial.key()],
                |row| row.get(0),
            )?;
            for Metrics { epoch, train, validation } in &result.history {
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

/// A locked file beside the study, for as long as this process works on it. The files of killed processes are removed.
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

/// Whether the process that made this file still holds its lock, as far as can be known. If not, the file is removed.
fn is_alive(worker: &Path) -> bool {
    let file = match File::open(worker) {
        Ok(file) => file,
        Err(error) => return error.kind() != ErrorKind::NotFound,
    };
    let is_alive = file.try_lock().is_err();
    if !is_alive {
        // If removing fails, the next process tries again.
        let _ = fs::remove_file(worker);
    }
    is_alive
}

fn is_empty(database: &Connection) -> Result<bool> {
    let tables: i64 = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(database, "application_id")? == 0)
}

/// Creates the tables.
fn begin(database: &Connection, Experiment { settings, inputs }: &Experiment) -> Result<()> {
    database.execute_batch(TABLES)?;
    let now = format_rfc3339_seconds(SystemTime::now()).to_string();
    let day = now.split('T').next().unwrap_or_default();
    let inputs = serde_json::to_string(inputs)?;
    database.execute("INSERT INTO experiment VALUES (?, ?, ?, ?)", [PROGRAM, day, settings, &inputs])?;
    database.pragma_update(None, "application_id", APPLICATION)?;
    database.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

fn pragma(database: &Connection, name: &str) -> Result<i32> {
    Ok(database.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Checks that the file is an intact study of this experiment.
fn check(database: &Connection, experiment: &Experiment) -> Result<()> {
    let application = pragma(database, "application_id")?;
    ensure!(application == APPLICATION, "an SQLite database of another program, not a study");
    let format = pragma(database, "user_version")?;
    ensure!(
        format == FORMAT,
        "a study in format {format}, but this is nn-dropout {PROGRAM}, which writes format {FORMAT}"
    );
    let fault: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    ensure!(fault == "ok", "the study is damaged: {}", fault.replace('\n', " "));
    let sql = "SELECT program, begun, settings, inputs FROM experiment";
    let [made_by, begun, settings, inputs]: [String; 4] =
        database.query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    ensure!(
        made_by == PROGRAM,
        "a study of nn-dropout {made_by}, whose numbers may differ from those of this version, {PROGRAM}"
    );
    if let Some(difference) = differences(&settings, &experiment.settings)?.first() {
        bail!("a study of another experiment: it has {difference}");
    }
    let begun = format!("this study was begun with on {begun}");
    check_same(&from_json::<Vec<Input>>(&inputs)?, &experiment.inputs, &begun)
        .map_err(|error| anyhow!("{error}: name another study with --study, or another folder with --out"))
}

/// What a cell of an intact study says.
fn from_json<T: DeserializeOwned>(cell: &str) -> Result<T> {
    serde_json::from_str(cell).map_err(|_| anyhow!("the study is damaged: it says {cell:?}"))
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
