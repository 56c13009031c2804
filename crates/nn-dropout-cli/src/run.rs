//! The folder of a run: what is in it, and how it gets there whole.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, SafetensorsStore};

use crate::files::{cannot_write, write};
use crate::settings::{Output, Settings};
use crate::train::Metrics;

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.csv";
const WEIGHTS: &str = "model.safetensors";
const REPORT: &str = "report.html";

/// The folder of a run that is being made. Its metrics grow by a whole row at a time; every other file appears in it
/// complete or not at all.
pub struct RunDir {
    path: PathBuf,
    metrics: csv::Writer<File>,
}

impl RunDir {
    /// Makes the folder, with the settings in it.
    pub fn create(settings: &Settings, output: &Output) -> Result<Self> {
        let path = match &output.out {
            Some(path) => path.clone(),
            None => unused_name(settings),
        };
        let shown = path.display();
        if let Some(present) = first_entry(&path)? {
            ensure!(
                path.join(CONFIG).exists(),
                "{shown} is no run: it holds `{}`; name another folder with --out",
                present.display()
            );
            ensure!(output.force, "{shown} holds a run already; overwrite it with --force, or name another with --out");
            for name in [REPORT, WEIGHTS, METRICS] {
                remove(&path.join(name))?;
            }
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {shown}"))?;
        write(&path.join(CONFIG), settings.to_toml()?.as_bytes())?;
        let metrics = path.join(METRICS);
        let metrics = File::create(&metrics).with_context(|| cannot_write(&metrics))?;
        Ok(Self { path, metrics: csv::Writer::from_writer(metrics) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn report(&self) -> PathBuf {
        self.path.join(REPORT)
    }

    /// Adds a row to the metrics.
    pub fn add(&mut self, metrics: &Metrics) -> Result<()> {
        self.metrics.serialize(metrics)?;
        self.metrics.flush().with_context(|| cannot_write(&self.path.join(METRICS)))
    }

    /// Saves the weights, named and laid out as PyTorch does.
    pub fn save_weights<M: Module>(&self, model: &M) -> Result<()> {
        let path = self.path.join(WEIGHTS);
        let mut store = SafetensorsStore::from_bytes(None)
            .clear_metadata()
            .metadata("format", "pt")
            .with_to_adapter(BurnToPyTorchAdapter);
        model.save_into(&mut store).with_context(|| cannot_write(&path))?;
        let bytes = store.get_bytes().with_context(|| cannot_write(&path))?;
        write(&path, &bytes)
    }

    pub fn save_report(&self, html: &str) -> Result<()> {
        write(&self.report(), html.as_bytes())
    }
}

/// `runs/NAME`, where no other run is.
fn unused_name(settings: &Settings) -> PathBuf {
    let data = settings.data.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{data}-p{}-seed{}", settings.dropout, settings.seed);
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .map(|name| Path::new("runs").join(name))
        .find(|path| !path.exists())
        .expect("there are more numbers than folders")
}

/// The name of something in the folder; `None` if it is empty or not there yet.
fn first_entry(path: &Path) -> Result<Option<PathBuf>> {
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
