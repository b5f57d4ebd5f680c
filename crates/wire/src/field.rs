//! One field: the rules that turn what protobuf gives into a word of the domain.

use bytes::Bytes;
use kuriiri_types::{
    Address, Code, Digest, Lane, MessageId, Ministry, Precedence, SpiffeId, Timestamp,
    limits::{
        CERTIFICATE_BYTES_MAX, HEADER_BYTES_MAX, MAILBOX_NAME_BYTES_MAX, MINISTRY_NAME_BYTES_MAX,
        SPIFFE_NAME_BYTES_MAX,
    },
};

use crate::error::Flaw;

/// The name of a field, as in the contract.
pub(crate) type Name = &'static str;

const ADDRESS_BYTES_MAX: usize = MAILBOX_NAME_BYTES_MAX + 1 + MINISTRY_NAME_BYTES_MAX;
const IDENTITY_BYTES_MAX: usize =
    "spiffe:///operator/".len() + MINISTRY_NAME_BYTES_MAX + SPIFFE_NAME_BYTES_MAX;

// === how many, how long ===

pub(crate) fn at_most(field: Name, max: usize, found: usize) -> Result<(), Flaw> {
    if found <= max {
        return Ok(());
    }
    let (max, found) = (max as u64, found as u64);
    Err(Flaw::OverLimit { field, max, found })
}

pub(crate) fn some_at_most(field: Name, max: usize, found: usize) -> Result<(), Flaw> {
    match found {
        0 => Err(Flaw::Missing(field)),
        _ => at_most(field, max, found),
    }
}

pub(crate) fn fixed<const N: usize>(field: Name, bytes: &[u8]) -> Result<[u8; N], Flaw> {
    bytes.try_into().map_err(|_| Flaw::Size { field, expected: N, found: bytes.len() })
}

pub(crate) fn present<T>(field: Name, value: Option<T>) -> Result<T, Flaw> {
    value.ok_or(Flaw::Missing(field))
}

/// Reads every entry with one rule.
pub(crate) fn each<W, T>(
    entries: Vec<W>,
    read: impl FnMut(W) -> Result<T, Flaw>,
) -> Result<Vec<T>, Flaw> {
    entries.into_iter().map(read).collect()
}

/// The bytes of a header as they came.
pub(crate) fn header(bytes: Bytes) -> Result<Bytes, Flaw> {
    some_at_most("header", HEADER_BYTES_MAX, bytes.len())?;
    Ok(bytes)
}

pub(crate) fn certificates(max: usize, certificates: Vec<Bytes>) -> Result<Vec<Bytes>, Flaw> {
    const FIELD: Name = "certificates";
    at_most(FIELD, max, certificates.len())?;
    for certificate in &certificates {
        some_at_most(FIELD, CERTIFICATE_BYTES_MAX, certificate.len())?;
    }
    Ok(certificates)
}

// === words ===

pub(crate) fn message_id(field: Name, bytes: &[u8]) -> Result<MessageId, Flaw> {
    let rule = "is not a UUID of version 7";
    MessageId::from_bytes(fixed(field, bytes)?).ok_or(Flaw::Form { field, rule })
}

pub(crate) fn digest(field: Name, bytes: &[u8]) -> Result<Digest, Flaw> {
    fixed(field, bytes).map(Digest)
}

pub(crate) fn ministry(field: Name, text: &str) -> Result<Ministry, Flaw> {
    some_at_most(field, MINISTRY_NAME_BYTES_MAX, text.len())?;
    let rule = "is not the name of a ministry, such as `sm.example`";
    text.parse().map_err(|_| Flaw::Form { field, rule })
}

pub(crate) fn address(field: Name, text: &str) -> Result<Address, Flaw> {
    some_at_most(field, ADDRESS_BYTES_MAX, text.len())?;
    let rule = "is not an address, such as `kirjaamo@sm.example`";
    text.parse().map_err(|_| Flaw::Form { field, rule })
}

pub(crate) fn identity(field: Name, text: &str) -> Result<SpiffeId, Flaw> {
    some_at_most(field, IDENTITY_BYTES_MAX, text.len())?;
    let rule = "is not an identity, such as `spiffe://sm.example/officer/anna`";
    text.parse().map_err(|_| Flaw::Form { field, rule })
}

/// An identity that may be left out.
pub(crate) fn maybe_identity(field: Name, text: &str) -> Result<Option<SpiffeId>, Flaw> {
    if text.is_empty() { Ok(None) } else { identity(field, text).map(Some) }
}

/// Text for people: it goes to screens and logs, so it is one line.
pub(crate) fn line(field: Name, max: usize, text: String) -> Result<String, Flaw> {
    check_line(field, max, &text).map(|()| text)
}

/// The same of text that stays where it is.
pub(crate) fn check_line(field: Name, max: usize, text: &str) -> Result<(), Flaw> {
    at_most(field, max, text.len())?;
    if text.chars().any(char::is_control) {
        let rule = "must be one line without control characters";
        return Err(Flaw::Form { field, rule });
    }
    Ok(())
}

/// The same of a name or a word, which is never empty.
pub(crate) fn word(field: Name, max: usize, text: String) -> Result<String, Flaw> {
    some_at_most(field, max, text.len())?;
    line(field, max, text)
}

/// Text made to pass [`line`], for what is said about others and may quote them.
pub(crate) fn cut(max: usize, text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        if line.len() + c.len_utf8() > max {
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

// === numbers ===

pub(crate) fn precedence(number: i32) -> Result<Precedence, Flaw> {
    known("precedence", number, Precedence::from_number)
}

pub(crate) fn lane(number: i32) -> Result<Lane, Flaw> {
    known("lane", number, Lane::from_number)
}

/// A code of this version or a newer one: a number that is not known here is passed on as it is.
pub(crate) fn code(number: u32) -> Result<Code, Flaw> {
    let code = u16::try_from(number).ok().and_then(Code::from_any_version);
    code.ok_or_else(|| Flaw::Unknown { field: "code", number: number.into() })
}

pub(crate) fn known<T>(
    field: Name,
    number: i32,
    meaning: impl FnOnce(u32) -> Option<T>,
) -> Result<T, Flaw> {
    u32::try_from(number)
        .ok()
        .and_then(meaning)
        .ok_or_else(|| Flaw::Unknown { field, number: number.into() })
}

/// A number of officers; a rule asks for at most 255.
pub(crate) fn officers(field: Name, number: u32) -> Result<u32, Flaw> {
    let found = usize::try_from(number).unwrap_or(usize::MAX);
    at_most(field, u8::MAX.into(), found).map(|()| number)
}

pub(crate) fn maybe_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cut_text_always_passes_as_a_line(text in "\\PC{0,8}[\\x00-\\x1f\u{85}é漢]{0,8}", max in 0usize..20) {
            let cut = cut(max, &text);
            prop_assert_eq!(line("text", max, cut.clone()), Ok(cut));
        }
    }

    #[test]
    fn text_that_fits_is_not_touched() {
        assert_eq!(cut(9, "naïve 漢"), "naïve ");
        assert_eq!(cut(10, "naïve 漢"), "naïve 漢");
        assert_eq!(cut(99, "a\nb"), "a b");
    }
}
