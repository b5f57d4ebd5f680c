//! Who a message is for: a mailbox at a ministry.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits::{MAILBOX_NAME_BYTES_MAX, MINISTRY_NAME_BYTES_MAX};

/// A member of the federation, named by the SPIFFE trust domain that it owns, such as `sm.example`.
///
/// Lower-case letters, digits, `-` and `.`, 1 to 255 bytes, as SPIFFE-ID §2.1 asks of a trust
/// domain. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ministry(Arc<str>);

impl Ministry {
    /// The trust domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `mailbox@ministry`: the one form in which a recipient or a sender is written.
///
/// The mailbox is 1 to 64 bytes of lower-case letters, digits, `-`, `_` and `.`. Both parts are
/// compared bytewise; there is no case folding, so there is one spelling of an address.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    mailbox: Arc<str>,
    ministry: Ministry,
}

impl Address {
    /// An address from its two parts.
    ///
    /// # Errors
    /// When the mailbox is empty, too long or has a character outside the allowed set.
    pub fn new(mailbox: &str, ministry: Ministry) -> Result<Self, AddressError> {
        check_name(mailbox, MAILBOX_NAME_BYTES_MAX, b"-_.")
            .then(|| Self { mailbox: mailbox.into(), ministry })
            .ok_or_else(|| AddressError(mailbox.into()))
    }

    /// The part before the `@`.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// The ministry whose relay keeps this mailbox.
    pub fn ministry(&self) -> &Ministry {
        &self.ministry
    }
}

/// The text is not an address or not the name of a ministry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address; write it as mailbox@ministry.example, in lower case")]
pub struct AddressError(String);

// === parsing and printing ===

fn check_name(text: &str, bytes_max: usize, marks: &[u8]) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || marks.contains(&b);
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= bytes_max
        && bytes.iter().all(|b| inner(*b))
        && edge(bytes.first())
        && edge(bytes.last())
}

impl FromStr for Ministry {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        check_name(text, MINISTRY_NAME_BYTES_MAX, b"-.")
            .then(|| Self(text.into()))
            .ok_or_else(|| AddressError(text.into()))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.into());
        let (mailbox, ministry) = text.split_once('@').ok_or_else(wrong)?;
        let ministry = ministry.parse().map_err(|_| wrong())?;
        Self::new(mailbox, ministry).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Ministry {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Ministry> for String {
    fn from(ministry: Ministry) -> Self {
        ministry.0.as_ref().into()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Ministry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.mailbox, self.ministry)
    }
}

impl fmt::Debug for Ministry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        for good in ["kirjaamo@um.example", "a@b", "tilanne_kuva.2@sm-1.example"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        let long = format!("{}@um.example", "a".repeat(65));
        for bad in ["", "@", "a@", "@b", "A@b", "a@B", "a b@c", "a@b@c", ".a@b", "a@b.", &long] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
