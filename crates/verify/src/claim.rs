//! What two logs can be shown to contradict each other in, and what of it a file proves.

use kuriiri_merkle::{leaf, verify_consistency};
use kuriiri_types::{
    Digest, Direction, Entry, LogEvent, LoggedRuling, Ministry, ReceiptKind, SignedReceipt,
};
use serde::{Deserialize, Serialize};

use crate::{
    bundle::{Part, Signature, base64_hashes, came, is_about},
    scan::Found,
    scene::Anchors,
};

/// Something that an evidence file is said to prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What.
    pub kind: ClaimKind,
    /// Against whom, if against anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Ministry>,
    /// In words, for people; nothing follows from them.
    pub what: String,
    /// The root that the larger of two trees has at the size of the smaller, and the proof of it, for
    /// a split view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<GrowthProof>,
}

/// The true beginning of a tree (RFC 9162 §2.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowthProof {
    /// The root that it really has at the smaller size, alone in a list.
    #[serde(with = "base64_hashes")]
    pub root: Vec<Digest>,
    /// That the larger tree begins with it.
    #[serde(with = "base64_hashes")]
    pub proof: Vec<Digest>,
}

/// The rows of a reconciliation that are evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimKind {
    /// A receipt names an entry of the issuer's log, and the issuer's log has another there or none.
    MissingAtReceiver,
    /// A sender's log says that a message left, and nobody has said since what became of it.
    Stalled,
    /// The receiver has a message that the sender's system signed, and the sender's log does not.
    OmittedBySender,
    /// The receiver took a message that its sender did not sign.
    UnsignedExtra,
    /// Two messages of one id, both signed by the sender's systems.
    ContentDiffers,
    /// A message was taken twice.
    Duplicate,
    /// A chain between two relays has a gap or a wrong link.
    ChainGap,
    /// One relay let a message go that the next refused.
    PolicyDivergence,
    /// A log showed two histories.
    SplitView,
}

impl ClaimKind {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingAtReceiver => "missing-at-receiver",
            Self::Stalled => "stalled",
            Self::OmittedBySender => "omitted-by-sender",
            Self::UnsignedExtra => "unsigned-extra",
            Self::ContentDiffers => "content-differs",
            Self::Duplicate => "duplicate",
            Self::ChainGap => "chain-gap",
            Self::PolicyDivergence => "policy-divergence",
            Self::SplitView => "split-view",
        }
    }
}

/// Every receipt of another relay in these parts: its entry, itself, and who issued it.
pub(crate) fn receipts_in(parts: &[Part]) -> Vec<(u64, &SignedReceipt, Ministry)> {
    let all = parts.iter().flat_map(|part| &part.entries);
    let receipts = all.filter_map(|found| {
        let issuer = came(found)?.issuer.clone();
        let LogEvent::ReceiptIn { receipt, .. } = &found.entry.as_ref().ok()?.event else {
            return None;
        };
        Some((found.index, &**receipt, issuer))
    });
    receipts.collect()
}

/// How much of a claim is proved, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// All of it.
    Whole(String),
    /// All but what only a whole log, or a federation file that the reader believes, can show.
    Part(String),
}

/// What the parts prove of a claim.
///
/// Whoever makes an evidence file chooses what is in it. So nothing is proved here by what is not in
/// it, and nothing against a ministry by what only another's log says of its authorities.
pub(crate) fn prove(claim: &Claim, parts: &[Part], anchors: &Anchors) -> Result<Proof, String> {
    let against = || claim.against.as_ref().ok_or_else(|| "the claim names nobody".to_owned());
    match claim.kind {
        ClaimKind::MissingAtReceiver => missing(against()?, parts, anchors),
        ClaimKind::Stalled => stalled(parts),
        ClaimKind::OmittedBySender => omitted(against()?, parts),
        ClaimKind::UnsignedExtra => unsigned(against()?, parts),
        ClaimKind::ContentDiffers => differs(against()?, parts, anchors),
        ClaimKind::Duplicate => duplicate(against()?, parts),
        ClaimKind::ChainGap => gap(against()?, parts),
        ClaimKind::PolicyDivergence => diverges(parts),
        ClaimKind::SplitView => split(claim, parts),
    }
}

fn whole(what: String) -> Result<Proof, String> {
    Ok(Proof::Whole(what))
}

fn in_part(what: String) -> Result<Proof, String> {
    Ok(Proof::Part(what))
}

fn part_of<'a>(ministry: &Ministry, parts: &'a [Part]) -> Result<&'a Part, String> {
    let part = parts.iter().find(|part| part.home.as_ref() == Some(ministry));
    part.ok_or_else(|| format!("nothing of the log of {ministry} is here"))
}

fn missing(issuer: &Ministry, parts: &[Part], anchors: &Anchors) -> Result<Proof, String> {
    let there = part_of(issuer, parts)?;
    let keys = crate::scene::Keys::of(None, anchors);
    for (index, said, by) in receipts_in(parts) {
        let decode = |bytes: &bytes::Bytes| kuriiri_wire::receipt::decode(bytes);
        let Ok(genuine) = keys.receipts.receipt(said.clone(), decode) else { continue };
        if by != *issuer {
            continue;
        }
        let receipt = genuine.receipt();
        let words = format!(
            "{issuer} signed in its checkpoint that entry {} of its log says {} for {} of the \
             message {} (receipt in entry {index})",
            said.index, receipt.kind, receipt.recipient, receipt.message
        );
        if there.checkpoint.size <= said.index {
            // An older checkpoint is smaller and no fault: its log must have gone on without it.
            let went_on = there.entries.iter().filter_map(|found| found.entry.as_ref().ok());
            if went_on.into_iter().any(|entry| entry.at > receipt.at) {
                let size = there.checkpoint.size;
                return whole(format!(
                    "{words}; the log that it shows goes on after that time and has {size} entries \
                     only"
                ));
            }
            continue;
        }
        let found = there.entries.iter().find(|entry| entry.index == said.index);
        if found.is_some_and(|entry| entry.leaf != leaf(&said.entry)) {
            return whole(format!("{words}; in the log that it shows another entry stands there"));
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
    in_part(format!(
        "entry {} says that the message was to leave; that nothing followed can be seen in the \
         whole log only",
        sent.index
    ))
}

fn omitted(sender: &Ministry, parts: &[Part]) -> Result<Proof, String> {
    for part in parts {
        for (digest, header) in part.headers.iter().filter(|(_, h)| h.from.ministry() == sender) {
            let is_genuine = |found: &&Found| {
                is_about(found, *digest) && part.signed.contains(&(found.index, Signature::Genuine))
            };
            if let Some(found) = part.entries.iter().find(is_genuine)
                && part.home.as_ref() != Some(sender)
            {
                return in_part(format!(
                    "a system of {sender} signed the message {} that stands in entry {} of {}; \
                     that the log of {sender} does not speak of it can be seen in that whole log, \
                     by the checkpoint that is here",
                    header.id, found.index, part.checkpoint.origin
                ));
            }
        }
    }
    Err(format!("no message here is signed by a system of {sender}"))
}

fn unsigned(receiver: &Ministry, parts: &[Part]) -> Result<Proof, String> {
    let part = part_of(receiver, parts)?;
    for (index, _) in part.signed.iter().filter(|(_, signed)| *signed == Signature::Forged) {
        let decided = part.entries.iter().find(|found| found.index == *index);
        let subject = decided.and_then(crate::find::subject_of);
        if let Some(taken) = subject.and_then(|subject| taken(part, subject).first().copied()) {
            return whole(format!(
                "{receiver} took in entry {taken} a message whose signature, in entry {index}, is \
                 not its sender's"
            ));
        }
    }
    Err(format!("every message that {receiver} took here is signed"))
}

/// The entries by which a log says that it took a message.
fn taken(part: &Part, subject: Digest) -> Vec<u64> {
    let is_taken = |found: &&Found| {
        matches!(&found.entry, Ok(Entry { event: LogEvent::Receipt(receipt), .. })
            if receipt.header_digest == subject
                && matches!(receipt.kind, ReceiptKind::Accepted | ReceiptKind::Relayed))
    };
    part.entries.iter().filter(is_taken).map(|found| found.index).collect()
}

fn differs(sender: &Ministry, parts: &[Part], anchors: &Anchors) -> Result<Proof, String> {
    let mut seen: Vec<(kuriiri_types::MessageId, Digest)> = Vec::new();
    for part in parts {
        for (digest, header) in part.headers.iter().filter(|(_, h)| h.from.ministry() == sender) {
            let is_genuine = part.entries.iter().any(|found| {
                is_about(found, *digest) && part.signed.contains(&(found.index, Signature::Genuine))
            });
            if !is_genuine {
                continue;
            }
            if seen.iter().any(|(id, other)| *id == header.id && other != digest) {
                let id = header.id;
                let what = format!("systems of {sender} signed two different messages {id}");
                if anchors.pinned.is_some() {
                    return whole(what);
                }
                return in_part(format!(
                    "{what}, by the authorities that the logs here name; name a federation file"
                ));
            }
            seen.push((header.id, *digest));
        }
    }
    Err(format!("no two messages of one id here are both signed by {sender}"))
}

fn duplicate(ministry: &Ministry, parts: &[Part]) -> Result<Proof, String> {
    let part = part_of(ministry, parts)?;
    let receipts = part.entries.iter().filter_map(|found| match &found.entry {
        Ok(Entry { event: LogEvent::Receipt(receipt), .. })
            if matches!(receipt.kind, ReceiptKind::Accepted | ReceiptKind::Relayed) =>
        {
            Some((found.index, receipt.header_digest, receipt.recipient.clone()))
        }
        _ => None,
    });
    let receipts: Vec<_> = receipts.collect();
    for (place, one) in receipts.iter().enumerate() {
        let same = |two: &&(u64, Digest, _)| two.1 == one.1 && two.2 == one.2;
        if let Some(two) = receipts.iter().skip(place + 1).find(same) {
            return whole(format!(
                "{ministry} took one message for one recipient in entries {} and {}",
                one.0, two.0
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
            // What stands between them may not be here, unless the one names the other.
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
    match links.last() {
        Some((last, link)) if link.seq > 0 => in_part(format!(
            "entry {} has number {} in the chain with {}; that the entry before it in the chain \
             has not the number before can be seen in the whole log only",
            last.index, link.seq, link.peer
        )),
        Some(_) | None => Err(format!("the chains of {ministry} have no gap here")),
    }
}

fn diverges(parts: &[Part]) -> Result<Proof, String> {
    let rulings = parts.iter().flat_map(|part| {
        part.entries.iter().filter_map(move |found| match &found.entry {
            Ok(Entry { event: LogEvent::Decided(decided), .. }) => {
                Some((&part.checkpoint.origin, decided.subject, decided.ruling, decided.policy))
            }
            _ => None,
        })
    });
    let rulings: Vec<_> = rulings.collect();
    for (one, subject, _, policy) in rulings.iter().filter(|r| r.2 == LoggedRuling::Permit) {
        let denied = |r: &&(&String, Digest, LoggedRuling, Digest)| {
            r.1 == *subject && r.2 == LoggedRuling::Deny && r.0 != *one
        };
        if let Some((other, _, _, theirs)) = rulings.iter().find(denied) {
            return whole(format!(
                "{one} permitted by the files {policy:?} what {other} denied by {theirs:?}"
            ));
        }
    }
    Err("no two logs here decide otherwise on one message".into())
}

fn split(claim: &Claim, parts: &[Part]) -> Result<Proof, String> {
    let pairs = parts.iter().flat_map(|one| parts.iter().map(move |two| (one, two)));
    for (small, large) in pairs {
        let (old, new) = (&small.checkpoint, &large.checkpoint);
        if old.origin != new.origin || old.size > new.size || old.root == new.root {
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
