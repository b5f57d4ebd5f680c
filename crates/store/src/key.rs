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
const LOG_START: u8 = 0x07;
const LOG_BEGUN: u8 = 0x08;
const CHANNEL_END: u8 = 0x09;
const PACK: u8 = 0x10;
const DONE: u8 = 0x11;
const DUE: u8 = 0x12;
const HOLD: u8 = 0x18;
const SEEN: u8 = 0x20;
const CERTIFICATE: u8 = 0x30;
const BODY_FILE: u8 = 0x40;
const ENTRIES: u8 = 0x50;

const OUTBOX: u8 = 1;
const MAILBOX: u8 = 2;
const RECEIPTS: u8 = 3;

const IN: u8 = 1;
const OUT: u8 = 2;

/// Turns the order of signed numbers into that of unsigned ones.
const SIGN: u64 = 1 << 63;

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
    /// Where the log begins.
    LogStart,
    /// Which of its ministry's logs it is.
    LogBegun,
    /// Where the chain of messages with a peer ends.
    ChannelEnd(Ministry, Direction),
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
            Self::LogStart => vec![LOG_START],
            Self::LogBegun => vec![LOG_BEGUN],
            Self::ChannelEnd(peer, direction) => {
                with_direction(with_name(vec![CHANNEL_END], peer.as_str()), *direction)
            }
            Self::Pack(key) => with_pack_key(vec![PACK], key),
            Self::Done(key) => with_pack_key(vec![DONE], key),
            Self::Due(at, key) => with_pack_key(with_number(vec![DUE], sortable(*at)), key),
            Self::Hold(number) => with_number(vec![HOLD], *number),
            Self::Seen { bucket, run } => with_number(with_number(vec![SEEN], *bucket), *run),
            Self::Certificate(fingerprint) => with_bytes(vec![CERTIFICATE], fingerprint.as_bytes()),
            Self::BodyFile(number) => with_number(vec![BODY_FILE], *number),
            Self::Entries(first) => with_number(vec![ENTRIES], *first),
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
            LOG_START => Self::LogStart,
            LOG_BEGUN => Self::LogBegun,
            CHANNEL_END => Self::ChannelEnd(rest.ministry()?, rest.direction()?),
            PACK => Self::Pack(rest.pack_key()?),
            DONE => Self::Done(rest.pack_key()?),
            DUE => Self::Due(rest.time()?, rest.pack_key()?),
            HOLD => Self::Hold(rest.number()?),
            SEEN => Self::Seen { bucket: rest.number()?, run: rest.number()? },
            CERTIFICATE => Self::Certificate(Digest(rest.array()?)),
            BODY_FILE => Self::BodyFile(rest.number()?),
            ENTRIES => Self::Entries(rest.number()?),
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

    /// Those before a place.
    pub(crate) fn entries_before(place: u64) -> Range<Vec<u8>> {
        vec![ENTRIES]..with_number(vec![ENTRIES], place)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(bytes_max: usize) -> impl Strategy<Value = String> {
        // Few letters, so that one name is often the beginning of another.
        prop::collection::vec(prop::sample::select(vec!["a", "b", "a.b", "b-a"]), 1..4)
            .prop_map(|parts| parts.concat())
            .prop_filter("too long", move |name| name.len() <= bytes_max)
    }

    fn queue() -> impl Strategy<Value = QueueId> {
        let ministry = || name(255).prop_map(|name| name.parse::<Ministry>().unwrap());
        let address =
            || (name(64), ministry()).prop_map(|(m, ministry)| Address::new(&m, ministry).unwrap());
        prop_oneof![
            ministry().prop_map(QueueId::Outbox),
            address().prop_map(QueueId::Mailbox),
            address().prop_map(QueueId::Receipts),
        ]
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..3u64, any::<u64>(), Just(255), Just(256), Just(u64::MAX)]
    }

    fn pack_key() -> impl Strategy<Value = PackKey> {
        let lane = prop::sample::select(Lane::BY_URGENCY.to_vec());
        (queue(), lane, number()).prop_map(|(queue, lane, first)| PackKey { queue, lane, first })
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        prop_oneof![-2..3i64, any::<i64>()].prop_map(Timestamp::from_millis)
    }

    fn direction() -> impl Strategy<Value = Direction> {
        prop::sample::select(vec![Direction::In, Direction::Out])
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::Format),
            Just(Key::Commits),
            Just(Key::Starts),
            Just(Key::LogHead),
            name(255).prop_map(|name| Key::SeenLog(name.parse().unwrap())),
            Just(Key::LogNote),
            Just(Key::LogStart),
            Just(Key::LogBegun),
            (name(255), direction()).prop_map(|(name, direction)| {
                Key::ChannelEnd(name.parse().unwrap(), direction)
            }),
            number().prop_map(Key::Entries),
            pack_key().prop_map(Key::Pack),
            pack_key().prop_map(Key::Done),
            (time(), pack_key()).prop_map(|(at, key)| Key::Due(at, key)),
            (number(), number()).prop_map(|(bucket, run)| Key::Seen { bucket, run }),
            any::<[u8; 32]>().prop_map(|bytes| Key::Certificate(Digest(bytes))),
            number().prop_map(Key::BodyFile),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn keys_come_back_and_sort_as_bytes(a in key(), b in key()) {
            prop_assert_eq!(Key::decode(&a.encode()), Some(a.clone()));
            prop_assert_eq!(a.cmp(&b), a.encode().cmp(&b.encode()));
        }

        #[test]
        fn no_other_bytes_are_a_key(key in key(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let bytes = key.encode();
            prop_assert_eq!(Key::decode(&bytes[..at.index(bytes.len())]), None);
            prop_assert_eq!(Key::decode(&with_bytes(bytes.clone(), &[0])), None);
            let mut flipped = bytes.clone();
            flipped[at.index(bytes.len())] ^= 1 << bit;
            if let Some(other) = Key::decode(&flipped) {
                prop_assert_eq!(other.encode(), flipped);
            }
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(key) = Key::decode(&bytes) {
                prop_assert_eq!(key.encode(), bytes);
            }
        }

        #[test]
        fn ranges_hold_what_they_say(key in pack_key(), other in pack_key(), a in time(), b in time(), x in number(), y in number()) {
            let holds = |range: Range<Vec<u8>>, key: Key| range.contains(&key.encode());
            let same = key.queue == other.queue && key.lane == other.lane;
            prop_assert_eq!(
                holds(Key::lane(&key.queue, key.lane, key.first), Key::Pack(other.clone())),
                same && other.first >= key.first
            );
            prop_assert!(holds(Key::packs(), Key::Pack(key.clone())));
            prop_assert!(!holds(Key::packs(), Key::Done(key)));
            prop_assert_eq!(holds(Key::due_through(a), Key::Due(b, other)), b <= a);
            let seen = Key::Seen { bucket: y, run: u64::MAX };
            prop_assert_eq!(holds(Key::seen_in(x), seen.clone()), x == y);
            prop_assert_eq!(holds(Key::seen_before(x), seen), y < x);
            prop_assert!(holds(Key::entries(), Key::Entries(x)));
            prop_assert_eq!(holds(Key::entries_before(x), Key::Entries(y)), y < x);
            prop_assert!(holds(Key::seen_logs(), Key::SeenLog("a".parse().unwrap())));
            let end = |direction| Key::ChannelEnd("a".parse().unwrap(), direction);
            prop_assert!(holds(Key::channel_ends(), end(Direction::In)));
            prop_assert!(holds(Key::channel_ends(), end(Direction::Out)));
            prop_assert!(!holds(Key::seen_logs(), end(Direction::In)));
            for stranger in [Key::LogHead, Key::LogNote, Key::LogStart] {
                prop_assert!(!holds(Key::seen_logs(), stranger.clone()) && !holds(Key::entries(), stranger));
            }
        }
    }
}
