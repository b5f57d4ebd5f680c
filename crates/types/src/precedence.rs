//! Urgency: which message goes first. It orders queues and never opens a door.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The six precedences of ACP 123 and RFC 6477, least urgent first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[repr(u8)]
pub enum Precedence {
    /// Waits for everything else.
    Deferred = 0,
    /// The default.
    #[default]
    Routine = 1,
    /// Before routine traffic.
    Priority = 2,
    /// Situations that affect the safety of people.
    Immediate = 3,
    /// Before everything but override.
    Flash = 4,
    /// The highest; reserved by most policies.
    Override = 5,
}

impl Precedence {
    /// All six, least urgent first; the position is the number on the wire.
    pub const ALL: [Self; 6] = [
        Self::Deferred,
        Self::Routine,
        Self::Priority,
        Self::Immediate,
        Self::Flash,
        Self::Override,
    ];

    /// The precedence with this number on the wire, if there is one.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number on the wire, 0 to 5, as in RFC 6477 §2.1.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The word as people write it, in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deferred => "DEFERRED",
            Self::Routine => "ROUTINE",
            Self::Priority => "PRIORITY",
            Self::Immediate => "IMMEDIATE",
            Self::Flash => "FLASH",
            Self::Override => "OVERRIDE",
        }
    }
}

impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Precedence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|p| p.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            format!(
                "`{text}` is not a precedence; use deferred, routine, priority, immediate, flash or override"
            )
        })
    }
}

/// A line of a queue. Messages of one precedence share a lane and keep their order in it;
/// receipts have a lane of their own, served first, because they are small and free what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lane {
    /// Messages of one precedence.
    Messages(Precedence),
    /// Receipts on their way to the origin.
    Receipts,
}

impl Lane {
    /// All lanes in the order in which they are served: most urgent first.
    pub const BY_URGENCY: [Self; 7] = [
        Self::Receipts,
        Self::Messages(Precedence::Override),
        Self::Messages(Precedence::Flash),
        Self::Messages(Precedence::Immediate),
        Self::Messages(Precedence::Priority),
        Self::Messages(Precedence::Routine),
        Self::Messages(Precedence::Deferred),
    ];

    /// The lane's number, 0 (deferred) to 6 (receipts), on the wire and in storage keys.
    pub const fn number(self) -> u8 {
        match self {
            Self::Messages(precedence) => precedence.number(),
            Self::Receipts => 6,
        }
    }

    /// The lane with this number, if there is one.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            6 => Some(Self::Receipts),
            other => Precedence::from_number(other).map(Self::Messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_come_back() {
        for p in Precedence::ALL {
            assert_eq!(Precedence::from_number(p.number().into()), Some(p));
            assert_eq!(p.as_str().to_lowercase().parse(), Ok(p));
        }
        for lane in Lane::BY_URGENCY {
            assert_eq!(Lane::from_number(lane.number().into()), Some(lane));
        }
        assert_eq!(Lane::from_number(7), None);
        assert!("urgent".parse::<Precedence>().is_err());
    }
}
