//! Texts: their bytes as characters, without what only some editors write.

use anyhow::{Context, Result};

/// Reads UTF-8. A byte order mark at the start is left out, and every line ends with `\n`.
pub fn decode(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).ok().context("expected a text in UTF-8")?;
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(unmarked.replace("\r\n", "\n").replace('\r', "\n"))
}
