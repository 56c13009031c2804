//! PyTorch and JAX, each in its own process that waits for its turns: see `python/peers.py`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::case::{Case, name};
use crate::measure::Contender;

const SCRIPT: &str = include_str!("../../python/peers.py");

pub struct Python {
    who: &'static str,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts the peers that the interpreter has, and prints which if `print`.
    pub fn start_all(interpreter: &Path, threads: usize, print: bool) -> Result<Vec<Self>> {
        let mut started = Vec::new();
        for who in ["pytorch", "jax"] {
            let mut python = Self::start(interpreter, who, threads)?;
            let said = python.answer()?;
            let version = said.strip_prefix("ready ");
            if print {
                println!("{who}: {}", version.map_or(format!("skipped, {said}"), str::to_owned));
            }
            if version.is_some() {
                started.push(python);
            }
        }
        Ok(started)
    }

    fn start(interpreter: &Path, who: &'static str, threads: usize) -> Result<Self> {
        let mut child = Command::new(interpreter)
            .args(["-c", SCRIPT, who, &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", interpreter.display()))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a piped process has an output")?);
        Ok(Self { who, child, requests, answers })
    }

    pub fn who(&self) -> &'static str {
        self.who
    }

    pub fn contender<T>(&mut self, case: Case, p: f64) -> Contender<'_, T> {
        let Case { op, dtype, elements, .. } = case;
        Contender::timed_elsewhere(self.who, move |_, calls| self.time(&name(&op), &name(&dtype), elements, p, calls))
    }

    /// Lets it make this many calls; how many seconds they took.
    pub fn time(&mut self, op: &str, dtype: &str, elements: usize, p: f64, calls: u32) -> Result<f64> {
        let requests = self.requests.as_mut().context("open until it is dropped")?;
        writeln!(requests, "{op} {dtype} {elements} {p} {calls}")
            .with_context(|| format!("cannot write to {}", self.who))?;
        let answer = self.answer()?;
        answer.parse().map_err(|_| anyhow!("{}: {answer}", self.who))
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line).with_context(|| format!("cannot read from {}", self.who))? == 0 {
            bail!("{} ended without an answer", self.who);
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Python {
    /// The process ends when its input is closed.
    fn drop(&mut self) {
        self.requests = None;
        // How it ended does not matter.
        let _ = self.child.wait();
    }
}
