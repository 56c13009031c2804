//! Where a study is stored, shared by all processes that work on it: an SQLite file on one machine, or a PostgreSQL database for
//! any number of them.

mod link;
mod location;
mod network;
mod postgres;
mod sqlite;

use std::path::Path;

use anyhow::{Result, anyhow, bail, ensure};
use humantime::format_rfc3339_seconds;
use nn_dropout_experiments::metric::Metrics;
use nn_dropout_experiments::settings::file::differences;
use nn_dropout_experiments::sweep::{Results, State, Trial, TrialResult};
use serde::de::DeserializeOwned;

pub use location::{Location, Server};

use crate::io::input::{Input, check_same};

/// The version of the program, whose numbers a study holds.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What all trials of a study have in common.
pub struct Experiment {
    /// Everything that their results depend on, as TOML, without files.
    pub settings: String,
    pub inputs: Vec<Input>,
    /// The settings of the process that began it, as TOML, and its options of `sweep`: what a report says of the study.
    pub begun_with: BegunWith,
}

/// How a study was begun.
#[derive(Clone)]
pub struct BegunWith {
    pub config: String,
    pub options: String,
    /// The number of trials.
    pub trials: usize,
}

/// A trial that is ours to run.
pub struct Claim {
    /// Its place among the trials that were open.
    pub place: usize,
    /// A checkpoint to resume from, made after that many seconds.
    pub checkpoint: Option<(Vec<u8>, f64)>,
}

/// What is known of a study from outside.
pub struct Description {
    pub name: String,
    pub program: String,
    /// The day, in UTC.
    pub begun: String,
    /// All that its trials have in common, as TOML.
    pub settings: String,
    pub begun_with: BegunWith,
    /// The trials that run at this moment.
    pub running: usize,
}

/// A place for a study. Every claimed trial belongs to one process until that has ended, or has lost its connection.
trait Backend: Send {
    fn describe(&mut self) -> Result<Description>;

    /// Adds the results of the trials that have ended since the last time, or of all.
    fn read_results(&mut self, results: &mut Results) -> Result<()>;

    /// Claims the first of these trials that has not ended and that nobody is running.
    fn claim(&mut self, open: &[&Trial]) -> Result<Option<Claim>>;

    /// Saves a checkpoint of one of our trials.
    fn save(&mut self, trial: &Trial, checkpoint: &[u8], seconds: f64) -> Result<()>;

    /// Releases one of our trials, for any process to claim.
    fn release(&mut self, trial: &Trial) -> Result<()>;

    /// Stores the result of one of our trials. `false` if it was not ours any more: then the one who has it stores the same.
    fn finish(&mut self, result: &TrialResult) -> Result<bool>;
}

/// An open study.
pub struct Storage {
    backend: Box<dyn Backend>,
    results: Results,
}

impl Storage {
    /// Opens the study of an experiment, or creates it. One of another experiment or program is left unchanged. `name` is for a new
    /// study among others.
    pub fn open(location: &Location, experiment: &Experiment, name: &str) -> Result<Self> {
        let backend: Box<dyn Backend> = match location {
            Location::File(path) => Box::new(sqlite::Sqlite::open(path, experiment)?),
            Location::Server(server) => Box::new(postgres::Postgres::open(server, experiment, name)?),
        };
        Ok(Self { backend, results: Results::default() })
    }

    /// Opens a study that is there, whatever its experiment.
    pub fn open_existing(location: &Location) -> Result<Self> {
        let backend: Box<dyn Backend> = match location {
            Location::File(path) => Box::new(sqlite::Sqlite::open_existing(path)?),
            Location::Server(server) => Box::new(postgres::Postgres::open_existing(server)?),
        };
        Ok(Self { backend, results: Results::default() })
    }

    /// Whether the file is a study of this experiment that can be written to.
    pub fn is_of(path: &Path, experiment: &Experiment) -> bool {
        sqlite::is_of(path, experiment)
    }

    pub fn describe(&mut self) -> Result<Description> {
        self.backend.describe()
    }

    /// The results of all trials that have ended by now.
    pub fn results(&mut self) -> Result<&Results> {
        self.backend.read_results(&mut self.results)?;
        Ok(&self.results)
    }

    /// Claims the first of these trials that has not ended and that nobody is running.
    pub fn claim(&mut self, open: &[&Trial]) -> Result<Option<Claim>> {
        self.backend.claim(open)
    }

    /// Saves a checkpoint of one of our trials. If it is too large for a database, the trial has to start again after an interruption.
    pub fn save(&mut self, trial: &Trial, checkpoint: &[u8], seconds: f64) -> Result<()> {
        if checkpoint.len() > MAX_CHECKPOINT { Ok(()) } else { self.backend.save(trial, checkpoint, seconds) }
    }

    /// Releases one of our trials, for any process to claim.
    pub fn release(&mut self, trial: &Trial) -> Result<()> {
        self.backend.release(trial)
    }

    /// Stores the result of one of our trials. `false` if it was not ours any more: then the one who has it stores the same.
    pub fn finish(&mut self, result: &TrialResult) -> Result<bool> {
        self.backend.finish(result)
    }
}

/// The names of all studies on a server.
pub fn names(server: &Server) -> Result<Vec<String>> {
    postgres::names(server)
}

/// The largest checkpoint that the databases can hold.
const MAX_CHECKPOINT: usize = 999_999_999;

/// The day, in UTC.
fn today() -> String {
    let now = format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// Refuses the study of another experiment or program.
fn check(experiment: &Experiment, program: &str, begun: &str, settings: &str, inputs: &str) -> Result<()> {
    ensure!(
        program == PROGRAM,
        "a study of nn-dropout {program}, whose numbers may differ from those of this version, {PROGRAM}"
    );
    if let Some(difference) = differences(settings, &experiment.settings)?.first() {
        bail!("a study of another experiment: it has {difference}");
    }
    let begun = format!("this study was begun with on {begun}");
    check_same(&from_json::<Vec<Input>>(inputs)?, &experiment.inputs, &begun)
        .map_err(|error| anyhow!("{error}: name another study with --study, or another folder with --out"))
}

/// What a cell of an intact study says.
fn from_json<T: DeserializeOwned>(cell: &str) -> Result<T> {
    serde_json::from_str(cell).map_err(|_| anyhow!("the study is damaged: it says {cell:?}"))
}

/// A trial that has ended, from what is stored of it.
fn result(key: &str, state: &str, seconds: f64, scores: &str, history: Vec<Metrics>) -> Result<TrialResult> {
    let state = if state == State::Stopped.name() { State::Stopped } else { State::Complete };
    Ok(TrialResult { trial: from_json(key)?, state, seconds, validated: from_json(scores)?, history })
}

/// Adds a result, unless it has no measurements or others than all complete trials have.
fn add(results: &mut Results, key: String, result: TrialResult) -> Result<()> {
    let epochs = |of: &TrialResult| of.history.iter().map(|metrics| metrics.epoch).collect::<Vec<_>>();
    let mut complete = results.0.values().filter(|other| other.state == State::Complete);
    let is_like_others = complete.next().is_none_or(|other| epochs(other) == epochs(&result));
    let fits = !result.history.is_empty() && (result.state == State::Stopped || is_like_others);
    ensure!(fits, "the study is damaged: the trial {key} is not measured as the others are");
    results.0.insert(key, result);
    Ok(())
}
