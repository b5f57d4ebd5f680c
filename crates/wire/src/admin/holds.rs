//! Messages that wait for people, and what people say of them.

use bytes::Bytes;
use kuriiri_types::{
    Address, Envelope, MessageId, Precedence, Recipient, SignedApproval, Timestamp, WireLabel,
    limits::{APPROVALS_MAX, CERTIFICATE_BYTES_MAX, RECIPIENTS_MAX, SUBJECT_BYTES_MAX},
};

use crate::{
    approval, bodies, envelope,
    error::Flaw,
    field, header, label,
    limits::{HELD_CERTIFICATES_MAX, HOLDS_PAGE, REASONS_MAX},
    proto::{self, approved::Outcome},
    refusal,
    shape::{Field, Shape},
};

/// Messages that wait for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holds {
    /// At most [`HOLDS_PAGE`], in the order of their ids.
    pub holds: Vec<Hold>,
    /// Whether there are more after these.
    pub more: bool,
}

/// One message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The message.
    pub id: MessageId,
    /// Its sender.
    pub from: Address,
    /// Its recipients, as in its header.
    pub recipients: Vec<Recipient>,
    /// Its label, as written.
    pub label: WireLabel,
    /// How urgent it is.
    pub precedence: Precedence,
    /// Its subject, as in its header; may be empty.
    pub subject: String,
    /// The media type of its body.
    pub content_type: String,
    /// Bytes of its body as carried, salt not counted.
    pub size: u64,
    /// When the relay took it.
    pub accepted: Timestamp,
    /// When it will be refused for want of approvals.
    pub expires: Timestamp,
    /// Who wrote it, as in its header.
    pub drafter: Option<String>,
    /// How many releasing officers it needs in all; at most 255.
    pub needed: u32,
    /// Those it has, at most [`APPROVALS_MAX`].
    pub approvals: Vec<SignedApproval>,
    /// What it still waits for, in words; cut like the reasons of a refusal.
    pub missing: Vec<String>,
}

/// A message that waits, whole, for the officer to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMessage {
    /// The signed header.
    pub envelope: Envelope,
    /// Salt ‖ body.
    pub body: Bytes,
    /// How many releasing officers it needs in all; at most 255.
    pub needed: u32,
    /// Those it has, at most [`APPROVALS_MAX`].
    pub approvals: Vec<SignedApproval>,
    /// The certificates (DER) of those who signed it and them, at most
    /// [`HELD_CERTIFICATES_MAX`].
    pub certificates: Vec<Bytes>,
    /// What it still waits for, in words; cut like the reasons of a refusal.
    pub missing: Vec<String>,
}

/// An officer's word on a message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approve {
    /// What the officer signed.
    pub approval: SignedApproval,
    /// The officer's certificate (DER).
    pub certificate: Bytes,
}

/// What became of an approval, after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// It was the last one needed, and the message goes.
    Released,
    /// It counts, and more are needed.
    Counted {
        /// Approvals that count so far; at most 255.
        have: u32,
        /// Approvals that are needed in all; at most 255.
        need: u32,
    },
    /// It sent the message back.
    Rejected,
}

// === shapes ===

static RECIPIENT: Shape = Shape::new("Recipient", &[]);
static HOLD: Shape = Shape::new(
    "Hold",
    &[
        Field::many("recipients", 3, RECIPIENTS_MAX, &RECIPIENT),
        Field::one("label", 4, &label::LABEL),
        Field::many("approvals", 13, APPROVALS_MAX, &approval::SIGNED_APPROVAL),
        Field::plain("missing", 14, REASONS_MAX),
    ],
);
pub(super) static HOLDS: Shape = Shape::new("Holds", &[Field::many("holds", 1, HOLDS_PAGE, &HOLD)]);
pub(super) static HELD_MESSAGE: Shape = Shape::new(
    "HeldMessage",
    &[
        Field::one("envelope", 1, &envelope::ENVELOPE),
        Field::many("approvals", 4, APPROVALS_MAX, &approval::SIGNED_APPROVAL),
        Field::plain("certificates", 5, HELD_CERTIFICATES_MAX),
        Field::plain("missing", 6, REASONS_MAX),
    ],
);
pub(super) static APPROVE: Shape =
    Shape::new("Approve", &[Field::one("approval", 1, &approval::SIGNED_APPROVAL)]);
static RELEASED: Shape = Shape::new("Released", &[]);
static COUNTED: Shape = Shape::new("Counted", &[]);
static REJECTED: Shape = Shape::new("Rejected", &[]);
pub(super) static APPROVED: Shape = Shape::new(
    "Approved",
    &[
        Field::one("released", 1, &RELEASED),
        Field::one("counted", 2, &COUNTED),
        Field::one("rejected", 3, &REJECTED),
    ],
);

// === domain → wire ===

pub(super) fn write(holds: &Holds) -> proto::Holds {
    proto::Holds { holds: holds.holds.iter().map(write_hold).collect(), more: holds.more }
}

fn write_hold(hold: &Hold) -> proto::Hold {
    proto::Hold {
        id: Bytes::copy_from_slice(hold.id.as_bytes()),
        from: hold.from.to_string(),
        recipients: hold.recipients.iter().map(header::write_recipient).collect(),
        label: Some(label::write(&hold.label)),
        precedence: hold.precedence.number().into(),
        subject: hold.subject.clone(),
        content_type: hold.content_type.clone(),
        size: hold.size,
        accepted: hold.accepted.as_millis(),
        expires: hold.expires.as_millis(),
        drafter: hold.drafter.clone(),
        needed: hold.needed,
        approvals: hold.approvals.iter().map(approval::write_signed).collect(),
        missing: refusal::write_reasons(&hold.missing),
    }
}

pub(super) fn write_held(held: &HeldMessage) -> proto::HeldMessage {
    proto::HeldMessage {
        envelope: Some(envelope::write(&held.envelope)),
        body: held.body.clone(),
        needed: held.needed,
        approvals: held.approvals.iter().map(approval::write_signed).collect(),
        certificates: held.certificates.clone(),
        missing: refusal::write_reasons(&held.missing),
    }
}

pub(super) fn write_approve(approve: &Approve) -> proto::Approve {
    proto::Approve {
        approval: Some(approval::write_signed(&approve.approval)),
        certificate: approve.certificate.clone(),
    }
}

pub(super) fn write_approved(approved: Approved) -> proto::Approved {
    let outcome = match approved {
        Approved::Released => Outcome::Released(proto::Released {}),
        Approved::Counted { have, need } => Outcome::Counted(proto::Counted { have, need }),
        Approved::Rejected => Outcome::Rejected(proto::Rejected {}),
    };
    proto::Approved { outcome: Some(outcome) }
}

// === wire → domain ===

pub(super) fn read(wire: proto::Holds) -> Result<Holds, Flaw> {
    field::at_most("holds", HOLDS_PAGE, wire.holds.len())?;
    Ok(Holds { holds: field::each(wire.holds, read_hold)?, more: wire.more })
}

fn read_hold(wire: proto::Hold) -> Result<Hold, Flaw> {
    Ok(Hold {
        id: field::message_id("id", &wire.id)?,
        from: field::address("from", &wire.from)?,
        recipients: header::read_recipients("recipients", &wire.recipients)?,
        label: label::read(field::present("label", wire.label)?)?,
        precedence: field::precedence(wire.precedence)?,
        subject: field::line("subject", SUBJECT_BYTES_MAX, wire.subject)?,
        content_type: header::read_content_type(wire.content_type)?,
        size: wire.size,
        accepted: Timestamp::from_millis(wire.accepted),
        expires: Timestamp::from_millis(wire.expires),
        drafter: wire.drafter.map(header::read_drafter).transpose()?,
        needed: field::officers("needed", wire.needed)?,
        approvals: approval::read_all(wire.approvals)?,
        missing: refusal::read_reasons(wire.missing)?,
    })
}

pub(super) fn read_held(wire: proto::HeldMessage) -> Result<HeldMessage, Flaw> {
    bodies::check([&wire.body].into_iter())?;
    Ok(HeldMessage {
        envelope: envelope::read(wire.envelope)?,
        body: wire.body,
        needed: field::officers("needed", wire.needed)?,
        approvals: approval::read_all(wire.approvals)?,
        certificates: field::certificates(HELD_CERTIFICATES_MAX, wire.certificates)?,
        missing: refusal::read_reasons(wire.missing)?,
    })
}

pub(super) fn read_approve(wire: proto::Approve) -> Result<Approve, Flaw> {
    let approval = approval::read_signed(field::present("approval", wire.approval)?)?;
    field::some_at_most("certificate", CERTIFICATE_BYTES_MAX, wire.certificate.len())?;
    Ok(Approve { approval, certificate: wire.certificate })
}

pub(super) fn read_approved(wire: proto::Approved) -> Result<Approved, Flaw> {
    Ok(match field::present("outcome", wire.outcome)? {
        Outcome::Released(proto::Released {}) => Approved::Released,
        Outcome::Counted(proto::Counted { have, need }) => Approved::Counted {
            have: field::officers("have", have)?,
            need: field::officers("need", need)?,
        },
        Outcome::Rejected(proto::Rejected {}) => Approved::Rejected,
    })
}
