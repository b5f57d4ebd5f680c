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
        address().prop_map(QueueId::MailboxAside),
        ministry().prop_map(QueueId::OutboxAside),
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
        Just(Key::LogBegun),
        (name(255), direction())
            .prop_map(|(name, direction)| { Key::ChannelEnd(name.parse().unwrap(), direction) }),
        number().prop_map(Key::Entries),
        number().prop_map(Key::Headers),
        (time(), number()).prop_map(|(until, bundle)| Key::Kept(until, bundle)),
        number().prop_map(Key::Pruned),
        any::<[u8; 32]>().prop_map(|bytes| Key::Erased(Digest(bytes))),
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
        for at in [x, y] {
            let within = (x..y).contains(&at);
            prop_assert_eq!(holds(Key::entries_in(x..y), Key::Entries(at)), within);
            prop_assert_eq!(holds(Key::headers_in(x..y), Key::Headers(at)), within);
        }
        prop_assert!(holds(Key::headers(), Key::Headers(x)) && holds(Key::kept(), Key::Kept(a, x)));
        prop_assert_eq!(holds(Key::kept_through(a), Key::Kept(b, x)), b <= a);
        prop_assert!(holds(Key::pruned(), Key::Pruned(x)));
        prop_assert!(holds(Key::erased(), Key::Erased(Digest([255; 32]))));
        prop_assert!(holds(Key::seen_logs(), Key::SeenLog("a".parse().unwrap())));
        let end = |direction| Key::ChannelEnd("a".parse().unwrap(), direction);
        prop_assert!(holds(Key::channel_ends(), end(Direction::In)));
        prop_assert!(holds(Key::channel_ends(), end(Direction::Out)));
        prop_assert!(!holds(Key::seen_logs(), end(Direction::In)));
        for stranger in [Key::LogHead, Key::LogNote, Key::Headers(x)] {
            prop_assert!(!holds(Key::seen_logs(), stranger.clone()) && !holds(Key::entries(), stranger));
        }
    }
}
