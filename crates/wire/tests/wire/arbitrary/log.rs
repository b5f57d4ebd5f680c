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
    bytes, code, digest, envelope, identity, line, ministry, receipt, signed_approvals,
    signed_receipt, time,
};

/// An entry of any kind.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    entry_of(event().boxed())
}

/// An entry that is a receipt.
pub(crate) fn receipt_entry() -> impl Strategy<Value = Entry> {
    entry_of(receipt().prop_map(LogEvent::Receipt).boxed())
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

fn giver() -> impl Strategy<Value = Giver> {
    prop_oneof![identity().prop_map(Giver::System), ministry().prop_map(Giver::Peer)]
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
        (digest(), identity(), line()).prop_map(|(subject, by, basis)| LogEvent::Erased {
            subject,
            by,
            basis
        }),
        (identity(), line()).prop_map(|(by, what)| LogEvent::Acted { by, what }),
        (identity(), line()).prop_map(|(by, what)| LogEvent::Exported { by, what }),
        (1..u64::MAX / 256, identity(), line()).prop_map(|(bundles, by, basis)| {
            LogEvent::Pruned { before: bundles * 256, by, basis }
        }),
    ]
}

fn decided() -> impl Strategy<Value = Decided> {
    let rulings = [LoggedRuling::Deny, LoggedRuling::Hold, LoggedRuling::Permit];
    let about = (digest(), option::of(envelope()), ministry(), vec(ministry(), 0..4));
    let who = (option::of(identity()), option::of(vec(clearance(), 0..3)), signed_approvals());
    let by = (option::of("[a-z][a-z0-9 ._+/-]{0,20}"), digest(), any::<u32>());
    let outcome = (select(rulings.to_vec()), vec("[A-Za-z:_/0-9]{1,40}", 0..4));
    (about, who, by, outcome).prop_map(|(about, who, by, (ruling, reasons))| Decided {
        subject: about.0,
        envelope: about.1,
        dest: about.2,
        path: about.3,
        submitter: who.0,
        clearances: who.1,
        approvals: who.2,
        next: by.0,
        policy: by.1,
        semantics: by.2,
        ruling,
        reasons,
    })
}

fn clearance() -> impl Strategy<Value = HeldClearance> {
    ("[A-Z]{2}", vec("[A-Z0-9 ]{1,8}", 0..4), vec("[A-Z]{1,6}:[A-Z]{1,6}", 0..4))
        .prop_map(|(policy, levels, grants)| HeldClearance { policy, levels, grants })
}

fn policy() -> impl Strategy<Value = PolicyInForce> {
    let words = FileKind::ALL.map(FileKind::as_str);
    let names = btree_set((select(words.to_vec()), "[a-z0-9._-]{1,20}"), 0..4);
    let rest = vec((any::<u64>(), digest()), 4);
    (names, rest, option::of(identity())).prop_map(|(names, rest, by)| {
        let file = |((kind, name), (serial, digest)): ((&str, _), _)| FileInForce {
            kind: kind.parse().unwrap(),
            name,
            serial,
            digest,
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
