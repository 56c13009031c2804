//! The program `nn-dropout`.

mod data;
mod interrupt;
mod mlp;
mod report;
mod run;
mod settings;
mod train;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

/// Dropout for Rust: train a network and see what dropout does for it.
#[derive(Parser)]
#[command(name = "nn-dropout", version, arg_required_else_help = true)]
enum Command {
    Train(settings::TrainArgs),
}

/// The exit status of a program that was given what it cannot work with.
const REFUSED: u8 = 2;
/// The exit status of a program that was stopped by Ctrl-C, as shells count it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Command::Train(args) = match Command::try_parse() {
        Ok(command) => command,
        Err(error) if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprintln!("{}", one_line(&error));
            return ExitCode::from(REFUSED);
        }
        Err(help) => help.exit(),
    };
    match train::train(&args) {
        Ok(train::Ended::Finished) => ExitCode::SUCCESS,
        Ok(train::Ended::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(REFUSED)
        }
    }
}

/// What clap says of a wrong command line, without the reminder of the usage below it.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")).collect();
    said.join("; ").replace(":; ", ": ")
}
