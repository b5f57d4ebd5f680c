//! Receiving messages and confirming them.

use bytes::Bytes;
use kuriiri_types::{
    Envelope, Handling, Lane, Refusal, SignedApproval,
    limits::{
        APPROVALS_MAX, APPROVED_CERTIFICATES_MAX, BATCH_MESSAGES_MAX, CREDIT_MAX, FRAME_BYTES_MAX,
    },
};

use crate::{
    approval, bodies, envelope,
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    handling,
    limits::CONFIRM_BYTES_MAX,
    proto::{self, from_receiver::Kind as FromKind, to_receiver::Kind as ToKind},
    shape::{Part, Shape},
    verdict,
};

/// Tickets in one frame: all that can be unconfirmed on a subscription.
const TICKETS_MAX: usize = CREDIT_MAX as usize;

/// From the relay to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToReceiver {
    /// Messages.
    Delivery(Delivery),
    /// These confirmations are durable; 1 to [`CREDIT_MAX`] tickets.
    Confirmed(Vec<Ticket>),
    /// The subscription was refused or has ended.
    Refused(Refusal),
}

/// From a receiver to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromReceiver {
    /// These messages are dealt with, and each gives back one credit; 1 to [`CREDIT_MAX`] tickets.
    Confirm(Vec<Ticket>),
}

/// Messages for a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The signers' certificates (DER) that were not yet sent on this stream, officers' too; at most
    /// [`APPROVED_CERTIFICATES_MAX`].
    pub certificates: Vec<Bytes>,
    /// 1 to [`BATCH_MESSAGES_MAX`] messages, in order.
    pub items: Vec<DeliveredItem>,
}

/// One message for a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredItem {
    /// By which it is confirmed.
    pub ticket: Ticket,
    /// The signed header.
    pub envelope: Envelope,
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
        let Self::Confirm(tickets) = self;
        let kind = Some(FromKind::Confirm(write_tickets(tickets)));
        frame::pack(&proto::FromReceiver { kind })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &FROM_RECEIVER, read_from)
    }
}

// === shapes ===

static TICKET: Shape = Shape::new("Ticket", &[]);
static TICKETS: Shape = Shape::new("Tickets", &[Part::many("tickets", 1, TICKETS_MAX, &TICKET)]);
static DELIVERED_ITEM: Shape = Shape::new(
    "DeliveredItem",
    &[
        Part::one("ticket", 1, &TICKET),
        Part::one("envelope", 2, &envelope::ENVELOPE),
        Part::many("approvals", 4, APPROVALS_MAX, &approval::SIGNED_APPROVAL),
        Part::one("handling", 5, &handling::HANDLING),
    ],
);
static DELIVERY: Shape = Shape::new(
    "Delivery",
    &[
        Part::plain("certificates", 1, APPROVED_CERTIFICATES_MAX),
        Part::many("items", 2, BATCH_MESSAGES_MAX, &DELIVERED_ITEM),
    ],
);
pub(crate) static TO_RECEIVER: Shape = Shape::new(
    "ToReceiver",
    &[
        Part::one("delivery", 1, &DELIVERY),
        Part::one("confirmed", 2, &TICKETS),
        Part::one("refused", 3, &verdict::REFUSAL),
    ],
);
pub(crate) static FROM_RECEIVER: Shape =
    Shape::new("FromReceiver", &[Part::one("confirm", 1, &TICKETS)]);

// === wire ⇄ domain ===

fn write_to(frame: &ToReceiver) -> ToKind {
    match frame {
        ToReceiver::Delivery(delivery) => ToKind::Delivery(proto::Delivery {
            certificates: delivery.certificates.clone(),
            items: delivery.items.iter().map(write_item).collect(),
        }),
        ToReceiver::Confirmed(tickets) => ToKind::Confirmed(write_tickets(tickets)),
        ToReceiver::Refused(refusal) => ToKind::Refused(verdict::write_refusal(refusal)),
    }
}

fn read_to(wire: proto::ToReceiver) -> Result<ToReceiver, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        ToKind::Delivery(wire) => ToReceiver::Delivery(read_delivery(wire)?),
        ToKind::Confirmed(wire) => ToReceiver::Confirmed(read_tickets(wire)?),
        ToKind::Refused(wire) => ToReceiver::Refused(verdict::read_refusal(wire)?),
    })
}

fn read_from(wire: proto::FromReceiver) -> Result<FromReceiver, Flaw> {
    let FromKind::Confirm(tickets) = field::present("kind", wire.kind)?;
    read_tickets(tickets).map(FromReceiver::Confirm)
}

fn read_delivery(wire: proto::Delivery) -> Result<Delivery, Flaw> {
    field::some_at_most("items", BATCH_MESSAGES_MAX, wire.items.len())?;
    bodies::check(wire.items.iter().map(|i| &i.body))?;
    Ok(Delivery {
        certificates: field::certificates(APPROVED_CERTIFICATES_MAX, wire.certificates)?,
        items: field::each(wire.items, read_item)?,
    })
}

fn write_item(item: &DeliveredItem) -> proto::DeliveredItem {
    proto::DeliveredItem {
        ticket: Some(write_ticket(&item.ticket)),
        envelope: Some(envelope::write(&item.envelope)),
        body: item.body.clone(),
        approvals: item.approvals.iter().map(approval::write_signed).collect(),
        handling: Some(handling::write(&item.handling)),
    }
}

fn read_item(wire: proto::DeliveredItem) -> Result<DeliveredItem, Flaw> {
    Ok(DeliveredItem {
        ticket: read_ticket(field::present("ticket", wire.ticket)?)?,
        envelope: envelope::read(wire.envelope)?,
        body: wire.body,
        approvals: approval::read_all(wire.approvals)?,
        handling: handling::read(wire.handling)?,
    })
}

fn write_tickets(tickets: &[Ticket]) -> proto::Tickets {
    let tickets = tickets.iter().map(write_ticket).collect();
    proto::Tickets { tickets }
}

fn read_tickets(wire: proto::Tickets) -> Result<Vec<Ticket>, Flaw> {
    field::some_at_most("tickets", TICKETS_MAX, wire.tickets.len())?;
    field::each(wire.tickets, read_ticket)
}

fn write_ticket(ticket: &Ticket) -> proto::Ticket {
    proto::Ticket { lane: ticket.lane.number().into(), seq: ticket.seq }
}

fn read_ticket(wire: proto::Ticket) -> Result<Ticket, Flaw> {
    Ok(Ticket { lane: field::lane(wire.lane)?, seq: wire.seq })
}
