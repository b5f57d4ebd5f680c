//! What parts of logs prove of a claim.

use kuriiri_merkle::{leaf, verify_consistency};
use kuriiri_types::{
    Addressed, Digest, Direction, LogEvent, LoggedRuling, MessageId, Ministry, Receipt, ReceiptKind,
};

use super::part::{Part, Signature, Signed, receipts_in};
use crate::{
    contradiction::{Claim, ClaimKind},
    found::{Found, log_of},
    trusted::{Anchors, Keys},
};

/// What the parts come to, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// The claim is proved.
    Whole(String),
    /// It is not, and may be so: what is known, and what would settle it.
    Open(String),
}

/// What the parts prove of a claim about a message.
///
/// Whoever makes an evidence file chooses what is in it. So nothing is proved here by what is not in
/// it, nothing by what clocks showed, and nothing against a ministry but by signatures of its own: what
/// another's log says of its authorities, or of what it handed over, is no evidence against it.
pub(super) fn prove(
    claim: &Claim,
    message: Option<MessageId>,
    parts: &[Part],
    anchors: &Anchors,
) -> Result<Proof, String> {
    let against = || claim.against.as_ref().ok_or_else(|| "the claim names nobody".to_owned());
    match claim.kind {
        ClaimKind::MissingAtReceiver => missing(against()?, message, parts, anchors),
        ClaimKind::Stalled => stalled(parts),
        ClaimKind::Unaccounted => unaccounted(message, parts),
        ClaimKind::UnsignedExtra => unsigned(against()?, message, parts),
        ClaimKind::ContentDiffers => differs(against()?, parts, anchors),
        ClaimKind::Duplicate => duplicate(against()?, parts),
        ClaimKind::ChainGap => gap(against()?, parts),
        // That two work by other rules is nobody's fault.
        ClaimKind::PolicyDivergence if claim.against.is_some() => {
            Err("rules that differ are held against nobody".into())
        }
        ClaimKind::PolicyDivergence => diverges(parts),
        ClaimKind::SplitView => split(claim, against()?, parts),
    }
}

fn whole(what: String) -> Result<Proof, String> {
    Ok(Proof::Whole(what))
}

fn open(what: String) -> Result<Proof, String> {
    Ok(Proof::Open(what))
}

fn part_of<'a>(ministry: &Ministry, parts: &'a [Part]) -> Result<&'a Part, String> {
    let part = parts.iter().find(|part| part.home.as_ref() == Some(ministry));
    part.ok_or_else(|| format!("nothing of the log of {ministry} is here"))
}

/// Whether something is about the message of a claim, if that is about one.
fn is_of(message: Option<MessageId>, id: MessageId) -> bool {
    message.is_none_or(|message| message == id)
}

fn missing(
    issuer: &Ministry,
    message: Option<MessageId>,
    parts: &[Part],
    anchors: &Anchors,
) -> Result<Proof, String> {
    let keys = Keys::of(None, anchors);
    for (index, said, by) in receipts_in(parts) {
        let decode = |bytes: &bytes::Bytes| kuriiri_wire::receipt::decode(bytes);
        let Ok(genuine) = keys.receipts.receipt(said.clone(), decode) else { continue };
        if by != *issuer {
            continue;
        }
        // A ministry may have several logs, one after the other; each answers for its own entries.
        let origin = log_of(said);
        let Some(there) = parts.iter().find(|part| part.checkpoint.origin == origin) else {
            continue;
        };
        let receipt = genuine.receipt();
        let is_it = |told: &&Addressed| is_of(message, told.subject.message);
        let Some(told) = receipt.subjects.iter().find(is_it) else { continue };
        let words = format!(
            "{issuer} signed in its checkpoint that entry {} of {origin} says {} for {} of the \
             message {} (receipt in entry {index})",
            said.index, receipt.kind, told.recipient, told.subject.message
        );
        if there.checkpoint.size <= said.index {
            return open(format!(
                "{words}; the log as it is shown here ends before that entry, as an older copy does; a \
                 copy of more than {} entries would settle it",
                said.index
            ));
        }
        let found = there.entries.iter().find(|entry| entry.index == said.index);
        if found.is_some_and(|entry| entry.leaf != leaf(&said.entry)) {
            return whole(format!("{words}; in the log that it shows another entry is there"));
        }
    }
    Err(format!("no receipt of {issuer} here names an entry that its log has not"))
}

fn stalled(parts: &[Part]) -> Result<Proof, String> {
    let sent = parts.iter().flat_map(|part| &part.entries).find(|found| {
        let entry = found.entry.as_ref().ok();
        entry.is_some_and(|e| e.channels.iter().any(|c| c.direction == Direction::Out))
    });
    let sent = sent.ok_or("no entry here says that a message left")?;
    open(format!(
        "entry {} says that the message was to leave; that nothing followed can be seen in the \
         whole log only",
        sent.index
    ))
}

/// Its originator's signature does not say who handed it over, and whoever did signed nothing.
fn unaccounted(message: Option<MessageId>, parts: &[Part]) -> Result<Proof, String> {
    let signed = |part: &Part| {
        let is_it =
            |one: &&Signed| one.state == Signature::Genuine && is_of(message, one.subject.message);
        let Signed { index, subject, .. } = part.signed.iter().find(is_it)?;
        Some((subject.message, *index, part.checkpoint.origin.clone()))
    };
    let (message, index, origin) = parts
        .iter()
        .find_map(signed)
        .ok_or_else(|| "no message here is signed by its sender's system".to_owned())?;
    open(format!(
        "entry {index} of {origin} names the message {message}, which its sender's system signed; who handed \
         it over is signed by nobody. Both whole logs, and the sender's, show which of them says what"
    ))
}

fn unsigned(
    receiver: &Ministry,
    message: Option<MessageId>,
    parts: &[Part],
) -> Result<Proof, String> {
    let part = part_of(receiver, parts)?;
    let forged = part.signed.iter().filter(|signed| {
        signed.state == Signature::Forged && is_of(message, signed.subject.message)
    });
    for Signed { index, subject, .. } in forged {
        if let Some(taken) = taken(part, subject.header) {
            return whole(format!(
                "{receiver} took in entry {taken} a message whose signature, in entry {index}, is \
                 not its sender's"
            ));
        }
    }
    Err(format!("every message that {receiver} took here is signed"))
}

/// What an entry states that its relay took.
fn took(found: &Found) -> Option<&Receipt> {
    match found.event() {
        Some(LogEvent::Receipt(receipt))
            if matches!(receipt.kind, ReceiptKind::Accepted | ReceiptKind::Relayed) =>
        {
            Some(receipt)
        }
        _ => None,
    }
}

/// The first entry by which a log says that it took a message.
fn taken(part: &Part, header: Digest) -> Option<u64> {
    let is_it = |told: &Addressed| told.subject.header == header;
    let is_taken = |found: &&Found| took(found).is_some_and(|r| r.subjects.iter().any(is_it));
    part.entries.iter().find(is_taken).map(|found| found.index)
}

fn differs(sender: &Ministry, parts: &[Part], anchors: &Anchors) -> Result<Proof, String> {
    let mut seen: Vec<(MessageId, Digest)> = Vec::new();
    for part in parts {
        for (digest, header) in part.headers.iter().filter(|(_, h)| h.from.ministry() == sender) {
            let is_genuine =
                |signed: &Signed| signed.is_genuine_of(sender) && signed.subject.header == *digest;
            if !part.signed.iter().any(is_genuine) {
                continue;
            }
            if seen.iter().any(|(id, other)| *id == header.id && other != digest) {
                let id = header.id;
                let what = format!("systems of {sender} signed two different messages {id}");
                if !anchors.pinned.is_empty() {
                    return whole(what);
                }
                return open(format!(
                    "{what}, by the authorities that the logs here name; a federation file that you believe \
                     would settle it (--federation)"
                ));
            }
            seen.push((header.id, *digest));
        }
    }
    Err(format!("no two messages of one id here are both signed by {sender}"))
}

fn duplicate(ministry: &Ministry, parts: &[Part]) -> Result<Proof, String> {
    let part = part_of(ministry, parts)?;
    let all = part.entries.iter().filter_map(|found| Some((found.index, took(found)?)));
    let taken: Vec<(u64, &Addressed)> = all
        .flat_map(|(index, receipt)| receipt.subjects.iter().map(move |told| (index, told)))
        .collect();
    for (place, (first, told)) in taken.iter().enumerate() {
        let mut later = taken.iter().skip(place + 1);
        let same = |two: &&(u64, &Addressed)| {
            (two.1.subject.header, &two.1.recipient) == (told.subject.header, &told.recipient)
        };
        if let Some((second, _)) = later.find(same) {
            return whole(format!(
                "{ministry} took one message for one recipient in entries {first} and {second}"
            ));
        }
    }
    Err(format!("{ministry} took nothing here twice"))
}

fn gap(ministry: &Ministry, parts: &[Part]) -> Result<Proof, String> {
    let part = part_of(ministry, parts)?;
    let links = part.entries.iter().flat_map(|found| {
        let channels = found.entry.as_ref().map(|e| e.channels.as_slice()).unwrap_or_default();
        channels.iter().map(move |channel| (found, channel))
    });
    let links: Vec<_> = links.collect();
    for (before, one) in &links {
        for (after, two) in &links {
            let same = one.peer == two.peer && one.direction == two.direction;
            if !same || before.index >= after.index {
                continue;
            }
            // Entries between them may not be here, unless the one names the other.
            let goes_on = one.seq.checked_add(1) == Some(two.seq);
            if two.seq <= one.seq || goes_on != (two.prev == before.leaf) {
                return whole(format!(
                    "in the chain with {} entry {} has number {} and entry {} after it number {}, \
                     which does not follow",
                    one.peer, before.index, one.seq, after.index, two.seq
                ));
            }
        }
    }
    Err(format!("the chains of {ministry} have no gap here"))
}

fn diverges(parts: &[Part]) -> Result<Proof, String> {
    let decisions = || {
        parts.iter().flat_map(|part| {
            let decided = part.entries.iter().filter_map(|found| match found.event() {
                Some(LogEvent::Decided(decided)) => Some(decided),
                _ => None,
            });
            decided.map(move |decided| (&part.checkpoint.origin, decided))
        })
    };
    for (one, permit) in decisions().filter(|(_, d)| d.ruling == LoggedRuling::Permit) {
        let mut denials =
            decisions().filter(|(other, d)| *other != one && d.ruling == LoggedRuling::Deny);
        let both = denials.find(|(_, d)| d.subjects.iter().any(|s| permit.subjects.contains(s)));
        if let Some((other, deny)) = both {
            return whole(format!(
                "{one} permitted by the files {:?} what {other} denied by {:?}",
                permit.policy, deny.policy
            ));
        }
    }
    Err("no two logs here decide otherwise on one message".into())
}

fn split(claim: &Claim, owner: &Ministry, parts: &[Part]) -> Result<Proof, String> {
    let pairs = parts.iter().flat_map(|one| parts.iter().map(move |two| (one, two)));
    for (small, large) in pairs {
        let (old, new) = (&small.checkpoint, &large.checkpoint);
        let is_owners = small.home.as_ref() == Some(owner) && old.origin == new.origin;
        if !is_owners || old.size > new.size || old.root == new.root {
            continue;
        }
        let words = format!("{} signed two histories", old.origin);
        if old.size == new.size {
            return whole(format!("{words}: two roots at {} entries", old.size));
        }
        let Some(growth) = &claim.growth else { continue };
        let [root] = growth.root.as_slice() else { continue };
        let begins = verify_consistency(old.size, *root, new.size, new.root, &growth.proof);
        if begins && *root != old.root {
            return whole(format!(
                "{words}: its tree of {} entries has at {} another root than it signed there",
                new.size, old.size
            ));
        }
    }
    Err("the checkpoints here do not contradict each other".into())
}
