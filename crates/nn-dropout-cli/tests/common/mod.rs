//! Running the program as a user runs it.

#![allow(dead_code, reason = "no test needs all of it")]

pub mod sweeps;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

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

/// Runs, expects success, and gives what was printed on stdout and on stderr.
pub fn said(folder: &TempDir, args: &[&str]) -> [String; 2] {
    let Output { status, stdout, stderr } = run(folder, args);
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(status.success(), "{args:?}: {stderr}");
    [stdout, stderr]
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

/// Runs, expects success, and gives the most memory that it had at a time, in kB.
#[cfg(target_os = "linux")]
pub fn peak(folder: &TempDir, args: &[&str]) -> u64 {
    let mut child = program(folder, args).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        peak = peak.max(now.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success(), "{args:?}");
    peak
}

/// Waits until something holds.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_mins(2), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
