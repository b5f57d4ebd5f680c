//! What became of messages, as told to the system that sent them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Address, Code, Digest, Giver, Ministry, SpiffeId, Subject, Timestamp};

/// A statement of one relay about messages of one sender: the same happened to each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ministry whose relay says so.
    pub issuer: Ministry,
    /// What happened.
    pub kind: ReceiptKind,
    /// When, by the issuing relay's clock.
    pub at: Timestamp,
    /// Who sent the messages and gets this receipt.
    pub sender: Address,
    /// Who handed the messages in or over, or which system confirmed them.
    pub by: Option<Giver>,
    /// Why not, for the negative kinds.
    pub code: Option<Code>,
    /// The reasons in words, for people at home; empty in receipts of a foreign relay.
    pub reasons: Vec<String>,
    /// The messages, at least one; each once for every recipient that it speaks of.
    pub subjects: Vec<Addressed>,
}

/// A message as one of its recipients gets it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addressed {
    /// The message: its digest binds the receipt to these very header bytes.
    pub subject: Subject,
    /// The recipient.
    pub recipient: Address,
}

impl Receipt {
    /// Whether its issuer may say this at all. Who may say what about a message:
    ///
    /// | kind | who | that whom handed it over, or confirmed it |
    /// |---|---|---|
    /// | accepted | the relay of the sender's ministry | one of its own systems |
    /// | relayed | a relay further on the way | the relay of another ministry |
    /// | delivered | the relay of the recipient's ministry | one of its own systems |
    /// | set aside | the relay of the recipient's ministry | one of its own systems |
    /// | set aside | any relay that has it | nobody |
    /// | refused, expired | any relay that had it or was to have it | nobody, or one of both |
    ///
    /// Whether the issuer had the message is not in the receipt: that only its log tells.
    pub fn is_its_issuers_to_say(&self) -> bool {
        let is_own = |system: &SpiffeId| *system.ministry() == self.issuer;
        match (self.kind, &self.by) {
            (ReceiptKind::Accepted, Some(Giver::System(system))) => {
                is_own(system) && self.issuer == *self.sender.ministry()
            }
            (ReceiptKind::Relayed, Some(Giver::Peer(peer))) => {
                *peer != self.issuer && self.issuer != *self.sender.ministry()
            }
            (ReceiptKind::Delivered | ReceiptKind::SetAside, Some(Giver::System(system))) => {
                let here = |told: &Addressed| *told.recipient.ministry() == self.issuer;
                is_own(system) && self.subjects.iter().all(here)
            }
            (ReceiptKind::Refused | ReceiptKind::Expired, Some(Giver::System(system))) => {
                is_own(system)
            }
            (ReceiptKind::Refused | ReceiptKind::Expired, Some(Giver::Peer(peer))) => {
                *peer != self.issuer
            }
            (ReceiptKind::Refused | ReceiptKind::Expired | ReceiptKind::SetAside, None) => true,
            (ReceiptKind::SetAside, Some(Giver::Peer(_))) => false,
            (ReceiptKind::Accepted | ReceiptKind::Relayed | ReceiptKind::Delivered, _) => false,
        }
    }

    /// Whether it speaks of the message with this header, for this recipient.
    pub fn is_about(&self, header: Digest, recipient: &Address) -> bool {
        self.subjects
            .iter()
            .any(|told| told.subject.header == header && told.recipient == *recipient)
    }
}

/// The rungs of the ladder, the two negatives, and what stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReceiptKind {
    /// The sender's own relay holds it durably.
    Accepted,
    /// The next relay on the way holds it durably.
    Relayed,
    /// The recipient's system has confirmed it.
    Delivered,
    /// It will not be delivered; the code says why.
    Refused,
    /// It was not delivered in time.
    Expired,
    /// It could not be handed on: the recipient's system could not open it, say. It waits apart at the relay
    /// that says so, for people there to give it out again or to refuse it. The code says why.
    SetAside,
}

impl ReceiptKind {
    /// All kinds; the position is the number on the wire less one.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Relayed,
        Self::Delivered,
        Self::Refused,
        Self::Expired,
        Self::SetAside,
    ];

    /// True when nothing more will be heard of this message and recipient.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Refused | Self::Expired)
    }

    /// The word, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::SetAside => "set-aside",
        }
    }
}

impl fmt::Display for ReceiptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ReceiptKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| {
            format!(
                "`{text}` is not a receipt; use accepted, relayed, delivered, refused, expired or set-aside"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageId;

    const SENDERS: &str = "sm.example";
    const HUB: &str = "verkko.example";
    const RECIPIENTS: &str = "um.example";

    fn receipt(kind: ReceiptKind, issuer: &str, by: Option<Giver>) -> Receipt {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let subject = Subject { message: MessageId::new(at, [1; 10]), header: Digest([1; 32]) };
        Receipt {
            issuer: issuer.parse().unwrap(),
            kind,
            at,
            sender: "a@sm.example".parse().unwrap(),
            by,
            code: None,
            reasons: Vec::new(),
            subjects: vec![Addressed { subject, recipient: "b@um.example".parse().unwrap() }],
        }
    }

    #[test]
    fn each_kind_is_for_one_relay_to_say_and_with_whom_it_had_to_do() {
        use ReceiptKind::*;
        let system =
            |of: &str| Some(Giver::System(format!("spiffe://{of}/system/k").parse().unwrap()));
        let peer = |of: &str| Some(Giver::Peer(of.parse().unwrap()));
        let all = [SENDERS, HUB, RECIPIENTS];
        for issuer in all {
            let givers = all.into_iter().flat_map(|of| [system(of), peer(of)]).chain([None]);
            for by in givers {
                let may = |kind| receipt(kind, issuer, by.clone()).is_its_issuers_to_say();
                let is_own = by == system(issuer);
                let is_other = all.iter().any(|of| *of != issuer && by == peer(of));
                assert_eq!(may(Accepted), issuer == SENDERS && is_own, "{issuer} {by:?}");
                assert_eq!(may(Relayed), issuer != SENDERS && is_other, "{issuer} {by:?}");
                assert_eq!(may(Delivered), issuer == RECIPIENTS && is_own, "{issuer} {by:?}");
                let may_set_aside = by.is_none() || issuer == RECIPIENTS && is_own;
                assert_eq!(may(SetAside), may_set_aside, "{issuer} {by:?}");
                let may_be_by = by.is_none() || is_own || is_other;
                assert_eq!((may(Refused), may(Expired)), (may_be_by, may_be_by), "{issuer} {by:?}");
            }
        }
        // Of two recipients one is elsewhere.
        let mut both = receipt(Delivered, RECIPIENTS, system(RECIPIENTS));
        both.subjects.push(Addressed {
            recipient: "c@verkko.example".parse().unwrap(),
            ..both.subjects[0].clone()
        });
        assert!(!both.is_its_issuers_to_say());
    }
}
