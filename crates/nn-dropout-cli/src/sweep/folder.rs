//! Where a sweep keeps its study and its results.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::storage::{Experiment, Storage};
use crate::io::files::{first_entry, free_folder, make_folder};
use crate::settings::stem;

/// The name of a study in the folder for the results.
const STUDY: &str = "study.db";
/// One row per trial.
pub const TRIALS: &str = "results.csv";
/// The chosen settings, for `train --config`.
pub const RECOMMENDED: &str = "recommended.toml";
/// A perceptron's run with the chosen settings, for `predict`.
pub const CHOSEN: &str = "chosen";

pub struct Folder {
    pub study: PathBuf,
    pub out: PathBuf,
}

impl Folder {
    /// The files asked for. The default is a folder in `runs/`: the one that has this experiment, or else a new one.
    pub fn find(study: Option<&Path>, out: Option<&Path>, data: &Path, experiment: &Experiment) -> Result<Self> {
        let out = match (study, out) {
            (_, Some(out)) => out.to_owned(),
            (Some(study), None) => {
                let out = study.with_extension("");
                ensure!(out != *study, "the name of a study ends as in {}.db", study.display());
                out
            }
            (None, None) => {
                let name = format!("{}-sweep", stem(data));
                free_folder(&name, |out| !out.exists() || Storage::is_of(&out.join(STUDY), experiment))
            }
        };
        let folder = Self { study: study.map_or_else(|| out.join(STUDY), Path::to_owned), out };
        folder.check()?;
        Ok(folder)
    }

    /// Refuses a folder with other files, and a study whose folder is neither there nor that for the results: a typing error
    /// would make one.
    fn check(&self) -> Result<()> {
        let Self { study, out } = self;
        let folder = study.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        ensure!(folder == out || folder.is_dir(), "there is no folder {} for the study", folder.display());
        if [study, &out.join(TRIALS)].iter().any(|ours| ours.starts_with(out) && ours.exists()) {
            return Ok(());
        }
        if let Some(first) = first_entry(out)? {
            let (shown, first) = (out.display(), first.display());
            bail!("{shown} is not a sweep: it holds `{first}`; name another folder with --out");
        }
        Ok(())
    }

    pub fn open(&self, experiment: &Experiment) -> Result<Storage> {
        make_folder(self.study.parent().unwrap_or(Path::new("")))?;
        let mut storage = Storage::open(&self.study, experiment)?;
        // A study that is damaged is refused before there is a folder.
        storage.results()?;
        make_folder(&self.out)?;
        Ok(storage)
    }
}
