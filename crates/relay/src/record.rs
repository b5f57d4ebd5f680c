//! The record of the signed files in force, `in-force.toml` in the state folder: what a relay that
//! starts again holds its files against, so that nobody can bring back old ones in between.

use std::{fs, io, path::Path};

use kuriiri_types::Code;
use serde::{Deserialize, Serialize};

use crate::{
    error::ConfigError,
    signed::{FileVersion, sync_folder, write_synced},
};

const NAME: &str = "in-force.toml";
const FORMAT: &str = "in-force/1";

/// Which signed files were in force last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    serial: u64,
    /// Lower-case hexadecimal.
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    #[serde(default)]
    file: Vec<Entry>,
}

impl Record {
    /// The record of these versions.
    pub(crate) fn of(versions: &[FileVersion]) -> Self {
        let entry = |version: &FileVersion| Entry {
            name: version.name.clone(),
            serial: version.serial,
            sha256: version.digest.to_string(),
        };
        Self(versions.iter().map(entry).collect())
    }

    /// Reads it from a state folder; a new one has none.
    pub(crate) fn load(state: &Path) -> Result<Self, ConfigError> {
        let file = state.join(NAME);
        let wrong = |what: String| ConfigError::new(&file, Code::STORE_CORRUPT, what);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let written: Written = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if written.format != FORMAT {
            return Err(wrong(format!("its format is `{}`, not `{FORMAT}`", written.format)));
        }
        Ok(Self(written.file))
    }

    /// Writes it to a state folder, whole or not at all, and durably.
    pub(crate) fn store(&self, state: &Path) -> io::Result<()> {
        let (file, new) = (state.join(NAME), state.join(format!("{NAME}.new")));
        let written = Written { format: FORMAT.into(), file: self.0.clone() };
        let text = toml::to_string(&written).map_err(io::Error::other)?;
        fs::create_dir_all(state)?;
        write_synced(&new, &text)?;
        fs::rename(&new, &file)?;
        sync_folder(&file)
    }

    /// Serial and digest of a file, if it was in force.
    pub(crate) fn find(&self, name: &str) -> Option<(u64, &str)> {
        let entry = self.0.iter().find(|entry| entry.name == name);
        entry.map(|entry| (entry.serial, entry.sha256.as_str()))
    }

    /// The digest alone.
    pub(crate) fn digest(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(_, digest)| digest)
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_types::Digest;

    use super::*;

    fn versions() -> Vec<FileVersion> {
        let version = |name: &str, serial, byte| FileVersion {
            name: name.into(),
            serial,
            digest: Digest([byte; 32]),
            expires: None,
        };
        vec![version("policy.toml", 42, 1), version("federation.toml", 19, 2)]
    }

    #[test]
    fn what_is_stored_comes_back_and_damage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(dir.path()).unwrap(), Record::default());
        let record = Record::of(&versions());
        record.store(dir.path()).unwrap();
        let read = Record::load(dir.path()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.find("policy.toml"), Some((42, "01".repeat(32).as_str())));
        assert_eq!(read.find("other.toml"), None);
        fs::write(dir.path().join(NAME), "format = \"in-force/2\"\n").unwrap();
        assert_eq!(Record::load(dir.path()).unwrap_err().code(), Code::STORE_CORRUPT);
        fs::write(dir.path().join(NAME), "nonsense").unwrap();
        assert_eq!(Record::load(dir.path()).unwrap_err().code(), Code::STORE_CORRUPT);
    }
}
