//! Decisions of a step, gathered by class: what rests on the same things and has the same outcome is
//! one entry.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kuriiri_seal::{VerifiedMessage, join};
use kuriiri_types::{
    BatchProof, Decided, Digest, Direction, Envelope, Giver, LoggedClearance, Ministry,
    SignedApproval, Subject, Timestamp,
    limits::{ENTRY_BYTES_MAX, STATEMENT_SUBJECTS_MAX},
};

use crate::{
    log::{Links, Writing},
    rules::Ruled,
};

/// Bytes of headers beside one entry: they are one stored value. More messages: another entry.
const HEADERS_BYTES_MAX: usize = 24 * 1024;
/// Bytes that a header takes besides its own, in a stored value.
const HEADER_EXTRA_BYTES: usize = 4;
/// Bytes of an entry's own parts, a little over: salt, times, numbers, digest over the files in force, and the
/// signer, signature and numbers of a batch.
const ENTRY_FIXED_BYTES: usize = 512;
/// Bytes that a subject takes in an entry, a little over: an id and a digest with their lengths.
const SUBJECT_BYTES: usize = 56;
/// Bytes of a place in a signed batch, a little over.
const POSITION_BYTES: usize = 5;
/// Bytes that a digest takes in an entry, with its length.
const DIGEST_BYTES: usize = size_of::<Digest>() + 2;
/// Bytes that a text takes in an entry besides its own.
const TEXT_EXTRA_BYTES: usize = 4;
/// Bytes of a link of a chain besides the name of the peer, a little over.
const LINK_BYTES: usize = 64;

/// What decisions on different messages have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Basis {
    pub(crate) giver: Option<Giver>,
    pub(crate) path: Vec<Ministry>,
    pub(crate) clearances: Option<Arc<Vec<LoggedClearance>>>,
    pub(crate) approvals: Vec<SignedApproval>,
    pub(crate) ruled: Ruled,
    /// The peers that copies go to from here.
    pub(crate) outboxes: Vec<Ministry>,
}

impl Basis {
    /// Bytes that it takes in an entry, a little over, without approvals.
    fn weight(&self) -> usize {
        let text = |text: &str| text.len() + TEXT_EXTRA_BYTES;
        let giver = self.giver.as_ref().map_or(0, |giver| match giver {
            Giver::Peer(peer) => text(peer.as_str()) + LINK_BYTES + peer.as_str().len(),
            Giver::System(system) => text(&system.to_string()),
        });
        let path: usize = self.path.iter().map(|node| text(node.as_str())).sum();
        let links: usize = self.outboxes.iter().map(|peer| LINK_BYTES + peer.as_str().len()).sum();
        let ruled = &self.ruled;
        let reasons: usize = ruled.reasons.iter().map(|reason| text(reason)).sum();
        let next = ruled.next.as_deref().map_or(0, text);
        let clearances = self.clearances.iter().flat_map(|held| held.iter());
        let clearances = clearances.map(|held| {
            let words = held.levels.iter().chain(&held.grants);
            text(&held.policy) + TEXT_EXTRA_BYTES + words.map(|word| text(word)).sum::<usize>()
        });
        let held: usize = clearances.sum();
        giver + path + links + reasons + next + held + text(ruled.dest.as_str())
    }
}

/// A message that this log names for the first time.
#[derive(Debug, Clone)]
pub(crate) struct First {
    pub(crate) header: Bytes,
    pub(crate) proof: BatchProof,
    /// How long the header is kept.
    pub(crate) keep: Duration,
}

impl First {
    pub(crate) fn of(message: &VerifiedMessage, keep: Duration) -> Self {
        let Envelope { header, proof } = message.envelope().clone();
        Self { header, proof, keep }
    }
}

/// The classes of one step that are not written yet, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    all: Vec<Class>,
    /// The newest of each signed batch and ministry.
    newest: HashMap<(Bytes, Ministry), Vec<usize>>,
}

#[derive(Debug)]
struct Class {
    basis: Basis,
    keep: Option<Duration>,
    subjects: Vec<Subject>,
    headers: Vec<Bytes>,
    proofs: Vec<BatchProof>,
    /// Of the headers.
    bytes: usize,
    /// Bytes that the entry takes, a little over, without approvals: those are left out where they do not fit.
    weight: usize,
}

impl Classes {
    /// Adds a decision on one message.
    pub(crate) fn add(&mut self, basis: Basis, subject: Subject, first: Option<First>) {
        let signature = first.as_ref().map(|first| first.proof.signature.clone());
        let key = (signature.unwrap_or_default(), basis.ruled.dest.clone());
        let known = self.newest.entry(key).or_default();
        let fits = |number: &&usize| {
            self.all.get(**number).is_some_and(|class| class.takes(&basis, first.as_ref()))
        };
        let number = known.iter().rev().find(fits).copied().unwrap_or_else(|| {
            let keep = first.as_ref().map(|first| first.keep);
            known.push(self.all.len());
            self.all.push(Class::new(basis, keep));
            self.all.len() - 1
        });
        if let Some(class) = self.all.get_mut(number) {
            class.add(subject, first);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Writes the decisions since the last time into the log, by the rules that are in force there.
    pub(crate) fn write(&mut self, log: &mut Writing, now: Timestamp) {
        // What shows headers goes before what speaks of messages by digests alone.
        let classes = std::mem::take(self).all.into_iter();
        let (first, others): (Vec<_>, Vec<_>) = classes.partition(|class| class.keep.is_some());
        for class in first.into_iter().chain(others) {
            let links = class.links();
            let Class { basis, keep, subjects, headers, proofs, .. } = class;
            let signed: Vec<_> = proofs.iter().collect();
            let Basis { giver, path, clearances, approvals, ruled, .. } = basis;
            let Ruled { dest, next, ruling, reasons } = ruled;
            let decided = Decided {
                giver,
                path,
                dest,
                next,
                clearances: clearances.map(Arc::unwrap_or_clone),
                approvals,
                policy: log.policy().unwrap_or(Digest([0; 32])),
                semantics: kuriiri_policy::SEMANTICS,
                ruling,
                reasons,
                batch: join(&signed),
                keep_until: keep.map(|keep| now.after(keep)),
                subjects,
            };
            log.append_decision(now, links, decided, headers);
        }
    }
}

impl Class {
    fn new(basis: Basis, keep: Option<Duration>) -> Self {
        let (subjects, headers, proofs) = (Vec::new(), Vec::new(), Vec::new());
        let weight = ENTRY_FIXED_BYTES + basis.weight();
        Self { basis, keep, subjects, headers, proofs, bytes: 0, weight }
    }

    /// Whether one more message belongs here: with approvals it would not, for each is about one.
    fn takes(&self, basis: &Basis, first: Option<&First>) -> bool {
        self.basis == *basis
            && basis.approvals.is_empty()
            && self.keep == first.map(|first| first.keep)
            && self.subjects.len() < STATEMENT_SUBJECTS_MAX
            && self.weight.saturating_add(self.weight_of(first)) <= ENTRY_BYTES_MAX
            && first.is_none_or(|first| self.follows(first))
    }

    /// Bytes by which one more message makes the entry grow, a little over.
    fn weight_of(&self, first: Option<&First>) -> usize {
        let proof =
            first.map_or(0, |first| POSITION_BYTES + self.hashes(&first.proof) * DIGEST_BYTES);
        SUBJECT_BYTES + proof
    }

    /// How many hashes the proof of one more leaf adds at most to those of the leaves before it: as many as lie
    /// on its way up to where the ways of both meet. A signer chooses where its leaves are, so leaves far
    /// apart are many bytes, however small the messages.
    fn hashes(&self, proof: &BatchProof) -> usize {
        let meet = |before: &BatchProof| (before.index ^ proof.index).checked_ilog2().unwrap_or(0);
        let below = self.proofs.last().map_or(usize::MAX, |before| meet(before) as usize);
        below.min(proof.path.len())
    }

    /// Leaves stand in their order, each once, and have room.
    fn follows(&self, first: &First) -> bool {
        let bytes = self.bytes.saturating_add(first.header.len() + HEADER_EXTRA_BYTES);
        bytes <= HEADERS_BYTES_MAX
            && self.proofs.last().is_some_and(|before| {
                before.index < first.proof.index
                    && before.signer == first.proof.signer
                    && before.size == first.proof.size
            })
    }

    fn add(&mut self, subject: Subject, first: Option<First>) {
        self.weight = self.weight.saturating_add(self.weight_of(first.as_ref()));
        self.subjects.push(subject);
        if let Some(First { header, proof, .. }) = first {
            self.bytes = self.bytes.saturating_add(header.len() + HEADER_EXTRA_BYTES);
            self.headers.push(header);
            self.proofs.push(proof);
        }
    }

    fn links(&self) -> Links {
        let from = self.basis.giver.iter().filter_map(|giver| match giver {
            Giver::Peer(peer) => Some((peer.clone(), Direction::In)),
            Giver::System(_) => None,
        });
        let to = self.basis.outboxes.iter().map(|peer| (peer.clone(), Direction::Out));
        from.chain(to).collect()
    }
}
