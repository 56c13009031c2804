//! How a user names a study.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use percent_encoding::percent_decode_str;
use url::Url;

use super::network;

/// The place of a study.
#[derive(Clone)]
pub enum Location {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, with any number of studies.
    Server(Server),
}

/// A PostgreSQL database, and the study in it if that is named.
#[derive(Clone)]
pub struct Server {
    /// `postgres://USER@HOST/DATABASE`, never with a password.
    pub url: String,
    pub study: Option<String>,
    /// What is wrong with it. It is not said at once, since the parser of the command line would show the whole address.
    mistake: Option<String>,
}

/// What is accepted, for messages.
const EXPECTED: &str = "expected an SQLite file, or postgres://USER@HOST/DATABASE with #NAME for one study of several";

/// The longest name of a study.
const LONGEST: usize = 100;

impl FromStr for Location {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(EXPECTED);
        }
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self::File(text.into())) };
        let scheme = if scheme.chars().all(char::is_alphanumeric) { scheme.to_lowercase() } else { String::new() };
        let server = server(text).unwrap_or_else(|mistake| Server {
            url: format!("{scheme}://..."),
            study: None,
            mistake: Some(mistake),
        });
        Ok(Self::Server(server))
    }
}

/// An address. What is wrong with it does not show it.
fn server(text: &str) -> Result<Server, String> {
    let url = Url::parse(text).map_err(|error| format!("{EXPECTED}: {error}"))?;
    if !["postgres", "postgresql"].contains(&url.scheme()) {
        return Err(EXPECTED.to_owned());
    }
    let mut parameters = url.query_pairs().flat_map(|(key, value)| [key.to_lowercase(), value.to_lowercase()]);
    // A sign in a password can end the address too early, and the rest of it is where no `@` is.
    let is_cut =
        [url.path(), url.query().unwrap_or_default(), url.fragment().unwrap_or_default()].concat().contains('@');
    if url.password().is_some() || is_cut || parameters.any(|text| text.contains("password")) {
        return Err("others could read the password in it: put it into PGPASSWORD or ~/.pgpass".to_owned());
    }
    let study = url.fragment().map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
    if let Some(name) = &study {
        let is_name = |char: char| !char.is_control() && !"/\\".contains(char);
        if name.is_empty() || name.starts_with('.') || name.chars().count() > LONGEST || !name.chars().all(is_name) {
            return Err(format!(
                "expected a name after #, of at most {LONGEST} characters, without slashes and not beginning with a point"
            ));
        }
    }
    let mut address = url;
    address.set_fragment(None);
    Ok(Server { url: address.to_string(), study, mistake: None })
}

impl Server {
    /// A study on the same server.
    pub fn named(&self, study: String) -> Self {
        Self { study: Some(study), ..self.clone() }
    }

    /// Refuses a wrong address.
    pub fn check(&self) -> Result<()> {
        self.mistake.as_ref().map_or(Ok(()), |mistake| bail!("{self}: {mistake}"))
    }
}

impl Location {
    /// What the user should know before several machines use it.
    pub fn warning(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let network = network::file_system(path.parent().unwrap_or(Path::new("")))?;
        Some(format!(
            "{self} is on a network file system ({network}), where an SQLite file breaks if several machines write to it: for those \
             there is PostgreSQL, with --study postgres://USER@HOST/DATABASE"
        ))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(server) => server.fmt(f),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        self.study.iter().try_for_each(|study| write!(f, "#{study}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_is_a_file_or_on_a_server_and_never_has_a_password() {
        let shown = |text: &str| text.parse::<Location>().unwrap().to_string();
        for same in
            ["study.db", "a/b.db", "postgres://me@host:5433/db?sslmode=verify-full#digits-2", "postgresql:///db"]
        {
            assert_eq!(shown(same), same);
        }
        assert!("".parse::<Location>().is_err());
        let mistake = |url: &str| {
            let Ok(Location::Server(server)) = url.parse() else { panic!("{url}") };
            let said = server.check().unwrap_err().to_string();
            assert!(!format!("{said}{server}").contains("secret") && !said.contains("somebody"), "{said}");
            said
        };
        for url in [
            "postgres://somebody:secret@host/db",
            "postgres://somebody:a/secret@host/db",
            "postgres://somebody:a?secret@host/db",
            "postgres://somebody:a#secret@host/db",
            "postgres://somebody:secret@host/db#",
            "Postgres://somebody:secret@host/db",
            "postgres://somebody@host/db?a=b&password=secret#name",
            "postgres://somebody@host/db?p%61ssword=secret",
            "postgres://somebody@host/db?Password=secret",
            "postgres://somebody@host/db?sslpassword=secret",
            "postgres://somebody@host/db?sslmode=disable;password=secret",
        ] {
            let said = mistake(url);
            assert!(said.starts_with("postgres://...: "), "{said}");
        }
        assert!(mistake("postgres://somebody:secret@host/db").contains("PGPASSWORD"));
        assert_eq!(mistake("mysql://somebody:secret@host/db"), format!("mysql://...: {EXPECTED}"));
        for name in ["", ".", "../x", "a/b", "a%0Ab", &"x".repeat(101)] {
            assert!(mistake(&format!("postgres://host/db#{name}")).contains("expected a name after #"), "{name}");
        }
    }
}
