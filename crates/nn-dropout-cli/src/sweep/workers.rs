//! The workers: each claims the next free trial, runs it, and claims another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nn_dropout_experiments::interrupt;
use nn_dropout_experiments::sweep::{State, Study, Trial, TrialResult, pruner};
use rayon::ThreadPoolBuilder;

use super::objective::Objective;
use super::progress::Progress;
use super::storage::{Claim, Storage};

/// What the workers share.
struct Workers<'a> {
    objective: &'a Objective,
    progress: &'a Progress,
    shared: Mutex<(Storage, Study)>,
}

/// What a worker does next.
enum Next {
    Run(Box<Run>),
    /// Other processes have the last trials, or those that the next ones depend on.
    Wait,
    Finish,
}

/// A trial that we have claimed.
struct Run {
    trial: Trial,
    checkpoint: Option<(Vec<u8>, f64)>,
    /// The merit to reach by each measurement.
    limits: Vec<f64>,
}

/// How long to wait for other processes before checking again.
const PATIENCE: Duration = Duration::from_millis(100);

/// Runs all free trials of a study, `jobs` side by side. Returns when all trials have ended, here or elsewhere, or on an interrupt.
pub fn run(
    objective: &Objective,
    storage: Storage,
    study: Study,
    jobs: usize,
    progress: &Progress,
) -> Result<(Storage, Study)> {
    let workers = Workers { objective, progress, shared: Mutex::new((storage, study)) };
    // Each worker has its own threads, so that trials do not wait for each other.
    let threads = (thread::available_parallelism()?.get() / jobs).max(1);
    thread::scope(|scope| {
        let worker = || {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")?;
            let ended = pool.install(|| workers.run_all());
            if ended.is_err() {
                interrupt::stop();
            }
            ended
        };
        let handles: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let ends: Vec<Result<()>> = handles
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        ends.into_iter().collect::<Result<()>>()
    })?;
    Ok(workers.shared.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Workers<'_> {
    fn run_all(&self) -> Result<()> {
        while !interrupt::noted() {
            match self.next()? {
                Next::Run(run) => self.run(*run)?,
                Next::Wait => thread::sleep(PATIENCE),
                Next::Finish => break,
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (Storage, Study)> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Result<Next> {
        let (storage, study) = &mut *self.lock();
        let results = storage.results()?;
        study.extend(results)?;
        let open: Vec<usize> = (0..study.trials.len()).filter(|&n| results.get(&study.trials[n]).is_none()).collect();
        if open.is_empty() && study.trials.len() == study.len() {
            return Ok(Next::Finish);
        }
        let trials: Vec<&Trial> = open.iter().map(|&n| &study.trials[n]).collect();
        let Some(Claim { place, checkpoint }) = storage.claim(&trials)? else { return Ok(Next::Wait) };
        let limits = study.limits(open[place], storage.results()?);
        Ok(Next::Run(Box::new(Run { trial: trials[place].clone(), checkpoint, limits })))
    }

    fn run(&self, Run { trial, checkpoint, limits }: Run) -> Result<()> {
        let bar = self.progress.trial(&trial, self.objective);
        let (checkpoint, before) = checkpoint.unzip();
        let start = Instant::now();
        let seconds = || before.unwrap_or(0.0) + start.elapsed().as_secs_f64();
        let start_at = |checkpoint| self.objective.start(&trial, checkpoint, bar.clone());
        // A damaged checkpoint costs only time: from the beginning the result is the same.
        let resumed = checkpoint.and_then(|checkpoint| start_at(Some(checkpoint)).ok());
        let (mut trainer, mut history) = resumed.map_or_else(|| start_at(None), Ok)?;
        let metric = self.objective.settings.metric();
        let mut state = None;
        while state.is_none() {
            let measured = trainer.advance()?;
            history.extend(measured);
            if history.last().is_some_and(|last| last.epoch == trainer.length()) {
                state = Some(State::Complete);
            } else if measured.is_none() {
                break;
            } else if pruner::is_hopeless(&history, &limits, metric) {
                state = Some(State::Stopped);
            } else if let Some(checkpoint) = trainer.checkpoint()? {
                self.lock().0.save(&trial, &checkpoint, seconds())?;
            }
        }
        let Some(state) = state else {
            bar.finish_and_clear();
            let checkpoint = trainer.checkpoint()?;
            let (storage, _) = &mut *self.lock();
            if let Some(checkpoint) = checkpoint {
                storage.save(&trial, &checkpoint, seconds())?;
            }
            return storage.release(&trial);
        };
        let validated = trainer.validate();
        bar.finish_and_clear();
        let result = TrialResult { trial, state, seconds: seconds(), validated, history };
        let (storage, study) = &mut *self.lock();
        if storage.finish(&result)? {
            self.progress.ended(&result, study, storage.results()?);
        }
        Ok(())
    }
}
