//! The workers: each takes the next trial that nobody has, runs it, and takes another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rayon::ThreadPoolBuilder;

use super::live::Live;
use super::plan::{Plan, Trial};
use super::problem::Problem;
use super::study::{Claim, Record, State, Study};
use crate::interrupt;

/// What the workers share.
pub struct Work<'a> {
    problem: &'a Problem,
    live: &'a Live,
    shared: Mutex<(Study, Plan)>,
}

/// What a worker is to do.
enum Next {
    Run(Run),
    /// Others have the last trials, or those that the next ones depend on.
    Wait,
    Finish,
}

/// A trial of ours.
struct Run {
    trial: Trial,
    checkpoint: Option<(Vec<u8>, f64)>,
    /// The merit that has to be reached by each measurement.
    limits: Vec<f64>,
}

/// How long to wait for others before looking again.
const PATIENCE: Duration = Duration::from_millis(100);

/// Runs all trials of a plan that nobody has run, so many side by side. Comes back when all have ended, here or elsewhere, or when
/// the program is to stop.
pub fn work(problem: &Problem, study: Study, plan: Plan, jobs: usize, live: &Live) -> Result<(Study, Plan)> {
    let work = Work { problem, live, shared: Mutex::new((study, plan)) };
    // Side by side on threads of their own, trials do not wait for each other.
    let threads = (thread::available_parallelism()?.get() / jobs).max(1);
    thread::scope(|scope| {
        let worker = || {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")?;
            let ended = pool.install(|| work.run_all());
            if ended.is_err() {
                interrupt::stop();
            }
            ended
        };
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let ends: Vec<Result<()>> = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        ends.into_iter().collect::<Result<()>>()
    })?;
    Ok(work.shared.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Work<'_> {
    fn run_all(&self) -> Result<()> {
        while !interrupt::noted() {
            match self.next()? {
                Next::Run(run) => self.run(run)?,
                Next::Wait => thread::sleep(PATIENCE),
                Next::Finish => break,
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (Study, Plan)> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Result<Next> {
        let (study, plan) = &mut *self.lock();
        let results = study.results()?;
        plan.extend(results)?;
        let open: Vec<usize> = (0..plan.trials.len()).filter(|&n| results.get(&plan.trials[n]).is_none()).collect();
        if open.is_empty() && plan.trials.len() == plan.len() {
            return Ok(Next::Finish);
        }
        for n in open {
            let trial = &plan.trials[n];
            if let Claim::Ours(checkpoint) = study.claim(trial)? {
                let limits = plan.limits(n, study.results()?);
                return Ok(Next::Run(Run { trial: trial.clone(), checkpoint, limits }));
            }
        }
        Ok(Next::Wait)
    }

    fn run(&self, Run { trial, checkpoint, limits }: Run) -> Result<()> {
        let bar = self.live.trial(&trial, self.problem);
        let (checkpoint, before) = checkpoint.unzip();
        let start = Instant::now();
        let seconds = || before.unwrap_or(0.0) + start.elapsed().as_secs_f64();
        let (mut training, mut history) = self.problem.start(&trial, checkpoint, bar.clone())?;
        let metric = self.problem.metric();
        let mut state = None;
        while state.is_none() {
            let measured = training.advance()?;
            history.extend(measured);
            let best =
                history.iter().map(|metrics| metric.merit(metrics.validation.metric)).fold(f64::NEG_INFINITY, f64::max);
            if history.last().is_some_and(|last| last.epoch == training.length()) {
                state = Some(State::Complete);
            } else if measured.is_none() {
                break;
            } else if limits.get(history.len() - 1).is_some_and(|limit| best < *limit) {
                state = Some(State::Stopped);
            } else if let Some(checkpoint) = training.checkpoint()? {
                self.lock().0.save(&trial, &checkpoint, seconds())?;
            }
        }
        bar.finish_and_clear();
        let (study, plan) = &mut *self.lock();
        let Some(state) = state else {
            if let Some(checkpoint) = training.checkpoint()? {
                study.save(&trial, &checkpoint, seconds())?;
            }
            return study.release(&trial);
        };
        let record = Record { trial, state, seconds: seconds(), history };
        study.finish(&record)?;
        self.live.ended(&record, plan, study.results()?);
        Ok(())
    }
}
