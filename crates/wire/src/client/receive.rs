//! Receiving messages and confirming them.

use bytes::Bytes;
use kuriiri_types::{
    Handling, Lane, Refusal, SignedApproval,
    limits::{
        APPROVALS_MAX, APPROVED_CERTIFICATES_MAX, BATCH_MESSAGES_MAX, CREDIT_MAX, FRAME_BYTES_MAX,
    },
};

use crate::{
    approval, bodies,
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    handling,
    limits::CONFIRM_BYTES_MAX,
    part::{self, Part, SIGNED_PART},
    proto::{self, from_receiver::Kind as FromKind, to_receiver::Kind as ToKind},
    refusal,
    shape::{Field, Shape},
};

/// Tickets in one frame: all that can be unconfirmed on a subscription.
const TICKETS_MAX: usize = CREDIT_MAX as usize;

/// From the relay to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToReceiver {
    /// Messages.
    Delivery(Delivery),
    /// What was said about these is durable; 1 to [`CREDIT_MAX`] tickets.
    Confirmed(Vec<Ticket>),
    /// The subscription was refused or has ended.
    Refused(Refusal),
}

/// From a receiver to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromReceiver {
    /// These messages are dealt with, and each gives back one credit; 1 to [`CREDIT_MAX`] tickets.
    Confirm(Vec<Ticket>),
    /// These messages cannot be accepted, and each gives back one credit.
    SetAside {
        /// 1 to [`CREDIT_MAX`].
        tickets: Vec<Ticket>,
        /// Why: the same for all. Of its reasons a relay keeps the first, cut to
        /// [`ASIDE_REASON_BYTES_MAX`](kuriiri_types::limits::ASIDE_REASON_BYTES_MAX).
        why: Refusal,
    },
}

/// Messages for a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The signers' certificates (DER) that were not yet sent on this stream, officers' too; at most
    /// [`APPROVED_CERTIFICATES_MAX`].
    pub certificates: Vec<Bytes>,
    /// The messages, 1 to [`BATCH_MESSAGES_MAX`] over all parts, in order.
    pub parts: Vec<Part<DeliveredItem>>,
}

/// One message for a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredItem {
    /// By which it is confirmed.
    pub ticket: Ticket,
    /// The header's bytes as signed.
    pub header: Bytes,
    /// Salt ‖ body.
    pub body: Bytes,
    /// The approvals by which its ministry released it, at most [`APPROVALS_MAX`].
    pub approvals: Vec<SignedApproval>,
    /// What must be done with it here.
    pub handling: Handling,
}

/// Where a message stands in its mailbox. Opaque to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    /// The lane.
    pub lane: Lane,
    /// The number in the lane.
    pub seq: u64,
}

impl Frame for ToReceiver {
    const NAME: &'static str = "ToReceiver";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let kind = Some(write_to(self));
        frame::pack(&proto::ToReceiver { kind })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &TO_RECEIVER, read_to)
    }
}

impl Frame for FromReceiver {
    const NAME: &'static str = "FromReceiver";
    const BYTES_MAX: usize = CONFIRM_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let kind = Some(write_from(self));
        frame::pack(&proto::FromReceiver { kind })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &FROM_RECEIVER, read_from)
    }
}

// === shapes ===

static TICKET: Shape = Shape::new("Ticket", &[]);
static TICKETS: Shape = Shape::new("Tickets", &[Field::many("tickets", 1, TICKETS_MAX, &TICKET)]);
static DELIVERED_ITEM: Shape = Shape::new(
    "DeliveredItem",
    &[
        Field::one("ticket", 1, &TICKET),
        Field::many("approvals", 4, APPROVALS_MAX, &approval::SIGNED_APPROVAL),
        Field::one("handling", 5, &handling::HANDLING),
    ],
);
static DELIVERED_PART: Shape = Shape::new(
    "DeliveredPart",
    &[
        Field::one("signed", 1, &SIGNED_PART),
        Field::many("items", 2, BATCH_MESSAGES_MAX, &DELIVERED_ITEM),
    ],
);
static DELIVERY: Shape = Shape::new(
    "Delivery",
    &[
        Field::plain("certificates", 1, APPROVED_CERTIFICATES_MAX),
        Field::many("parts", 2, BATCH_MESSAGES_MAX, &DELIVERED_PART),
    ],
);
pub(crate) static TO_RECEIVER: Shape = Shape::new(
    "ToReceiver",
    &[
        Field::one("delivery", 1, &DELIVERY),
        Field::one("confirmed", 2, &TICKETS),
        Field::one("refused", 3, &refusal::REFUSAL),
    ],
);
static SET_ASIDE: Shape = Shape::new(
    "SetAside",
    &[Field::many("tickets", 1, TICKETS_MAX, &TICKET), Field::one("why", 2, &refusal::REFUSAL)],
);
pub(crate) static FROM_RECEIVER: Shape = Shape::new(
    "FromReceiver",
    &[Field::one("confirm", 1, &TICKETS), Field::one("set_aside", 2, &SET_ASIDE)],
);

// === wire ⇄ domain ===

fn write_to(frame: &ToReceiver) -> ToKind {
    match frame {
        ToReceiver::Delivery(delivery) => ToKind::Delivery(proto::Delivery {
            certificates: delivery.certificates.clone(),
            parts: delivery.parts.iter().map(write_part).collect(),
        }),
        ToReceiver::Confirmed(tickets) => {
            ToKind::Confirmed(proto::Tickets { tickets: write_tickets(tickets) })
        }
        ToReceiver::Refused(refusal) => ToKind::Refused(refusal::write(refusal)),
    }
}

fn read_to(wire: proto::ToReceiver) -> Result<ToReceiver, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        ToKind::Delivery(wire) => ToReceiver::Delivery(read_delivery(wire)?),
        ToKind::Confirmed(wire) => ToReceiver::Confirmed(read_tickets(wire.tickets)?),
        ToKind::Refused(wire) => ToReceiver::Refused(refusal::read(wire)?),
    })
}

fn write_from(frame: &FromReceiver) -> FromKind {
    match frame {
        FromReceiver::Confirm(tickets) => {
            FromKind::Confirm(proto::Tickets { tickets: write_tickets(tickets) })
        }
        FromReceiver::SetAside { tickets, why } => FromKind::SetAside(proto::SetAside {
            tickets: write_tickets(tickets),
            why: Some(refusal::write(why)),
        }),
    }
}

fn read_from(wire: proto::FromReceiver) -> Result<FromReceiver, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        FromKind::Confirm(wire) => FromReceiver::Confirm(read_tickets(wire.tickets)?),
        FromKind::SetAside(wire) => FromReceiver::SetAside {
            tickets: read_tickets(wire.tickets)?,
            why: refusal::read(field::present("why", wire.why)?)?,
        },
    })
}

fn read_delivery(wire: proto::Delivery) -> Result<Delivery, Flaw> {
    let parts = part::read_all(wire.parts, |part| (part.signed, part.items), read_item)?;
    bodies::check(parts.iter().flat_map(|part| &part.messages).map(|item| &item.body))?;
    Ok(Delivery {
        certificates: field::certificates(APPROVED_CERTIFICATES_MAX, wire.certificates)?,
        parts,
    })
}

fn write_part(part: &Part<DeliveredItem>) -> proto::DeliveredPart {
    proto::DeliveredPart {
        signed: Some(part::write(&part.signed)),
        items: part.messages.iter().map(write_item).collect(),
    }
}

fn write_item(item: &DeliveredItem) -> proto::DeliveredItem {
    proto::DeliveredItem {
        ticket: Some(write_ticket(&item.ticket)),
        header: item.header.clone(),
        body: item.body.clone(),
        approvals: item.approvals.iter().map(approval::write_signed).collect(),
        handling: Some(handling::write(&item.handling)),
    }
}

fn read_item(wire: proto::DeliveredItem) -> Result<DeliveredItem, Flaw> {
    Ok(DeliveredItem {
        ticket: read_ticket(field::present("ticket", wire.ticket)?)?,
        header: field::header(wire.header)?,
        body: wire.body,
        approvals: approval::read_all(wire.approvals)?,
        handling: handling::read(wire.handling)?,
    })
}

fn write_tickets(tickets: &[Ticket]) -> Vec<proto::Ticket> {
    tickets.iter().map(write_ticket).collect()
}

fn read_tickets(wire: Vec<proto::Ticket>) -> Result<Vec<Ticket>, Flaw> {
    field::some_at_most("tickets", TICKETS_MAX, wire.len())?;
    field::each(wire, read_ticket)
}

fn write_ticket(ticket: &Ticket) -> proto::Ticket {
    proto::Ticket { lane: ticket.lane.number().into(), seq: ticket.seq }
}

fn read_ticket(wire: proto::Ticket) -> Result<Ticket, Flaw> {
    Ok(Ticket { lane: field::lane(wire.lane)?, seq: wire.seq })
}
