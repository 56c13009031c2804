//! The files that results depend on, known by what is in them.

use std::path::Path;

use anyhow::{Result, bail};
use nn_dropout_experiments::io::source::shown;
use serde::{Deserialize, Serialize};

/// Such a file. Its contents count, and its name is only for messages.
#[derive(Clone, Deserialize, Serialize)]
pub struct Input {
    /// What it is, such as a table.
    kind: String,
    name: String,
    blake3: String,
}

impl Input {
    /// `blake3` is the hash of the contents.
    pub fn new(kind: &str, path: &Path, blake3: String) -> Self {
        Self { kind: kind.to_owned(), name: shown(path), blake3 }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Refuses a file that is not the one of before. `begun` says what was begun with that one.
pub fn check_same(before: &[Input], now: &[Input], begun: &str) -> Result<()> {
    for Input { kind, name, blake3 } in now {
        let before = before.iter().find(|before| before.kind == *kind);
        if before.is_none_or(|before| before.blake3 != *blake3) {
            let also = |before: &Input| if before.name == *name { "also " } else { "" };
            let named = before.map(|before| format!(" (then {}named {})", also(before), before.name));
            bail!("{name} is not the {kind} that {begun}{}", named.unwrap_or_default());
        }
    }
    Ok(())
}
