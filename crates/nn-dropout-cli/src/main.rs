//! The program `nn-dropout`.

mod commands;
mod ctrl_c;
mod gpt;
mod io;
mod mlp;
#[cfg(test)]
mod mutation;
mod report;
mod sweep;

use std::any::TypeId;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches, Parser};
use nn_dropout_experiments::io::guard;
use nn_dropout_experiments::note;
use nn_dropout_experiments::words::plain;

use commands::Ended;
use commands::apply::ApplyArgs;
use commands::describe::DescribeArgs;
use commands::generate::GenerateArgs;
use commands::predict::PredictArgs;
use commands::study::StudyArgs;
use commands::sweep::SweepArgs;
use commands::train::TrainArgs;

/// A training step allocates and frees much memory. This allocator keeps it for the next step, where the system's gets new pages each
/// time, which takes a fifth of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Dropout for Rust: see what it does for a network, and apply it to your own tensors.
#[derive(Parser)]
#[command(name = "nn-dropout", version, arg_required_else_help = true)]
enum Command {
    Sweep(Box<SweepArgs>),
    Train(Box<TrainArgs>),
    Study(StudyArgs),
    Predict(PredictArgs),
    Describe(DescribeArgs),
    Generate(GenerateArgs),
    Apply(ApplyArgs),
}

/// The exit status after input that the program cannot work with.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    guard::silence();
    let parsed = command_line().try_get_matches().and_then(|matches| Command::from_arg_matches(&matches));
    let command = match parsed {
        Ok(command) => command,
        Err(error) if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            note!("{}", one_line(&error));
            return ExitCode::from(REFUSED);
        }
        Err(help) => help.exit(),
    };
    let ended = match command {
        Command::Sweep(args) => commands::sweep::sweep(&args),
        Command::Train(args) => commands::train::train(&args),
        Command::Study(args) => commands::study::study(&args),
        Command::Describe(args) => commands::describe::describe(&args),
        Command::Predict(args) => commands::predict::predict(&args),
        Command::Generate(args) => commands::generate::generate(&args),
        Command::Apply(args) => commands::apply::apply(&args),
    };
    match ended {
        Ok(Ended::Finished) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(ctrl_c::STATUS),
        Err(error) => {
            note!("error: {}", plain(&format!("{error:#}")));
            ExitCode::from(REFUSED)
        }
    }
}

/// The command line. A value that is not just any text can begin with a dash, so that an error says what is accepted.
fn command_line() -> clap::Command {
    let with_dashes = |option: Arg| {
        let texts = [TypeId::of::<PathBuf>(), TypeId::of::<String>(), TypeId::of::<bool>()];
        let is_text = texts.iter().any(|text| option.get_value_parser().type_id() == *text);
        option.allow_hyphen_values(!is_text)
    };
    Command::command().mut_subcommands(|command| command.mut_args(with_dashes))
}

/// The message of clap, without the usage below it.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")).collect();
    let said = said.join("; ").replace(":; ", ": ");
    let unknown = error.get(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument);
    let is_value = matches!(unknown, Some(ContextValue::String(arg)) if arg.starts_with('-') && !arg.starts_with("--"));
    if is_value { said + "; tip: a value that begins with a dash follows a `=`, as in --OPTION=-x" } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_dropout_experiments::settings::{NO_KEYS, Options};

    #[test]
    fn an_option_is_a_key_of_a_file_or_known_as_none() {
        let command = Command::command();
        let options = ["train", "sweep"].map(|name| command.find_subcommand(name).unwrap().get_arguments());
        for option in options.into_iter().flatten() {
            let name = option.get_id().as_str().trim_start_matches('_');
            assert_ne!(Options::NAMES.contains(&name) && name != "config", NO_KEYS.contains(&name), "{name}");
        }
    }
}
