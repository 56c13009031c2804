//! The program `nn-dropout`.

mod apply;
mod files;
mod gpt;
mod interrupt;
mod mlp;
mod numbers;
mod report;
mod run;
mod settings;
mod sweep;
mod tensors;
mod training;
mod weights;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;
use run::Ended;
use settings::{Settings, TrainArgs};

/// A training step takes and gives back much memory. This allocator keeps it for the next one, where the system's gets new
/// pages each time: a fifth of the time of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Dropout for Rust: see what it does for a network, and apply it to your own tensors.
#[derive(Parser)]
#[command(name = "nn-dropout", version, arg_required_else_help = true)]
enum Command {
    Sweep(Box<sweep::SweepArgs>),
    Train(Box<TrainArgs>),
    Predict(mlp::PredictArgs),
    Generate(gpt::GenerateArgs),
    Apply(apply::ApplyArgs),
}

/// The exit status of a program that was given what it cannot work with.
const REFUSED: u8 = 2;
/// The exit status of a program that was stopped by Ctrl-C, as shells count it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprintln!("{}", one_line(&error));
            return ExitCode::from(REFUSED);
        }
        Err(help) => help.exit(),
    };
    let ended = match command {
        Command::Sweep(args) => sweep::sweep(&args),
        Command::Train(args) => train(&args),
        Command::Predict(args) => mlp::predict(&args).map(|()| Ended::Finished),
        Command::Generate(args) => gpt::generate(&args).map(|()| Ended::Finished),
        Command::Apply(args) => apply::apply(&args).map(|()| Ended::Finished),
    };
    match ended {
        Ok(Ended::Finished) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(REFUSED)
        }
    }
}

fn train(args: &TrainArgs) -> Result<Ended> {
    let (settings, output) = args.resolve()?;
    match settings {
        Settings::Mlp(settings) => mlp::train(&settings, &output),
        Settings::Gpt(settings) => gpt::train(&settings, &output),
    }
}

/// What clap says of a wrong command line, without the reminder of the usage below it.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")).collect();
    said.join("; ").replace(":; ", ": ")
}
