//! The signed files that labels and rules come in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The kinds of signed TOML file that a relay works by (labels.md §3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileKind {
    /// What labels there are, how they read and how they translate.
    Catalogue,
    /// Who the members are, and what they are cleared for.
    Federation,
    /// How each label must be handled.
    Rules,
    /// Labels of one policy in terms of another.
    Translation,
}

impl FileKind {
    /// All kinds; the position is the number on the wire less one.
    pub const ALL: [Self; 4] = [Self::Catalogue, Self::Federation, Self::Rules, Self::Translation];

    /// The word, as in the file's `format` without its version.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "label-catalogue",
            Self::Federation => "federation",
            Self::Rules => "routing-policy",
            Self::Translation => "label-translation",
        }
    }

    /// The value of the file's `format` that this version reads.
    pub const fn format(self) -> &'static str {
        match self {
            Self::Catalogue => "label-catalogue/1",
            Self::Federation => "federation/1",
            Self::Rules => "routing-policy/1",
            Self::Translation => "label-translation/1",
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Catalogue => "label catalogue",
            Self::Federation => "federation file",
            Self::Rules => "routing policy",
            Self::Translation => "translation table",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FileKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            format!(
                "`{text}` is not a kind of file; use label-catalogue, federation, routing-policy or \
                 label-translation"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for kind in FileKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.format(), format!("{kind}/1"));
        }
        assert!("catalog".parse::<FileKind>().is_err());
    }
}
