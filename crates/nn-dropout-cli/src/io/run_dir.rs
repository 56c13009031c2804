//! The folder of a run, and the names of the files in it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nn_dropout_experiments::io::files::{cannot_write, first_entry, make_folder, write};
use serde::Serialize;

pub const CONFIG: &str = "config.toml";
pub const METRICS: &str = "metrics.csv";
pub const WEIGHTS: &str = "model.safetensors";
pub const REPORT: &str = "report.html";
/// What a perceptron has to know about its table.
pub const SCHEMA: &str = "table.json";
pub const VOCABULARY: &str = "vocabulary.txt";
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// The folder of a run. Every file appears in it complete or not at all; only [`Rows`] grow.
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the folder and writes the settings into it. A run that is there already is overwritten with `force`.
    pub fn create(path: PathBuf, config: &str, force: bool) -> Result<Self> {
        let shown = path.display();
        if let Some(present) = first_entry(&path)? {
            ensure!(
                path.join(CONFIG).exists(),
                "{shown} is not a run: it holds `{}`; name another folder with --out",
                present.display()
            );
            ensure!(force, "{shown} holds a run already; overwrite it with --force, or name another with --out");
            for name in [CHECKPOINT, REPORT, WEIGHTS, METRICS, SCHEMA, VOCABULARY] {
                remove(&path.join(name))?;
            }
        }
        make_folder(&path)?;
        let run = Self { path };
        run.write(CONFIG, config.as_bytes())?;
        Ok(run)
    }

    /// The folder of an existing run.
    pub fn open(path: &Path) -> Result<Self> {
        let chosen = path.join("chosen");
        let hint =
            if chosen.join(CONFIG).exists() { format!("; did you mean {}?", chosen.display()) } else { String::new() };
        ensure!(path.join(CONFIG).exists(), "there is no run in {}{hint}", path.display());
        Ok(Self { path: path.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn write(&self, name: &str, contents: &[u8]) -> Result<()> {
        write(&self.file(name), contents)
    }

    /// `metrics.csv`, empty until the first row is added.
    pub fn rows<const N: usize>(&self, header: [String; N]) -> Result<Rows<N>> {
        let path = self.file(METRICS);
        let file = File::create(&path).with_context(|| cannot_write(&path))?;
        Ok(Rows { path, header: Some(header), writer: csv::Writer::from_writer(file) })
    }
}

/// A CSV file that grows by one whole row at a time.
pub struct Rows<const N: usize> {
    path: PathBuf,
    /// `None` once it has been written.
    header: Option<[String; N]>,
    writer: csv::Writer<File>,
}

impl<const N: usize> Rows<N> {
    pub fn add(&mut self, row: impl Serialize) -> Result<()> {
        if let Some(header) = self.header.take() {
            self.writer.write_record(header)?;
        }
        self.writer.serialize(row)?;
        self.writer.flush().with_context(|| cannot_write(&self.path))
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
