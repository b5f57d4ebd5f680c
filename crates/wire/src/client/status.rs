//! How the relay is.

use kuriiri_types::{Ministry, Timestamp};

use crate::{
    error::Flaw,
    field,
    limits::{REASON_BYTES_MAX, STATUS_ENTRIES_MAX, STATUS_NAME_BYTES_MAX},
    proto,
    shape::{Field, Shape},
};

/// How a relay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// Whose relay.
    pub ministry: Ministry,
    /// The relay's name; at most [`STATUS_NAME_BYTES_MAX`] bytes, one line.
    pub relay: String,
    /// The relay's time.
    pub now: Timestamp,
    /// The mailboxes that the asking system may read, at most [`STATUS_ENTRIES_MAX`].
    pub mailboxes: Vec<QueueStatus>,
    /// Every peer, at most [`STATUS_ENTRIES_MAX`].
    pub peers: Vec<PeerStatus>,
}

/// What waits in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// The queue's name; at most [`STATUS_NAME_BYTES_MAX`] bytes, one line.
    pub name: String,
    /// Messages that wait.
    pub messages: u64,
    /// When the oldest of them was taken.
    pub oldest: Option<Timestamp>,
}

/// How it stands with a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whose relay.
    pub ministry: Ministry,
    /// Whether a connection stands.
    pub connected: bool,
    /// Messages that wait for it.
    pub waiting: u64,
    /// When the oldest of them was taken.
    pub oldest: Option<Timestamp>,
    /// When the next try is, if no connection stands.
    pub next_try: Option<Timestamp>,
    /// Why the last try failed. May quote the peer, so it is cut to one line of
    /// [`REASON_BYTES_MAX`] bytes when encoded.
    pub problem: Option<String>,
}

static QUEUE_STATUS: Shape = Shape::new("QueueStatus", &[]);
static PEER_STATUS: Shape = Shape::new("PeerStatus", &[]);
pub(super) static STATUS_REPORT: Shape = Shape::new(
    "StatusReport",
    &[
        Field::many("mailboxes", 4, STATUS_ENTRIES_MAX, &QUEUE_STATUS),
        Field::many("peers", 5, STATUS_ENTRIES_MAX, &PEER_STATUS),
    ],
);

pub(super) fn write(report: &StatusReport) -> proto::StatusReport {
    proto::StatusReport {
        ministry: report.ministry.as_str().into(),
        relay: report.relay.clone(),
        now: report.now.as_millis(),
        mailboxes: report.mailboxes.iter().map(write_queue).collect(),
        peers: report.peers.iter().map(write_peer).collect(),
    }
}

pub(super) fn read(wire: proto::StatusReport) -> Result<StatusReport, Flaw> {
    field::at_most("mailboxes", STATUS_ENTRIES_MAX, wire.mailboxes.len())?;
    field::at_most("peers", STATUS_ENTRIES_MAX, wire.peers.len())?;
    Ok(StatusReport {
        ministry: field::ministry("ministry", &wire.ministry)?,
        relay: field::line("relay", STATUS_NAME_BYTES_MAX, wire.relay)?,
        now: Timestamp::from_millis(wire.now),
        mailboxes: field::each(wire.mailboxes, read_queue)?,
        peers: field::each(wire.peers, read_peer)?,
    })
}

fn write_queue(queue: &QueueStatus) -> proto::QueueStatus {
    proto::QueueStatus {
        name: queue.name.clone(),
        messages: queue.messages,
        oldest: queue.oldest.map(Timestamp::as_millis),
    }
}

fn read_queue(wire: proto::QueueStatus) -> Result<QueueStatus, Flaw> {
    Ok(QueueStatus {
        name: field::line("mailboxes.name", STATUS_NAME_BYTES_MAX, wire.name)?,
        messages: wire.messages,
        oldest: field::maybe_time(wire.oldest),
    })
}

fn write_peer(peer: &PeerStatus) -> proto::PeerStatus {
    let problem = peer.problem.as_deref();
    proto::PeerStatus {
        ministry: peer.ministry.as_str().into(),
        connected: peer.connected,
        waiting: peer.waiting,
        oldest: peer.oldest.map(Timestamp::as_millis),
        next_try: peer.next_try.map(Timestamp::as_millis),
        problem: problem.map(|text| field::cut(REASON_BYTES_MAX, text)),
    }
}

fn read_peer(wire: proto::PeerStatus) -> Result<PeerStatus, Flaw> {
    let problem = |text| field::line("peers.problem", REASON_BYTES_MAX, text);
    Ok(PeerStatus {
        ministry: field::ministry("peers.ministry", &wire.ministry)?,
        connected: wire.connected,
        waiting: wire.waiting,
        oldest: field::maybe_time(wire.oldest),
        next_try: field::maybe_time(wire.next_try),
        problem: wire.problem.map(problem).transpose()?,
    })
}
