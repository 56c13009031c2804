//! How a CSV file is written.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::value::Value;

/// What a user says of a CSV file. The rest is found out.
#[derive(Clone, Copy, Default, PartialEq, clap::Args)]
pub struct CsvOptions {
    /// What separates the cells of a CSV file: a character, or `tab` [default: detected]
    #[arg(long, value_name = "CHAR")]
    pub separator: Option<Separator>,
    /// The decimal mark of the numbers in a CSV file [default: detected for each column]
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<Decimal>,
    /// The encoding of a CSV file, such as `windows-1252` or `shift_jis` [default: utf-8, or what a byte order mark says]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<Encoding>,
}

/// What separates the cells of a row, in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Separator(u8);

impl Separator {
    pub const COMMA: Self = Self(b',');
    /// Those that are found out, the usual ones first.
    pub const ALL: [Self; 4] = [Self::COMMA, Self(b';'), Self(b'\t'), Self(b'|')];

    pub fn byte(self) -> u8 {
        self.0
    }
}

impl FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\n\r.".contains(byte) => Ok(Self(*byte)),
            _ => Err(format!("expected a character that separates cells, such as ; or tab, but got {text}")),
        }
    }
}

impl TryFrom<String> for Separator {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Separator> for String {
    fn from(separator: Separator) -> Self {
        if separator.0 == b'\t' { "tab".to_owned() } else { char::from(separator.0).to_string() }
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == b'\t' { f.write_str("tabs") } else { write!(f, "`{}`", char::from(self.0)) }
    }
}

/// The mark before the decimals of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
pub enum Decimal {
    /// 1,234.5
    #[default]
    #[serde(rename = ".")]
    #[value(name = ".")]
    Point,
    /// 1.234,5
    #[serde(rename = ",")]
    #[value(name = ",")]
    Comma,
}

/// An encoding, by a name of the WHATWG's Encoding Standard.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    pub fn get(self) -> &'static encoding_rs::Encoding {
        self.0
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected the name of an encoding, such as windows-1252 or shift_jis, but got {text}");
        // Python has names of its own.
        let label = match text.to_lowercase().replace('_', "-").as_str() {
            "latin-1" => "latin1".to_owned(),
            "utf-8-sig" => "utf-8".to_owned(),
            "cp932" | "shift-jis" => "shift_jis".to_owned(),
            "cp936" => "gbk".to_owned(),
            "cp949" => "euc-kr".to_owned(),
            label => label.to_owned(),
        };
        encoding_rs::Encoding::for_label(label.as_bytes()).map(Self).ok_or_else(expected)
    }
}

impl TryFrom<String> for Encoding {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.0.name().to_lowercase()
    }
}

impl Value for Separator {
    fn of(value: &DeValue) -> Result<Self, String> {
        String::of(value)?.parse()
    }
}

impl Value for Encoding {
    fn of(value: &DeValue) -> Result<Self, String> {
        String::of(value)?.parse()
    }
}
