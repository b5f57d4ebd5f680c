//! Bounds of a client, each with its unit, its reason, and what happens when it is reached.
//!
//! Those of messages, batches and subscriptions are in [`kuriiri_types::limits`].

use std::time::Duration;

// === sending ===

/// Messages of one precedence that wait or are under way: sixteen times what is under way at once.
/// More wait in [`Client::send`](crate::Client::send).
pub const LANE_MESSAGES_MAX: u32 = 8 * 1024;
/// Bytes of bodies of one precedence that wait or are under way: two of the largest. More wait in
/// [`Client::send`](crate::Client::send).
pub const LANE_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// Answers of the relay about who may have what that are remembered. When it is full, all are
/// forgotten and asked for again.
pub const ANSWERS_REMEMBERED: usize = 1024;
/// First rest after the relay said that a queue is full; it doubles while the relay goes on so.
pub const BUSY_REST: Duration = Duration::from_millis(50);
/// Longest rest after the relay said that a queue is full.
pub const BUSY_REST_MAX: Duration = Duration::from_secs(2);

// === the link ===

/// Longest wait between two tries to reach the relay: it is at home, so it is soon back.
pub const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the relay may take to answer a request that it has in full. Longer: it is as good as
/// gone, and the link is made anew.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long [`Client::close`](crate::Client::close) waits until the relay was told.
pub const FAREWELL: Duration = Duration::from_secs(2);

// === receiving ===

/// Messages that are delivered and not yet confirmed, unless
/// [`ReceiveOptions::credit`](crate::ReceiveOptions::credit) says otherwise.
pub const CREDIT: u32 = 256;
/// Messages remembered as dealt with although the relay never said so: four full subscriptions,
/// each of which broke off. Of more, the oldest would be shown again.
pub const DONE_REMEMBERED: usize = 4 * kuriiri_types::limits::CREDIT_MAX as usize;
/// Messages that are set aside in one list, about 1 KiB each; more are shown when these are dealt with.
pub const ASIDES_SHOWN_MAX: usize = 20_000;
/// Confirmations under way that [`Client::close`](crate::Client::close) waits for. More are sent
/// all the same, and not waited for.
pub const CONFIRMATIONS_AWAITED: u32 = 1024 * 1024;
/// Receipts that were read and not yet taken by the program. More wait at the relay.
pub const RECEIPTS_BUFFERED: usize = 256;
