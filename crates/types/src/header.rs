//! The signed part of a message.

use serde::{Deserialize, Serialize};

use crate::{
    Address, Digest, Lane, MessageId, Ministry, Precedence, SpiffeId, Timestamp, WireLabel,
};

/// Everything that the sending system signs about a message. The body is bound by its
/// commitment; the rest is what relays and people decide on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Unique; a repeat with the same header is the same message.
    pub id: MessageId,
    /// The mailbox that the sending system speaks for.
    pub from: Address,
    /// At least one recipient, no address twice.
    pub to: Vec<Recipient>,
    /// Who may have it, as written by the originator. Without one nothing moves.
    pub label: Option<WireLabel>,
    /// How urgent it is.
    pub precedence: Precedence,
    /// Whether it is about something real.
    pub message_type: MessageType,
    /// When the originator made it, by the originator's clock.
    pub created: Timestamp,
    /// Not to be delivered after this; the relay may set an earlier limit by policy.
    pub expires: Option<Timestamp>,
    /// The media type of the body (RFC 6838), such as `application/json`.
    pub content_type: String,
    /// Length in bytes of the body as carried, salt not counted; of the sealed body if sealed.
    pub body_size: u64,
    /// Commitment to salt and body as carried; see `kuriiri-seal`.
    pub body_commitment: Digest,
    /// What a person would call it, such as a file name. Not secret: relays see it. May be empty.
    pub subject: String,
    /// The exchange that this message belongs to, if any.
    pub conversation: Option<MessageId>,
    /// The message that this one answers, if any.
    pub in_reply_to: Option<MessageId>,
    /// The message of the same sender that this one replaces, if any.
    pub obsoletes: Option<MessageId>,
    /// Present when the body is encrypted end to end.
    pub sealing: Option<Sealing>,
    /// Who wrote it, if a person did: the name within the sender's ministry, as an officer's
    /// identity would have it (`anna` in `spiffe://sm.example/officer/anna`). This person does not
    /// count as one who approves the message. See [`SpiffeId::is_name`].
    pub drafter: Option<String>,
}

/// One recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Recipient {
    /// The mailbox.
    pub address: Address,
    /// For action or for information.
    pub role: Role,
}

/// Why a recipient gets a message (RFC 6477: primary and copy recipients).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Role {
    /// Must act.
    #[default]
    Action,
    /// Should know.
    Info,
}

/// Whether a message is about something real (RFC 6477 MMHS-Message-Type).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum MessageType {
    /// Real traffic.
    #[default]
    Operation,
    /// Part of an exercise; shown as such first and last.
    Exercise,
    /// Part of a drill.
    Drill,
}

/// How a sealed body is encrypted, and to whom. The keys for the body stand with the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealing {
    /// The suite; 1 is HPKE X-Wing, HKDF-SHA256, ChaCha20-Poly1305.
    pub suite: u32,
    /// Which sealing keys can open it, at least one per recipient ministry.
    pub keys: Vec<SealKeyId>,
    /// Digest of the body that opens, with a secret salt; see `kuriiri-seal`.
    pub content: Digest,
}

impl Sealing {
    /// The only suite that this version knows.
    pub const SUITE: u32 = 1;
}

/// Names one sealing key of a ministry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SealKeyId {
    /// Whose key it is.
    pub ministry: Ministry,
    /// SHA-256 of the public key.
    pub key: Digest,
}

impl Header {
    /// The lane in which the message travels.
    pub fn lane(&self) -> Lane {
        Lane::Messages(self.precedence)
    }

    /// The digest of what the recipients will read: of the plaintext when sealed, else the body
    /// commitment. It is what officers approve.
    pub fn content(&self) -> Digest {
        self.sealing.as_ref().map_or(self.body_commitment, |sealing| sealing.content)
    }

    /// Whether this person wrote the message: same ministry, same name, whatever the role.
    pub fn is_drafted_by(&self, person: &SpiffeId) -> bool {
        person.ministry() == self.from.ministry() && self.drafter.as_deref() == Some(person.name())
    }

    /// The recipients that have their mailbox at this ministry.
    pub fn recipients_at<'a>(
        &'a self,
        ministry: &'a Ministry,
    ) -> impl Iterator<Item = &'a Recipient> + 'a {
        self.to.iter().filter(move |r| r.address.ministry() == ministry)
    }

    /// The recipients' ministries, each once, in the order of first mention.
    pub fn destinations(&self) -> Vec<Ministry> {
        let mut found: Vec<Ministry> = Vec::new();
        for recipient in &self.to {
            if !found.contains(recipient.address.ministry()) {
                found.push(recipient.address.ministry().clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_drafter_in_every_role_and_at_no_other_ministry() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let header = Header {
            id: MessageId::new(at, [1; 10]),
            from: "kirjaamo@sm.example".parse().unwrap(),
            to: Vec::new(),
            label: None,
            precedence: Precedence::Routine,
            message_type: MessageType::Operation,
            created: at,
            expires: None,
            content_type: "text/plain".into(),
            body_size: 0,
            body_commitment: Digest([9; 32]),
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            sealing: None,
            drafter: Some("anna".into()),
        };
        let drafted = |id: &str| header.is_drafted_by(&id.parse().unwrap());
        assert!(drafted("spiffe://sm.example/officer/anna"));
        assert!(drafted("spiffe://sm.example/operator/anna"));
        assert!(!drafted("spiffe://um.example/officer/anna"));
        assert!(!drafted("spiffe://sm.example/officer/Anna"));
        assert!(
            !Header { drafter: None, ..header.clone() }
                .is_drafted_by(&"spiffe://sm.example/officer/anna".parse().unwrap())
        );
    }
}
