//! Sums of channels in the log.

use kuriiri_types::{ChannelHead, Timestamp, limits::CHANNEL_HEADS_MAX};

use super::channels::{read_direction, write_direction};
use crate::{error::Flaw, field, hashes, proto};

pub(super) fn write(heads: &[ChannelHead]) -> proto::ChannelHeads {
    proto::ChannelHeads { heads: heads.iter().map(write_one).collect() }
}

fn write_one(head: &ChannelHead) -> proto::ChannelHead {
    proto::ChannelHead {
        peer: head.peer.as_str().into(),
        direction: write_direction(head.direction).into(),
        minute: head.minute.as_millis(),
        count: head.count,
        root: head.root.map(hashes::write_one),
        next: head.next,
        last: hashes::write_one(head.last),
    }
}

pub(super) fn read(wire: proto::ChannelHeads) -> Result<Vec<ChannelHead>, Flaw> {
    field::some_at_most("heads", CHANNEL_HEADS_MAX, wire.heads.len())?;
    field::each(wire.heads, read_one)
}

fn read_one(wire: proto::ChannelHead) -> Result<ChannelHead, Flaw> {
    if wire.count == 0 {
        return Err(Flaw::Form { field: "heads.count", rule: "must be at least 1" });
    }
    Ok(ChannelHead {
        peer: field::ministry("heads.peer", &wire.peer)?,
        direction: read_direction("heads.direction", wire.direction)?,
        minute: Timestamp::from_millis(wire.minute),
        count: wire.count,
        root: wire.root.map(|root| field::digest("heads.root", &root)).transpose()?,
        next: wire.next,
        last: field::digest("heads.last", &wire.last)?,
    })
}
