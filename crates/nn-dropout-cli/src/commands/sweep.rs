//! `nn-dropout sweep`: many networks, to find the right dropout rate.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use clap::builder::UnknownArgumentValueParser;
use indicatif::ProgressBar;
use maud::Markup;
use nn_dropout::Config;

use super::Ended;
use super::train::train_and_report;
use crate::io::files::write;
use crate::io::run_dir::{REPORT, RunDir};
use crate::mlp::run::{is_whole, load_model};
use crate::mlp::trainer::MlpTrainer;
use crate::settings::file::to_toml;
use crate::settings::numbers::{NotNegative, Range, count};
use crate::settings::{MlpSettings, Options, Output, Settings};
use crate::sweep::{
    Answer, CHOSEN, Folder, Objective, Progress, RECOMMENDED, Results, Sampler, Space, Study, TRIALS, Trial, summary,
    workers,
};
use crate::table::Table;
use crate::trainer::progress_bar;
use crate::words::say;
use crate::{interrupt, report};

/// Find the dropout rate that is right for your data
///
/// Trains with each rate and several seeds, and says which rate scores best on validation data. Without options a perceptron learns
/// to read handwritten digits. Each trial does what `train` does with the same options. A study keeps all results: the same command
/// continues after any interruption, and several processes can work on one study.
#[derive(clap::Args)]
#[command(mut_arg("batches", |batches| batches.hide(true)))]
pub struct SweepArgs {
    /// The rates to try, or other amounts of noise, of the layer that the file of --config names; with --search tpe the lowest and
    /// the highest [default: 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]
    #[arg(long, value_name = "P,...", value_delimiter = ',', help_heading = SWEEP)]
    rates: Option<Vec<NotNegative>>,
    /// The number of seeds for each rate: --seed and the numbers after it
    #[arg(long, value_name = "N", value_parser = count, default_value = "3", help_heading = SWEEP)]
    seeds: NonZeroUsize,
    /// The number of trials to run side by side, with the same results [default: one per CPU core]
    #[arg(long, value_name = "N", value_parser = count, help_heading = SWEEP)]
    jobs: Option<NonZeroUsize>,
    /// Try every rate, or search for a good one with a tree-structured Parzen estimator that stops hopeless trials early
    #[arg(long, value_enum, default_value = "grid", help_heading = SWEEP)]
    search: SearchKind,
    /// The number of trials of tpe [default: 30]
    #[arg(long, value_name = "N", value_parser = count, help_heading = SWEEP)]
    trials: Option<NonZeroUsize>,
    /// The sizes of the hidden layers to search with tpe
    #[arg(long, value_name = "LOW..HIGH", help_heading = SWEEP)]
    hidden_range: Option<Range>,
    /// The learning rates to search with tpe
    #[arg(long, value_name = "LOW..HIGH", help_heading = SWEEP)]
    learning_rate_range: Option<Range>,
    /// Stop after this time, such as `90s` or `10m`; the same command continues
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = SWEEP)]
    time_budget: Option<Duration>,
    /// The SQLite file with all trials [default: study.db in the folder for the results]
    #[arg(long, value_name = "FILE.db", help_heading = SWEEP)]
    study: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    // Options of `train` that a sweep does not take, with the reason.
    #[arg(long, hide = true, value_name = "P")]
    #[arg(value_parser = refused("a sweep tries several rates: name them with --rates; another kind of layer stands in the file of --config"))]
    _dropout: Option<String>,
    #[arg(long, hide = true, num_args = 0, default_missing_value = "")]
    #[arg(value_parser = refused(NO_FORCE))]
    _force: Option<String>,
    #[arg(long, hide = true, num_args = 0, default_missing_value = "")]
    #[arg(value_parser = refused("a sweep resumes by itself; --resume is for train"))]
    _resume: Option<String>,
}

const NO_FORCE: &str = "a study is never overwritten: name another folder with --out instead of --force";

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected a time such as 90s, 10m or 2h, but got {text}"))
}

fn refused(why: &'static str) -> UnknownArgumentValueParser {
    UnknownArgumentValueParser::suggest(why)
}

/// The most trials of a study. All of them are listed before the first one runs.
const MAX_TRIALS: usize = 1_000_000;

const SWEEP: &str = "The sweep";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum SearchKind {
    Grid,
    Tpe,
}

/// Nothing is written before all input has been checked.
pub fn sweep(args: &SweepArgs) -> Result<Ended> {
    let options = args.options.clone().with_file()?;
    let output = Output::of(&options);
    let settings = Settings::of(options)?;
    ensure!(!output.force, NO_FORCE);
    let sampler = args.sampler(&settings)?;
    let seeds = args.seeds.get();
    ensure!(sampler.trials(seeds) <= MAX_TRIALS, "these are more than {MAX_TRIALS} trials, the most that a study has");
    let objective = Objective::load(settings)?;
    let seed = objective.first_seed();
    for candidate in sampler.extremes()? {
        objective.start(&Trial { candidate, seed }, None, ProgressBar::hidden())?;
    }
    let experiment = objective.experiment(&sampler, seeds)?;
    let folder = Folder::find(args.study.as_deref(), output.out.as_deref(), objective.data(), &experiment)?;
    let mut storage = folder.open(&experiment)?;
    match &objective {
        Objective::Mlp(_, table) => table.description.tell(output.quiet),
        Objective::Gpt(_, source, _) => source.print_note(),
    }
    interrupt::listen()?;
    if let Some(deadline) = args.time_budget.and_then(|budget| Instant::now().checked_add(budget)) {
        interrupt::stop_at(deadline);
    }

    let mut study = Study { sampler, seed, seeds, metric: objective.metric(), trials: Vec::new() };
    let jobs = args.jobs.map_or_else(thread::available_parallelism, Ok)?.get().min(study.len());
    let known = storage.results()?;
    study.extend(known)?;
    let progress = Progress::new(study.len(), study.ended(known).len(), jobs, output.quiet);
    let ended = workers::run(&objective, storage, study, jobs, &progress);
    progress.clear();
    let (mut storage, study) = ended?;
    finish(&folder, &objective, &study, storage.results()?, output.quiet)
}

/// Writes the results of the trials that have ended, trains the chosen network once all have, and prints the answer.
fn finish(folder: &Folder, objective: &Objective, study: &Study, results: &Results, quiet: bool) -> Result<Ended> {
    let Folder { study: file, out } = folder;
    let ended = study.ended(results);
    let is_done = ended.len() == study.len();
    if !is_done {
        let why = if interrupt::is_late() { "the time is over" } else { "interrupted" };
        say!("{why} after {} of {} trials; the same command continues", ended.len(), study.len());
    }
    let how = if is_done || interrupt::is_late() { Ended::Finished } else { Ended::Interrupted };
    write(&out.join(TRIALS), &summary::csv(&ended)?)?;
    let Some(answer) = Answer::of(ended.iter().copied(), study.metric) else {
        say!("no trial is complete; what is known is in {}", file.display());
        return Ok(how);
    };
    let chosen = Trial { candidate: answer.rows[answer.chosen].candidate.clone(), seed: study.seed };
    let recommended = objective.config(&chosen)?;
    write(&out.join(RECOMMENDED), recommended.as_bytes())?;
    let uncertainty = match objective {
        // A GPT takes too long to be trained once more.
        Objective::Mlp(settings, table) if is_done => {
            let settings = chosen.mlp_settings(settings);
            let uncertainty = train_chosen(&settings, table, &out.join(CHOSEN), quiet)?;
            if uncertainty.is_none() {
                say!("stopped before the chosen network was trained; the same command continues");
            }
            uncertainty
        }
        _ => None,
    };
    let report = report::sweep::Sweep {
        objective,
        study,
        ended: &ended,
        answer: &answer,
        recommended: &recommended,
        uncertainty: uncertainty.unwrap_or_default(),
        out,
    };
    write(&out.join(REPORT), report.html()?.as_bytes())?;

    say!("{}\n", summary::table(&answer, study.metric));
    for sentence in answer.sentences() {
        say!("{sentence}");
    }
    say!("results in {}, the report in {}", out.display(), out.join(REPORT).display());
    Ok(how)
}

/// Trains the chosen network, unless its whole run is in the folder already. Returns what its report says about uncertainty, or
/// `None` after an interrupt.
fn train_chosen(settings: &MlpSettings, table: &Table, folder: &Path, quiet: bool) -> Result<Option<Markup>> {
    let epochs = settings.epochs.get();
    let bar = progress_bar("of the chosen network, epoch", epochs, quiet);
    let mut trainer = MlpTrainer::new(settings.clone(), table, bar.clone())?;
    let config = to_toml(settings)?;
    if is_whole(folder, &config, settings.measurements()) {
        let split = trainer.split();
        let model = load_model(folder, settings, &split.schema)?;
        return report::mlp::uncertainty(settings, split, model, folder).map(Some);
    }
    let run = RunDir::create(folder.to_owned(), &config, true)?;
    let (history, uncertainty) = train_and_report(&run, settings, &table.description, &mut trainer)?;
    bar.finish_and_clear();
    Ok(history.last().is_some_and(|last| last.epoch == epochs).then_some(uncertainty))
}

impl SweepArgs {
    fn sampler(&self, settings: &Settings) -> Result<Sampler> {
        let dropout = settings.dropout();
        let mut rates: Vec<f64> = match &self.rates {
            Some(rates) => rates.iter().copied().map(NotNegative::get).collect(),
            None => (0..=8).map(|tenth| f64::from(tenth) / 10.0).collect(),
        };
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let layers = rates.iter().map(|&rate| dropout.clone().with_amount(rate));
        let layers = layers.collect::<Result<Vec<Config>, _>>().context("--rates")?;
        if self.search == SearchKind::Grid {
            ensure!(self.trials.is_none(), "--trials is for --search tpe; a grid tries every rate with every seed");
            ensure!(
                self.hidden_range.is_none() && self.learning_rate_range.is_none(),
                "--hidden-range and --learning-rate-range are for --search tpe"
            );
            return Ok(Sampler::Grid(layers));
        }
        let (low, high) = (rates[0], rates[rates.len() - 1]);
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
        Ok(Sampler::Tpe(
            Space {
                dropout: dropout.clone(),
                rates: Range { low, high },
                hidden: self.hidden_range.clone(),
                learning_rate: self.learning_rate_range.clone(),
            },
            self.trials.map_or(30, NonZeroUsize::get),
        ))
    }
}
