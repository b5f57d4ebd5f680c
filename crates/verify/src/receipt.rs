//! A receipt as a file of its own: a C2SP `tlog-proof` whose extra data are the entry.

use std::path::Path;

use kuriiri_merkle::leaf;
use kuriiri_tlog::{PROOF_BYTES_MAX, TlogProof, ministry_of};
use kuriiri_types::{Address, LogEvent, MessageId, ReceiptKind};
use serde::Serialize;

use crate::{
    finding::{Check, Finding, Findings},
    folder::{FolderError, read_limited},
    found::{Found, found},
    query::{Told, tell},
    trusted::Anchors,
};

/// What a receipt comes to.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptReport {
    /// In which log, if that is proved.
    pub origin: Option<String>,
    /// How many entries the checkpoint speaks of.
    pub size: u64,
    /// The witnesses that cosigned it, with their times in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// What the entry says.
    pub said: Option<Told>,
    /// The messages of a statement.
    pub messages: Vec<Stated>,
    /// What is proved, in words.
    pub words: String,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
}

/// What a statement says of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// The message.
    pub message: MessageId,
    /// For which of its recipients.
    pub recipient: Address,
    /// What happened to it.
    pub kind: ReceiptKind,
    /// Leaf hash of its header, in hexadecimal: the receipt is of this very header.
    pub header: String,
}

impl ReceiptReport {
    /// Requires that it is about a message: if it is not, that is a fault.
    pub fn expect(&mut self, message: MessageId) {
        self.findings.done(Check::Receipts, 1);
        if !self.messages.iter().any(|stated| stated.message == message) {
            let what = "the statement is not about this message";
            self.findings.add(Finding::fault(Check::Receipts, what).of(message));
        }
    }
}

/// Reads the file of a receipt, to be checked with [`check_receipt`].
///
/// # Errors
/// When it cannot be read, is no regular file, or is longer than any receipt.
pub fn read_receipt(path: &Path) -> Result<Vec<u8>, FolderError> {
    read_limited(path, PROOF_BYTES_MAX as u64)
}

/// Checks the bytes of a receipt. When all is good and only witnesses are missing, that is said as
/// something that is not so yet.
///
/// # Errors
/// When they are not a `tlog-proof`, or no entry is with it.
pub fn check_receipt(file: &[u8], anchors: &Anchors) -> Result<ReceiptReport, String> {
    let proof = TlogProof::parse(file).map_err(|error| error.to_string())?;
    if proof.extra.is_empty() {
        return Err("the entry is not with the proof, as its extra data".into());
    }
    let mut report = ReceiptReport {
        origin: None,
        size: 0,
        cosigned: Vec::new(),
        said: None,
        messages: Vec::new(),
        words: String::new(),
        findings: Findings::new(),
    };
    let findings = &mut report.findings;
    findings.done(Check::Proofs, 1);
    findings.done(Check::Checkpoint, 1);
    let (checkpoint, quorum) = match proof.verify_under(leaf(&proof.extra), &anchors.trust) {
        Ok(proved) => proved,
        Err(error) => {
            findings.add(Finding::fault(Check::Proofs, error.to_string()).at(proof.index));
            report.words = "nothing is proved".into();
            return Ok(report);
        }
    };
    if !quorum.met {
        let names: Vec<&str> = quorum.by.iter().map(|by| by.witness.as_str()).collect();
        let by = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        let what = format!(
            "not yet witnessed: of the policy's witnesses, {by} cosigned the checkpoint so far; \
             its sender gets newer proofs with `kuriiri receipts refresh`, and whoever has a copy of that log \
             makes one with `kuriiri log prove`"
        );
        findings.add(Finding::not_yet(Check::Checkpoint, what));
    }
    report.cosigned = quorum.by.into_iter().map(|by| (by.witness, by.time)).collect();
    let entry = found((proof.index, proof.extra.into()));
    check_entry(&entry, &checkpoint.origin, findings);
    let told = tell(&entry, None);
    let of = told.message.map(|id| format!(" of the message {id}")).unwrap_or_default();
    report.words = format!(
        "{} holds as entry {} of {}: at {} {}{of}: {}",
        checkpoint.origin, told.index, checkpoint.size, told.at, told.kind, told.what
    );
    report.messages = stated(&entry);
    report.said = Some(told);
    (report.origin, report.size) = (Some(checkpoint.origin), checkpoint.size);
    Ok(report)
}

/// What a statement says of each of its messages; nothing of an entry that is none.
fn stated(found: &Found) -> Vec<Stated> {
    let Some(LogEvent::Receipt(receipt)) = found.event() else { return Vec::new() };
    let stated = receipt.subjects.iter().map(|told| Stated {
        message: told.subject.message,
        recipient: told.recipient.clone(),
        kind: receipt.kind,
        header: told.subject.header.to_string(),
    });
    stated.collect()
}

/// It must be readable, and speak for its own ministry.
fn check_entry(found: &Found, origin: &str, findings: &mut Findings) {
    findings.done(Check::Entries, 1);
    match &found.entry {
        Err(error) => {
            let what = format!("the entry cannot be read: {error}");
            findings.add(Finding::fault(Check::Entries, what).at(found.index));
        }
        Ok(read) => {
            if let LogEvent::Receipt(receipt) = &read.event
                && Some(&receipt.issuer) != ministry_of(origin).as_ref()
            {
                let what = format!("{origin} cannot speak for {}", receipt.issuer);
                findings.add(Finding::fault(Check::Receipts, what).at(found.index));
            } else if let LogEvent::Receipt(receipt) = &read.event
                && !receipt.is_its_issuers_to_say()
            {
                let what = format!("it is not for {} to say this", receipt.issuer);
                findings.add(Finding::fault(Check::Receipts, what).at(found.index));
            }
        }
    }
}
