//! How a link ended, sorted by what it means to the one who holds it.

use std::fmt;

use kuriiri_types::Code;
use quinn::{ApplicationClose, ConnectionError, TransportErrorCode, VarInt};

use crate::limits::REASON_CHARS_MAX;

/// Why a side closes a link; a number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum CloseCode {
    /// It has no more to say.
    Done = 0,
    /// It is going down; dial again later.
    ShuttingDown = 1,
    /// There is another link between the same two.
    Replaced = 2,
    /// It does not, or no longer, accept the other's certificate for this conversation.
    Identity = 3,
    /// The other broke the protocol.
    Protocol = 4,
    /// There are as many links of the other, or of all, as may be.
    TooMany = 5,
    /// The other began something and did not go on in time.
    TooSlow = 6,
}

impl CloseCode {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::ShuttingDown,
        Self::Replaced,
        Self::Identity,
        Self::Protocol,
        Self::TooMany,
        Self::TooSlow,
    ];

    pub(crate) fn on_the_wire(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    fn from_wire(number: VarInt) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.on_the_wire() == number)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::ShuttingDown => "shutting down",
            Self::Replaced => "replaced by another link",
            Self::Identity => "identity not accepted",
            Self::Protocol => "protocol broken",
            Self::TooMany => "too many links",
            Self::TooSlow => "too slow",
        })
    }
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkClosed {
    /// This side closed it.
    #[error("this side closed the link: {0}")]
    Here(CloseCode),
    /// The peer closed it.
    #[error("the peer closed the link: {}", said(.code, .reason))]
    ByPeer {
        /// Why, unless this version does not know the number.
        code: Option<CloseCode>,
        /// The peer's words, without control characters and cut off at a limit. Never trust them.
        reason: String,
    },
    /// The peer did not accept our certificate, for the reason that its TLS alert gives.
    #[error("the peer did not accept our certificate: {0}")]
    RefusedUs(&'static str),
    /// The peer sent no certificate.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// The peer does not hold this conversation.
    #[error("the two sides have no conversation in common")]
    NoCommonConversation,
    /// The two have no key agreement, cipher or signature in common.
    #[error("the two sides have no cryptography in common; compare `pq` in their configurations")]
    NoCommonCryptography,
    /// The peer has as many links as it takes.
    #[error("the peer takes no more links now")]
    TurnedAway,
    /// The peer does not answer, or forgot the link because it was restarted.
    #[error("the peer does not answer")]
    Lost,
    /// One side broke QUIC or TLS.
    #[error("the protocol was broken: {0}")]
    Protocol(String),
}

impl LinkClosed {
    /// The stable number of this end.
    pub fn code(&self) -> Code {
        match self {
            Self::Here(CloseCode::Identity) | Self::NoCertificate => Code::PEER_CERTIFICATE,
            Self::Here(CloseCode::TooMany) => Code::TOO_MANY_LINKS,
            Self::Here(CloseCode::TooSlow) => Code::TOO_SLOW,
            Self::RefusedUs(_) => Code::REJECTED,
            Self::ByPeer { code, .. } => match code {
                Some(CloseCode::Identity) => Code::REJECTED,
                Some(CloseCode::Protocol) | None => Code::PROTOCOL,
                Some(CloseCode::TooMany) => Code::TOO_MANY_LINKS,
                Some(CloseCode::TooSlow) => Code::TOO_SLOW,
                Some(CloseCode::Done | CloseCode::ShuttingDown | CloseCode::Replaced) => {
                    Code::UNREACHABLE
                }
            },
            Self::NoCommonConversation | Self::NoCommonCryptography | Self::Protocol(_) => {
                Code::PROTOCOL
            }
            Self::Here(_) | Self::TurnedAway | Self::Lost => Code::UNREACHABLE,
        }
    }
}

// === sorting what quinn reports ===

impl From<ConnectionError> for LinkClosed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TransportError(here) => match alert(here.code) {
                Some(CERTIFICATE_REQUIRED) => Self::NoCertificate,
                Some(number) => common(number).unwrap_or_else(|| Self::broken(&here)),
                None => Self::broken(&here),
            },
            ConnectionError::ConnectionClosed(there) => match alert(there.error_code) {
                Some(number) => refused(number)
                    .or_else(|| common(number))
                    .unwrap_or_else(|| Self::broken(&there)),
                None if there.error_code == TransportErrorCode::CONNECTION_REFUSED => {
                    Self::TurnedAway
                }
                None => Self::broken(&there),
            },
            ConnectionError::ApplicationClosed(there) => by_peer(&there),
            ConnectionError::Reset | ConnectionError::TimedOut => Self::Lost,
            ConnectionError::LocallyClosed => Self::Here(CloseCode::ShuttingDown),
            ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => {
                Self::broken(&error)
            }
        }
    }
}

impl LinkClosed {
    fn broken(error: &impl fmt::Display) -> Self {
        Self::Protocol(tame(&error.to_string()))
    }
}

/// The TLS alert inside a QUIC error code (RFC 9001 §4.8).
fn alert(code: TransportErrorCode) -> Option<u8> {
    u8::try_from(u64::from(code).checked_sub(0x100)?).ok()
}

/// `certificate_required`, of the alerts in RFC 8446 §6; the others stand where they are sorted.
const CERTIFICATE_REQUIRED: u8 = 116;

/// What the peer's alert says of our certificate.
fn refused(alert: u8) -> Option<LinkClosed> {
    Some(LinkClosed::RefusedUs(match alert {
        42 => "it is malformed, or its name is not one SPIFFE id",
        43 => "it is for another purpose",
        44 => "it is revoked",
        45 => "it has expired or is not valid yet",
        46 => "it breaks a rule",
        48 => "no CA or no current revocation list that the peer has covers it",
        49 => "its holder is not the one expected",
        CERTIFICATE_REQUIRED => "none was sent",
        _ => return None,
    }))
}

/// Alerts that mean the same whoever sends them.
fn common(alert: u8) -> Option<LinkClosed> {
    match alert {
        40 => Some(LinkClosed::NoCommonCryptography),
        120 => Some(LinkClosed::NoCommonConversation),
        _ => None,
    }
}

fn by_peer(close: &ApplicationClose) -> LinkClosed {
    LinkClosed::ByPeer {
        code: CloseCode::from_wire(close.error_code),
        reason: tame(&String::from_utf8_lossy(&close.reason)),
    }
}

/// Foreign words, fit for a log.
fn tame(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}

fn said(code: &Option<CloseCode>, reason: &str) -> String {
    match code {
        Some(code) if reason.is_empty() => code.to_string(),
        Some(code) => format!("{code} ({reason})"),
        None => format!("unknown code ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(number: u32, reason: &'static str) -> LinkClosed {
        let close =
            ApplicationClose { error_code: VarInt::from_u32(number), reason: reason.into() };
        ConnectionError::ApplicationClosed(close).into()
    }

    #[test]
    fn foreign_words_are_tamed_and_unknown_codes_are_protocol_errors() {
        let LinkClosed::ByPeer { code, reason } = closed(3, "go\u{1b}[2J\naway") else {
            panic!("not closed by the peer");
        };
        assert_eq!((code, reason.as_str()), (Some(CloseCode::Identity), "go[2Jaway"));
        assert_eq!(closed(3, "").code(), Code::REJECTED);
        assert_eq!(closed(1, "").code(), Code::UNREACHABLE);
        assert_eq!(closed(77, "").code(), Code::PROTOCOL);
        assert_eq!(tame(&"x".repeat(1000)).len(), REASON_CHARS_MAX);
    }

    #[test]
    fn an_alert_is_only_looked_for_where_quic_puts_it() {
        assert_eq!(alert(TransportErrorCode::crypto(44)), Some(44));
        assert_eq!(alert(TransportErrorCode::CONNECTION_REFUSED), None);
    }
}
