//! Every bound of a link, with its unit, its reason, and what happens when it is reached.
//!
//! How many links may be open at once, how many bytes of frames may wait, how slow and how large one may be
//! stands in [`kuriiri_types::limits`].

use std::time::Duration;

// === flow control ===

/// Bytes that a peer may have under way on one stream: a batch fits whole, and a body of 16 MiB
/// flows through as it is read. More waits at the sender.
pub const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Bytes that a peer may have under way on all its streams, 80 MiB a second at a distance of 100 ms; the most
/// memory of one link that this side holds unread. More waits at the sender.
pub const LINK_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// Bytes sent to a peer and not yet acknowledged. More waits in [`Sender::send`](crate::Sender::send).
pub const SEND_WINDOW_BYTES: u64 = 16 * 1024 * 1024;
/// Streams that a peer may have open; a batch is one, in several lanes, and so is a body. More
/// wait in the peer's [`Link::open`](crate::Link::open).
pub const STREAMS_MAX: u32 = 256;
/// Bytes by which room for a frame is made before its bytes have come; from there it at most
/// doubles what has come, so a peer cannot reserve memory by announcing much and sending little.
pub const FRAME_STEP_BYTES: usize = 64 * 1024;

// === strangers ===

/// Peers knocking and not yet looked at by [`Endpoint::accept`](crate::Endpoint::accept). More:
/// refused by the endpoint itself.
pub const KNOCKS_MAX: usize = 256;
/// Bytes kept for one peer that knocks: a ClientHello with a hybrid key share is 2 KiB. More:
/// dropped, and sent again by an honest peer.
pub const KNOCK_BYTES_MAX: u64 = 16 * 1024;
/// Bytes kept for all peers that knock. More: dropped likewise.
pub const KNOCKS_BYTES_MAX: u64 = KNOCK_BYTES_MAX * 256;
/// How long a handshake may take, either way: some round trips over a bad line. Longer: the peer
/// counts as not answering.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of a peer's reason for closing that are kept. The rest is cut off.
pub const REASON_CHARS_MAX: usize = 256;

// === silence ===

/// Milliseconds of silence after which a link is lost.
pub const IDLE_TIMEOUT_MILLIS: u32 = 30_000;
/// How often the dialling side breaks a silence. Whoever only waits, as a receiver does, finds out by
/// it that the other side was killed and is back: so long a message for it may lie there. A packet of
/// some 30 bytes each.
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
