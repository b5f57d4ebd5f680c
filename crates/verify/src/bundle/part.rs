//! One log's part of a file of evidence, as far as it is proved.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kuriiri_merkle::{leaf, root_from_inclusion};
use kuriiri_seal::VerifyError;
use kuriiri_tlog::{Checkpoint, TrustError, ministry_of};
use kuriiri_types::{
    Digest, Header, LogEvent, MessageId, Ministry, SignedReceipt, SpiffeId, Subject,
};

use super::LogPart;
use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings, Weight},
    flaws::FlawKind,
    found::{Found, found},
    histories::follow,
    partial_log::PartialLog,
    spill::groups,
    trace::stand_in_for,
    trusted::{Anchors, Keys},
};

/// One log's part, as far as it is proved.
pub(super) struct Part {
    pub(super) checkpoint: Checkpoint,
    /// That a log that the reader believes signed the checkpoint.
    pub(super) is_signed: bool,
    pub(super) home: Option<Ministry>,
    pub(super) entries: Vec<Found>,
    /// The headers that are in the file, of messages that the entries name.
    pub(super) headers: BTreeMap<Digest, Header>,
    /// What is known of the signatures of messages.
    pub(super) signed: Vec<Signed>,
    /// Headers of the message in question that are not here: whether an entry that is here gives leave.
    pub(super) gone: Vec<bool>,
}

/// What is known of the signature of a message, by the entry that names it first.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) index: u64,
    pub(super) subject: Subject,
    pub(super) state: Signature,
    by: Option<SpiffeId>,
}

/// What is known of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// Its sender's.
    Genuine,
    /// Not its sender's.
    Forged,
    /// What it would be held against is not here, and who leaves it out must not gain by it.
    Unknown,
}

impl Signed {
    /// Whether a system of this ministry signed it, in whose name it may.
    pub(super) fn is_genuine_of(&self, ministry: &Ministry) -> bool {
        let by = self.by.as_ref().map(SpiffeId::ministry);
        self.state == Signature::Genuine && by == Some(ministry)
    }
}

/// What a file is about, and whom its reader believes.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) anchors: &'a Anchors,
    pub(super) message: Option<MessageId>,
    /// All headers that are in the file, by digest.
    pub(super) headers: &'a BTreeMap<Digest, Bytes>,
    /// How much too few witnesses weigh.
    pub(super) few: Weight,
}

/// Every receipt of another relay in these parts: its entry, itself, and who issued it.
pub(super) fn receipts_in(parts: &[Part]) -> Vec<(u64, &SignedReceipt, Ministry)> {
    let all = parts.iter().flat_map(|part| &part.entries);
    let receipts = all.filter_map(|found| {
        let issuer = found.came()?.issuer.clone();
        let Some(LogEvent::ReceiptIn { receipt, .. }) = found.event() else { return None };
        Some((found.index, &**receipt, issuer))
    });
    receipts.collect()
}

/// Checks the proofs of a part, and judges its entries.
pub(super) fn check_part(
    part: &LogPart,
    question: Question<'_>,
    findings: &mut Findings,
    judged: &mut Findings,
) -> Option<Part> {
    findings.done(Check::Checkpoint, 1);
    let Some(checkpoint) = crate::kept_checkpoints::parsed(part.checkpoint.as_bytes()) else {
        let what = format!("the checkpoint of {} cannot be read", part.origin);
        findings.add(Finding::fault(Check::Checkpoint, what));
        return None;
    };
    if checkpoint.origin != part.origin {
        let what = format!("the checkpoint is of {}", checkpoint.origin);
        findings.add(Finding::fault(Check::Checkpoint, what));
    }
    let entries = proved(part, &checkpoint, findings);
    let home = ministry_of(&checkpoint.origin);
    let mut judge = Part {
        is_signed: false,
        home: home.clone(),
        headers: BTreeMap::new(),
        signed: Vec::new(),
        gone: Vec::new(),
        entries,
        checkpoint,
    };
    let keys = home.map(|home| judge_entries(&mut judge, home, question, judged));
    judge.is_signed = is_signed(part, &judge.checkpoint, question, keys.as_deref(), findings);
    Some(judge)
}

/// The entries that are in the log by their proofs.
fn proved(part: &LogPart, checkpoint: &Checkpoint, findings: &mut Findings) -> Vec<Found> {
    let mut entries = Vec::with_capacity(part.entries.len());
    for entry in &part.entries {
        findings.done(Check::Proofs, 1);
        let leaf = leaf(&entry.entry);
        let root = root_from_inclusion(leaf, entry.index, checkpoint.size, &entry.path);
        if root == Some(checkpoint.root) {
            let found = found((entry.index, entry.entry.clone()));
            check_headers(&found, &entry.headers, findings);
            entries.push(found);
        } else {
            let what = format!("it is not in {}", checkpoint.origin);
            findings.add(Finding::fault(Check::Proofs, what).at(entry.index));
        }
    }
    if !entries.is_sorted_by(|a, b| a.index < b.index) {
        let what = format!("the entries of {} are not in order", checkpoint.origin);
        findings.add(Finding::fault(Check::Proofs, what));
    }
    entries
}

/// Headers with an entry must be of messages that it names first.
pub(crate) fn check_headers(found: &Found, headers: &[Bytes], findings: &mut Findings) {
    let named = found.named();
    let is_named = |header: &Bytes| {
        let digest = leaf(header);
        found.names_first() && named.iter().any(|named| named.header == digest)
    };
    if !headers.iter().all(is_named) {
        let what = "a header with it is of no message that it names first";
        findings.add(Finding::fault(Check::Headers, what).at(found.index));
    }
}

/// Whether a log that the policy lists signed it; else one that the federation knows. Too few
/// witnesses weigh what is said.
fn is_signed(
    part: &LogPart,
    checkpoint: &Checkpoint,
    question: Question<'_>,
    keys: Option<&Keys>,
    findings: &mut Findings,
) -> bool {
    let anchors = question.anchors;
    let note = part.checkpoint.as_bytes();
    match anchors.trust.checkpoint(note) {
        Ok((_, quorum)) => {
            if !quorum.met {
                let what = format!("too few witnesses cosigned {}", checkpoint.origin);
                let fault = Finding::fault(Check::Checkpoint, what);
                findings.add(Finding { weight: question.few, ..fault });
            }
            true
        }
        Err(TrustError::UnknownLog(_)) if anchors.trust.log_key(&checkpoint.origin).is_none() => {
            let key = keys.and_then(|keys| keys.log(&checkpoint.origin));
            let signed = key.is_some_and(|key| Checkpoint::verify(note, &key).is_ok());
            let what = format!("the policy does not list {}", checkpoint.origin);
            findings.add(if signed && !anchors.pinned.is_empty() {
                let what = format!("{what}; its key is taken from the federation file given");
                Finding::note(Check::Checkpoint, what)
            } else {
                Finding::unchecked(Check::Checkpoint, what)
            });
            // A key that only the file itself brings is nobody's word but its maker's.
            signed && !anchors.pinned.is_empty()
        }
        Err(error) => {
            findings.add(Finding::fault(Check::Checkpoint, error.to_string()));
            false
        }
    }
}

fn judge_entries(
    part: &mut Part,
    home: Ministry,
    question: Question<'_>,
    judged: &mut Findings,
) -> Arc<Keys> {
    let origin = (home, part.checkpoint.origin.as_str());
    let mut partial_log = PartialLog::new(origin, question.anchors, question.message);
    question.headers.values().for_each(|header| partial_log.bring(header.clone()));
    for found in &part.entries {
        partial_log.entry(found, judged);
        let named = found.named().into_iter();
        let here = named.filter_map(|n| Some((n.header, partial_log.header(n.header)?)));
        let read = here.filter_map(|(digest, bytes)| {
            Some((digest, kuriiri_wire::header::decode(bytes).ok()?))
        });
        part.headers.extend(read);
        part.signed.extend(signatures(&partial_log, found, &part.headers));
    }
    part.gone = gone(part, question.message);
    if partial_log.without > 0 {
        let what = format!(
            "{} decisions were not taken again, because the headers are not here",
            partial_log.without
        );
        judged.add(Finding::note(Check::Headers, what));
    }
    partial_log.traces.sort();
    let home_number = stand_in_for(&partial_log.trusted.home);
    groups(
        &partial_log.traces,
        |trace| trace.message,
        |traces| {
            for flaw in follow(traces, (home_number, Duration::ZERO)).flaws {
                // What is between entries that are not here may be elsewhere in the log.
                if !matches!(flaw.kind, FlawKind::NoHeader | FlawKind::BothTold) {
                    // Whoever made the file chose what is in it, and what it lacks proves nothing.
                    let finding = match flaw.kind.is_of_something_missing() {
                        true => Finding::unchecked(Check::Messages, flaw.kind.text()),
                        false => {
                            let home = &partial_log.trusted.home;
                            Finding::fault(Check::Messages, flaw.kind.text()).against(home)
                        }
                    };
                    judged.add(finding.at(flaw.index));
                }
            }
        },
    );
    partial_log.trusted.keys
}

/// The headers of a message that are not here, by whether an entry that is here gives leave for it.
fn gone(part: &Part, message: Option<MessageId>) -> Vec<bool> {
    let mut gone = Vec::new();
    for found in &part.entries {
        let Some(LogEvent::Decided(decided)) = found.event() else { continue };
        let Some(keep_until) = decided.keep_until else { continue };
        let is_missing = |subject: &&Subject| {
            Some(subject.message) == message && !part.headers.contains_key(&subject.header)
        };
        for subject in decided.subjects.iter().filter(is_missing) {
            let gives_leave = |event: &LogEvent| {
                if let LogEvent::Pruned { until, .. } = event {
                    return *until >= keep_until;
                }
                let LogEvent::Erased { subject: erased, header, .. } = event else { return false };
                *header && *erased == subject.header
            };
            let mut later = part.entries.iter().filter(|later| later.index > found.index);
            gone.push(later.any(|later| later.event().is_some_and(gives_leave)));
        }
    }
    gone
}

/// What is known of the signatures of the messages that an entry names first: from the entry alone
/// whether a system signed them, and with the header whether in the name of its own ministry.
fn signatures(
    partial_log: &PartialLog<'_>,
    found: &Found,
    headers: &BTreeMap<Digest, Header>,
) -> Vec<Signed> {
    let Ok(entry) = &found.entry else { return Vec::new() };
    let LogEvent::Decided(decided) = &entry.event else { return Vec::new() };
    let Some(batch) = &decided.batch else { return Vec::new() };
    let spot = Spot { index: found.index, at: entry.at };
    let trusted = &partial_log.trusted;
    let (state, by) = if !partial_log.is_pinned() && trusted.rules.digest != decided.policy {
        (Signature::Unknown, None)
    } else {
        match trusted.verify_part(spot, decided, batch) {
            Ok(signer) => (Signature::Genuine, Some(signer)),
            // Certificates hang on authorities, which change; the one that counted may not be here.
            Err(
                VerifyError::UnknownSigner(_)
                | VerifyError::Certificate(_)
                | VerifyError::Expired { .. },
            ) => (Signature::Unknown, None),
            Err(_) => (Signature::Forged, None),
        }
    };
    let signed = |subject: &Subject| {
        let header = headers.get(&subject.header);
        let is_false = by
            .as_ref()
            .zip(header)
            .is_some_and(|(by, header)| by.ministry() != header.from.ministry());
        let state = if is_false { Signature::Forged } else { state };
        Signed { index: found.index, subject: *subject, state, by: by.clone() }
    };
    decided.subjects.iter().map(signed).collect()
}
