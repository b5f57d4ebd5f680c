//! Any value of each kind, within its limits.

mod admin;
mod frames;
mod log;

use kuriiri_types::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(crate) use admin::*;
pub(crate) use frames::*;
pub(crate) use log::*;

// === words ===

pub(crate) fn ministry() -> impl Strategy<Value = Ministry> {
    "[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn address() -> impl Strategy<Value = Address> {
    let mailbox = "[a-z0-9]([a-z0-9._-]{0,30}[a-z0-9])?";
    (mailbox, ministry()).prop_map(|(mailbox, ministry)| Address::new(&mailbox, ministry).unwrap())
}

fn addresses(most: usize) -> impl Strategy<Value = Vec<Address>> {
    vec(address(), 1..=most).prop_map(|mut addresses| {
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|a| seen.insert(a.clone()));
        addresses
    })
}

fn id() -> impl Strategy<Value = MessageId> {
    (0..1_i64 << 48, any::<[u8; 10]>())
        .prop_map(|(at, random)| MessageId::new(Timestamp::from_millis(at), random))
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn code() -> impl Strategy<Value = Code> {
    select(CODES).prop_map(|entry| entry.0)
}

fn lane() -> impl Strategy<Value = Lane> {
    select(&Lane::BY_URGENCY[..])
}

fn precedence() -> impl Strategy<Value = Precedence> {
    select(&Precedence::ALL[..])
}

fn line() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn flat_label() -> impl Strategy<Value = WireLabel> {
    let values = proptest::collection::btree_set("[A-Z]([A-Z0-9 +/-]{0,5}[A-Z0-9+/-])?", 1..4);
    let categories = proptest::collection::btree_map("[A-Z]{1,3}( [A-Z]{1,3})?", values, 0..4);
    ("[A-Z]{2}", "[A-Z0-9]{1,4}( [A-Z0-9]{1,3})?", categories, line()).prop_map(
        |(policy, level, map, mark)| {
            let category = |(tag, values): (String, std::collections::BTreeSet<String>)| Category {
                tag,
                values: values.into_iter().collect(),
            };
            WireLabel {
                categories: map.into_iter().map(category).collect(),
                privacy_mark: mark,
                ..WireLabel::plain(&policy, &level)
            }
        },
    )
}

fn label() -> impl Strategy<Value = WireLabel> {
    let succession = option::of((time(), flat_label()));
    (flat_label(), succession, option::of(time())).prop_map(|(label, succession, review_at)| {
        let succession = succession.map(|(at, mut next)| {
            next.policy.clone_from(&label.policy);
            Box::new((at, next))
        });
        WireLabel { succession, review_at, ..label }
    })
}

// === signed ===

pub(crate) fn header() -> impl Strategy<Value = Header> {
    let who = (id(), address(), recipients(), option::of(label()));
    let types = [MessageType::Operation, MessageType::Exercise, MessageType::Drill];
    let when = (precedence(), select(types.to_vec()), time(), option::of(time()));
    let what = ("[ -~]{1,40}", any::<u64>(), digest(), line());
    let links = [(); 3].map(|()| option::of(id()));
    let drafter = option::of("[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}");
    let last = (option::of(sealing()), drafter);
    (who, when, what, links, last).prop_map(|(who, when, what, links, (sealing, drafter))| Header {
        id: who.0,
        from: who.1,
        to: who.2,
        label: who.3,
        precedence: when.0,
        message_type: when.1,
        created: when.2,
        expires: when.3,
        content_type: what.0,
        body_size: what.1,
        body_commitment: what.2,
        subject: what.3,
        conversation: links[0],
        in_reply_to: links[1],
        obsoletes: links[2],
        sealing,
        drafter,
    })
}

fn recipients() -> impl Strategy<Value = Vec<Recipient>> {
    (addresses(8), any::<u8>()).prop_map(|(addresses, roles)| {
        let recipient = |(i, address)| Recipient {
            address,
            role: if roles >> i & 1 == 0 { Role::Action } else { Role::Info },
        };
        addresses.into_iter().enumerate().map(recipient).collect()
    })
}

fn sealing() -> impl Strategy<Value = Sealing> {
    let keys = proptest::collection::btree_set((ministry(), digest()), 1..5);
    (1_u32.., keys, digest()).prop_map(|(suite, keys, content)| Sealing {
        suite,
        content,
        keys: keys.into_iter().map(|(ministry, key)| SealKeyId { ministry, key }).collect(),
    })
}

pub(crate) fn approval() -> impl Strategy<Value = Approval> {
    let about = (id(), digest(), digest(), label(), recipients());
    let keys = proptest::collection::btree_set((ministry(), digest()), 0..4);
    let key = |(ministry, key)| SealKeyId { ministry, key };
    let keys = keys.prop_map(move |keys| keys.into_iter().map(key).collect());
    let when = (option::of(time()), option::of(time()), time());
    let roles = proptest::collection::btree_set("[ -~äöå]{1,20}", 0..=8);
    let act = prop_oneof![
        Just(ApprovalAct::Release),
        line().prop_map(|note| ApprovalAct::Reject { note }),
    ];
    (about, keys, when, (1..=16_u32, identity(), roles, act)).prop_map(
        |(about, keys, (until, expires, at), (needed, officer, roles, act))| Approval {
            message: about.0,
            subject: about.1,
            content: about.2,
            label: about.3,
            recipients: about.4,
            keys,
            needed,
            until,
            expires,
            officer,
            roles: roles.into_iter().collect(),
            act,
            at,
        },
    )
}

fn identity() -> impl Strategy<Value = SpiffeId> {
    let roles = [SpiffeRole::System, SpiffeRole::Officer, SpiffeRole::Operator];
    (ministry(), select(roles.to_vec()), "[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}")
        .prop_map(|(ministry, role, name)| SpiffeId::new(ministry, role, &name).unwrap())
}

fn giver() -> impl Strategy<Value = Giver> {
    prop_oneof![identity().prop_map(Giver::System), ministry().prop_map(Giver::Peer)]
}

fn subject() -> impl Strategy<Value = Subject> {
    (id(), digest()).prop_map(|(message, header)| Subject { message, header })
}

/// Messages with one recipient for all, or with one for each.
fn told() -> impl Strategy<Value = Vec<Addressed>> {
    let one = (vec(subject(), 1..6), address()).prop_map(|(subjects, recipient)| {
        let told = |subject| Addressed { subject, recipient: recipient.clone() };
        subjects.into_iter().map(told).collect()
    });
    let own = (subject(), address());
    let own = own.prop_map(|(subject, recipient)| Addressed { subject, recipient });
    prop_oneof![one, vec(own, 1..6)]
}

pub(crate) fn receipt() -> impl Strategy<Value = Receipt> {
    let what = (select(&ReceiptKind::ALL[..]), time(), ministry(), option::of(code()));
    let more = (vec(line(), 0..4), option::of(giver()));
    (address(), told(), what, more).prop_map(|(sender, subjects, what, (reasons, by))| Receipt {
        issuer: what.2,
        kind: what.0,
        at: what.1,
        sender,
        by,
        code: what.3,
        reasons,
        subjects,
    })
}
