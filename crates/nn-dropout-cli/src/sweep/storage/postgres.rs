//! Studies in a PostgreSQL database, for any number of processes on any number of machines.
//!
//! Whoever runs a trial holds an advisory lock of its number. PostgreSQL releases the locks of a connection when that ends, for
//! whatever reason, so the trials of a dead process are free at once, without clocks. After a lost connection a process locks its
//! trials again; one that somebody else has got meanwhile is left to them.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use nn_dropout_experiments::metric::{Metrics, Score};
use nn_dropout_experiments::sweep::{Results, Trial, TrialResult};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::link::Link;
use super::location::Server;
use super::{Backend, BegunWith, Claim, Description, Experiment, PROGRAM, add, check, result, today};

/// Increases when the tables change.
const FORMAT: i32 = 1;
const TABLES: &str = "
CREATE SCHEMA nn_dropout;
CREATE TABLE nn_dropout.format (version integer NOT NULL);
CREATE TABLE nn_dropout.study (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    program text NOT NULL,  -- the version that computes it
    begun text NOT NULL,  -- the day, in UTC
    settings text NOT NULL,  -- all that its trials have in common, as TOML
    inputs text NOT NULL,  -- the files that they depend on, as JSON
    config text NOT NULL,  -- the settings of the process that began it, as TOML
    options text NOT NULL,  -- its options of `sweep`
    trials bigint NOT NULL  -- how many that makes
);
CREATE TABLE nn_dropout.trial (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,  -- who runs it holds an advisory lock of this number
    study integer NOT NULL REFERENCES nn_dropout.study ON DELETE CASCADE,
    settings text NOT NULL,  -- what makes it another trial than the others, as JSON
    state text CHECK (state IN ('complete', 'stopped')),  -- NULL until it has ended
    ended xid8,  -- the transaction that ended it
    seconds double precision NOT NULL DEFAULT 0 CHECK (seconds BETWEEN 0 AND 1e9),
    checkpoint bytea,  -- of a long one that has not ended
    scores text,  -- of the validation part at the end, as JSON
    UNIQUE (study, settings)
);
CREATE INDEX ON nn_dropout.trial (study, ended);
CREATE TABLE nn_dropout.epoch (
    trial integer NOT NULL REFERENCES nn_dropout.trial ON DELETE CASCADE,
    epoch bigint NOT NULL,
    train_loss double precision NOT NULL, train_metric double precision NOT NULL,
    val_loss double precision NOT NULL, val_metric double precision NOT NULL,
    PRIMARY KEY (trial, epoch)
);
";

/// The advisory lock of whoever creates the tables or a study: \"nndo\".
const CREATION: i64 = 0x6e6e_646f;
/// The most trials that are offered for a claim at once: more than there are processes, as a rule.
const WINDOW: usize = 256;

/// A study on a server.
pub struct Postgres {
    link: Link,
    study: i32,
    /// The numbers of the trials in the database that we know of.
    ids: HashMap<String, i32>,
    /// The trials that we have locked, over this connection.
    held: HashMap<String, i32>,
    /// Everything that had ended before this transaction has been read.
    read_until: String,
}

/// The names of all studies in a database.
pub fn names(server: &Server) -> Result<Vec<String>> {
    let mut link = Link::new(server)?;
    link.run(nothing, async |connection| {
        if version(connection).await?.is_none() {
            return Ok(Vec::new());
        }
        sqlx::query_scalar("SELECT name FROM nn_dropout.study ORDER BY id").fetch_all(connection).await
    })
}

/// What is restored before a study is open.
async fn nothing(_: &mut PgConnection) -> sqlx::Result<()> {
    Ok(())
}

/// The version of the tables, if there are any.
async fn version(connection: &mut PgConnection) -> sqlx::Result<Option<i32>> {
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regclass('nn_dropout.format') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT version FROM nn_dropout.format").fetch_optional(connection).await
}

/// A study as it is stored.
struct Stored {
    id: i32,
    name: String,
    program: String,
    begun: String,
    settings: String,
    inputs: String,
    begun_with: BegunWith,
}

impl Stored {
    const COLUMNS: &str =
        "SELECT id, name, program, begun, settings, inputs, config, options, trials FROM nn_dropout.study ORDER BY id";

    fn of(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            program: row.try_get(2)?,
            begun: row.try_get(3)?,
            settings: row.try_get(4)?,
            inputs: row.try_get(5)?,
            begun_with: BegunWith {
                config: row.try_get(6)?,
                options: row.try_get(7)?,
                trials: row.try_get::<i64, _>(8)?.unsigned_abs() as usize,
            },
        })
    }

    fn check(&self, experiment: &Experiment) -> Result<()> {
        check(experiment, &self.program, &self.begun, &self.settings, &self.inputs)
    }

    async fn all(connection: &mut PgConnection) -> sqlx::Result<Vec<Self>> {
        let rows = sqlx::query(Self::COLUMNS).fetch_all(connection).await?;
        rows.iter().map(Self::of).collect()
    }
}

fn check_format(format: i32) -> Result<()> {
    ensure!(
        format == FORMAT,
        "studies in format {format}, but this is nn-dropout {PROGRAM}, which writes format {FORMAT}"
    );
    Ok(())
}

impl Postgres {
    /// Opens the study of an experiment, or creates it: the one that the address names, or else the first that has the experiment.
    pub fn open(server: &Server, experiment: &Experiment, name: &str) -> Result<Self> {
        let mut link = Link::new(server)?;
        let inputs = serde_json::to_string(&experiment.inputs)?;
        let opened = link.run(nothing, async |connection| {
            // Others may have created something while this waits for its turn, and it has to see that.
            let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            // Only this process can create anything now.
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(CREATION).execute(&mut *transaction).await?;
            match version(&mut transaction).await? {
                Some(format) if format != FORMAT => return Ok(check_format(format).map(|()| unreachable!())),
                Some(_) => {}
                None => {
                    sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
                    let sql = "INSERT INTO nn_dropout.format VALUES ($1)";
                    sqlx::query(sql).bind(FORMAT).execute(&mut *transaction).await?;
                }
            }
            let studies = Stored::all(&mut transaction).await?;
            let name = match choose(&studies, server.study.as_deref(), experiment, name) {
                Ok(Choice::Open(id)) => {
                    transaction.commit().await?;
                    return Ok(Ok(id));
                }
                Ok(Choice::Create(name)) => name,
                Err(error) => return Ok(Err(error)),
            };
            let sql = "INSERT INTO nn_dropout.study (name, program, begun, settings, inputs, config, options, trials) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
            let BegunWith { config, options, trials } = &experiment.begun_with;
            let mut insert = sqlx::query_scalar(sql);
            for value in [&name, PROGRAM, &today(), &experiment.settings, &inputs, config, options] {
                insert = insert.bind(value.to_owned());
            }
            let id: i32 = insert.bind(*trials as i64).fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Ok(id))
        })?;
        let study = opened.with_context(|| server.to_string())?;
        Ok(Self::new(link, study))
    }

    /// Opens a study that is there: the one that the address names, or the only one.
    pub fn open_existing(server: &Server) -> Result<Self> {
        let mut link = Link::new(server)?;
        let (format, studies) = link.run(nothing, async |connection| {
            let format = version(connection).await?;
            Ok((format, if format == Some(FORMAT) { Stored::all(connection).await? } else { Vec::new() }))
        })?;
        let open = || {
            format.map_or(Ok(()), check_format)?;
            let names = || studies.iter().map(|study| study.name.as_str()).collect::<Vec<_>>().join(", ");
            ensure!(!studies.is_empty(), "there is no study");
            let study = match &server.study {
                Some(name) => studies.iter().find(|study| study.name == *name),
                None if studies.len() == 1 => studies.first(),
                None => bail!("there are several studies: name one with {server}#NAME: {}", names()),
            };
            let study = study.with_context(|| format!("there is no such study; only {}", names()))?;
            Ok(study.id)
        };
        let study = open().with_context(|| server.to_string())?;
        Ok(Self::new(link, study))
    }

    fn new(link: Link, study: i32) -> Self {
        Self { link, study, ids: HashMap::new(), held: HashMap::new(), read_until: "0".to_owned() }
    }

    /// Does something with our locks in place.
    fn run<T>(&mut self, operation: impl AsyncFnMut(&mut PgConnection) -> sqlx::Result<T>) -> Result<T> {
        let Self { link, held, .. } = self;
        let restore = async |connection: &mut PgConnection| {
            for (key, id) in held.clone() {
                if lock(connection, &[id]).await?.is_none() {
                    held.remove(&key);
                }
            }
            Ok(())
        };
        link.run(restore, operation)
    }

    /// Gives trials numbers in the database.
    fn number(&mut self, keys: &[String]) -> Result<()> {
        let new: Vec<String> = keys.iter().filter(|key| !self.ids.contains_key(*key)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let study = self.study;
        let rows: Vec<(String, i32)> = self.run(async |connection| {
            let sql = "INSERT INTO nn_dropout.trial (study, settings) \
                       SELECT $1, key FROM unnest($2::text[]) AS new (key) \
                       WHERE NOT EXISTS (SELECT FROM nn_dropout.trial WHERE study = $1 AND settings = key) \
                       ON CONFLICT DO NOTHING";
            sqlx::query(sql).bind(study).bind(&new).execute(&mut *connection).await?;
            let sql = "SELECT settings, id FROM nn_dropout.trial WHERE study = $1 AND settings = ANY ($2)";
            sqlx::query_as(sql).bind(study).bind(&new).fetch_all(connection).await
        })?;
        self.ids.extend(rows);
        Ok(())
    }
}

/// What to do with the studies that are there.
enum Choice {
    Open(i32),
    Create(String),
}

fn choose(studies: &[Stored], named: Option<&str>, experiment: &Experiment, name: &str) -> Result<Choice> {
    if let Some(named) = named {
        return match studies.iter().find(|study| study.name == named) {
            Some(study) => study.check(experiment).map(|()| Choice::Open(study.id)),
            None => Ok(Choice::Create(named.to_owned())),
        };
    }
    if let Some(study) = studies.iter().find(|study| study.check(experiment).is_ok()) {
        return Ok(Choice::Open(study.id));
    }
    let mut numbered = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    let free = numbered.find(|name| studies.iter().all(|study| study.name != *name));
    Ok(Choice::Create(free.expect("there are more numbers than studies")))
}

/// Locks the first of these trials that has not ended and that nobody has locked.
async fn lock(connection: &mut PgConnection, ids: &[i32]) -> sqlx::Result<Option<(i32, Option<Vec<u8>>, f64)>> {
    // The inner query has a limit, so the outer one locks row by row, and stops at the first that it gets.
    let sql = "SELECT id FROM ( \
                   SELECT id FROM nn_dropout.trial JOIN unnest($1::integer[]) WITH ORDINALITY AS open (number, place) ON id = number \
                   WHERE state IS NULL ORDER BY place LIMIT $2 \
               ) AS open WHERE pg_try_advisory_lock('nn_dropout.trial'::regclass::oid::integer, id) LIMIT 1";
    loop {
        let count = ids.len() as i64;
        let id: Option<i32> = sqlx::query_scalar(sql).bind(ids).bind(count).fetch_optional(&mut *connection).await?;
        let Some(id) = id else { return Ok(None) };
        // It may have ended between the look and the lock.
        let sql = "SELECT checkpoint, seconds FROM nn_dropout.trial WHERE id = $1 AND state IS NULL";
        let open: Option<(Option<Vec<u8>>, f64)> =
            sqlx::query_as(sql).bind(id).fetch_optional(&mut *connection).await?;
        match open {
            Some((checkpoint, seconds)) => return Ok(Some((id, checkpoint, seconds))),
            None => unlock(connection, id).await?,
        }
    }
}

async fn unlock(connection: &mut PgConnection, id: i32) -> sqlx::Result<()> {
    let sql = "SELECT pg_advisory_unlock('nn_dropout.trial'::regclass::oid::integer, $1)";
    sqlx::query(sql).bind(id).execute(connection).await.map(drop)
}

impl Backend for Postgres {
    fn describe(&mut self) -> Result<Description> {
        let study = self.study;
        let (stored, running) = self.run(async |connection| {
            let studies = Stored::all(connection).await?;
            let stored = studies.into_iter().find(|stored| stored.id == study).ok_or(sqlx::Error::RowNotFound)?;
            let sql = "SELECT count(*) FROM nn_dropout.trial JOIN pg_locks \
                       ON locktype = 'advisory' AND classid = 'nn_dropout.trial'::regclass AND objid = id::oid AND objsubid = 2 \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                       WHERE study = $1 AND state IS NULL AND granted";
            let running: i64 = sqlx::query_scalar(sql).bind(study).fetch_one(connection).await?;
            Ok((stored, running))
        })?;
        let Stored { name, program, begun, settings, begun_with, .. } = stored;
        Ok(Description { name, program, begun, settings, begun_with, running: usize::try_from(running)? })
    }

    fn read_results(&mut self, results: &mut Results) -> Result<()> {
        // Whatever is not visible yet has a transaction number that is not below that of the oldest one which still runs.
        let sql = "SELECT settings, state, seconds, scores, \
                   array_remove(array_agg(epoch ORDER BY epoch), NULL), \
                   array_agg(train_loss ORDER BY epoch), array_agg(train_metric ORDER BY epoch), \
                   array_agg(val_loss ORDER BY epoch), array_agg(val_metric ORDER BY epoch) \
                   FROM nn_dropout.trial LEFT JOIN nn_dropout.epoch ON trial = id \
                   WHERE study = $1 AND state IS NOT NULL AND (ended >= $2::xid8 OR ended IS NULL) GROUP BY id";
        let (study, since) = (self.study, self.read_until.clone());
        let (until, rows) = self.run(async |connection| {
            let oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text";
            let until: String = sqlx::query_scalar(oldest).fetch_one(&mut *connection).await?;
            Ok((until, sqlx::query(sql).bind(study).bind(&since).fetch_all(connection).await?))
        })?;
        let read = || {
            for row in rows {
                let key: String = row.try_get(0)?;
                if results.0.contains_key(&key) {
                    continue;
                }
                let epochs: Vec<i64> = row.try_get(4)?;
                let [train_loss, train, val_loss, val] =
                    [5, 6, 7, 8].map(|column| row.try_get::<Vec<Option<f64>>, _>(column));
                let (train_loss, train, val_loss, val) = (train_loss?, train?, val_loss?, val?);
                let history = epochs.iter().enumerate().map(|(i, epoch)| {
                    let number = |column: &[Option<f64>]| column[i].unwrap_or(f64::NAN);
                    Ok(Metrics {
                        epoch: usize::try_from(*epoch).context("the study is damaged")?,
                        train: Score { loss: number(&train_loss), metric: number(&train) },
                        validation: Score { loss: number(&val_loss), metric: number(&val) },
                    })
                });
                let scores: Option<String> = row.try_get(3)?;
                let (state, seconds): (String, f64) = (row.try_get(1)?, row.try_get(2)?);
                let history = history.collect::<Result<_>>()?;
                let found = result(&key, &state, seconds, &scores.unwrap_or_default(), history)?;
                add(results, key, found)?;
            }
            Ok::<(), anyhow::Error>(())
        };
        read().with_context(|| self.link.server().to_string())?;
        self.read_until = until;
        Ok(())
    }

    fn claim(&mut self, open: &[&Trial]) -> Result<Option<Claim>> {
        for (number, trials) in open.chunks(WINDOW).enumerate() {
            let window: Vec<String> = trials.iter().map(|trial| trial.key()).collect();
            self.number(&window)?;
            // Our own locks do not keep us from locking again.
            let others = window.iter().filter(|key| !self.held.contains_key(*key));
            let ids: Vec<i32> = others.filter_map(|key| self.ids.get(key).copied()).collect();
            let Some((id, checkpoint, seconds)) = self.run(async |connection| lock(connection, &ids).await)? else {
                continue;
            };
            let place =
                window.iter().position(|key| self.ids.get(key) == Some(&id)).context("a trial that was open")?;
            self.held.insert(window[place].clone(), id);
            let place = number * WINDOW + place;
            return Ok(Some(Claim { place, checkpoint: checkpoint.map(|checkpoint| (checkpoint, seconds)) }));
        }
        // Somebody may have deleted rows. They are looked up again, and made again if need be.
        self.ids.clear();
        Ok(None)
    }

    fn save(&mut self, trial: &Trial, checkpoint: &[u8], seconds: f64) -> Result<()> {
        let Some(&id) = self.held.get(&trial.key()) else { return Ok(()) };
        self.run(async |connection| {
            let sql = "UPDATE nn_dropout.trial SET checkpoint = $2, seconds = $3 WHERE id = $1 AND state IS NULL";
            sqlx::query(sql).bind(id).bind(checkpoint).bind(seconds).execute(connection).await.map(drop)
        })
    }

    fn release(&mut self, trial: &Trial) -> Result<()> {
        match self.held.remove(&trial.key()) {
            Some(id) => self.run(async |connection| unlock(connection, id).await),
            None => Ok(()),
        }
    }

    fn finish(&mut self, result: &TrialResult) -> Result<bool> {
        let key = result.trial.key();
        let Some(&id) = self.held.get(&key) else { return Ok(false) };
        let scores = serde_json::to_string(&result.validated)?;
        let numbers = |value: fn(&Metrics) -> f64| result.history.iter().map(value).collect::<Vec<f64>>();
        let epochs: Vec<i64> = result.history.iter().map(|metrics| metrics.epoch as i64).collect();
        let columns = [
            numbers(|at| at.train.loss),
            numbers(|at| at.train.metric),
            numbers(|at| at.validation.loss),
            numbers(|at| at.validation.metric),
        ];
        let (state, seconds) = (result.state.name(), result.seconds);
        // If the connection was lost, so were the locks, and one may be somebody else's now.
        let stored = self.run(async |connection| {
            let sql = "WITH ended AS ( \
                           UPDATE nn_dropout.trial SET state = $2, ended = pg_current_xact_id(), seconds = $3, scores = $4, \
                           checkpoint = NULL WHERE id = $1 AND state IS NULL AND EXISTS ( \
                               SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' \
                               AND classid = 'nn_dropout.trial'::regclass AND objid = id::oid AND objsubid = 2 \
                           ) RETURNING id \
                       ) INSERT INTO nn_dropout.epoch SELECT ended.id, at.* FROM ended, \
                       unnest($5::bigint[], $6::float8[], $7::float8[], $8::float8[], $9::float8[]) AS at";
            let mut query = sqlx::query(sql).bind(id).bind(state).bind(seconds).bind(&scores).bind(&epochs);
            for column in &columns {
                query = query.bind(column);
            }
            query.execute(connection).await.map(|done| done.rows_affected() > 0)
        })?;
        if self.held.remove(&key).is_some() {
            self.run(async |connection| unlock(connection, id).await)?;
        }
        Ok(stored)
    }
}
