//! Texts: their bytes as characters, without what only some editors write.

use anyhow::{Context, Result};

/// A text, and what was changed in it, for the user.
pub struct Decoded {
    pub text: String,
    pub note: Option<String>,
}

/// Reads UTF-8. A byte order mark at the start is left out, and every line ends with `\n`.
pub fn decode(bytes: Vec<u8>) -> Result<Decoded> {
    let text = String::from_utf8(bytes).ok().context("expected a text in UTF-8")?;
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = unmarked.replace("\r\n", "\n").replace('\r', "\n");
    let changes = [
        (unmarked.len() < text.len(), "the byte order mark at the start is left out"),
        (lines != unmarked, "carriage returns are read as line breaks"),
    ];
    let changes: Vec<&str> = changes.into_iter().filter_map(|(is_made, change)| is_made.then_some(change)).collect();
    Ok(Decoded { text: lines, note: (!changes.is_empty()).then(|| changes.join(", and ")) })
}
