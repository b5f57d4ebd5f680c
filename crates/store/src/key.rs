//! The keys of the one tree.
//!
//! A key is a byte for its kind and then its parts, each in a form whose bytes compare as the
//! part does. So the order in the tree is the order of [`Key`], and a queue, a lane or a time is
//! one contiguous range. Names end with a zero byte, which no name has inside: unlike a length in
//! front this keeps their order, and is as unambiguous.

use std::ops::Range;

use kuriiri_engine::{HoldNumber, PackKey, QueueId, Seq};
use kuriiri_types::{Address, Digest, Direction, Fingerprint, Lane, Ministry, Timestamp};

const FORMAT: u8 = 0x01;
const COMMITS: u8 = 0x02;
const STARTS: u8 = 0x03;
const LOG_HEAD: u8 = 0x04;
const SEEN_LOG: u8 = 0x05;
const LOG_NOTE: u8 = 0x06;
const LOG_BEGUN: u8 = 0x08;
const CHANNEL_END: u8 = 0x09;
const PRUNED: u8 = 0x0A;
const ERASED: u8 = 0x0B;
const PACK: u8 = 0x10;
const DONE: u8 = 0x11;
const DUE: u8 = 0x12;
const HOLD: u8 = 0x18;
const SEEN: u8 = 0x20;
const CERTIFICATE: u8 = 0x30;
const BODY_FILE: u8 = 0x40;
const ENTRIES: u8 = 0x50;
const HEADERS: u8 = 0x51;
const KEPT: u8 = 0x52;

const OUTBOX: u8 = 1;
const MAILBOX: u8 = 2;
const RECEIPTS: u8 = 3;
const MAILBOX_ASIDE: u8 = 4;
const OUTBOX_ASIDE: u8 = 5;

const IN: u8 = 1;
const OUT: u8 = 2;

/// Turns the order of signed numbers into that of unsigned ones.
const SIGN: u64 = 1 << 63;

/// Whether records with such a key have bodies or headers of messages in them, which can be erased.
pub(crate) fn is_covered(key: &[u8]) -> bool {
    matches!(key.first(), Some(&(PACK | HOLD | HEADERS)))
}

/// A record of the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The version of this layout.
    Format,
    /// Number of the last commit.
    Commits,
    /// How often the relay has started.
    Starts,
    /// How the log stands.
    LogHead,
    /// What was cosigned of a peer's log.
    SeenLog(Ministry),
    /// The signed checkpoint of the log as it stands.
    LogNote,
    /// Which of its ministry's logs it is.
    LogBegun,
    /// Where the chain of messages with a peer ends.
    ChannelEnd(Ministry, Direction),
    /// Headers beside entries before this place left when their time was over.
    Pruned(u64),
    /// A header was erased.
    Erased(Digest),
    /// A pack.
    Pack(PackKey),
    /// What is done of a pack.
    Done(PackKey),
    /// A note of expiry.
    Due(Timestamp, PackKey),
    /// A message that waits for people or its hours.
    Hold(HoldNumber),
    /// A run of marks.
    Seen { bucket: u64, run: u64 },
    /// A certificate.
    Certificate(Fingerprint),
    /// How many references there are into a body file.
    BodyFile(u64),
    /// Entries of the log whose files are not known to be durable, from this place on.
    Entries(u64),
    /// The headers beside the entry of the log at this place, as long as it is among the records.
    Headers(u64),
    /// Of the headers beside the entries of this bundle, none that is left leaves before this time.
    Kept(Timestamp, u64),
}

impl Key {
    /// The bytes of the key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Format => vec![FORMAT],
            Self::Commits => vec![COMMITS],
            Self::Starts => vec![STARTS],
            Self::LogHead => vec![LOG_HEAD],
            Self::SeenLog(peer) => with_name(vec![SEEN_LOG], peer.as_str()),
            Self::LogNote => vec![LOG_NOTE],
            Self::LogBegun => vec![LOG_BEGUN],
            Self::ChannelEnd(peer, direction) => {
                with_direction(with_name(vec![CHANNEL_END], peer.as_str()), *direction)
            }
            Self::Pruned(before) => with_number(vec![PRUNED], *before),
            Self::Erased(header) => with_bytes(vec![ERASED], header.as_bytes()),
            Self::Pack(key) => with_pack_key(vec![PACK], key),
            Self::Done(key) => with_pack_key(vec![DONE], key),
            Self::Due(at, key) => with_pack_key(with_number(vec![DUE], sortable(*at)), key),
            Self::Hold(number) => with_number(vec![HOLD], *number),
            Self::Seen { bucket, run } => with_number(with_number(vec![SEEN], *bucket), *run),
            Self::Certificate(fingerprint) => with_bytes(vec![CERTIFICATE], fingerprint.as_bytes()),
            Self::BodyFile(number) => with_number(vec![BODY_FILE], *number),
            Self::Entries(first) => with_number(vec![ENTRIES], *first),
            Self::Headers(entry) => with_number(vec![HEADERS], *entry),
            Self::Kept(until, bundle) => {
                with_number(with_number(vec![KEPT], sortable(*until)), *bundle)
            }
        }
    }

    /// The key with these bytes; nothing when [`encode`](Self::encode) cannot have made them.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let key = match rest.byte()? {
            FORMAT => Self::Format,
            COMMITS => Self::Commits,
            STARTS => Self::Starts,
            LOG_HEAD => Self::LogHead,
            SEEN_LOG => Self::SeenLog(rest.ministry()?),
            LOG_NOTE => Self::LogNote,
            LOG_BEGUN => Self::LogBegun,
            CHANNEL_END => Self::ChannelEnd(rest.ministry()?, rest.direction()?),
            PRUNED => Self::Pruned(rest.number()?),
            ERASED => Self::Erased(Digest(rest.array()?)),
            PACK => Self::Pack(rest.pack_key()?),
            DONE => Self::Done(rest.pack_key()?),
            DUE => Self::Due(rest.time()?, rest.pack_key()?),
            HOLD => Self::Hold(rest.number()?),
            SEEN => Self::Seen { bucket: rest.number()?, run: rest.number()? },
            CERTIFICATE => Self::Certificate(Digest(rest.array()?)),
            BODY_FILE => Self::BodyFile(rest.number()?),
            ENTRIES => Self::Entries(rest.number()?),
            HEADERS => Self::Headers(rest.number()?),
            KEPT => Self::Kept(rest.time()?, rest.number()?),
            _ => return None,
        };
        rest.0.is_empty().then_some(key)
    }

    /// What was cosigned of all peers' logs.
    pub(crate) fn seen_logs() -> Range<Vec<u8>> {
        vec![SEEN_LOG]..vec![SEEN_LOG + 1]
    }

    /// Where all chains end.
    pub(crate) fn channel_ends() -> Range<Vec<u8>> {
        vec![CHANNEL_END]..vec![CHANNEL_END + 1]
    }

    /// All packs.
    pub(crate) fn packs() -> Range<Vec<u8>> {
        vec![PACK]..vec![PACK + 1]
    }

    /// All marks of what is done.
    pub(crate) fn done() -> Range<Vec<u8>> {
        vec![DONE]..vec![DONE + 1]
    }

    /// The packs of a lane from a sequence number on; its end is where the next lane can begin.
    pub(crate) fn lane(queue: &QueueId, lane: Lane, from: Seq) -> Range<Vec<u8>> {
        let mut end = with_queue(vec![PACK], queue);
        let mut start = end.clone();
        start.push(lane.number());
        end.push(lane.number() + 1);
        with_number(start, from)..end
    }

    /// The notes of expiry at or before a time.
    pub(crate) fn due_through(time: Timestamp) -> Range<Vec<u8>> {
        vec![DUE]..after(DUE, sortable(time))
    }

    /// All notes of expiry.
    pub(crate) fn due() -> Range<Vec<u8>> {
        vec![DUE]..vec![DUE + 1]
    }

    /// The holds from a number on.
    pub(crate) fn holds_from(number: HoldNumber) -> Range<Vec<u8>> {
        with_number(vec![HOLD], number)..vec![HOLD + 1]
    }

    /// The runs of one bucket.
    pub(crate) fn seen_in(bucket: u64) -> Range<Vec<u8>> {
        with_number(vec![SEEN], bucket)..after(SEEN, bucket)
    }

    /// The runs of all buckets before one.
    pub(crate) fn seen_before(bucket: u64) -> Range<Vec<u8>> {
        vec![SEEN]..with_number(vec![SEEN], bucket)
    }

    /// All entries of the log that stand among the records.
    pub(crate) fn entries() -> Range<Vec<u8>> {
        vec![ENTRIES]..vec![ENTRIES + 1]
    }

    /// Those from a place on and before another one.
    pub(crate) fn entries_in(places: Range<u64>) -> Range<Vec<u8>> {
        with_number(vec![ENTRIES], places.start)..with_number(vec![ENTRIES], places.end)
    }

    /// The headers beside all entries that stand among the records.
    pub(crate) fn headers() -> Range<Vec<u8>> {
        vec![HEADERS]..vec![HEADERS + 1]
    }

    /// Those beside entries from a place on and before another one.
    pub(crate) fn headers_in(places: Range<u64>) -> Range<Vec<u8>> {
        with_number(vec![HEADERS], places.start)..with_number(vec![HEADERS], places.end)
    }

    /// All bundles with headers beside them, by the time when the first leaves.
    pub(crate) fn kept() -> Range<Vec<u8>> {
        vec![KEPT]..vec![KEPT + 1]
    }

    /// Those of which headers leave at or before a time.
    pub(crate) fn kept_through(time: Timestamp) -> Range<Vec<u8>> {
        vec![KEPT]..after(KEPT, sortable(time))
    }

    /// Which headers left when their time was over.
    pub(crate) fn pruned() -> Range<Vec<u8>> {
        vec![PRUNED]..vec![PRUNED + 1]
    }

    /// All headers that were erased.
    pub(crate) fn erased() -> Range<Vec<u8>> {
        vec![ERASED]..vec![ERASED + 1]
    }

    /// The counts of all body files.
    pub(crate) fn body_files() -> Range<Vec<u8>> {
        vec![BODY_FILE]..vec![BODY_FILE + 1]
    }
}

// === writing ===

fn with_bytes(mut out: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    out.extend_from_slice(bytes);
    out
}

fn with_number(out: Vec<u8>, number: u64) -> Vec<u8> {
    with_bytes(out, &number.to_be_bytes())
}

fn with_name(mut out: Vec<u8>, name: &str) -> Vec<u8> {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    out
}

fn with_address(out: Vec<u8>, address: &Address) -> Vec<u8> {
    with_name(with_name(out, address.mailbox()), address.ministry().as_str())
}

fn with_direction(mut out: Vec<u8>, direction: Direction) -> Vec<u8> {
    out.push(match direction {
        Direction::In => IN,
        Direction::Out => OUT,
    });
    out
}

fn with_queue(mut out: Vec<u8>, queue: &QueueId) -> Vec<u8> {
    match queue {
        QueueId::Outbox(ministry) => {
            out.push(OUTBOX);
            with_name(out, ministry.as_str())
        }
        QueueId::Mailbox(address) => {
            out.push(MAILBOX);
            with_address(out, address)
        }
        QueueId::Receipts(address) => {
            out.push(RECEIPTS);
            with_address(out, address)
        }
        QueueId::MailboxAside(address) => {
            out.push(MAILBOX_ASIDE);
            with_address(out, address)
        }
        QueueId::OutboxAside(ministry) => {
            out.push(OUTBOX_ASIDE);
            with_name(out, ministry.as_str())
        }
    }
}

fn with_pack_key(out: Vec<u8>, key: &PackKey) -> Vec<u8> {
    let mut out = with_queue(out, &key.queue);
    out.push(key.lane.number());
    with_number(out, key.first)
}

fn sortable(time: Timestamp) -> u64 {
    time.as_millis().cast_unsigned() ^ SIGN
}

/// The first bytes after all keys of a kind whose first number is this one.
fn after(kind: u8, number: u64) -> Vec<u8> {
    match number.checked_add(1) {
        Some(next) => with_number(vec![kind], next),
        None => vec![kind + 1],
    }
}

// === reading ===

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn time(&mut self) -> Option<Timestamp> {
        let number = self.number()? ^ SIGN;
        Some(Timestamp::from_millis(number.cast_signed()))
    }

    fn name(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let (name, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        str::from_utf8(name).ok()
    }

    fn ministry(&mut self) -> Option<Ministry> {
        self.name()?.parse().ok()
    }

    fn address(&mut self) -> Option<Address> {
        let mailbox = self.name()?;
        Address::new(mailbox, self.ministry()?).ok()
    }

    fn direction(&mut self) -> Option<Direction> {
        match self.byte()? {
            IN => Some(Direction::In),
            OUT => Some(Direction::Out),
            _ => None,
        }
    }

    fn queue(&mut self) -> Option<QueueId> {
        match self.byte()? {
            OUTBOX => self.ministry().map(QueueId::Outbox),
            MAILBOX => self.address().map(QueueId::Mailbox),
            RECEIPTS => self.address().map(QueueId::Receipts),
            MAILBOX_ASIDE => self.address().map(QueueId::MailboxAside),
            OUTBOX_ASIDE => self.ministry().map(QueueId::OutboxAside),
            _ => None,
        }
    }

    fn pack_key(&mut self) -> Option<PackKey> {
        Some(PackKey {
            queue: self.queue()?,
            lane: Lane::from_number(self.byte()?.into())?,
            first: self.number()?,
        })
    }
}

#[cfg(test)]
mod tests;
