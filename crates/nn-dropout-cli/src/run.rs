//! The folder of a run: what is in it, and how it gets there whole.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nn_dropout::Probability;
use serde::Serialize;

use crate::files::{cannot_write, write};
use crate::settings::Output;

pub const CONFIG: &str = "config.toml";
pub const METRICS: &str = "metrics.csv";
pub const WEIGHTS: &str = "model.safetensors";
pub const REPORT: &str = "report.html";
/// What a perceptron has to know of its table.
pub const SCHEMA: &str = "table.json";
pub const VOCABULARY: &str = "vocabulary.txt";
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// How a run came to its end.
pub enum Ended {
    Finished,
    Interrupted,
}

/// The folder of a run that is being made. Every file appears in it complete or not at all; only [`Rows`] grow.
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the folder, with the settings in it: the one asked for, or a new one that is named after the run.
    pub fn create(name: &str, config: &str, output: &Output) -> Result<Self> {
        let path = match &output.out {
            Some(path) => path.clone(),
            None => unused_name(name),
        };
        let shown = path.display();
        if let Some(present) = first_entry(&path)? {
            ensure!(
                path.join(CONFIG).exists(),
                "{shown} is no run: it holds `{}`; name another folder with --out",
                present.display()
            );
            ensure!(output.force, "{shown} holds a run already; overwrite it with --force, or name another with --out");
            for name in [CHECKPOINT, REPORT, WEIGHTS, METRICS, SCHEMA, VOCABULARY] {
                remove(&path.join(name))?;
            }
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {shown}"))?;
        let run = Self { path };
        run.write(CONFIG, config.as_bytes())?;
        Ok(run)
    }

    /// A folder that a run is in already.
    pub fn open(path: &Path) -> Result<Self> {
        ensure!(path.join(CONFIG).exists(), "there is no run in {}", path.display());
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

    /// The metrics, from the first row on.
    pub fn rows(&self) -> Result<Rows> {
        let path = self.file(METRICS);
        let file = File::create(&path).with_context(|| cannot_write(&path))?;
        Ok(Rows { path, writer: csv::Writer::from_writer(file) })
    }
}

/// A file of metrics that grows by a whole row at a time.
pub struct Rows {
    path: PathBuf,
    writer: csv::Writer<File>,
}

impl Rows {
    pub fn add(&mut self, row: &impl Serialize) -> Result<()> {
        self.writer.serialize(row)?;
        self.writer.flush().with_context(|| cannot_write(&self.path))
    }
}

/// What a run is called that has these settings.
pub fn name(data: &Path, dropout: Probability, seed: u64) -> String {
    format!("{}-p{dropout}-seed{seed}", data.file_stem().unwrap_or_default().to_string_lossy())
}

/// `runs/NAME`, where no other run is.
fn unused_name(name: &str) -> PathBuf {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .map(|name| Path::new("runs").join(name))
        .find(|path| !path.exists())
        .expect("there are more numbers than folders")
}

/// The name of something in the folder; `None` if it is empty or not there yet.
pub fn first_entry(path: &Path) -> Result<Option<PathBuf>> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().transpose()?.map(|entry| entry.file_name().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => bail!("cannot use {} for the results: {error}", path.display()),
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
