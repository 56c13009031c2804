//! Files that are read whole and appear whole or not at all, and folders that are still free.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::NamedTempFile;

pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| cannot_read(path))
}

pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| cannot_read(path))
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// Writes a file under another name, then renames it.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    write_all(&[(path, contents)])
}

/// Writes several files under other names, then renames them all.
pub fn write_all(files: &[(&Path, &[u8])]) -> Result<()> {
    let mut written = Vec::new();
    for &(path, contents) in files {
        let staged = stage(path, contents).map_err(|error| {
            // The other name would only confuse.
            let message = error.to_string();
            anyhow!("{}", message.split(" at path ").next().unwrap_or(&message))
        });
        written.push((path, staged.with_context(|| cannot_write(path))?));
    }
    for (path, file) in written {
        file.persist(path).with_context(|| cannot_write(path))?;
    }
    Ok(())
}

fn stage(path: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // The user's umask decides who may read it, as for any program's files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

pub fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

/// The name of something in the folder; `None` if the folder is empty or does not exist.
pub fn first_entry(folder: &Path) -> Result<Option<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().transpose()?.map(|entry| entry.file_name().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => bail!("cannot use {} for the results: {error}", folder.display()),
    }
}

/// The first of `runs/NAME`, `runs/NAME-2`, `runs/NAME-3` and so on that is free.
pub fn free_folder(name: &str, is_free: impl Fn(&Path) -> bool) -> PathBuf {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .map(|name| Path::new("runs").join(name))
        .find(|path| is_free(path))
        .expect("there are more numbers than folders")
}
