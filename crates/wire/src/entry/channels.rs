//! Places in channels, beside each entry that has any.

use std::collections::HashSet;

use bytes::Bytes;
use kuriiri_types::{Channel, Direction};

use crate::{error::Flaw, field, limits::CHANNELS_MAX, proto};

pub(super) fn write(channels: &[Channel]) -> Vec<proto::Channel> {
    channels.iter().map(write_one).collect()
}

fn write_one(channel: &Channel) -> proto::Channel {
    proto::Channel {
        peer: channel.peer.as_str().into(),
        direction: write_direction(channel.direction).into(),
        seq: channel.seq,
        prev: Bytes::copy_from_slice(channel.prev.as_bytes()),
    }
}

pub(super) fn read(wire: &[proto::Channel]) -> Result<Vec<Channel>, Flaw> {
    let field = "channels";
    field::at_most(field, CHANNELS_MAX, wire.len())?;
    let channels = wire.iter().map(read_one).collect::<Result<Vec<_>, _>>()?;
    let chain = |channel: &Channel| (channel.peer.clone(), channel.direction);
    let chains: HashSet<_> = channels.iter().map(chain).collect();
    if chains.len() == channels.len() {
        return Ok(channels);
    }
    let rule = "has a chain twice";
    Err(Flaw::Form { field, rule })
}

fn read_one(wire: &proto::Channel) -> Result<Channel, Flaw> {
    Ok(Channel {
        peer: field::ministry("channels.peer", &wire.peer)?,
        direction: read_direction("channels.direction", wire.direction)?,
        seq: wire.seq,
        prev: field::digest("channels.prev", &wire.prev)?,
    })
}

pub(super) fn write_direction(direction: Direction) -> proto::Direction {
    match direction {
        Direction::In => proto::Direction::In,
        Direction::Out => proto::Direction::Out,
    }
}

pub(super) fn read_direction(field: field::Name, number: i32) -> Result<Direction, Flaw> {
    field::known(field, number, |number| match number {
        1 => Some(Direction::In),
        2 => Some(Direction::Out),
        _ => None,
    })
}
