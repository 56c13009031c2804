//! Settings as TOML files: read, written and compared.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::io::files::read_text;

/// Reads a file. An error names the file, the key and what was expected, in one line.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let shown = path.display();
    let text = read_text(path)?;
    let document = toml::Deserializer::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow!("{shown}, line {line}: {}", error.message().replace('\n', ", "))
    })?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        let message = error.inner().message().replace('\n', ", ");
        if message.starts_with("unknown field") {
            anyhow!("{shown}: {}", message.replace("unknown field", "unknown key"))
        } else {
            anyhow!("{shown}: key `{key}`: {message}")
        }
    })
}

/// The contents of such a file.
pub fn to_toml(settings: &impl Serialize) -> Result<String> {
    toml::to_string(settings).context("cannot write the settings as TOML")
}

/// The keys in which two such files differ, with the value of each.
pub fn differences(before: &str, now: &str) -> Result<impl Iterator<Item = (String, String, String)> + use<>> {
    let [before, now]: [toml::Table; 2] = [toml::from_str(before)?, toml::from_str(now)?];
    let keys: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    let said =
        |table: &toml::Table, key: &str| table.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let values = keys.into_iter().map(move |key| {
        let (before, now) = (said(&before, &key), said(&now, &key));
        (key, before, now)
    });
    Ok(values.filter(|(_, before, now)| before != now))
}
