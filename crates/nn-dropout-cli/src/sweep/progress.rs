//! The progress of a sweep, shown while it runs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use nn_dropout_experiments::note;
use nn_dropout_experiments::sweep::{Answer, Results, State, Study, Trial, TrialResult};
use nn_dropout_experiments::trainer::progress_bar;

use super::objective::Objective;

/// On a terminal, a bar for each running trial and one for all; elsewhere a line for each trial that has ended.
pub struct Progress {
    quiet: bool,
    jobs: usize,
    bars: MultiProgress,
    all: ProgressBar,
    /// The seconds of all trials that this process has run, and what was last said of the best.
    seen: Mutex<(Vec<f64>, Option<Said>)>,
}

/// What was said of the best candidate.
struct Said {
    at: Instant,
    best: String,
}

/// How long what was said of the best lasts, unless there are few trials.
const PAUSE: Duration = Duration::from_millis(500);
const FEW: usize = 100;

impl Progress {
    /// `trials` in total, `known` already in the study.
    pub fn new(trials: usize, known: usize, jobs: usize, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bars = MultiProgress::with_draw_target(target);
        let style =
            ProgressStyle::with_template("{bar:30} trial {pos}/{len}{msg}").expect("the template is well-formed");
        let all = bars.add(ProgressBar::new(trials as u64).with_style(style));
        all.set_position(known as u64);
        let progress = Self { quiet, jobs, bars, all, seen: Mutex::default() };
        if known > 0 && known < trials {
            progress.say(&format!("{known} of {trials} trials are known from the study"), "");
        }
        progress
    }

    /// Prints a line. Without a terminal the status follows, which is otherwise in the bar.
    fn say(&self, line: &str, status: &str) {
        if self.quiet {
        } else if self.bars.is_hidden() {
            note!("{line}{status}");
        } else {
            // The sweep continues even if the terminal cannot be written to.
            let _ = self.bars.println(line);
        }
    }

    /// The bar of a trial that starts.
    pub fn trial(&self, trial: &Trial, objective: &Objective) -> ProgressBar {
        let title = format!("{trial}: {}", objective.settings.unit());
        self.bars.insert_before(&self.all, progress_bar(&title, objective.settings.length(), self.quiet))
    }

    pub fn ended(&self, result: &TrialResult, study: &Study, results: &Results) {
        if self.quiet {
            return;
        }
        let ended = study.ended(results);
        let (count, metric) = (ended.len(), study.metric);
        let (left, best) = {
            let (seconds, said) = &mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seconds.push(result.seconds);
            // With many quick trials it would take longer than the trials.
            if said.as_ref().is_none_or(|said| said.at.elapsed() >= PAUSE) || count < FEW {
                let best = Answer::of(ended.into_iter(), metric).map(|answer| {
                    let best = &answer.rows[answer.best];
                    format!("best so far {} ({}), ", best.candidate, metric.shown(best.validation.value))
                });
                *said = Some(Said { at: Instant::now(), best: best.unwrap_or_default() });
            }
            (self.left(seconds, study.len() - count), said.as_ref().map_or_else(String::new, |said| said.best.clone()))
        };
        let status = format!("; {best}{} left", HumanDuration(left));
        self.all.set_position(count as u64);
        self.all.set_message(status.clone());

        let TrialResult { trial, state, seconds, .. } = result;
        let last = result.last();
        let early = if *state == State::Stopped { " when stopped early" } else { "" };
        let line = format!(
            "trial {count:>2}/{}: {trial}: validation {} {}{early}, {seconds:.1} s",
            study.len(),
            metric.name(),
            metric.shown(last.validation.metric),
        );
        self.say(&line, &status);
    }

    pub fn clear(&self) {
        self.all.finish_and_clear();
    }

    /// How long this many more trials will take.
    fn left(&self, all: &[f64], trials: usize) -> Duration {
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        Duration::from_secs_f64(mean * trials as f64 / self.jobs.min(trials.max(1)) as f64)
    }
}
