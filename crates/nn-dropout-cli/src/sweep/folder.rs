//! Where a sweep keeps its study and its results.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use nn_dropout_experiments::io::files::{RUNS, first_entry, free_folder, lock_folder, make_folder, read_text, write};
use nn_dropout_experiments::settings::stem;

use super::storage::{Experiment, Location, Storage};

/// The name of a study in the folder for the results.
const STUDY: &str = "study.db";
/// One row per trial.
pub const TRIALS: &str = "results.csv";
/// The chosen settings, for `train --config`.
pub const RECOMMENDED: &str = "recommended.toml";
/// A perceptron's run with the chosen settings, for `predict`.
pub const CHOSEN: &str = "chosen";

/// The address of a study on a server.
const ADDRESS: &str = "study.txt";

pub struct Folder {
    pub study: Location,
    pub out: PathBuf,
}

impl Folder {
    /// The study asked for, opened, and the folder for the results. The default is a folder in `runs/` for both: the one that has this
    /// experiment, or else a new one. A study that is damaged is refused before there is a folder.
    pub fn open(
        study: Option<&Location>,
        out: Option<&Path>,
        data: &Path,
        experiment: &Experiment,
    ) -> Result<(Self, Storage)> {
        let name = format!("{}-sweep", stem(data));
        if let Some(Location::Server(server)) = study {
            if let Some(out) = out {
                check(out, ADDRESS)?;
            }
            let mut storage = Storage::open(&Location::Server(server.clone()), experiment, &name)?;
            storage.results()?;
            let study = server.named(storage.describe()?.name);
            let address = format!("{study}\n");
            // Others who begin now wait, and then find the same folder.
            if out.is_none() {
                make_folder(Path::new(RUNS))?;
            }
            let _lock = lock_folder(Path::new(RUNS));
            let is_of = |out: &Path| read_text(&out.join(ADDRESS)).is_ok_and(|text| text == address);
            let name = study
                .study
                .as_deref()
                .map_or(name, |name| name.replace(|char: char| !char.is_alphanumeric() && !"-_.".contains(char), "-"));
            let out = out.map_or_else(|| free_folder(&name, |out| !out.exists() || is_of(out)), Path::to_owned);
            make_folder(&out)?;
            write(&out.join(ADDRESS), address.as_bytes())?;
            return Ok((Self { study: Location::Server(study), out }, storage));
        }
        let file = study.and_then(|study| if let Location::File(path) = study { Some(path) } else { None });
        let out = match (file, out) {
            (_, Some(out)) => out.to_owned(),
            (Some(study), None) => {
                let out = study.with_extension("");
                ensure!(out != *study, "the name of a study ends as in {}.db", study.display());
                out
            }
            (None, None) => free_folder(&name, |out| !out.exists() || Storage::is_of(&out.join(STUDY), experiment)),
        };
        let study = file.map_or_else(|| out.join(STUDY), Clone::clone);
        let folder = study.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        // A typing error would make one.
        ensure!(folder == out || folder.is_dir(), "there is no folder {} for the study", folder.display());
        if !(study.starts_with(&out) && study.exists()) {
            check(&out, TRIALS)?;
        }
        make_folder(study.parent().unwrap_or(Path::new("")))?;
        let study = Location::File(study);
        let mut storage = Storage::open(&study, experiment, &name)?;
        storage.results()?;
        make_folder(&out)?;
        Ok((Self { study, out }, storage))
    }
}

/// Refuses a folder with other files than those of a sweep, one of which it has.
fn check(out: &Path, ours: &str) -> Result<()> {
    if out.join(ours).exists() || out.join(TRIALS).exists() {
        return Ok(());
    }
    if let Some(first) = first_entry(out)? {
        let (shown, first) = (out.display(), first.display());
        bail!("{shown} is not a sweep: it holds `{first}`; name another folder with --out");
    }
    Ok(())
}
