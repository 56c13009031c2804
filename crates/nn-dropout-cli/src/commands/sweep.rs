//! `nn-dropout sweep`: many networks, to find the right dropout rate.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use burn::tensor::Device;
use clap::ValueEnum;
use clap::builder::UnknownArgumentValueParser;
use indicatif::ProgressBar;
use nn_dropout::{Config, Probability};
use nn_dropout_experiments::interrupt;
use nn_dropout_experiments::io::files::lock_folder;
use nn_dropout_experiments::mlp::model::Mlp;
use nn_dropout_experiments::mlp::trainer::{MlpTrainer, validated};
use nn_dropout_experiments::settings::file::to_toml;
use nn_dropout_experiments::settings::layer::dropout;
use nn_dropout_experiments::settings::numbers::{NotNegative, Range, count, probability};
use nn_dropout_experiments::settings::{MlpSettings, Options, Output, Settings};
use nn_dropout_experiments::sweep::{Results, Sampler, Space, State, Strategy, Study, Trial, blocks};
use nn_dropout_experiments::table::{Split, Table};
use nn_dropout_experiments::trainer::progress_bar;
use nn_dropout_experiments::{note, say};

use super::Ended;
use super::train::{Trained, train_and_report};
use crate::ctrl_c;
use crate::io::run_dir::RunDir;
use crate::mlp::{is_whole, load_model};
use crate::report;
use crate::report::sweep::{ChosenNetwork, Report};
use crate::sweep::storage::{Experiment, Location};
use crate::sweep::{CHOSEN, Data, Folder, Objective, Progress, workers};

/// Find the dropout rate that is right for your data
///
/// Trains with each rate and several seeds, and says which rate scores best on validation data. Without options a perceptron learns
/// to read handwritten digits. Each trial does what `train` does with the same options. A study keeps all results: the same command
/// continues after any interruption, and several processes can work on one study.
#[derive(clap::Args)]
#[command(mut_arg("batches", |batches| batches.hide(true)))]
pub struct SweepArgs {
    /// The rates to try, or other amounts of noise, of the layer that the file of --config names; in a search the lowest and the
    /// highest [default: 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]
    #[arg(long, value_name = "P,...", value_delimiter = ',', help_heading = SWEEP)]
    rates: Option<Vec<NotNegative>>,
    /// Search the rates of dropout of the features apart from those of hidden layers: 0, 0.1 and 0.2, or those of --input-rates
    #[arg(long, help_heading = SWEEP)]
    rates_per_layer: bool,
    /// The rates to try for dropout of the features; in a search the lowest and the highest [default: 0,0.1,0.2 with --rates-per-layer]
    #[arg(long, value_name = "P,...", value_delimiter = ',', value_parser = rate, help_heading = SWEEP)]
    input_rates: Option<Vec<f64>>,
    /// A layer to try with all rates, as a table in TOML whose amount does not matter, such as `kind = "gaussian-dropout", p = 0.1`; can
    /// be given several times [default: dropout, or what the file of --config names]
    #[arg(long = "layer", value_name = "TABLE", value_parser = dropout, help_heading = SWEEP)]
    layers: Vec<Config>,
    /// The number of seeds for each rate: --seed and the numbers after it. With --folds, each seed is a split into folds
    #[arg(long, value_name = "N", value_parser = count, default_value = "5", help_heading = SWEEP)]
    seeds: NonZeroUsize,
    /// The number of trials to run side by side, with the same results [default: one per CPU core]
    #[arg(long, value_name = "N", value_parser = count, help_heading = SWEEP)]
    jobs: Option<NonZeroUsize>,
    /// Try every rate (grid), or search: with a tree-structured Parzen estimator and the median stopping rule (tpe), or at random with
    /// successive halving (asha)
    #[arg(long, value_enum, default_value = "grid", help_heading = SWEEP)]
    search: SearchKind,
    /// The number of trials of a search [default: those of 10 candidates]
    #[arg(long, value_name = "N", value_parser = count, help_heading = SWEEP)]
    trials: Option<NonZeroUsize>,
    /// The sizes of the hidden layers to search
    #[arg(long, value_name = "LOW..HIGH", help_heading = SWEEP)]
    hidden_range: Option<Range>,
    /// The learning rates to search
    #[arg(long, value_name = "LOW..HIGH", help_heading = SWEEP)]
    learning_rate_range: Option<Range>,
    /// Stop after this time, such as `90s` or `10m`; the same command continues
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = SWEEP)]
    time_budget: Option<Duration>,
    /// Where all trials are kept: an SQLite file, or for several machines `postgres://USER@HOST/DATABASE` [default: study.db in the folder
    /// for the results]
    #[arg(long, value_name = "FILE.db|URL", help_heading = SWEEP)]
    study: Option<Location>,
    #[command(flatten)]
    options: Options,
    // Options of `train` that a sweep does not take, with the reason.
    #[arg(long, hide = true, value_name = "P")]
    #[arg(value_parser = refused("a sweep tries several rates: name them with --rates; another kind of layer with --layer"))]
    _dropout: Option<String>,
    #[arg(long, hide = true, num_args = 0, default_missing_value = "")]
    #[arg(value_parser = refused(NO_FORCE))]
    _force: Option<String>,
    #[arg(long, hide = true, num_args = 0, default_missing_value = "")]
    #[arg(value_parser = refused("the scores of a sweep are in results.csv; --scores is for train"))]
    _scores: Option<String>,
    #[arg(long, hide = true, num_args = 0, default_missing_value = "")]
    #[arg(value_parser = refused("a sweep resumes by itself; --resume is for train"))]
    _resume: Option<String>,
}

const NO_FORCE: &str = "a study is never overwritten: name another folder with --out instead of --force";

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected a time such as 90s, 10m or 2h, but got {text}"))
}

fn rate(text: &str) -> Result<f64, String> {
    probability(text).map(Probability::get)
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
    Asha,
}

impl SearchKind {
    fn strategy(self) -> Option<Strategy> {
        match self {
            Self::Grid => None,
            Self::Tpe => Some(Strategy::Tpe),
            Self::Asha => Some(Strategy::Asha),
        }
    }
}

/// The rates that are usual for features: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent
/// neural networks from overfitting", JMLR 2014, take 0.2.
const INPUT_RATES: [f64; 3] = [0.0, 0.1, 0.2];

/// The candidates of a search, by default.
const CANDIDATES: usize = 10;

/// Nothing is written before all input has been checked.
pub fn sweep(args: &SweepArgs) -> Result<Ended> {
    ensure!(args.options.fold.is_none(), "--fold is for train: a sweep trains with every fold for validation");
    let options = args.options.clone().with_file()?;
    let output = Output::of(&options);
    let settings = Settings::of(options)?;
    ensure!(!output.force, NO_FORCE);
    let seeds = args.seeds.get();
    let folds = settings.folds();
    let count = seeds.saturating_mul(folds.map_or(1, NonZeroUsize::get));
    let sampler = args.sampler(&settings, count)?;
    let trials = sampler.trials(count);
    ensure!(trials <= MAX_TRIALS, "these are more than {MAX_TRIALS} trials, the most that a study has");
    let objective = Objective::load(settings)?;
    let seed = objective.settings.seed();
    let blocks = blocks(seed, seeds, folds);
    for candidate in sampler.extremes()? {
        objective.start(&Trial::new(candidate, blocks[0]), None, ProgressBar::hidden())?;
    }
    let experiment = objective.experiment(&sampler, blocks.len(), sampler.options(seeds))?;
    let (folder, mut storage) =
        Folder::open(args.study.as_ref(), output.out.as_deref(), objective.settings.data(), &experiment)?;
    match &objective.data {
        Data::Table(table) => table.description.tell(output.quiet),
        Data::Text(source, _) => source.print_note(),
    }
    if let Some(warning) = folder.study.warning() {
        note!("warning: {warning}");
    }
    ctrl_c::listen()?;
    if let Some(deadline) = args.time_budget.and_then(|budget| Instant::now().checked_add(budget)) {
        interrupt::stop_at(deadline);
    }

    let (metric, measurements) = (objective.settings.metric(), objective.measurements());
    let mut study = Study { sampler, seed, blocks, metric, measurements, trials: Vec::new() };
    let jobs = args.jobs.map_or_else(thread::available_parallelism, Ok)?.get().min(study.len());
    let known = storage.results()?;
    study.extend(known)?;
    let progress = Progress::new(study.len(), study.ended(known).len(), jobs, output.quiet);
    let ended = workers::run(&objective, storage, study, jobs, &progress);
    progress.clear();
    let (mut storage, study) = ended?;
    finish(&folder, &objective, &study, storage.results()?, &experiment, output.quiet)
}

/// Writes the results of the trials that have ended, trains the chosen network once all have, and prints the answer.
fn finish(
    folder: &Folder,
    objective: &Objective,
    study: &Study,
    results: &Results,
    experiment: &Experiment,
    quiet: bool,
) -> Result<Ended> {
    let out = &folder.out;
    let ended = study.ended(results);
    let is_done = ended.len() == study.len();
    if !is_done {
        let why = if interrupt::is_late() { "the time is over" } else { "interrupted" };
        say!("{why} after {} of {} trials; the same command continues", ended.len(), study.len());
    }
    // Processes that end at the same moment write the same files.
    let _lock = lock_folder(out);
    let how = if is_done || interrupt::is_late() { Ended::Finished } else { Ended::Interrupted };
    let mut report = Report {
        settings: &objective.settings,
        search: study.sampler.name(),
        options: &experiment.begun_with.options,
        ended: &ended,
        unfinished: study.len() - ended.len(),
        first: study.blocks[0],
        chosen: ChosenNetwork::default(),
        out,
    };
    report.write_trials()?;
    let Some(answer) = report.answer() else {
        let complete = ended.iter().any(|result| result.state == State::Complete);
        let what = if complete { "no score is a number: the networks diverged" } else { "no trial is complete" };
        say!("{what}; what is known is in {}", folder.study);
        return Ok(how);
    };
    report.write_recommended(&answer)?;
    if let (Data::Table(table), true) = (&objective.data, is_done) {
        // A GPT takes too long to be trained once more.
        let chosen = report.recommended(&answer);
        if let Settings::Mlp(settings) = chosen.settings(&objective.settings) {
            if let Some(chosen) = train_chosen(&settings, table, &out.join(CHOSEN), quiet)? {
                report.chosen = chosen;
            } else {
                say!("stopped before the chosen network was trained; the same command continues");
            }
        }
    }
    report.write(&answer)?;
    report.print(&answer);
    Ok(how)
}

/// Trains the chosen network, unless its whole run is in the folder already. Returns what its report says about uncertainty and its
/// scores on the test part, or `None` after an interrupt.
fn train_chosen(settings: &MlpSettings, table: &Table, folder: &Path, quiet: bool) -> Result<Option<ChosenNetwork>> {
    let epochs = settings.epochs.get();
    let bar = progress_bar("of the chosen network, epoch", epochs, quiet);
    let mut trainer = MlpTrainer::new(settings.clone(), table, bar.clone())?;
    let config = to_toml(settings)?;
    let test = |split: &Split, model: &Mlp| {
        let test = split.test.as_ref();
        test.map(|test| validated(model, settings, &split.schema, test, &Device::flex()))
    };
    if is_whole(folder, &config, settings.measurements()) {
        let split = trainer.split();
        let model = load_model(folder, settings, &split.schema)?;
        let test = test(split, &model);
        let uncertainty = report::mlp::uncertainty(settings, split, model, folder)?;
        return Ok(Some(ChosenNetwork { uncertainty, test }));
    }
    let run = RunDir::create(folder.to_owned(), &config, true)?;
    let Trained { history, uncertainty, .. } = train_and_report(&run, settings, &table.description, &mut trainer)?;
    bar.finish_and_clear();
    let is_finished = history.last().is_some_and(|last| last.epoch == epochs);
    let test = || test(trainer.split(), &trainer.model());
    Ok(is_finished.then(|| ChosenNetwork { uncertainty, test: test() }))
}

impl SweepArgs {
    fn sampler(&self, settings: &Settings, blocks: usize) -> Result<Sampler> {
        let mut rates: Vec<f64> = match &self.rates {
            Some(rates) => rates.iter().copied().map(NotNegative::get).collect(),
            None => (0..=8).map(|tenth| f64::from(tenth) / 10.0).collect(),
        };
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let input_rates = self.input_rates(settings)?;
        let Some(strategy) = self.search.strategy() else {
            ensure!(self.trials.is_none(), "--trials is for a search; a grid tries every rate with every seed");
            ensure!(
                self.hidden_range.is_none() && self.learning_rate_range.is_none(),
                "--hidden-range and --learning-rate-range are for a search"
            );
            let own = std::slice::from_ref(settings.dropout());
            let layers = if self.layers.is_empty() { own } else { &self.layers };
            return Sampler::grid(layers, &rates, input_rates.as_deref());
        };
        let (low, high) = (rates[0], rates[rates.len() - 1]);
        ensure!(
            high - low >= 0.01,
            "a search needs a lowest and a highest rate, at least 0.01 apart, as in --rates 0,0.8"
        );
        ensure!(self.layers.len() < 2, "--layer is for a grid if there are several");
        if self.hidden_range.is_some() && !matches!(settings, Settings::Mlp(_)) {
            bail!("--hidden-range is for --model mlp");
        }
        if let Some(range) = &self.hidden_range {
            ensure!(range.low >= 1.0, "a hidden layer has at least 1 unit, but --hidden-range is {range}");
        }
        let ends = |rates: Vec<f64>| Range { low: rates[0], high: rates[rates.len() - 1] };
        Ok(Sampler::Search {
            strategy,
            space: Space {
                dropout: self.layers.first().unwrap_or_else(|| settings.dropout()).clone(),
                rates: Range { low, high },
                input_rates: input_rates.map(ends),
                hidden: self.hidden_range.clone(),
                learning_rate: self.learning_rate_range.clone(),
            },
            trials: self.trials.map_or_else(|| CANDIDATES.saturating_mul(blocks), NonZeroUsize::get),
        })
    }

    /// The rates of dropout of the features, if they are searched apart.
    fn input_rates(&self, settings: &Settings) -> Result<Option<Vec<f64>>> {
        let Some(mut rates) = self.input_rates.clone().or_else(|| self.rates_per_layer.then(|| INPUT_RATES.to_vec()))
        else {
            return Ok(None);
        };
        let Settings::Mlp(settings) = settings else {
            bail!("--rates-per-layer and --input-rates are for --model mlp")
        };
        ensure!(settings.input_dropout.is_none(), "--input-rates tries several rates, and --input-dropout names one");
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let is_range = rates[rates.len() - 1] - rates[0] >= 0.01;
        ensure!(self.search == SearchKind::Grid || is_range, "a search needs a lowest and a highest of --input-rates");
        Ok(Some(rates))
    }
}
