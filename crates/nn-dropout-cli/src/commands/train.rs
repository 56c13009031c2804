//! `nn-dropout train`: one network, trained with dropout.

use std::path::Path;

use anyhow::{Result, bail};
use maud::Markup;
use nn_dropout::Config;
use nn_dropout_experiments::metric::{Metric, Metrics, Scores};
use nn_dropout_experiments::mlp::trainer::MlpTrainer;
use nn_dropout_experiments::say;
use nn_dropout_experiments::settings::file::{read, to_toml};
use nn_dropout_experiments::settings::layer::dropout;
use nn_dropout_experiments::settings::{DIGITS, GPT, GptSettings, MlpSettings, Options, Output, Settings};
use nn_dropout_experiments::table::{Description, Part, Table, Target};
use nn_dropout_experiments::trainer::{Trainer, progress_bar};
use nn_dropout_experiments::words::print;

use super::Ended;
use crate::gpt::run::Begun;
use crate::gpt::source;
use crate::gpt::trainer::{GptTrainer, losses};
use crate::io::run_dir::{CONFIG, REPORT, RunDir};
use crate::{ctrl_c, gpt, mlp, report};

/// Train a network with dropout: a multi-layer perceptron on a table, or a GPT on a text
///
/// Without options, a perceptron is trained on the built-in digits. Every option except --config and --resume can also be a key
/// of the TOML file that --config names, with underscores for dashes; an option on the command line wins.
#[derive(clap::Args)]
pub struct TrainArgs {
    /// The probability that an activation is dropped, or a layer of another kind as a table in TOML: `kind = "drop-path", p = 0.1`
    /// [default: 0.5 for mlp, 0.2 for gpt]
    #[arg(long, value_name = "P|TABLE", value_parser = dropout)]
    dropout: Option<Config>,
    #[command(flatten)]
    options: Options,
    /// Resume the run in the folder for the results from its last checkpoint
    #[arg(long, help_heading = GPT)]
    resume: bool,
    /// Print all scores at the end as NAME=VALUE, one per line, and nothing else: for programs that run trainings, such as Katib
    #[arg(long)]
    scores: bool,
    /// Overwrite the run in the folder for the results, if there is one
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    force: Option<bool>,
}

pub fn train(args: &TrainArgs) -> Result<Ended> {
    let options = Options { dropout: args.dropout.clone(), force: args.force, ..args.options.clone() }.with_file()?;
    let options = if args.resume { resumed(options)? } else { options };
    let mut output = Output::of(&options);
    output.quiet |= args.scores;
    match Settings::of(options)? {
        Settings::Mlp(_) if args.resume => bail!("--resume is for --model gpt"),
        Settings::Mlp(settings) => train_mlp(&settings, &output, args.scores),
        Settings::Gpt(settings) => train_gpt(&settings, &output, args.resume, args.scores),
    }
}

/// These options, over the settings of the run to resume.
fn resumed(options: Options) -> Result<Options> {
    match &options.out {
        Some(folder) if folder.join(CONFIG).exists() => {
            let run = read(&folder.join(CONFIG))?;
            Ok(options.over(run))
        }
        Some(folder) => bail!("there is no run to resume in {}", folder.display()),
        None => bail!("--resume needs --out, the folder of the run to resume"),
    }
}

/// Nothing is written before all input has been checked.
fn train_mlp(settings: &MlpSettings, output: &Output, scores: bool) -> Result<Ended> {
    let table = Table::load(settings)?;
    let bar = progress_bar("epoch", settings.epochs.get(), output.quiet);
    let mut trainer = MlpTrainer::new(settings.clone(), &table, bar.clone())?;
    let folder = output.folder(&settings.data, &settings.dropout, settings.seed);
    let run = RunDir::create(folder, &to_toml(settings)?, output.force)?;
    let Table { description, columns, .. } = table;
    drop(columns); // the split has what is needed of them
    description.tell(output.quiet);
    if !output.quiet && settings.data != Path::new(DIGITS) {
        let [train, validation] = [&trainer.split().train, &trainer.split().validation].map(Part::len);
        say!("{:<11} {train} rows to train on, {validation} for validation", "split");
    }
    ctrl_c::listen()?;
    let done = train_and_report(&run, settings, &description, &mut trainer)?;
    bar.finish_and_clear();

    let Some(last) = done.history.last() else {
        say!("interrupted before the first epoch ended; the settings are in {}", run.path().display());
        return Ok(Ended::Interrupted);
    };
    let is_finished = last.epoch == settings.epochs.get();
    if scores {
        return print_scores(&done.scores, is_finished);
    }
    if !is_finished {
        say!("interrupted after {} of {} epochs", last.epoch, settings.epochs);
    }
    let metric = settings.metric();
    let unit = if let Target::Dates(..) = trainer.split().schema.target { " days" } else { "" };
    for (part, score) in [("training", last.train), ("validation", last.validation)] {
        let (title, shown) = (format!("{part} {}", metric.name()), metric.shown(score.metric));
        if metric == Metric::R2 {
            say!("{title:<13} {shown:>7}, {} {:.4}{unit}", metric.loss_name(), score.loss);
        } else {
            say!("{title:<20} {shown:>7}");
        }
    }
    if metric != Metric::R2 {
        let gap = metric.merit(last.train.metric) - metric.merit(last.validation.metric);
        say!("{:<20} {:>5}{}", "gap", metric.difference(gap), metric.points());
    }
    let test = done.scores.iter().find(|(part, _)| *part == TEST);
    for (metric, value) in test.iter().flat_map(|(_, scores)| scores) {
        say!("{:<20} {:>7}", format!("{TEST} {}", metric.name()), metric.shown(*value));
    }
    Ok(ended(&run, is_finished))
}

const TEST: &str = "test";

/// The scores of all parts.
fn all_scores(trainer: &MlpTrainer) -> Vec<(&'static str, Scores)> {
    let split = trainer.split();
    let parts =
        [("training", Some(&split.train)), ("validation", Some(&split.validation)), (TEST, split.test.as_ref())];
    parts.into_iter().filter_map(|(name, part)| part.map(|part| (name, trainer.scores(part)))).collect()
}

/// Prints the scores of a training that is finished. Those that are no numbers, as of a network that has diverged, are left out.
fn print_scores(scores: &[(&str, Scores)], is_finished: bool) -> Result<Ended> {
    if !is_finished {
        return Ok(Ended::Interrupted);
    }
    let finite = scores.iter().flat_map(|(part, scores)| {
        let scores = scores.iter().filter(|(_, value)| value.is_finite());
        scores.map(move |(metric, value)| format!("{part}_{}={value}\n", metric.key()))
    });
    print(&finite.collect::<String>())?;
    Ok(Ended::Finished)
}

/// What came of a training; nothing if it was interrupted before it was measured.
#[derive(Default)]
pub struct Trained {
    pub history: Vec<Metrics>,
    /// The section of the report on uncertainty.
    pub uncertainty: Markup,
    /// The scores of all parts at the end.
    scores: Vec<(&'static str, Scores)>,
}

/// Trains a perceptron and writes its whole run.
pub fn train_and_report(
    run: &RunDir,
    settings: &MlpSettings,
    description: &Description,
    trainer: &mut MlpTrainer,
) -> Result<Trained> {
    let history = mlp::train(run, settings, trainer)?;
    if history.is_empty() {
        return Ok(Trained::default());
    }
    let split = trainer.split();
    let uncertainty = report::mlp::uncertainty(settings, split, trainer.model(), run.path())?;
    let scores = all_scores(trainer);
    let page = report::mlp::html(settings, &description.missing, &scores, split, &history, &uncertainty, run.path())?;
    run.write(REPORT, page.as_bytes())?;
    Ok(Trained { history, uncertainty, scores })
}

/// Nothing is written before all input has been checked.
fn train_gpt(settings: &GptSettings, output: &Output, resume: bool, scores: bool) -> Result<Ended> {
    let begun = resume.then(|| Begun::open(settings, output)).transpose()?;
    let (source, config) = source::load(settings, |inputs| begun.iter().try_for_each(|begun| begun.check(inputs)))?;
    let bar = progress_bar("step", source.steps(settings), output.quiet);
    let mut trainer = GptTrainer::new(settings.clone(), &source, &config, bar.clone())?;
    let run = match begun {
        Some(begun) => {
            let (run, resumed) = begun.resume(settings, trainer)?;
            trainer = resumed;
            run
        }
        None => gpt::run::create(settings, output)?,
    };
    source.print_note();
    ctrl_c::listen()?;
    gpt::run::train(&run, &source, &mut trainer)?;
    bar.finish_and_clear();

    let (progress, steps) = (trainer.progress(), trainer.length());
    let [train, validation] = [1, 2].map(|column| losses(&progress.metrics, column));
    let page = report::gpt::html(settings, &to_toml(settings)?, &train, &validation, run.path())?;
    run.write(REPORT, page.as_bytes())?;
    let is_finished = progress.step >= steps;
    if scores {
        let of = |curve: &[(usize, f64)]| curve.iter().map(|(_, loss)| (Metric::CrossEntropy, *loss)).next_back();
        let parts = [("training", of(&train)), ("validation", of(&validation))];
        return print_scores(&parts.map(|(part, score)| (part, score.into_iter().collect())), is_finished);
    }
    if !is_finished {
        say!("interrupted after {} of {steps} steps; resume with --resume", progress.step);
    }
    if let Some((_, loss)) = train.last() {
        say!("training loss    {loss:.4}");
    }
    if let Some((_, loss)) = validation.last() {
        say!("validation loss  {loss:.4}");
    }
    Ok(ended(&run, is_finished))
}

fn ended(run: &RunDir, is_finished: bool) -> Ended {
    say!("results in {}, curves in {}", run.path().display(), run.file(REPORT).display());
    if is_finished { Ended::Finished } else { Ended::Interrupted }
}
