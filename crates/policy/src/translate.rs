//! Tables from one label policy to another: explicit, one direction, never losing a restriction.

mod compile;
mod table;

use std::{collections::BTreeMap, sync::Arc};

use kuriiri_types::{FileKind, Timestamp};
use serde::Deserialize;
use toml::value::Datetime;

use crate::{
    error::PolicyError,
    file::{check_format, optional_instant, read},
    trial::{Trial, Value, read_embedded},
};

pub(crate) use compile::compile;
pub(crate) use table::Table;

/// One translation table as written; checked against both catalogues when a policy is compiled.
#[derive(Debug, Clone)]
pub struct Translation {
    serial: u64,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    created_from: Option<Timestamp>,
    created_until: Option<Timestamp>,
    pub(crate) tests: Arc<[Trial]>,
    written: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    from: String,
    to: String,
    serial: u64,
    issued: Option<Datetime>,
    expires: Option<Datetime>,
    signed_by: String,
    applied: Applied,
    /// Labels created earlier are for another table: equivalences change over time.
    created_from: Option<Datetime>,
    /// Labels created at this time or later are for another table.
    created_until: Option<Datetime>,
    level: BTreeMap<String, String>,
    #[serde(default)]
    adds: Vec<String>,
    #[serde(default)]
    category: BTreeMap<String, Mapping>,
    #[serde(default)]
    test: Vec<Value>,
}

/// When a table is used: on what comes from outside, on what goes out, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Applied {
    Origination,
    Reception,
    Both,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Mapping {
    To(Vec<String>),
    /// `refuse` or `discard`.
    Word(String),
}

impl Translation {
    /// Reads a `label-translation/1` file.
    ///
    /// # Errors
    /// The place and the flaw, for whoever wrote the file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let written: Written = read(FileKind::Translation, text)?;
        check_format(FileKind::Translation, &written.format)?;
        let time =
            |key, at: &Option<Datetime>| optional_instant(FileKind::Translation, key, at.as_ref());
        Ok(Self {
            serial: written.serial,
            issued: time("issued", &written.issued)?,
            expires: time("expires", &written.expires)?,
            tests: read_embedded(FileKind::Translation, &written.test)?,
            created_from: time("created_from", &written.created_from)?,
            created_until: time("created_until", &written.created_until)?,
            written,
        })
    }

    /// Rises with each issue.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// When this serial was issued, if the file says.
    pub fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// When a newer serial should long be in force, if the file says. Not enforced by decisions.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The policy that it reads, by the name that the file uses.
    pub fn from(&self) -> &str {
        &self.written.from
    }

    /// The policy that it writes, by the name that the file uses.
    pub fn to(&self) -> &str {
        &self.written.to
    }

    /// Who signs the table, and is therefore trusted to write labels of its target policy.
    pub fn signed_by(&self) -> &str {
        &self.written.signed_by
    }
}
