//! `nn-dropout sweep`: which dropout rate is right for some data?

mod answer;
mod live;
mod plan;
mod problem;
mod report;
mod results;
mod study;
mod work;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Arg, ValueEnum};
use nn_dropout::Probability;

use crate::interrupt;
use crate::numbers::{LearningRate, Range, count, probability};
use crate::run::Ended;
use crate::settings::{Output, Settings, TrainArgs};
use live::Live;
use plan::{Candidate, Plan, Search, Space, Trial};
use problem::Problem;
use study::Study;

/// Find the dropout rate that is right for your data
///
/// Trains with each rate and several seeds, and says for which rate the validation part speaks. Without options: for a perceptron that
/// reads handwritten digits. Each trial is what `train` does with the same options. All that is known is kept in a study: the
/// same command goes on after any interruption, and several processes can work on one study.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true, mut_args(hide_what_is_refused))]
pub struct SweepArgs {
    /// The rates to try; with --search tpe the lowest and the highest [default: 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]
    #[arg(long, value_name = "P,...", value_delimiter = ',', value_parser = probability, help_heading = SWEEP)]
    rates: Option<Vec<Probability>>,
    /// With how many seeds to train at each rate: --seed and the numbers after it
    #[arg(long, value_name = "N", value_parser = count, default_value = "3", help_heading = SWEEP)]
    seeds: NonZeroUsize,
    /// How many trials to run side by side, with the same results [default: one a core of the CPU]
    #[arg(long, value_name = "N", value_parser = count, help_heading = SWEEP)]
    jobs: Option<NonZeroUsize>,
    /// Whether to try every rate, or to let a tree-structured Parzen estimator look for a good one and stop hopeless trials early
    #[arg(long, value_enum, default_value = "grid", help_heading = SWEEP)]
    search: SearchKind,
    /// How many trials tpe runs [default: 30]
    #[arg(long, value_name = "N", value_parser = count, help_heading = SWEEP)]
    trials: Option<NonZeroUsize>,
    /// Between which sizes of the hidden layers tpe looks too
    #[arg(long, value_name = "LOW..HIGH", help_heading = SWEEP)]
    hidden_range: Option<Range>,
    /// Between which learning rates tpe looks too
    #[arg(long, value_name = "LOW..HIGH", help_heading = SWEEP)]
    learning_rate_range: Option<Range>,
    /// When to stop, as `90s` or `10m`; the same command goes on
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = SWEEP)]
    time_budget: Option<Duration>,
    /// The SQLite file that remembers all trials [default: study.db in the folder for the results]
    #[arg(long, value_name = "FILE.db", help_heading = SWEEP)]
    study: Option<PathBuf>,
    #[command(flatten)]
    train: TrainArgs,
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected a time such as 90s, 10m or 2h, but got {text}"))
}

/// Options of `train` that make no sense here.
fn hide_what_is_refused(arg: Arg) -> Arg {
    let is_refused = ["dropout", "resume", "force", "batches"].contains(&arg.get_id().as_str());
    arg.hide(is_refused)
}

const SWEEP: &str = "The sweep";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum SearchKind {
    Grid,
    Tpe,
}

/// The name of a study in the folder for the results.
const STUDY: &str = "study.db";

/// Nothing is written before all input has been checked.
pub fn sweep(args: &SweepArgs) -> Result<Ended> {
    let (settings, output) = args.resolve()?;
    let search = args.search(&settings)?;
    let problem = Problem::load(settings)?;
    for candidate in search.extremes()? {
        problem.start(&Trial { candidate, seed: problem.first_seed() }, None, indicatif::ProgressBar::hidden())?;
    }
    let seeds = args.seeds.get();
    let experiment = problem.experiment(&search, seeds)?;
    let place = Place::find(args, &output, &problem, &experiment)?;
    let mut study = place.open(&experiment)?;
    interrupt::listen()?;
    if let Some(deadline) = args.time_budget.and_then(|budget| Instant::now().checked_add(budget)) {
        interrupt::stop_at(deadline);
    }

    let mut plan = Plan { search, seed: problem.first_seed(), seeds, metric: problem.metric(), trials: Vec::new() };
    let jobs = args.jobs.map_or_else(thread::available_parallelism, Ok)?.get().min(plan.len());
    let known = study.results()?;
    plan.extend(known)?;
    let live = Live::new(plan.len(), plan.ended(known).len(), jobs, output.quiet);
    let worked = work::work(&problem, study, plan, jobs, &live);
    live.clear();
    let (mut study, plan) = worked?;
    results::write(&place.out, &place.study, &problem, &plan, study.results()?, output.quiet)
}

impl SweepArgs {
    /// The settings that all trials have in common.
    fn resolve(&self) -> Result<(Settings, Output)> {
        ensure!(self.train.dropout.is_none(), "a sweep tries several rates: name them with --rates, not --dropout");
        ensure!(!self.train.resume, "a sweep goes on by itself; --resume is for train");
        let (settings, output) = self.train.resolve()?;
        ensure!(!output.force, "a study is never overwritten: name another folder with --out instead of --force");
        Ok((settings, output))
    }

    fn search(&self, settings: &Settings) -> Result<Search> {
        let mut rates = match &self.rates {
            Some(rates) => rates.clone(),
            None => (0..=8).map(|tenth| Probability::new(f64::from(tenth) / 10.0)).collect::<Result<Vec<_>, _>>()?,
        };
        rates.sort_by(|a, b| a.get().total_cmp(&b.get()));
        rates.dedup();
        if self.search == SearchKind::Grid {
            ensure!(self.trials.is_none(), "--trials is for --search tpe; a grid tries every rate with every seed");
            ensure!(
                self.hidden_range.is_none() && self.learning_rate_range.is_none(),
                "--hidden-range and --learning-rate-range are for --search tpe"
            );
            return Ok(Search::Grid(rates));
        }
        let (low, high) = (rates[0].get(), rates[rates.len() - 1].get());
        ensure!(
            high - low >= 0.01,
            "--search tpe needs a lowest and a highest rate, at least 0.01 apart, as in --rates 0,0.8"
        );
        if self.hidden_range.is_some() && !matches!(settings, Settings::Mlp(_)) {
            bail!("--hidden-range is for --model mlp");
        }
        if let Some(range) = &self.hidden_range {
            ensure!(range.low >= 1.0, "a hidden layer has at least 1 unit, but --hidden-range is {range}");
        }
        Ok(Search::Tpe(
            Space {
                rates: Range { low, high },
                hidden: self.hidden_range.clone(),
                learning_rate: self.learning_rate_range.clone(),
            },
            self.trials.map_or(30, NonZeroUsize::get),
        ))
    }
}

impl Search {
    /// Candidates that would show what is wrong with the settings of any.
    fn extremes(&self) -> Result<Vec<Candidate>> {
        let candidate = |dropout| Candidate { dropout, hidden: None, learning_rate: None };
        match self {
            Self::Grid(rates) => Ok(rates.first().copied().map(candidate).into_iter().collect()),
            Self::Tpe(space, _) => Ok(vec![Candidate {
                dropout: Probability::new(space.rates.high)?,
                hidden: space.hidden.as_ref().and_then(|range| NonZeroUsize::new(range.high as usize)),
                learning_rate: space.learning_rate.as_ref().and_then(|range| LearningRate::try_from(range.high).ok()),
            }]),
        }
    }
}

/// Where a sweep keeps what it knows, and where its results go.
struct Place {
    study: PathBuf,
    out: PathBuf,
}

impl Place {
    /// The places asked for. By default a folder in runs/: the one where this experiment is, or else a new one.
    fn find(args: &SweepArgs, output: &Output, problem: &Problem, experiment: &str) -> Result<Self> {
        let place = match (&args.study, &output.out) {
            (Some(study), Some(out)) => Self { study: study.clone(), out: out.clone() },
            (Some(study), None) => {
                let out = study.with_extension("");
                ensure!(out != *study, "the name of a study ends as in {}.db", study.display());
                Self { study: study.clone(), out }
            }
            (None, Some(out)) => Self { study: out.join(STUDY), out: out.clone() },
            (None, None) => {
                let name = format!("{}-sweep", problem.data().file_stem().unwrap_or_default().to_string_lossy());
                let numbered = (2..).map(|n| format!("{name}-{n}"));
                let mut folders =
                    std::iter::once(name.clone()).chain(numbered).map(|name| Path::new("runs").join(name));
                let out = folders.find(|out| !out.exists() || Study::is_of(&out.join(STUDY), experiment));
                let out = out.context("there are more numbers than folders")?;
                Self { study: out.join(STUDY), out }
            }
        };
        results::check_folder(&place.out, &place.study)?;
        Ok(place)
    }

    fn open(&self, experiment: &str) -> Result<Study> {
        let make = |folder: &Path| {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
        };
        make(self.study.parent().unwrap_or(Path::new("")))?;
        let study = Study::open(&self.study, experiment)?;
        make(&self.out)?;
        Ok(study)
    }
}
