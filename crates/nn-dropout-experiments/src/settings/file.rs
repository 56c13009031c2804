//! Settings as TOML files: read, written and compared.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::mistakes::{nearest, syntax};
use super::options::{NO_KEYS, Options};
use super::value::Value;
use crate::io::files;
use crate::io::text::decode;

/// The options in a file. An error says which key or line is wrong, and what is accepted, in one line.
pub fn read(path: &Path) -> Result<Options> {
    let options = decode(files::read(path)?).and_then(|file| parse(&file.text));
    options.with_context(|| path.display().to_string())
}

/// The options in the text of a file.
pub fn parse(text: &str) -> Result<Options> {
    match DeTable::parse(text) {
        Ok(keys) => options(keys.get_ref()),
        Err(_) => Err(anyhow!(syntax(text))),
    }
}

/// The options that a table has as keys.
pub fn options(keys: &DeTable) -> Result<Options> {
    let mut keys = Keys::of(keys);
    let options = Options::of_keys(&mut keys)?;
    ensure!(options.config.is_none(), only_on_command_line("config"));
    match keys.next() {
        Some((key, value)) => Err(anyhow!(unknown(key, value))),
        None => Ok(options),
    }
}

/// The keys of a table that have not been read yet.
pub struct Keys<'a>(BTreeMap<&'a str, &'a DeValue<'a>>);

impl<'a> Keys<'a> {
    pub fn of(table: &'a DeTable<'a>) -> Self {
        Self(table.iter().map(|(key, value)| (&**key.get_ref(), value.get_ref())).collect())
    }

    pub fn take<T: Value>(&mut self, key: &str) -> Result<Option<T>> {
        let value = self.0.remove(key).map(T::of);
        value.transpose().map_err(|error| anyhow!("key `{key}`: {error}"))
    }

    /// One that is left.
    pub fn next(self) -> Option<(&'a str, &'a DeValue<'a>)> {
        self.0.into_iter().next()
    }
}

fn only_on_command_line(key: &str) -> String {
    format!("`{key}` is an option of the command line only")
}

fn unknown(key: &str, value: &DeValue) -> String {
    match nearest(key) {
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

/// A key that two such files do not have in common.
pub struct Difference {
    pub key: String,
    pub before: Option<toml::Value>,
    pub now: Option<toml::Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, now } = self;
        let shown = |value: &Option<toml::Value>| {
            value.as_ref().map_or(format!("no {key}"), |value| format!("{key} = {value}"))
        };
        match now {
            Some(now) if before.is_some() => write!(f, "{}, not {now}", shown(before)),
            _ => write!(f, "{}, and now {}", shown(before), shown(now)),
        }
    }
}

/// The keys in which two such files differ.
pub fn differences(before: &str, now: &str) -> Result<Vec<Difference>> {
    let parse = |text: &str| text.parse::<toml::Table>().map_err(|_| anyhow!("the settings in it are damaged"));
    let (before, now) = (parse(before)?, parse(now)?);
    let keys = before.keys().chain(now.keys().filter(|key| !before.contains_key(*key)));
    let values =
        keys.map(|key| Difference { key: key.clone(), before: before.get(key).cloned(), now: now.get(key).cloned() });
    Ok(values.filter(|difference| difference.before != difference.now).collect())
}
