//! Which of a relay's signed files one is.

use std::fmt;

use kuriiri_types::FileKind;

use crate::{
    catalogue::Catalogue, error::PolicyError, federation::Federation, rules::Rules,
    translate::Translation,
};

/// Which of a relay's signed files one is. A file that gets another name is the same file as long as it
/// says so itself: there is one federation and one file of the federation's rules, and a catalogue has its
/// OID. Rules of the ministry's own and translations are told apart by their names alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(String);

impl FileId {
    /// The federation file.
    pub fn federation() -> Self {
        Self(FileKind::Federation.as_str().into())
    }

    /// The rules of the federation.
    pub fn rules() -> Self {
        Self(FileKind::Rules.as_str().into())
    }

    /// Rules of the ministry's own, by the name of their file.
    pub fn own_rules(name: &str) -> Self {
        Self(format!("own {} {name}", FileKind::Rules))
    }

    /// A catalogue.
    pub fn catalogue(catalogue: &Catalogue) -> Self {
        Self(format!("{} {}", FileKind::Catalogue, catalogue.id()))
    }

    /// A translation, by the name of its file.
    pub fn translation(name: &str) -> Self {
        Self(format!("{} {name}", FileKind::Translation))
    }

    /// The id as a text, as [`Display`](fmt::Display) gives it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads which file this is, and its serial. `is_own` says that it is one of the ministry's own.
    ///
    /// # Errors
    /// The place and the flaw, for whoever wrote the file.
    pub fn read(
        kind: FileKind,
        (name, is_own): (&str, bool),
        text: &str,
    ) -> Result<(Self, u64), PolicyError> {
        Ok(match kind {
            FileKind::Catalogue => {
                let catalogue = Catalogue::parse(text)?;
                (Self::catalogue(&catalogue), catalogue.serial())
            }
            FileKind::Federation => (Self::federation(), Federation::parse(text)?.serial()),
            FileKind::Rules if is_own => (Self::own_rules(name), Rules::parse(text)?.serial()),
            FileKind::Rules => (Self::rules(), Rules::parse(text)?.serial()),
            FileKind::Translation => (Self::translation(name), Translation::parse(text)?.serial()),
        })
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
