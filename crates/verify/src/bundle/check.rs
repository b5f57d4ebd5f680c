//! Holds a bundle against whom the reader believes.

use std::collections::HashSet;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::commit;
use kuriiri_types::{Digest, Header, LogEvent, MessageId, limits::BODY_SALT_BYTES};
use serde::Serialize;

use super::{
    MessageBundle,
    part::{Part, Question, check_part, receipts_in},
    prove::{Proof, prove},
};
use crate::{
    contradiction::{Claim, ClaimKind},
    finding::{Check, Finding, Findings, Weight},
    found::{Found, Named, log_of},
    query::{Told, tell},
    trusted::{Anchors, Keys},
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
    /// Whether it may be so, and the file alone does not prove it; the words say what would settle it.
    pub open: bool,
    /// In words.
    pub what: String,
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
    let few = if is_split { Weight::Note } else { Weight::NotYet };
    let message = bundle.message.as_ref().and_then(|text| text.parse().ok());
    let entries = bundle.logs.iter().flat_map(|part| &part.entries);
    let headers = entries.flat_map(|entry| &entry.headers);
    let headers = headers.map(|header| (leaf(header), header.clone())).collect();
    let question = Question { anchors, message, headers: &headers, few };
    let parts: Vec<Part> = bundle
        .logs
        .iter()
        .filter_map(|part| check_part(part, question, &mut findings, &mut judged))
        .collect();
    cross(&parts, anchors, &mut judged);
    let body = check_body(bundle.body.as_ref(), &parts, &mut findings);
    let restated = bundle.claim.as_ref().map(|claim| restate(claim, message, &parts, anchors));
    if let Some(restated) = &restated {
        findings.done(Check::Agreement, 1);
        if restated.open {
            let what = format!("the claim is neither proved nor refuted: {}", restated.what);
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
        check_message(message, &parts, &mut findings);
        check_subjects(message, &parts, &mut findings);
    }
    let said = parts
        .iter()
        .map(|part| {
            let said = part.entries.iter().map(|found| {
                let named = found.named();
                let is_about = message.is_some() && named.iter().any(|one| one.message == message);
                tell(found, message.filter(|_| is_about))
            });
            (part.checkpoint.origin.clone(), said.collect())
        })
        .collect();
    BundleReport { message: bundle.message.clone(), said, body, claim: restated, findings }
}

/// A bundle must speak of the message that it names, and have its header, unless the logs give leave.
fn check_message(message: Option<MessageId>, parts: &[Part], findings: &mut Findings) {
    let headers = || parts.iter().flat_map(|part| part.headers.values());
    if headers().next().is_some() && headers().all(|header| Some(header.id) == message) {
        return;
    }
    let mut gone = parts.iter().flat_map(|part| &part.gone).peekable();
    let is_gone_with_leave = gone.peek().is_some() && gone.all(|has_leave| *has_leave);
    findings.add(if headers().next().is_none() && is_gone_with_leave {
        let what = "the header of the message was pruned or erased, as the logs say; so the decisions \
                    on it were not taken again";
        Finding::unchecked(Check::Proofs, what)
    } else {
        let what = "the header of the message that it names is not here, or that of another is";
        Finding::fault(Check::Proofs, what)
    });
}

/// Every entry that names messages must name this one: what another message came to says nothing of it.
fn check_subjects(message: Option<MessageId>, parts: &[Part], findings: &mut Findings) {
    let named: Vec<Vec<Named>> =
        parts.iter().flat_map(|part| &part.entries).map(Found::named).collect();
    let is_its = |one: &&Named| message.is_some() && one.message == message;
    let headers: HashSet<Digest> =
        named.iter().flatten().filter(is_its).map(|one| one.header).collect();
    let entries = parts.iter().flat_map(|part| part.entries.iter().map(move |entry| (part, entry)));
    for ((part, entry), named) in entries.zip(&named) {
        let is_about = |one: &Named| one.message == message || headers.contains(&one.header);
        if !named.is_empty() && !named.iter().any(is_about) {
            let what = format!("this entry of {} is about other messages", part.checkpoint.origin);
            findings.add(Finding::fault(Check::Proofs, what).at(entry.index));
        }
    }
}

/// What one log says another said must be in the other.
fn cross(parts: &[Part], anchors: &Anchors, judged: &mut Findings) {
    let keys = Keys::of(None, anchors);
    for (index, said, issuer) in receipts_in(parts) {
        let origin = log_of(said);
        let other = parts.iter().find(|part| part.checkpoint.origin == origin);
        let there = other.and_then(|part| part.entries.iter().find(|e| e.index == said.index));
        let decode = |bytes: &Bytes| kuriiri_wire::receipt::decode(bytes);
        let is_genuine = || keys.receipts.receipt(said.clone(), decode).is_ok();
        if there.is_some_and(|there| there.leaf != leaf(&said.entry)) && is_genuine() {
            let what = format!(
                "{issuer} gave a receipt for entry {} of {origin}, where another entry is",
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
        let Some(LogEvent::Erased { by, basis, .. }) = found.event() else { return None };
        Some(format!("erased by {by} on the basis {basis}"))
    });
    let erased: Vec<String> = erased.collect();
    if erased.is_empty() { "not included".into() } else { erased.join("; ") }
}

fn restate(
    claim: &Claim,
    message: Option<MessageId>,
    parts: &[Part],
    anchors: &Anchors,
) -> Restated {
    if parts.is_empty() || parts.iter().any(|part| !part.is_signed) {
        let what = "not every checkpoint is signed by a log that is believed; name a policy that lists the \
                    logs, or a federation file";
        return Restated { proved: false, open: true, what: what.to_owned() };
    }
    match prove(claim, message, parts, anchors) {
        Ok(Proof::Whole(what)) => Restated { proved: true, open: false, what },
        Ok(Proof::Open(what)) => Restated { proved: false, open: true, what },
        Err(what) => Restated { proved: false, open: false, what },
    }
}
