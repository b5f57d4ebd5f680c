//! Any entry of a log, within its limits.

use bytes::Bytes;
use kuriiri_types::*;
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::select,
};

use super::{
    bytes, code, digest, giver, identity, line, ministry, receipt, signed_approvals,
    signed_receipt, subject, time,
};

/// An entry of any kind.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    entry_of(event().boxed())
}

/// An entry that is a receipt.
pub(crate) fn receipt_entry() -> impl Strategy<Value = Entry> {
    entry_of(receipt().prop_map(LogEvent::Receipt).boxed())
}

/// An entry that is a decision.
pub(crate) fn decision_entry() -> impl Strategy<Value = Entry> {
    entry_of(decided().prop_map(|decided| LogEvent::Decided(Box::new(decided))).boxed())
}

fn entry_of(event: BoxedStrategy<LogEvent>) -> impl Strategy<Value = Entry> {
    (any::<[u8; 32]>(), time(), any::<u64>(), channels(), event)
        .prop_map(|(salt, at, boot, channels, event)| Entry { salt, at, boot, channels, event })
}

fn channels() -> impl Strategy<Value = Vec<Channel>> {
    let direction = select(vec![Direction::In, Direction::Out]);
    let place = (any::<u64>(), digest());
    btree_map((ministry(), direction), place, 0..4).prop_map(|chains| {
        let channel = |((peer, direction), (seq, prev))| Channel { peer, direction, seq, prev };
        chains.into_iter().map(channel).collect()
    })
}

fn event() -> impl Strategy<Value = LogEvent> {
    prop_oneof![about_a_message(), about_the_log(), about_people()]
}

fn about_a_message() -> impl Strategy<Value = LogEvent> {
    let approved = (digest(), signed_approvals()).prop_filter_map("one", |(subject, mut all)| {
        Some(LogEvent::Approved { subject, approval: all.pop()? })
    });
    prop_oneof![
        receipt().prop_map(LogEvent::Receipt),
        (ministry(), signed_receipt())
            .prop_map(|(from, receipt)| LogEvent::ReceiptIn { from, receipt: Box::new(receipt) }),
        decided().prop_map(|decided| LogEvent::Decided(Box::new(decided))),
        (giver(), code(), any::<u32>()).prop_map(|(by, code, count)| LogEvent::TurnedAway {
            by,
            code,
            count
        }),
        approved,
    ]
}

fn about_the_log() -> impl Strategy<Value = LogEvent> {
    prop_oneof![
        bytes(60).prop_map(|der| LogEvent::Certificate { der }),
        bytes(60).prop_map(|checkpoint| LogEvent::PeerCheckpoint { checkpoint }),
        line().prop_map(|software| LogEvent::Booted { software }),
        bytes(60).prop_map(|checkpoint| LogEvent::Restored { checkpoint }),
        time().prop_map(|from| LogEvent::ClockStepped { from }),
        vec(channel_head(), 1..4).prop_map(LogEvent::ChannelHeads),
    ]
}

fn channel_head() -> impl Strategy<Value = ChannelHead> {
    let channel = (ministry(), select(vec![Direction::In, Direction::Out]));
    let sum = (time(), 1..u64::MAX, option::of(digest()));
    (channel, sum, any::<u64>(), digest()).prop_map(|((peer, direction), sum, next, last)| {
        let (minute, count, root) = sum;
        ChannelHead { peer, direction, minute, count, root, next, last }
    })
}

fn about_people() -> impl Strategy<Value = LogEvent> {
    prop_oneof![
        policy().prop_map(LogEvent::PolicyChanged),
        part().prop_map(LogEvent::FilePart),
        (digest(), any::<bool>(), identity(), line()).prop_map(|(subject, header, by, basis)| {
            LogEvent::Erased { subject, header, by, basis }
        }),
        (identity(), line()).prop_map(|(by, what)| LogEvent::Acted { by, what }),
        (identity(), line()).prop_map(|(by, what)| LogEvent::Exported { by, what }),
        (time(), any::<u64>(), identity(), line()).prop_map(|(until, headers, by, basis)| {
            LogEvent::Pruned { until, headers, by, basis }
        }),
    ]
}

fn decided() -> impl Strategy<Value = Decided> {
    let rulings = [LoggedRuling::Deny, LoggedRuling::Hold, LoggedRuling::Permit];
    let way = (option::of(giver()), vec(ministry(), 0..4), ministry(), next());
    let rested_on = (option::of(vec(clearance(), 0..3)), signed_approvals());
    let by = (digest(), any::<u32>());
    let outcome = (select(rulings.to_vec()), vec("[A-Za-z:_/0-9]{1,40}", 0..4));
    (way, rested_on, by, outcome, about()).prop_map(|(way, rested_on, by, outcome, about)| {
        let (subjects, named) = about;
        let (batch, keep_until) = named.unzip();
        let approvals = if subjects.len() > 1 { Vec::new() } else { rested_on.1 };
        Decided {
            giver: way.0,
            path: way.1,
            dest: way.2,
            next: way.3,
            clearances: rested_on.0,
            approvals,
            policy: by.0,
            semantics: by.1,
            ruling: outcome.0,
            reasons: outcome.1,
            batch,
            keep_until,
            subjects,
        }
    })
}

fn next() -> impl Strategy<Value = Option<String>> {
    option::of("[a-z][a-z0-9 ._+/-]{0,20}")
}

/// Messages; with what was signed when they are named for the first time.
fn about() -> impl Strategy<Value = (Vec<Subject>, Option<(SignedPart, Timestamp)>)> {
    vec(subject(), 1..6).prop_flat_map(|subjects| {
        let named = option::of((signed_part(subjects.len()), time()));
        (Just(subjects), named)
    })
}

/// So many leaves: all that were signed, or some of them.
fn signed_part(leaves: usize) -> impl Strategy<Value = SignedPart> {
    // Before each leaf and after the last.
    let gaps = prop_oneof![
        vec(Just(0_u32), leaves + 1),
        vec(0..3_u32, leaves + 1),
        vec(0..10_000_u32, leaves + 1),
    ];
    let signature = vec(any::<u8>(), 64).prop_map(Bytes::from);
    (digest(), gaps, signature, vec(digest(), 0..=leaves)).prop_map(
        |(signer, gaps, signature, mut proof)| {
            let mut size = 0;
            let mut positions: Vec<u32> = Vec::new();
            for gap in gaps {
                positions.push(size + gap);
                size += gap + 1;
            }
            // The last is the end.
            positions.pop();
            size -= 1;
            if positions.len() == size as usize {
                proof.clear();
            }
            SignedPart { signer, size, signature, positions, proof }
        },
    )
}

fn clearance() -> impl Strategy<Value = LoggedClearance> {
    ("[A-Z]{2}", vec("[A-Z0-9 ]{1,8}", 0..4), vec("[A-Z]{1,6}:[A-Z]{1,6}", 0..4))
        .prop_map(|(policy, levels, grants)| LoggedClearance { policy, levels, grants })
}

fn policy() -> impl Strategy<Value = PolicyInForce> {
    let words = FileKind::ALL.map(FileKind::as_str);
    let names = btree_set((select(words.to_vec()), "[a-z0-9._-]{1,20}"), 0..4);
    let rest = vec((any::<u64>(), digest(), digest(), any::<bool>()), 4);
    (names, rest, option::of(identity())).prop_map(|(names, rest, by)| {
        let file = |((kind, name), rest): ((&str, _), _)| {
            let (serial, digest, signatures, is_own) = rest;
            let kind = kind.parse().unwrap();
            FileInForce { kind, name, serial, digest, signatures, is_own }
        };
        PolicyInForce { files: names.into_iter().zip(rest).map(file).collect(), by }
    })
}

fn part() -> impl Strategy<Value = FilePart> {
    let place = (1..=512_u32).prop_flat_map(|parts| (0..parts, Just(parts)));
    (digest(), place, bytes(60)).prop_map(|(digest, (part, parts), bytes): (_, _, Bytes)| {
        FilePart { digest, part, parts, bytes }
    })
}
