//! Files that are read whole, and appear whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
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

/// Writes several files under other names, and renames them once all are there.
pub fn write_all(files: &[(&Path, &[u8])]) -> Result<()> {
    let mut written = Vec::new();
    for &(path, contents) in files {
        let staged = stage(path, contents).map_err(|error| {
            // Without the other name, which says nothing to anybody.
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
    // As any program's files: for whom the user's umask lets.
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
