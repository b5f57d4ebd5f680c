//! The record of the signed files and revocation lists in force, `in-force.toml` in the state folder: what a
//! relay that starts again holds its files against, so that nobody can bring back old ones in between.

mod lists;

use std::{fs, io, path::Path};

use kuriiri_policy::Version;
use kuriiri_types::{Code, Digest};
use serde::{Deserialize, Serialize};

use crate::{
    error::ConfigError,
    signed::{FileVersion, sync_folder, write_synced},
};

const NAME: &str = "in-force.toml";
const FORMAT: &str = "in-force/3";
/// The same without revocation lists.
const FORMAT_BEFORE: &str = "in-force/2";

pub(crate) use lists::{Lists, ListsOf};

/// Which signed files and revocation lists were in force last, and which had been before. None is forgotten: a
/// file that was taken out may come back only as it was, or newer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    files: Vec<Entry>,
    lists: Lists,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Which file it is, whatever it is called.
    id: String,
    name: String,
    serial: u64,
    /// Lower-case hexadecimal.
    sha256: String,
    /// It was taken out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    #[serde(default)]
    file: Vec<Entry>,
    #[serde(default)]
    revocation: Lists,
}

impl Record {
    /// The record when these versions and revocation lists come into force.
    pub(crate) fn with(&self, versions: &[FileVersion], lists: &[ListsOf]) -> Self {
        let entry = |version: &FileVersion| Entry {
            id: version.id.as_str().into(),
            name: version.name.clone(),
            serial: version.serial,
            sha256: version.digest.to_string(),
            gone: false,
        };
        let is_in_force = |entry: &&Entry| versions.iter().any(|one| one.id.as_str() == entry.id);
        let gone = self.files.iter().filter(|entry| !is_in_force(entry));
        let gone = gone.map(|entry| Entry { gone: true, ..entry.clone() });
        let files = versions.iter().map(entry).chain(gone).collect();
        Self { files, lists: self.lists.with(lists) }
    }

    /// Whether the revocation lists of a ministry may be in force after those that were.
    ///
    /// # Errors
    /// As [`Lists::check`] says.
    pub(crate) fn check_lists(&self, new: &ListsOf) -> Result<(), ConfigError> {
        self.lists.check(new)
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
        if ![FORMAT, FORMAT_BEFORE].contains(&written.format.as_str()) {
            return Err(wrong(format!("its format is `{}`, not `{FORMAT}`", written.format)));
        }
        Ok(Self { files: written.file, lists: written.revocation })
    }

    /// Writes it to a state folder, whole or not at all, and durably.
    pub(crate) fn store(&self, state: &Path) -> io::Result<()> {
        let (file, new) = (state.join(NAME), state.join(format!("{NAME}.new")));
        let written = Written {
            format: FORMAT.into(),
            file: self.files.clone(),
            revocation: self.lists.clone(),
        };
        let text = toml::to_string(&written).map_err(io::Error::other)?;
        fs::create_dir_all(state)?;
        write_synced(&new, &text)?;
        fs::rename(&new, &file)?;
        sync_folder(&file)
    }

    /// Whether no file was ever in force.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The version of a file that was in force last, even if it was taken out since. A digest that is not
    /// this file's own is not told: only whether they are equal matters.
    pub(crate) fn last(&self, version: &FileVersion) -> Option<Version> {
        let entry = self.files.iter().find(|entry| entry.id == version.id.as_str())?;
        let is_same = entry.sha256 == version.digest.to_string();
        let digest = if is_same { version.digest } else { Digest([0; 32]) };
        Some(Version { serial: entry.serial, digest })
    }

    /// The names of the files in force that are not among these.
    pub(crate) fn missing_in<'a>(
        &'a self,
        versions: &'a [FileVersion],
    ) -> impl Iterator<Item = &'a str> {
        let is_there = |entry: &&Entry| versions.iter().any(|one| one.id.as_str() == entry.id);
        let missing =
            self.files.iter().filter(|entry| !entry.gone).filter(move |one| !is_there(one));
        missing.map(|entry| entry.name.as_str())
    }

    /// The digest of the file in force of this name.
    pub(crate) fn digest(&self, name: &str) -> Option<&str> {
        let entry = self.files.iter().find(|entry| entry.name == name && !entry.gone);
        entry.map(|entry| entry.sha256.as_str())
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_damage::any_damage;
    use kuriiri_policy::FileId;
    use proptest::prelude::*;

    use super::*;

    fn version(id: FileId, name: &str, serial: u64, byte: u8) -> FileVersion {
        FileVersion { id, name: name.into(), serial, digest: Digest([byte; 32]), expires: None }
    }

    fn versions() -> Vec<FileVersion> {
        vec![
            version(FileId::rules(), "policy.toml", 42, 1),
            version(FileId::own_rules("own.toml"), "own.toml", 19, 2),
        ]
    }

    #[test]
    fn what_is_stored_comes_back_and_damage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(dir.path()).unwrap(), Record::default());
        let record = Record::default().with(&versions(), &[]);
        record.store(dir.path()).unwrap();
        let read = Record::load(dir.path()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.digest("policy.toml"), Some("01".repeat(32).as_str()));
        assert_eq!(read.digest("other.toml"), None);
        fs::write(dir.path().join(NAME), "format = \"in-force/9\"\n").unwrap();
        assert_eq!(Record::load(dir.path()).unwrap_err().code(), Code::STORE_CORRUPT);
        fs::write(dir.path().join(NAME), "nonsense").unwrap();
        assert_eq!(Record::load(dir.path()).unwrap_err().code(), Code::STORE_CORRUPT);
    }

    #[test]
    fn a_record_from_before_revocation_lists_were_in_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::default().with(&versions(), &[]);
        record.store(dir.path()).unwrap();
        let file = dir.path().join(NAME);
        let text = fs::read_to_string(&file).unwrap().replace(FORMAT, FORMAT_BEFORE);
        fs::write(&file, text.replace("revocation = []\n", "")).unwrap();
        assert_eq!(Record::load(dir.path()).unwrap(), record);
    }

    #[test]
    fn a_file_is_known_by_another_name_and_after_it_was_taken_out() {
        let [rules, own] = &versions()[..] else { panic!("two") };
        let record = Record::default().with(&versions(), &[]);
        let renamed = version(FileId::rules(), "new.toml", 43, 3);
        let before = Version { serial: 42, digest: Digest([0; 32]) };
        assert_eq!(record.last(&renamed), Some(before));
        let without = record.with(std::slice::from_ref(rules), &[]);
        assert_eq!(without.last(own), Some(Version { serial: 19, digest: own.digest }));
        assert_eq!(without.digest("own.toml"), None);
        assert_eq!(
            record.missing_in(std::slice::from_ref(rules)).collect::<Vec<_>>(),
            ["own.toml"]
        );
        assert_eq!(without.missing_in(std::slice::from_ref(rules)).count(), 0);
        assert_eq!(without.with(&versions(), &[]).digest("own.toml"), record.digest("own.toml"));
    }

    #[test]
    fn a_damaged_record_is_refused_or_is_another_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let (state, file) = (dir.path(), dir.path().join(NAME));
        Record::default().with(&versions(), &[]).store(state).unwrap();
        let whole = fs::read(&file).unwrap();
        proptest!(|(damage in any_damage())| {
            fs::write(&file, damage.applied_to(&whole)).unwrap();
            match Record::load(state) {
                Ok(read) => {
                    read.store(state).unwrap();
                    prop_assert_eq!(Record::load(state).unwrap(), read);
                }
                Err(error) => prop_assert_eq!(error.code(), Code::STORE_CORRUPT),
            }
        });
    }
}
