//! A message that waits, as an officer reads it before saying anything about it.

use bytes::Bytes;
use kuriiri_seal::{SealingKey, VerifiedApproval, VerifiedMessage, Verifier};
use kuriiri_types::{
    Approval, ApprovalAct, Digest, Envelope, Header, MessageId, SpiffeId, Timestamp, WireLabel,
};
use kuriiri_wire::admin::{HeldMessage, Hold};

use crate::{
    clock,
    error::Unacceptable,
    open::{genuine, meet, opened, releases},
};

/// A message that waits for officers, known to be genuine: a system of the ministry signed it, the
/// body is the one that was signed, and the relay says nothing else of it than it says itself.
///
/// An approval is signed over this value and nothing that comes later. A message whose body does not open is
/// shown without it.
#[derive(Debug)]
pub struct Shown {
    message: VerifiedMessage,
    label: WireLabel,
    body: Result<Bytes, Unacceptable>,
    needed: u32,
    approvals: Vec<VerifiedApproval>,
    missing: Vec<String>,
    times: Option<Times>,
}

/// When a message came, and when it goes back; the relay's word.
#[derive(Debug, Clone, Copy)]
struct Times {
    accepted: Timestamp,
    expires: Timestamp,
}

impl Shown {
    /// Verifies and opens what the relay gave when asked for a message, and compares it with what
    /// its list says.
    pub(super) fn read<'a>(
        verifier: &Verifier,
        officer: &SpiffeId,
        key: impl FnOnce() -> Result<&'a SealingKey, Unacceptable>,
        id: MessageId,
        held: HeldMessage,
        listed: Option<Hold>,
    ) -> Result<Self, Unacceptable> {
        let HeldMessage { envelope, body, needed, approvals, certificates, missing } = held;
        meet(verifier, &certificates);
        let message = genuine(verifier, envelope, body)?;
        let header = message.header();
        if header.id != id {
            return Err(Unacceptable::Another);
        }
        if header.from.ministry() != officer.ministry() {
            return Err(Unacceptable::NotForUs);
        }
        let label = header.label.clone().ok_or(Unacceptable::NoLabel)?;
        if let Some(what) = listed.as_ref().and_then(|listed| difference(header, listed)) {
            return Err(Unacceptable::Differs(what));
        }
        let times = listed.map(|Hold { accepted, expires, .. }| Times { accepted, expires });
        let body = opened(&message, officer.ministry(), key);
        let approvals = releases(verifier, &message, approvals);
        Ok(Self { message, label, body, needed, approvals, missing, times })
    }

    /// Its id.
    pub fn id(&self) -> MessageId {
        self.header().id
    }

    /// Of its exact header: no two messages that differ in anything share one.
    pub fn fingerprint(&self) -> Digest {
        self.message.leaf()
    }

    /// Everything that its sender signed about it. The size in it is that of the body as carried.
    pub fn header(&self) -> &Header {
        self.message.header()
    }

    /// The system that signed it.
    pub fn sender(&self) -> &SpiffeId {
        self.message.signer()
    }

    /// Who may have it.
    pub fn label(&self) -> &WireLabel {
        &self.label
    }

    /// What it says; opened, if it is sealed.
    ///
    /// # Errors
    /// When it does not open: the release key is missing or another, or nobody can open it. Such a message is
    /// to be [rejected](super::Officer::reject).
    pub fn body(&self) -> Result<&Bytes, &Unacceptable> {
        self.body.as_ref()
    }

    /// True when nobody but the officers and the recipients can read the body.
    pub fn is_sealed(&self) -> bool {
        self.header().sealing.is_some()
    }

    /// The signed header with its signature, and salt and body as carried.
    pub fn evidence(&self) -> (&Envelope, &Bytes) {
        (self.message.envelope(), self.message.salted_body())
    }

    /// How many officers must release it in all, as the relay says.
    pub fn needed(&self) -> u32 {
        self.needed
    }

    /// The releases that it has, those of them that are genuine and of this message.
    pub fn approvals(&self) -> &[VerifiedApproval] {
        &self.approvals
    }

    /// What it still waits for, in the relay's words.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// When the relay took it, as the relay says. Nothing if it has gone while it was shown.
    pub fn accepted(&self) -> Option<Timestamp> {
        self.times.map(|times| times.accepted)
    }

    /// When it goes back to its sender for want of releases, as the relay says. Nothing if it has
    /// gone while it was shown.
    pub fn expires(&self) -> Option<Timestamp> {
        self.times.map(|times| times.expires)
    }

    /// What an officer in these roles says of it now.
    pub(super) fn approval(
        &self,
        officer: &SpiffeId,
        roles: &[String],
        act: ApprovalAct,
        until: Option<Timestamp>,
    ) -> Approval {
        let header = self.header();
        Approval {
            message: header.id,
            subject: self.message.leaf(),
            content: header.content(),
            label: self.label.clone(),
            recipients: header.to.clone(),
            keys: header.sealing.as_ref().map(|sealing| sealing.keys.clone()).unwrap_or_default(),
            // Whoever rejects does so however many would have been needed.
            needed: self.needed.max(1),
            until,
            expires: header.expires,
            officer: officer.clone(),
            roles: roles.to_vec(),
            act,
            at: clock::now(),
        }
    }
}

/// What a list says otherwise of a message than the message itself.
fn difference(header: &Header, listed: &Hold) -> Option<&'static str> {
    let same = [
        ("sender", listed.from == header.from),
        ("list of recipients", listed.recipients == header.to),
        ("label", Some(&listed.label) == header.label.as_ref()),
        ("precedence", listed.precedence == header.precedence),
        ("subject", listed.subject == header.subject),
        ("content type", listed.content_type == header.content_type),
        ("size", listed.size == header.body_size),
        ("drafter", listed.drafter == header.drafter),
    ];
    same.into_iter().find_map(|(what, is_same)| (!is_same).then_some(what))
}
