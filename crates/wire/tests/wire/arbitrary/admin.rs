//! Any frame of the administration, within its limits.

use bytes::Bytes;
use kuriiri_types::*;
use kuriiri_wire::admin::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    address, body, bytes, certificates, digest, envelope, id, label, lane, line, precedence,
    recipients, refusal, signed_approvals, time,
};

pub(crate) fn admin_request() -> impl Strategy<Value = AdminRequest> {
    let approve = (signed_approvals(), bytes(40))
        .prop_filter_map("one", |(mut all, certificate)| {
            Some(Approve { approval: all.pop()?, certificate })
        });
    prop_oneof![
        option::of(id()).prop_map(|after| AdminRequest::HoldList { after }),
        id().prop_map(|id| AdminRequest::HoldShow { id }),
        approve.prop_map(AdminRequest::Approve),
        Just(AdminRequest::PolicyActive),
        vec(offered(), 1..4).prop_map(|files| AdminRequest::PolicyActivate { files: named(files) }),
        any::<u32>().prop_map(|limit| AdminRequest::Decisions { limit }),
        (id(), "[ -~]{1,40}", any::<bool>()).prop_map(|(id, basis, header)| AdminRequest::Erase {
            id,
            basis,
            header
        }),
        "[ -~]{1,40}".prop_map(|what| AdminRequest::NoteExport { what }),
        "[ -~]{1,40}".prop_map(|basis| AdminRequest::Prune { basis }),
        option::of(aside_place()).prop_map(|after| AdminRequest::AsideList { after }),
        (option::of(id()), select(&[AsideDeed::Retry, AsideDeed::Refuse][..]))
            .prop_map(|(id, deed)| AdminRequest::AsideAct { id, deed }),
        Just(AdminRequest::Budgets),
        Just(AdminRequest::Lapses),
    ]
}

fn aside_place() -> impl Strategy<Value = AsidePlace> {
    let queue = prop_oneof![
        address().prop_map(AsideQueue::Mailbox),
        address().prop_map(|address| AsideQueue::Outbox(address.ministry().clone())),
    ];
    (queue, lane(), any::<u64>()).prop_map(|(queue, lane, seq)| AsidePlace { queue, lane, seq })
}

fn aside() -> impl Strategy<Value = AsideMessage> {
    let what = (id(), digest(), address(), any::<u64>());
    (aside_place(), what, [time(), time(), time()], refusal()).prop_map(
        |(place, (id, header, from, size), [accepted, expires, since], why)| AsideMessage {
            place,
            id,
            header,
            from,
            size,
            accepted,
            expires,
            since,
            why,
        },
    )
}

fn kind() -> impl Strategy<Value = FileKind> {
    select(&FileKind::ALL[..])
}

fn offered() -> impl Strategy<Value = OfferedFile> {
    (kind(), bytes(60), "\\PC{0,40}").prop_map(|(kind, bytes, signatures)| OfferedFile {
        kind,
        name: String::new(),
        bytes,
        signatures,
    })
}

/// With names that stand once.
fn named(mut files: Vec<OfferedFile>) -> Vec<OfferedFile> {
    for (i, file) in files.iter_mut().enumerate() {
        file.name = format!("{i}.toml");
    }
    files
}

pub(crate) fn admin_reply() -> impl Strategy<Value = AdminReply> {
    let approved = prop_oneof![
        Just(Approved::Released),
        (0..=255_u32, 0..=255_u32).prop_map(|(have, need)| Approved::Counted { have, need }),
        Just(Approved::Rejected),
    ];
    prop_oneof![
        (vec(hold(), 0..3), any::<bool>())
            .prop_map(|(holds, more)| AdminReply::Holds(Holds { holds, more })),
        held().prop_map(AdminReply::Held),
        approved.prop_map(AdminReply::Approved),
        active().prop_map(AdminReply::Active),
        activation().prop_map(AdminReply::Activation),
        vec(bytes(40), 0..5)
            .prop_map(|records: Vec<Bytes>| AdminReply::Decisions(DecisionRecords { records })),
        any::<(u32, u32)>().prop_map(|(copies, headers)| AdminReply::Erased { copies, headers }),
        Just(AdminReply::ExportNoted),
        any::<u64>().prop_map(|headers| AdminReply::Pruned { headers }),
        (vec(aside(), 0..3), any::<bool>())
            .prop_map(|(messages, more)| AdminReply::Aside(AsideMessages { messages, more })),
        any::<(u32, bool)>().prop_map(|(messages, more)| AdminReply::AsideActed { messages, more }),
        vec((line(), any::<(u64, u64)>()), 0..4).prop_map(|all| {
            let budget = |(name, (used, limit))| Budget { name, used, limit };
            AdminReply::Budgets(all.into_iter().map(budget).collect())
        }),
        (time(), vec(lapse(), 0..3))
            .prop_map(|(now, lapses)| AdminReply::Lapses(Lapses { now, lapses })),
        refusal().prop_map(AdminReply::Refused),
    ]
}

fn lapse() -> impl Strategy<Value = Lapse> {
    (line(), line(), time(), line(), line()).prop_map(|(what, whose, ends, file, then)| Lapse {
        what,
        whose,
        ends,
        file,
        then,
    })
}

fn hold() -> impl Strategy<Value = Hold> {
    let who = (id(), address(), recipients(), option::of("[a-z]{1,20}"));
    let what = (label(), precedence(), line(), "[ -~]{1,40}", any::<u64>());
    let release = (0..=255_u32, signed_approvals(), vec(line(), 0..3));
    (who, what, (time(), time()), release).prop_map(|(who, what, when, release)| Hold {
        id: who.0,
        from: who.1,
        recipients: who.2,
        drafter: who.3,
        label: what.0,
        precedence: what.1,
        subject: what.2,
        content_type: what.3,
        size: what.4,
        accepted: when.0,
        expires: when.1,
        needed: release.0,
        approvals: release.1,
        missing: release.2,
    })
}

fn held() -> impl Strategy<Value = HeldMessage> {
    let release = (0..=255_u32, signed_approvals(), certificates(), vec(line(), 0..3));
    (envelope(), body(), release).prop_map(
        |(envelope, body, (needed, approvals, certificates, missing))| HeldMessage {
            envelope,
            body,
            needed,
            approvals,
            certificates,
            missing,
        },
    )
}

fn active() -> impl Strategy<Value = ActiveFiles> {
    vec((offered(), any::<u64>(), digest()), 0..4).prop_map(|files| {
        let (files, rest): (Vec<_>, Vec<_>) = files.into_iter().map(|f| (f.0, (f.1, f.2))).unzip();
        let file = |(file, (serial, digest)): (OfferedFile, _)| {
            let OfferedFile { kind, name, bytes, signatures } = file;
            ActiveFile { kind, name, serial, digest, bytes, signatures }
        };
        ActiveFiles { files: named(files).into_iter().zip(rest).map(file).collect() }
    })
}

fn activation() -> impl Strategy<Value = Activation> {
    let verdict = ("[A-Z_]{1,20}", any::<u64>());
    let lines = || vec(line(), 0..4);
    (vec(verdict, 1..4), lines(), lines(), lines(), any::<u64>()).prop_map(
        |(verdicts, newly_permitted, newly_denied, changed, left_out)| {
            let verdict = |(i, (acceptance, serial))| FileVerdict {
                name: format!("{i}.toml"),
                serial,
                acceptance,
            };
            Activation {
                files: verdicts.into_iter().enumerate().map(verdict).collect(),
                newly_permitted,
                newly_denied,
                changed,
                left_out,
            }
        },
    )
}
