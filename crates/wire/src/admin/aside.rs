//! Messages that are set aside, and what people have become of them.

use bytes::Bytes;
use kuriiri_types::{Address, Digest, Lane, MessageId, Ministry, Refusal, Timestamp};

use crate::{
    error::Flaw,
    field,
    limits::ASIDE_PAGE,
    proto, refusal,
    shape::{Field, Shape},
};

/// Messages that are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideMessages {
    /// At most [`ASIDE_PAGE`]: those of mailboxes first, in the order of their queues' names.
    pub messages: Vec<AsideMessage>,
    /// Whether there are more after these.
    pub more: bool,
}

/// One message that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideMessage {
    /// Where it stands.
    pub place: AsidePlace,
    /// The message.
    pub id: MessageId,
    /// The leaf hash of its header.
    pub header: Digest,
    /// Its sender.
    pub from: Address,
    /// Bytes of its body as carried, salt not counted.
    pub size: u64,
    /// When the relay took it.
    pub accepted: Timestamp,
    /// When it ends if nobody acts.
    pub expires: Timestamp,
    /// When it was set aside.
    pub since: Timestamp,
    /// Why.
    pub why: Refusal,
}

/// Where a message stands among those that are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsidePlace {
    /// The queue that it was taken out of.
    pub queue: AsideQueue,
    /// Its lane.
    pub lane: Lane,
    /// The number in the lane.
    pub seq: u64,
}

/// A queue that messages can be taken out of to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsideQueue {
    /// What waits for a recipient's system.
    Mailbox(Address),
    /// What waits for the relay of a ministry.
    Outbox(Ministry),
}

/// What is to become of a message that is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsideDeed {
    /// It goes back to the end of the queue that it was taken out of.
    Retry,
    /// It ends, and its sender hears that it was refused, with the code for which it was set aside.
    Refuse,
}

impl std::fmt::Display for AsideQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mailbox(address) => address.fmt(f),
            Self::Outbox(ministry) => ministry.fmt(f),
        }
    }
}

// === shapes ===

static PLACE: Shape = Shape::new("AsidePlace", &[]);
static MESSAGE: Shape = Shape::new(
    "AsideMessage",
    &[Field::one("place", 1, &PLACE), Field::one("why", 9, &refusal::REFUSAL)],
);
pub(super) static MESSAGES: Shape =
    Shape::new("AsideMessages", &[Field::many("messages", 1, ASIDE_PAGE, &MESSAGE)]);
pub(super) static LIST: Shape = Shape::new("AsideList", &[Field::one("after", 1, &PLACE)]);
pub(super) static ACT: Shape = Shape::new("AsideAct", &[]);

// === wire ⇄ domain ===

pub(super) fn write(page: &AsideMessages) -> proto::AsideMessages {
    let messages = page.messages.iter().map(write_message).collect();
    proto::AsideMessages { messages, more: page.more }
}

pub(super) fn read(wire: proto::AsideMessages) -> Result<AsideMessages, Flaw> {
    field::at_most("messages", ASIDE_PAGE, wire.messages.len())?;
    Ok(AsideMessages { messages: field::each(wire.messages, read_message)?, more: wire.more })
}

fn write_message(message: &AsideMessage) -> proto::AsideMessage {
    proto::AsideMessage {
        place: Some(write_place(&message.place)),
        id: Bytes::copy_from_slice(message.id.as_bytes()),
        header: Bytes::copy_from_slice(&message.header.0),
        from: message.from.to_string(),
        size: message.size,
        accepted: message.accepted.as_millis(),
        expires: message.expires.as_millis(),
        since: message.since.as_millis(),
        why: Some(refusal::write(&message.why)),
    }
}

fn read_message(wire: proto::AsideMessage) -> Result<AsideMessage, Flaw> {
    Ok(AsideMessage {
        place: read_place(field::present("place", wire.place)?)?,
        id: field::message_id("id", &wire.id)?,
        header: field::digest("header", &wire.header)?,
        from: field::address("from", &wire.from)?,
        size: wire.size,
        accepted: Timestamp::from_millis(wire.accepted),
        expires: Timestamp::from_millis(wire.expires),
        since: Timestamp::from_millis(wire.since),
        why: refusal::read(field::present("why", wire.why)?)?,
    })
}

pub(super) fn write_place(place: &AsidePlace) -> proto::AsidePlace {
    let AsidePlace { queue, lane, seq } = place;
    proto::AsidePlace { queue: queue.to_string(), lane: lane.number().into(), seq: *seq }
}

pub(super) fn read_place(wire: proto::AsidePlace) -> Result<AsidePlace, Flaw> {
    let queue = if wire.queue.contains('@') {
        AsideQueue::Mailbox(field::address("queue", &wire.queue)?)
    } else {
        AsideQueue::Outbox(field::ministry("queue", &wire.queue)?)
    };
    Ok(AsidePlace { queue, lane: field::lane(wire.lane)?, seq: wire.seq })
}

pub(super) fn write_deed(deed: AsideDeed) -> proto::AsideDeed {
    match deed {
        AsideDeed::Retry => proto::AsideDeed::Retry,
        AsideDeed::Refuse => proto::AsideDeed::Refuse,
    }
}

pub(super) fn read_deed(number: i32) -> Result<AsideDeed, Flaw> {
    field::known("deed", number, |number| match number {
        1 => Some(AsideDeed::Retry),
        2 => Some(AsideDeed::Refuse),
        _ => None,
    })
}
