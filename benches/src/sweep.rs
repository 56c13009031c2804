//! The program's sweep over the digits, and the same trainings in PyTorch: as many processes as there are cores, of one thread each.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

const SCRIPT: &str = include_str!("../python/sweep.py");
const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/nn-dropout-experiments/data/digits.csv");

/// How many epochs apart the models are scored: as the program does it, and after every epoch.
const INTERVALS: [usize; 2] = [3, 1];

/// A line of the JSON file.
#[derive(Serialize)]
pub struct Record {
    who: &'static str,
    op: &'static str,
    eval_interval: usize,
    /// Of the whole command.
    seconds: f64,
    /// Of the trainings alone, in the slowest process.
    training_seconds: Option<f64>,
    /// The mean over all trainings, on the validation part.
    accuracy: f64,
}

/// Runs everything so often, in turns. The fastest run of each counts.
pub fn compare(python: Option<&Path>, jobs: usize, rounds: usize) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..rounds {
        for eval_interval in INTERVALS {
            let mut add = |record: Record| {
                let is_same = |other: &&mut Record| other.who == record.who && other.eval_interval == eval_interval;
                match records.iter_mut().find(is_same) {
                    Some(other) if other.seconds <= record.seconds => {}
                    Some(other) => *other = record,
                    None => records.push(record),
                }
            };
            add(ours(jobs, eval_interval)?);
            if let Some(python) = python {
                add(pytorch(python, jobs, eval_interval)?);
            }
        }
    }
    Ok(records)
}

/// The program beside this one, from its start to its report.
fn ours(jobs: usize, eval_interval: usize) -> Result<Record> {
    let program = env::current_exe()?.with_file_name(format!("nn-dropout{}", env::consts::EXE_SUFFIX));
    ensure!(program.exists(), "{} is missing: build it with `cargo build --release`", program.display());
    let folder = Folder(env::temp_dir().join(format!("nn-dropout-bench-{}", std::process::id())));
    let start = Instant::now();
    let ended = Command::new(&program)
        .args(["sweep", "--quiet", "--seeds", "3", "--jobs", &jobs.to_string()])
        .args(["--eval-interval", &eval_interval.to_string(), "--out"])
        .arg(&folder.0)
        .stdout(Stdio::null())
        .status()?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(ended.success(), "{} failed", program.display());
    let results = fs::read_to_string(folder.0.join("results.csv"))?;
    let accuracies: Vec<f64> = results
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(3).and_then(|cell| cell.parse().ok()).context("a row has an accuracy"))
        .collect::<Result<_>>()?;
    let accuracy = mean(&accuracies);
    Ok(Record { who: "nn-dropout", op: "sweep", eval_interval, seconds, training_seconds: None, accuracy })
}

/// As many processes as there are jobs, from their start to the end of the last one.
fn pytorch(python: &Path, jobs: usize, eval_interval: usize) -> Result<Record> {
    let start = |job: usize| {
        Command::new(python)
            .args(["-c", SCRIPT, DIGITS])
            .args([job, jobs, eval_interval].map(|number| number.to_string()))
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", python.display()))
    };
    let begin = Instant::now();
    let processes = (0..jobs).map(start).collect::<Result<Vec<_>>>()?;
    let (mut slowest, mut accuracies) = (0.0_f64, Vec::new());
    for process in processes {
        let output = process.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [took, accuracy] = numbers[..] else { anyhow::bail!("PyTorch's sweep said {said:?}") };
        slowest = slowest.max(took);
        accuracies.push(accuracy);
    }
    let (seconds, accuracy) = (begin.elapsed().as_secs_f64(), mean(&accuracies));
    Ok(Record { who: "pytorch", op: "sweep", eval_interval, seconds, training_seconds: Some(slowest), accuracy })
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Whatever stays is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The times, and ours as a ratio.
pub fn table(records: &[Record]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "sweep over the digits",
        "scored every",
        "seconds",
        "training alone",
        "accuracy",
        "nn-dropout is",
    ]);
    for record in records {
        let ours = records.iter().find(|ours| ours.who == "nn-dropout" && ours.eval_interval == record.eval_interval);
        let ratio = ours.filter(|ours| ours.who != record.who).map(|ours| record.seconds / ours.seconds);
        table.add_row([
            record.who.to_owned(),
            if record.eval_interval == 1 { "epoch".to_owned() } else { format!("{} epochs", record.eval_interval) },
            format!("{:.1}", record.seconds),
            record.training_seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
            format!("{:.1} %", 100.0 * record.accuracy),
            ratio.map(|ratio| format!("{ratio:.1}x as fast")).unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
