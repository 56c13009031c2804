//! Files, which appear whole or not at all, and folders that are still free.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tempfile::NamedTempFile;

/// The folder for the results of all runs, unless another one is named.
pub const RUNS: &str = "runs";

pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| cannot_read(path))
}

pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| cannot_read(path))
}

/// A file to be read in parts, and its length.
pub fn open(path: &Path) -> Result<(File, u64)> {
    let file = File::open(path).with_context(|| cannot_read(path))?;
    let metadata = file.metadata().with_context(|| cannot_read(path))?;
    ensure!(metadata.is_file(), "{}: expected a regular file", cannot_read(path));
    Ok((file, metadata.len()))
}

pub fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// Writes a file under another name, then renames it.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let mut file = Staged::new(path)?;
    file.write(contents)?;
    publish([file])
}

/// A file under another name, beside the one that it will replace. It is removed unless it is [published](publish).
pub struct Staged {
    /// As the user named it.
    path: PathBuf,
    target: PathBuf,
    file: NamedTempFile,
}

impl Staged {
    pub fn new(path: &Path) -> Result<Self> {
        // A device or a pipe must not become a file, and a link keeps pointing to its file.
        ensure!(!path.exists() || path.is_file(), "{}: expected a regular file, or a new one", cannot_write(path));
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = target.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has permissions"))]
        let mut builder = tempfile::Builder::new();
        // The user's umask decides who may read it, as for any program's files.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|error| {
            // The other name would only confuse.
            let message = error.to_string();
            anyhow!("{}", message.split(" at path ").next().unwrap_or(&message))
        });
        Ok(Self { file: file.with_context(|| cannot_write(path))?, path: path.to_owned(), target })
    }

    /// Writes where the last call ended.
    pub fn write(&mut self, contents: &[u8]) -> Result<()> {
        self.file.as_file_mut().write_all(contents).with_context(|| cannot_write(&self.path))
    }

    /// The next write begins at this byte.
    pub fn seek(&mut self, byte: u64) -> Result<()> {
        self.file.as_file_mut().seek(SeekFrom::Start(byte)).with_context(|| cannot_write(&self.path))?;
        Ok(())
    }
}

impl Write for Staged {
    fn write(&mut self, contents: &[u8]) -> io::Result<usize> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", cannot_write(&self.path)));
        self.file.write(contents).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Renames files when all of them are on the disk.
pub fn publish(files: impl IntoIterator<Item = Staged>) -> Result<()> {
    let files: Vec<Staged> = files.into_iter().collect();
    for Staged { path, file, .. } in &files {
        file.as_file().sync_all().with_context(|| cannot_write(path))?;
    }
    for Staged { path, target, file } in files {
        file.persist(&target).with_context(|| cannot_write(&path))?;
    }
    Ok(())
}

/// Whether two names are of one file, which need not exist.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| {
        path.canonicalize().or_else(|_| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            folder.canonicalize().map(|folder| folder.join(path.file_name().unwrap_or_default()))
        })
    });
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

pub fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

/// A lock that processes hold while they write into a folder, where the system can lock one.
pub fn lock_folder(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.lock().ok()?;
    Some(file)
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
        .map(|name| Path::new(RUNS).join(name))
        .find(|path| is_free(path))
        .expect("there are more numbers than folders")
}
