//! Settings as TOML files: read, written and compared.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::mistakes::syntax;
use super::options::{NO_KEYS, Options};
use super::value::Value;
use crate::io::files;
use crate::io::text::decode;
use crate::words::nearest;

/// The options in a file. An error says which key or line is wrong, and what is accepted, in one line.
pub fn read(path: &Path) -> Result<Options> {
    let options = decode(files::read(path)?).and_then(|file| parse(&file.text));
    options.with_context(|| path.display().to_string())
}

/// The options in the text of a file.
pub fn parse(text: &str) -> Result<Options> {
    match DeTable::parse(text) {
        Ok(keys) => options(keys.into_inner()),
        Err(_) => Err(anyhow!(syntax(text))),
    }
}

/// The options that a table has as keys.
pub fn options(keys: DeTable) -> Result<Options> {
    let mut keys = Keys(keys);
    let options = Options::of_keys(&mut keys)?;
    ensure!(options.config.is_none(), only_on_command_line("config"));
    match keys.0.into_iter().next() {
        Some((key, value)) => Err(anyhow!(unknown(key.get_ref(), value.get_ref()))),
        None => Ok(options),
    }
}

/// The keys of a file that have not been read yet.
pub struct Keys<'a>(DeTable<'a>);

impl Keys<'_> {
    pub fn take<T: Value>(&mut self, key: &str) -> Result<Option<T>> {
        let value = self.0.remove(key).map(|value| T::of(value.get_ref()));
        value.transpose().map_err(|error| anyhow!("key `{key}`: {error}"))
    }
}

fn only_on_command_line(key: &str) -> String {
    format!("`{key}` is an option of the command line only")
}

fn unknown(key: &str, value: &DeValue) -> String {
    let named = key.trim_start_matches('-').replace('-', "_");
    let names = Options::NAMES.iter().copied().filter(|name| !NO_KEYS.contains(name));
    match nearest(&named, names) {
        _ if NO_KEYS.contains(&key) => only_on_command_line(key),
        _ if value.is_table() => format!("unknown section [{key}]: keys stand in no section"),
        Some(name) => format!("unknown key `{key}`: did you mean `{name}`?"),
        None => format!(
            "unknown key `{key}`: the keys are the options that `nn-dropout train --help` shows, with underscores for dashes"
        ),
    }
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
