//! What a receiving system must do with a message, as the rules of its own relay have it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The obligations that go with a delivered message to the system that receives it. They are what
/// the receiving ministry's relay found in its rules; the sender did not sign them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handling {
    /// Texts to be shown before and after the message; at most
    /// [`MARKERS_MAX`](crate::limits::MARKERS_MAX).
    pub markers: Vec<Marker>,
    /// Whether the content may be passed on.
    pub onward: Onward,
    /// To be erased by then, counted from delivery; whole seconds.
    pub retain_max: Option<Duration>,
    /// Not to be erased before, counted from delivery; whole seconds.
    pub retain_min: Option<Duration>,
}

impl Handling {
    /// No obligation of any kind.
    pub const fn free() -> Self {
        Self { markers: Vec::new(), onward: Onward::Free, retain_max: None, retain_min: None }
    }
}

/// A text that is shown with a message, first and last, in the languages of the federation. Each at
/// most [`MARKER_BYTES_MAX`](crate::limits::MARKER_BYTES_MAX) bytes, one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// In Finnish.
    pub fi: String,
    /// In Swedish.
    pub sv: String,
    /// In English.
    pub en: String,
}

/// Whether a recipient may pass the content on, strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Onward {
    /// Never.
    Never,
    /// Only with the originator's written consent ((EU) 2019/1961 article 14).
    OriginatorConsent,
    /// As the label allows.
    Free,
}

impl Onward {
    /// The word, as in the rule files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OriginatorConsent => "originator-consent",
            Self::Free => "free",
        }
    }
}

impl fmt::Display for Onward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
