//! Holds a bundle against whom the reader believes.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_merkle::{leaf, root_from_inclusion};
use kuriiri_seal::{CertificateError, VerifyError, commit};
use kuriiri_tlog::{Checkpoint, TrustError, log_number, ministry_of};
use kuriiri_types::{Digest, Header, LogEvent, Ministry, limits::BODY_SALT_BYTES};
use serde::Serialize;

use super::{LogPart, MessageBundle};
use crate::{
    claim::{self, ClaimKind, Proof},
    court::Court,
    find::{Told, message_of, subject_of, told},
    finding::{Check, Finding, Findings, Weight},
    genuine::Spot,
    lives::{FlawKind, follow},
    scan::{Found, Inner, found},
    scene::{Anchors, Keys},
    spill::groups,
};

/// What a bundle comes to.
#[derive(Debug, Clone, Serialize)]
pub struct BundleReport {
    /// The message.
    pub message: Option<String>,
    /// By log: what each entry says.
    pub said: Vec<(String, Vec<Told>)>,
    /// What is known of the body, in words.
    pub body: String,
    /// What the claim comes to, in words: proved, or why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Restated>,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
}

/// A claim, held against the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restated {
    /// Whether the file alone proves it.
    pub proved: bool,
    /// Whether it proves what can be proved by a part of a log; the words say what remains to be
    /// looked up.
    pub in_part: bool,
    /// In words.
    pub what: String,
}

/// One log's part, as far as it is proved.
pub(crate) struct Part {
    pub(crate) checkpoint: Checkpoint,
    /// That a log that the reader believes signed the checkpoint.
    pub(crate) is_signed: bool,
    pub(crate) home: Option<Ministry>,
    pub(crate) entries: Vec<Found>,
    /// Findings about entries that the claim may be about.
    pub(crate) headers: BTreeMap<Digest, Header>,
    /// What is known of the signatures of messages, by entry.
    pub(crate) signed: Vec<(u64, Signature)>,
}

/// Checks all proofs, and judges what they prove.
///
/// In evidence for a claim, what is wrong with the entries is what the file is about; so there it is
/// told as a note, and only proofs, and the claim itself, decide.
pub fn check_bundle(bundle: &MessageBundle, anchors: &Anchors) -> BundleReport {
    let mut findings = Findings::new();
    let mut judged = Findings::new();
    // Of two histories the log's own signatures are the proof, whoever else saw them.
    let is_split = bundle.claim.as_ref().is_some_and(|claim| claim.kind == ClaimKind::SplitView);
    let few = if is_split { Weight::Note } else { Weight::Fault };
    let parts: Vec<Part> = bundle
        .logs
        .iter()
        .filter_map(|part| check_part(part, (anchors, few), &mut findings, &mut judged))
        .collect();
    cross(&parts, &mut judged);
    let body = check_body(bundle.body.as_ref(), &parts, &mut findings);
    let restated = bundle.claim.as_ref().map(|claim| restate(claim, &parts, anchors));
    if let Some(restated) = &restated {
        findings.done(Check::Agreement, 1);
        if restated.in_part {
            let what = format!("the claim is proved in part: {}", restated.what);
            findings.add(Finding::unchecked(Check::Agreement, what));
        } else if !restated.proved {
            let what = format!("the claim is not proved: {}", restated.what);
            findings.add(Finding::fault(Check::Agreement, what));
        }
        // Its subject are faults; they must not count twice.
        for finding in judged.listed() {
            let note = Finding { weight: Weight::Note, ..finding.clone() };
            findings.add(note);
        }
    } else {
        findings.merge(judged);
        check_message(bundle, &parts, &mut findings);
    }
    let said = parts
        .iter()
        .map(|part| (part.checkpoint.origin.clone(), part.entries.iter().map(told).collect()))
        .collect();
    BundleReport { message: bundle.message.clone(), said, body, claim: restated, findings }
}

/// A bundle must speak of the message that it names.
fn check_message(bundle: &MessageBundle, parts: &[Part], findings: &mut Findings) {
    let ids = parts.iter().flat_map(|part| part.headers.values()).map(|h| h.id.to_string());
    let ids: Vec<String> = ids.collect();
    let is_named = |named: &String| !ids.is_empty() && ids.iter().all(|id| id == named);
    if !bundle.message.as_ref().is_some_and(is_named) {
        let entries = || parts.iter().flat_map(|part| &part.entries);
        let mut spoken = entries().filter_map(message_of).map(|id| Some(id.to_string()));
        if ids.is_empty() && entries().any(is_pruning) && spoken.any(|id| id == bundle.message) {
            let what = "the header of the message is not here, and may be among what was pruned";
            return findings.add(Finding::unchecked(Check::Proofs, what));
        }
        let what = "the header of the message that it names is not here, or that of another is";
        findings.add(Finding::fault(Check::Proofs, what));
    }
}

fn check_part(
    part: &LogPart,
    (anchors, few): (&Anchors, Weight),
    findings: &mut Findings,
    judged: &mut Findings,
) -> Option<Part> {
    findings.done(Check::Checkpoint, 1);
    let Some(checkpoint) = crate::known::parsed(part.checkpoint.as_bytes()) else {
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
        entries,
        checkpoint,
    };
    let keys = home.map(|home| judge_entries(&mut judge, home, anchors, judged));
    judge.is_signed = is_signed(part, &judge.checkpoint, (anchors, few), keys.as_ref(), findings);
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
            entries.push(found((entry.index, entry.entry.clone())));
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

/// Whether a log that the policy lists signed it; else one that the federation knows. Too few
/// witnesses weigh what is said.
fn is_signed(
    part: &LogPart,
    checkpoint: &Checkpoint,
    (anchors, few): (&Anchors, Weight),
    keys: Option<&std::sync::Arc<Keys>>,
    findings: &mut Findings,
) -> bool {
    let note = part.checkpoint.as_bytes();
    match anchors.trust.checkpoint(note) {
        Ok((_, quorum)) => {
            if !quorum.met {
                let what = format!("too few witnesses cosigned {}", checkpoint.origin);
                let fault = Finding::fault(Check::Checkpoint, what);
                findings.add(Finding { weight: few, ..fault });
            }
            true
        }
        Err(TrustError::UnknownLog(_)) if anchors.trust.log(&checkpoint.origin).is_none() => {
            let key = keys.and_then(|keys| keys.log(&checkpoint.origin));
            let signed = key.is_some_and(|key| Checkpoint::verify(note, &key).is_ok());
            let what = format!("the policy does not list {}", checkpoint.origin);
            findings.add(if signed && anchors.pinned.is_some() {
                let what = format!("{what}; its key is taken from the federation file given");
                Finding::note(Check::Checkpoint, what)
            } else {
                Finding::unchecked(Check::Checkpoint, what)
            });
            signed
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
    anchors: &Anchors,
    judged: &mut Findings,
) -> std::sync::Arc<Keys> {
    let mut court = Court::new(home, anchors);
    for found in &part.entries {
        court.entry(found, judged);
        part.signed.extend(signature(&court, found).map(|signed| (found.index, signed)));
    }
    part.headers = court.headers.iter().map(|(digest, h)| (*digest, h.clone())).collect();
    court.traces.sort();
    let goes_on = log_number(&part.checkpoint.origin) > Some(1);
    let may_be_elsewhere = goes_on || part.entries.iter().any(is_pruning);
    groups(
        &court.traces,
        |trace| trace.message,
        |traces| {
            for flaw in follow(traces).flaws {
                // What stands between entries that are not here may be elsewhere in the log.
                if !matches!(flaw.kind, FlawKind::NoHeader | FlawKind::BothTold) {
                    let lacks = flaw.kind.is_of_something_missing() && may_be_elsewhere;
                    let finding = match lacks {
                        true => Finding::unchecked(Check::Messages, flaw.kind.text()),
                        false => Finding::fault(Check::Messages, flaw.kind.text()),
                    };
                    judged.add(finding.at(flaw.index).against(&court.scene.home));
                }
            }
        },
    );
    court.scene.keys
}

/// Whether an entry says that its log was pruned.
fn is_pruning(found: &Found) -> bool {
    found.entry.as_ref().is_ok_and(|entry| matches!(entry.event, LogEvent::Pruned { .. }))
}

/// What is known of the signature of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signature {
    /// Its sender's.
    Genuine,
    /// Not its sender's.
    Forged,
    /// What it would be held against is not here, and who leaves it out must not gain by it.
    Unknown,
}

fn signature(court: &Court<'_>, found: &Found) -> Option<Signature> {
    let entry = found.entry.as_ref().ok()?;
    let LogEvent::Decided(decided) = &entry.event else { return None };
    let envelope = decided.envelope.as_ref()?;
    let spot = Spot { index: found.index, at: entry.at };
    let scene = &court.scene;
    if !court.is_pinned() && scene.rules.digest != decided.policy {
        return Some(Signature::Unknown);
    }
    Some(match scene.verify_message(spot, envelope) {
        Ok(_) => Signature::Genuine,
        Err(
            VerifyError::UnknownSigner(_)
            | VerifyError::Certificate(CertificateError::UnknownMinistry(_)),
        ) => Signature::Unknown,
        Err(_) => Signature::Forged,
    })
}

/// What one log says another said must stand in the other.
fn cross(parts: &[Part], judged: &mut Findings) {
    for (index, said, issuer) in claim::receipts_in(parts) {
        let other = parts.iter().find(|part| part.home.as_ref() == Some(&issuer));
        let there = other.and_then(|part| part.entries.iter().find(|e| e.index == said.index));
        if there.is_some_and(|there| there.leaf != leaf(&said.entry)) {
            let what = format!(
                "{issuer} gave a receipt for entry {} of its log, where another entry stands",
                said.index
            );
            judged.add(Finding::fault(Check::Receipts, what).at(index).against(&issuer));
        }
    }
}

fn check_body(body: Option<&Bytes>, parts: &[Part], findings: &mut Findings) -> String {
    let headers: Vec<&Header> = parts.iter().flat_map(|part| part.headers.values()).collect();
    if let Some(body) = body {
        findings.done(Check::Bodies, 1);
        let length = body.len().checked_sub(BODY_SALT_BYTES).and_then(|n| u64::try_from(n).ok());
        let fits = |header: &&&Header| {
            commit(body) == Some(header.body_commitment) && length == Some(header.body_size)
        };
        if !headers.is_empty() && headers.iter().filter(fits).count() == headers.len() {
            return "it is here, and it is the one that the header commits to".into();
        }
        let what = "the body is not the one that the header commits to";
        findings.add(Finding::fault(Check::Bodies, what));
        return what.into();
    }
    let erased = parts.iter().flat_map(|part| &part.entries).filter_map(|found| {
        let LogEvent::Erased { by, basis, .. } = &found.entry.as_ref().ok()?.event else {
            return None;
        };
        Some(format!("erased by {by} on the basis {basis}"))
    });
    let erased: Vec<String> = erased.collect();
    if erased.is_empty() { "not included".into() } else { erased.join("; ") }
}

fn restate(claim: &claim::Claim, parts: &[Part], anchors: &Anchors) -> Restated {
    if parts.is_empty() || parts.iter().any(|part| !part.is_signed) {
        let what = "not every checkpoint is signed by a log that is believed".to_owned();
        return Restated { proved: false, in_part: false, what };
    }
    match claim::prove(claim, parts, anchors) {
        Ok(Proof::Whole(what)) => Restated { proved: true, in_part: false, what },
        Ok(Proof::Part(what)) => Restated { proved: false, in_part: true, what },
        Err(what) => Restated { proved: false, in_part: false, what },
    }
}

/// Whether an entry is about a message with this header.
pub(crate) fn is_about(found: &Found, subject: Digest) -> bool {
    subject_of(found) == Some(subject)
}

/// The receipt in an entry, if another relay's stands there.
pub(crate) fn came(found: &Found) -> Option<&kuriiri_types::Receipt> {
    match &found.inner {
        Inner::Receipt(receipt) => Some(receipt),
        Inner::Nothing | Inner::Header(_) | Inner::Unreadable(_) => None,
    }
}
