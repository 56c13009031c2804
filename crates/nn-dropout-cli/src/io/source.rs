//! Where data come from: a file or standard input, compressed or not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, stdin};
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

/// The name of standard input.
pub const STDIN: &str = "-";

/// The name of the data in messages.
pub fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Data that can be read more than once, but not by two readers at a time: they share one place in the file.
pub struct Source {
    file: File,
}

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
        Self { file }.decompressed()
    }

    /// Parquet files are read in pieces, so one inside a compressed file is kept decompressed.
    fn decompressed(self) -> Result<Self> {
        let mut start = Vec::new();
        self.reader()?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
        let is_file = self.start()?.starts_with(MAGIC);
        Ok(if start == MAGIC && !is_file { Self { file: kept(&mut self.reader()?)? } } else { self })
    }

    /// The first bytes of the file.
    fn start(&self) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        self.rewound()?.take(8).read_to_end(&mut start)?;
        Ok(start)
    }

    fn rewound(&self) -> Result<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// The Parquet file that this is, if it is one.
    pub fn parquet(&self) -> Result<Option<File>> {
        if self.start()?.starts_with(MAGIC) { self.rewound().map(Some) } else { Ok(None) }
    }

    /// The contents, decompressed, from the beginning.
    pub fn reader(&self) -> Result<Box<dyn Read>> {
        let start = self.start()?;
        let file = self.rewound()?;
        Ok(match &start[..] {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(file)?),
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
        let (mut file, mut hasher) = (self.rewound()?, blake3::Hasher::new());
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
