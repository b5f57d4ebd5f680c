//! How long the kit waits, and how much of each bad thing it does.

use std::time::Duration;

/// How long a relay may take to answer, or to end what is wrong: many round trips and commits. Longer: it did
/// neither.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);
/// How long an honest exchange may take beside or after a case. Longer: the relay does not serve others.
pub(crate) const CONTROL: Duration = Duration::from_secs(15);
/// How long a relay may wait for a partner that does not go on. The contract gives no number; a minute is more
/// than any line between ministries needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take until what was not taken comes again: some rests that become longer.
pub(crate) const AGAIN_WITHIN: Duration = Duration::from_secs(30);
/// How long a case may take in all, and one that waits.
pub(crate) const CASE: Duration = Duration::from_secs(45);
/// The same for a case that lasts as long as a relay waits.
pub(crate) const WAITING_CASE: Duration = Duration::from_secs(120);
/// Cases that wait at the same time, each with a link: one link is left for the honest exchange, because a
/// relay may give a ministry as few as four.
pub(crate) const WAITING_AT_ONCE: usize = 3;

/// After so long a message expires that is to expire: long enough to be taken first.
pub(crate) const SOON: Duration = Duration::from_millis(1500);
/// Rest between two bytes of a frame that trickles.
pub(crate) const DRIP: Duration = Duration::from_secs(1);
/// Bytes that a partner lets come unread which reads nothing: a Hello and an answer or two.
pub(crate) const TINY_WINDOW_BYTES: u32 = 2048;
/// Bytes of what a relay says that are kept.
pub(crate) const WORDS_CHARS_MAX: usize = 300;

/// Handshakes that are begun and left.
pub(crate) const HANDSHAKES: usize = 64;
/// Links that are made one after the other and all kept.
pub(crate) const LINKS: usize = 24;
/// Streams that are opened and left; more than a right relay allows at once need not be opened.
pub(crate) const STREAMS: usize = 200;
/// Streams that are opened on each link and broken off.
pub(crate) const RESETS: usize = 200;
/// Batches that are under way at once.
pub(crate) const BATCHES: usize = 64;
/// Frames that are announced as large as may be, and only begun.
pub(crate) const ANNOUNCED: usize = 48;
/// Denied messages in each batch, and batches of them.
pub(crate) const DENIED: (usize, usize) = (256, 4);
/// Links on which the partner says Hello and then cannot be dialled.
pub(crate) const HELLOS: usize = 64;
/// Dials to one partner that may be under way at once: one that waits for the partner of before, and some more.
pub(crate) const DIALS: usize = 8;
/// After so long a dial that was given up sends nothing any more.
pub(crate) const DIALS_SETTLE: Duration = Duration::from_millis(500);
/// So long dials are counted: the first packet is sent again after one second, and after two more (RFC 9002 §6.2).
pub(crate) const DIALS_SEEN: Duration = Duration::from_millis(3500);
/// Questions at once.
pub(crate) const QUESTIONS: usize = 128;
/// Size of the partner's log above which the kit does not make it again.
pub(crate) const LOG_MAX: u64 = 1 << 20;
