//! Where data come from: a file, standard input or memory, compressed or not.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, stdin};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// The name of standard input.
pub const STDIN: &str = "-";

/// The name of the data in messages.
pub fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Data that can be read more than once, but not by two readers at a time: they share one place in the file.
pub enum Source {
    File(File),
    Memory(Bytes),
}

/// Data from one place on.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

impl Source {
    /// A file, or standard input, which is kept in a temporary file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = if path == Path::new(STDIN) {
            kept(&mut stdin().lock()).context("cannot keep standard input in a temporary file")?
        } else {
            let file = File::open(path)?;
            if file.metadata()?.is_dir() {
                bail!("expected a file, but got a folder");
            }
            // A pipe cannot be read again.
            if file.metadata()?.is_file() { file } else { kept(&mut &file)? }
        };
        Self::File(file).decompressed()
    }

    /// Parquet files are read in pieces, so one inside a compressed file is kept decompressed.
    fn decompressed(self) -> Result<Self> {
        let mut start = Vec::new();
        self.reader()?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
        let is_file = self.is_parquet()?;
        Ok(if start == MAGIC && !is_file { Self::File(kept(&mut self.reader()?)?) } else { self })
    }

    /// The first bytes.
    fn start(&self) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        self.from(0)?.take(8).read_to_end(&mut start)?;
        Ok(start)
    }

    /// The data as they are, from this byte on.
    pub fn from(&self, byte: u64) -> io::Result<Box<dyn ReadSeek>> {
        let mut data: Box<dyn ReadSeek> = match self {
            Self::File(file) => Box::new(file.try_clone()?),
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
        };
        data.seek(SeekFrom::Start(byte))?;
        Ok(data)
    }

    /// The number of bytes.
    pub fn len(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// The same data again.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::File(file) => file.try_clone().map(Self::File),
            Self::Memory(bytes) => Ok(Self::Memory(bytes.clone())),
        }
    }

    pub fn is_parquet(&self) -> Result<bool> {
        Ok(self.start()?.starts_with(MAGIC))
    }

    /// The contents, decompressed, from the beginning.
    pub fn reader(&self) -> Result<Box<dyn Read>> {
        let start = self.start()?;
        let file = self.from(0)?;
        Ok(match &start[..] {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
            #[cfg(feature = "zstd")]
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(file)?),
            #[cfg(not(feature = "zstd"))]
            [0x28, 0xb5, 0x2f, 0xfd, ..] => bail!("compressed with zstd: expected gzip or no compression"),
            [b'P', b'K', 3, 4, ..] => {
                bail!("an Excel workbook or another ZIP archive: save its table as CSV or Parquet")
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => bail!("an old Excel workbook: save its table as CSV or Parquet"),
            [0x93, b'N', b'U', b'M', ..] => {
                bail!("a .npy file of NumPy: expected a table as CSV or Parquet, or a text")
            }
            [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] => {
                bail!("compressed with bzip2 or xz: expected gzip, zstd or no compression")
            }
            _ => Box::new(file),
        })
    }

    /// The BLAKE3 hash of the file, as hexadecimal digits.
    pub fn hash(&self) -> Result<String> {
        let (mut file, mut hasher) = (self.from(0)?, blake3::Hasher::new());
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize().to_hex().to_string()),
                count => hasher.update(&buffer[..count]),
            };
        }
    }
}

/// What a Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

fn kept(reader: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(reader, &mut file)?;
    Ok(file)
}
