//! What is seen of a sweep while it runs.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget};

use super::answer::Answer;
use super::plan::{Plan, Trial};
use super::problem::Problem;
use super::study::{Record, Results, State};
use crate::training::progress_bar;

/// On a terminal a bar for each trial that runs, and one for all; elsewhere a line for each that has ended.
pub struct Live {
    quiet: bool,
    jobs: usize,
    bars: MultiProgress,
    all: ProgressBar,
    /// The seconds of all trials that this process has run.
    seconds: Mutex<Vec<f64>>,
}

impl Live {
    pub fn new(trials: usize, jobs: usize, quiet: bool) -> Self {
        let bars = MultiProgress::with_draw_target(if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        });
        let all = bars.add(progress_bar("trial", trials, quiet));
        Self { quiet, jobs, bars, all, seconds: Mutex::default() }
    }

    /// The bar of a trial that begins.
    pub fn trial(&self, trial: &Trial, problem: &Problem) -> ProgressBar {
        let title = format!("{}, seed {}: {}", trial.candidate, trial.seed, problem.unit());
        self.bars.insert_before(&self.all, progress_bar(&title, problem.length(), self.quiet))
    }

    pub fn ended(&self, record: &Record, plan: &Plan, results: &Results) {
        let ended = plan.ended(results);
        let (count, metric) = (ended.len(), plan.metric);
        let left = HumanDuration(self.left(record.seconds, plan.len() - count));
        let best = Answer::of(ended.into_iter(), metric).map(|answer| {
            let best = &answer.rows[answer.best];
            format!("best so far {} ({}), ", best.candidate, metric.shown(best.validation.value))
        });
        let status = format!("{}{left} left", best.unwrap_or_default());
        self.all.set_position(count as u64);
        self.all.set_message(status.clone());

        let Record { trial, state, seconds, .. } = record;
        let last = record.last();
        let early = if *state == State::Stopped { " when stopped early" } else { "" };
        let line = format!(
            "trial {count:>2}/{}: {}, seed {}: validation {} {}{early}, {seconds:.1} s",
            plan.len(),
            trial.candidate,
            trial.seed,
            metric.name(),
            metric.shown(last.validation.metric),
        );
        if self.quiet {
        } else if self.bars.is_hidden() {
            eprintln!("{line}; {status}");
        } else {
            // A terminal that cannot be written to is no reason to end.
            let _ = self.bars.println(line);
        }
    }

    pub fn clear(&self) {
        self.all.finish_and_clear();
    }

    /// How long so many more trials will take.
    fn left(&self, seconds: f64, trials: usize) -> Duration {
        let mut all = self.seconds.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.push(seconds);
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        Duration::from_secs_f64(mean * trials as f64 / self.jobs.min(trials.max(1)) as f64)
    }
}
