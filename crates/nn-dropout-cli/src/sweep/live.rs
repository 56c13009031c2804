//! What is seen of a sweep while it runs.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

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
    /// Of so many trials, so many of which the study knows already.
    pub fn new(trials: usize, known: usize, jobs: usize, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bars = MultiProgress::with_draw_target(target);
        let style =
            ProgressStyle::with_template("{bar:30} trial {pos}/{len}{msg}").expect("the template is well-formed");
        let all = bars.add(ProgressBar::new(trials as u64).with_style(style));
        all.set_position(known as u64);
        let live = Self { quiet, jobs, bars, all, seconds: Mutex::default() };
        if known > 0 && known < trials {
            live.say(&format!("{known} of {trials} trials are known from the study"), "");
        }
        live
    }

    /// A line that stays; off a terminal with the status that is else in the bar below.
    fn say(&self, line: &str, status: &str) {
        if self.quiet {
        } else if self.bars.is_hidden() {
            eprintln!("{line}{status}");
        } else {
            // A terminal that cannot be written to is no reason to end.
            let _ = self.bars.println(line);
        }
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
        let status = format!("; {}{left} left", best.unwrap_or_default());
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
        self.say(&line, &status);
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
