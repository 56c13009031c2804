//! Running the program as a user runs it.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The arguments in a line of a shell.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

pub fn program(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("nn-dropout"));
    command.current_dir(folder).args(args);
    command
}

pub fn run(folder: &TempDir, args: &[&str]) -> Output {
    program(folder, args).output().unwrap()
}

/// Runs, expects success, and gives what was printed.
pub fn succeed(folder: &TempDir, args: &[&str]) -> String {
    let output = run(folder, args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {stderr}");
    assert_eq!(stderr, "", "{args:?}: no terminal, no progress");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects a refusal in one line that leaves nothing behind, and gives that line.
pub fn refuse(folder: &TempDir, args: &[&str]) -> String {
    let before = entries(folder.path());
    let output = run(folder, args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{args:?}");
    assert_eq!(entries(folder.path()), before, "{args:?} left something behind");
    stderr.trim_end().to_owned()
}

pub fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
