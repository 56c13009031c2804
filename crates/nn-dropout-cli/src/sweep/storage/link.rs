//! A connection to PostgreSQL that is made again when it is lost.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nn_dropout_experiments::interrupt;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::runtime::{Builder, Runtime};

use super::location::Server;

/// How long to wait for an answer, and for a server that is gone.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(250);

/// The connection. Locks end with it.
pub struct Link {
    server: Server,
    options: PgConnectOptions,
    runtime: Runtime,
    connection: Option<PgConnection>,
    /// Whether there has ever been a connection.
    was_open: bool,
}

impl Link {
    /// Nothing is sent yet.
    pub fn new(server: &Server) -> Result<Self> {
        server.check()?;
        let options: PgConnectOptions = server.url.parse().map_err(|error| anyhow!("{server}: {error}"))?;
        let options =
            if options.get_application_name().is_some() { options } else { options.application_name("nn-dropout") };
        // In an address an IPv6 host has brackets.
        let bare = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
        let options = bare.into_iter().fold(options, |options, host| options.host(&host));
        // A machine that has vanished keeps its locks for about a minute.
        let alive = [("tcp_keepalives_idle", "20"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "4")];
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the client")?;
        Ok(Self { server: server.clone(), options: options.options(alive), runtime, connection: None, was_open: false })
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Does something over the connection. If that is lost, it is made again, `restore` follows, and then the operation is repeated. So
    /// the operation must not mind being done twice.
    pub fn run<T>(
        &mut self,
        mut restore: impl AsyncFnMut(&mut PgConnection) -> sqlx::Result<()>,
        mut operation: impl AsyncFnMut(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T> {
        let Self { server, options, runtime, connection, was_open } = self;
        let mut lost: Option<Instant> = None;
        loop {
            let attempt = async {
                if connection.is_none() {
                    let mut new = PgConnection::connect_with(options).await?;
                    restore(&mut new).await?;
                    *connection = Some(new);
                }
                let open = connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
                operation(open).await
            };
            let late = || sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
            let done = runtime
                .block_on(async { tokio::time::timeout(PATIENCE, attempt).await.unwrap_or_else(|_| Err(late())) });
            let error = match done {
                Ok(done) => {
                    *was_open = true;
                    return Ok(done);
                }
                Err(error) if is_lost(&error) => error,
                Err(error) => return Err(explain(&error, server, *was_open)),
            };
            // A server that was never there is a mistake in the address, as a rule.
            *was_open |= connection.take().is_some();
            let since = *lost.get_or_insert_with(Instant::now);
            if !*was_open && !is_starting(&error) || since.elapsed() > PATIENCE || interrupt::noted() {
                return Err(explain(&error, server, *was_open));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether the connection is gone, or the server is not ready.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(_) => is_starting(error),
        _ => false,
    }
}

/// Whether the server shuts down, starts, has closed the connection, or has no more room for connections.
fn is_starting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| {
        ["57P", "08"].iter().any(|class| code.starts_with(class)) || ["25P03", "53300"].contains(&&*code)
    })
}

/// The error with the server, in plain words.
fn explain(error: &sqlx::Error, server: &Server, was_open: bool) -> anyhow::Error {
    if is_lost(error) {
        let hint = if was_open { "; what is in the study is safe, and the same command continues" } else { "" };
        return anyhow!("{server}: cannot reach the server: {error}{hint}");
    }
    match error.as_database_error() {
        Some(error) => anyhow!("{server}: {}", error.message()),
        None => anyhow!("{server}: {error}"),
    }
}
