//! Decisions of a step, gathered by class: what rests on the same things and has the same outcome is
//! one entry.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kuriiri_seal::{VerifiedMessage, join};
use kuriiri_types::{
    BatchProof, Decided, Digest, Direction, Envelope, Giver, LoggedClearance, Ministry,
    SignedApproval, Subject, Timestamp, limits::STATEMENT_SUBJECTS_MAX,
};

use crate::{
    log::{Links, Writing},
    rules::Ruled,
};

/// Bytes of headers beside one entry: they are one stored value. More messages: another entry.
const HEADERS_BYTES_MAX: usize = 24 * 1024;
/// Bytes that a header takes besides its own, in a stored value.
const HEADER_EXTRA_BYTES: usize = 4;

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
    bytes: usize,
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
        Self { basis, keep, subjects, headers, proofs, bytes: 0 }
    }

    /// Whether one more message belongs here: with approvals it would not, for each is about one.
    fn takes(&self, basis: &Basis, first: Option<&First>) -> bool {
        self.basis == *basis
            && basis.approvals.is_empty()
            && self.keep == first.map(|first| first.keep)
            && self.subjects.len() < STATEMENT_SUBJECTS_MAX
            && first.is_none_or(|first| self.follows(first))
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
