//! `nn-dropout study`: what is in the studies of sweeps, at any time and from any machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use nn_dropout_experiments::io::files::{RUNS, first_entry, is_same_file, make_folder, write};
use nn_dropout_experiments::settings::{Settings, file};
use nn_dropout_experiments::sweep::{Answer, TrialResult, summary};
use nn_dropout_experiments::words::{plain, print};
use nn_dropout_experiments::{note, say};

use super::Ended;
use crate::io::run_dir::REPORT;
use crate::report::sweep::{ChosenNetwork, Report};
use crate::sweep::storage::{Description, Location, Storage, names};
use crate::sweep::{TRIALS, optuna};

/// Look into a study: list, show, export, or report on it, also while others work on it
///
/// A study holds the trials of a sweep. It is an SQLite file, or one of those in a PostgreSQL database:
/// `postgres://USER@HOST/DATABASE#NAME`. The password is that of PGPASSWORD or ~/.pgpass.
#[derive(clap::Args)]
pub struct StudyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the studies of a folder of results, of a file or of a database
    List {
        /// A folder, an SQLite file, or `postgres://USER@HOST/DATABASE`
        #[arg(value_name = "DIR|FILE.db|URL", default_value = RUNS)]
        place: Location,
    },
    /// Print what is known by now: how far it is, and the answer so far
    Show {
        #[command(flatten)]
        study: StudyArg,
    },
    /// Write all trials that have ended as CSV, or as a journal that Optuna and its dashboard open
    Export {
        #[command(flatten)]
        study: StudyArg,
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
        /// The file to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write the report and the table of trials
    Report {
        #[command(flatten)]
        study: StudyArg,
        /// The folder for the report
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(clap::Args)]
struct StudyArg {
    /// An SQLite file, or `postgres://USER@HOST/DATABASE` with `#NAME` for one of several studies
    #[arg(value_name = "FILE.db|URL")]
    study: Location,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One row per trial
    Csv,
    /// The file of Optuna's `JournalStorage`
    OptunaJournal,
}

/// A study and its trials.
pub struct Opened {
    description: Description,
    settings: Settings,
    search: String,
    ended: Vec<TrialResult>,
}

impl Opened {
    pub fn of(location: &Location) -> Result<Self> {
        let mut storage = Storage::open_existing(location)?;
        let description = storage.describe()?;
        let damaged = || format!("{location}: the study is damaged");
        let settings = Settings::of(file::parse(&description.begun_with.config).with_context(damaged)?)?;
        let table: toml::Table = toml::from_str(&description.settings).with_context(damaged)?;
        let search = table.get("search").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let mut ended: Vec<TrialResult> = storage.results()?.0.values().cloned().collect();
        ended.sort_by_cached_key(|result| (result.trial.seed, result.trial.fold, result.trial.key()));
        Ok(Self { description, settings, search, ended })
    }

    /// The number of trials that there will be. With other seeds or rates they have become more.
    fn trials(&self) -> usize {
        self.description.begun_with.trials.max(self.ended.len() + self.description.running)
    }

    fn ended(&self) -> Vec<&TrialResult> {
        self.ended.iter().collect()
    }
}

pub fn study(args: &StudyArgs) -> Result<Ended> {
    match &args.command {
        Command::List { place } => list(place)?,
        Command::Show { study } => show(&Opened::of(&study.study)?),
        Command::Export { study, format, output } => {
            let opened = Opened::of(&study.study)?;
            let (ended, metric) = (opened.ended(), opened.settings.metric());
            let text = match format {
                Format::Csv => String::from_utf8(summary::csv(&ended)?)?,
                Format::OptunaJournal => optuna::journal(&opened.description, &ended, metric)?,
            };
            match (output, &study.study) {
                (Some(path), Location::File(study)) if is_same_file(path, study) => {
                    bail!("{} is the study itself: name another file with --output", path.display())
                }
                (Some(path), _) => write(path, text.as_bytes())?,
                (None, _) => print(&text)?,
            }
        }
        Command::Report { study, out } => report(&study.study, out)?,
    }
    Ok(Ended::Finished)
}

fn list(place: &Location) -> Result<()> {
    let studies: Vec<Location> = match place {
        Location::Server(server) if server.study.is_none() => {
            let named = |name| Location::Server(server.named(name));
            names(server)?.into_iter().map(named).collect()
        }
        Location::File(folder) if folder.is_dir() || *folder == Path::new(RUNS) => {
            let mut files: Vec<PathBuf> = Vec::new();
            let Ok(entries) = fs::read_dir(folder) else { bail!("there is no folder {}", folder.display()) };
            for entry in entries {
                let path = entry?.path();
                let is_study = |path: &Path| path.extension().is_some_and(|end| end == "db") && path.is_file();
                files.extend([path.clone(), path.join("study.db")].into_iter().filter(|path| is_study(path)));
            }
            files.sort();
            files.into_iter().map(Location::File).collect()
        }
        study => vec![study.clone()],
    };
    if studies.is_empty() {
        say!("there is no study in {place}");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["study", "begun", "trials ended", "running", "chosen so far"]);
    let several = studies.len() > 1;
    for study in studies {
        match Opened::of(&study) {
            Ok(opened) => {
                let metric = opened.settings.metric();
                let chosen = Answer::of(opened.ended.iter(), metric).map(|answer| {
                    let chosen = &answer.rows[answer.chosen];
                    format!("{} ({} {})", chosen.candidate, metric.name(), answer.mean(&chosen.validation))
                });
                let Description { begun, running, .. } = &opened.description;
                let ended = format!("{} of {}", opened.ended.len(), opened.trials());
                let cells = [study.to_string(), begun.clone(), ended, running.to_string(), chosen.unwrap_or_default()];
                table.add_row(cells.map(|cell| plain(&cell)));
            }
            // One that cannot be read does not hide the others.
            Err(error) if several => note!("warning: {error:#}"),
            Err(error) => return Err(error),
        }
    }
    say!("{table}");
    Ok(())
}

fn show(opened: &Opened) {
    let Description { name, program, begun, begun_with, running, .. } = &opened.description;
    say!("study    {}", plain(&format!("{name}, begun on {begun} with nn-dropout {program}")));
    say!("options  {}", plain(&begun_with.options));
    say!("trials   {} of {} ended, {running} running now\n", opened.ended.len(), opened.trials());
    let metric = opened.settings.metric();
    let Some(answer) = Answer::of(opened.ended.iter(), metric) else {
        say!("there is no score yet");
        return;
    };
    say!("{}\n", summary::table(&answer, metric));
    for sentence in answer.sentences() {
        say!("{sentence}");
    }
}

fn report(study: &Location, out: &Path) -> Result<()> {
    let opened = Opened::of(study)?;
    ensure!(
        out.join(TRIALS).exists() || first_entry(out)?.is_none(),
        "{} holds other files: name another folder with --out",
        out.display()
    );
    let ended = opened.ended();
    let Some(first) = ended.first() else { bail!("{study}: no trial has ended yet") };
    let report = Report {
        settings: &opened.settings,
        search: &opened.search,
        options: &opened.description.begun_with.options,
        ended: &ended,
        unfinished: opened.trials() - ended.len(),
        first: first.trial.block(),
        chosen: ChosenNetwork::default(),
        out,
    };
    let answer = report.answer().with_context(|| format!("{study}: there is no score to report yet"))?;
    make_folder(out)?;
    report.write_trials()?;
    report.write_recommended(&answer)?;
    report.write(&answer)?;
    say!("the report is {}", out.join(REPORT).display());
    Ok(())
}
