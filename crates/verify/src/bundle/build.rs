//! Gathers what belongs to one message.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use kuriiri_types::{Digest, Fingerprint, LogEvent, MessageId, PolicyInForce};

use super::{BUNDLE_FORMAT, EVIDENCE_FORMAT, LogPart, MessageBundle, Proved};
use crate::{
    claim::Claim,
    find::{each, message_of, subject_of},
    folder::{FolderError, LogFolder},
    nodes::CachedNodes,
    scan::Found,
};

/// Everything that logs say of a message, with all that is needed to judge it. `body` is salt and
/// body, if they are at hand.
///
/// # Errors
/// When a log cannot be read, or none speaks of the message.
pub fn bundle_of(
    message: MessageId,
    folders: &[&LogFolder],
    body: Option<Bytes>,
) -> Result<MessageBundle, FolderError> {
    let mut logs = Vec::new();
    for folder in folders {
        let part = gather(folder, |found| message_of(found) == Some(message), &[])?;
        if !part.entries.is_empty() {
            logs.push(part);
        }
    }
    match folders.first() {
        Some(first) if logs.is_empty() => {
            Err(FolderError::form(first.path(), format!("it does not speak of {message}")))
        }
        _ => Ok(MessageBundle {
            format: BUNDLE_FORMAT.to_owned(),
            message: Some(message.to_string()),
            claim: None,
            logs,
            body,
        }),
    }
}

/// A claim with what proves it: of each log these entries, and all that is needed to judge them.
///
/// # Errors
/// When a log cannot be read.
pub fn evidence_of(
    claim: Claim,
    message: Option<MessageId>,
    parts: &[(&LogFolder, Vec<u64>)],
) -> Result<MessageBundle, FolderError> {
    let mut logs = Vec::new();
    for (folder, entries) in parts {
        logs.push(gather(folder, |_| false, entries)?);
    }
    Ok(MessageBundle {
        format: EVIDENCE_FORMAT.to_owned(),
        message: message.map(|message| message.to_string()),
        claim: Some(claim),
        logs,
        body: None,
    })
}

/// What stands in a log before an entry that is wanted, and may be needed to judge it.
#[derive(Default)]
struct Context {
    certificates: HashMap<Fingerprint, u64>,
    /// The latest of each part of a file.
    parts: HashMap<Digest, BTreeMap<u32, u64>>,
    policy: Option<(u64, PolicyInForce)>,
    /// Where each header was first shown, of messages that are wanted.
    subjects: Vec<Digest>,
    chosen: BTreeSet<u64>,
}

fn gather(
    folder: &LogFolder,
    is_named: impl Fn(&Found) -> bool,
    wanted: &[u64],
) -> Result<LogPart, FolderError> {
    let mut context = Context::default();
    each(folder, |found| {
        context.remember(&found);
        let subject = subject_of(&found);
        let is_subject = subject.is_some_and(|subject| context.subjects.contains(&subject));
        let is_by_name = is_named(&found);
        if is_by_name {
            context.subjects.extend(subject.filter(|_| !is_subject));
        }
        if is_by_name || is_subject || wanted.contains(&found.index) {
            context.choose(&found);
        }
    })?;
    let nodes = CachedNodes::new(folder);
    let mut entries = Vec::with_capacity(context.chosen.len());
    for index in context.chosen {
        let path = kuriiri_tlog::inclusion(&nodes, index, folder.size())?;
        entries.push(Proved { index, entry: folder.entry(index)?, path });
    }
    Ok(LogPart {
        origin: folder.checkpoint().origin.clone(),
        checkpoint: String::from_utf8_lossy(folder.note()).into_owned(),
        entries,
    })
}

impl Context {
    fn remember(&mut self, found: &Found) {
        let Ok(entry) = &found.entry else { return };
        if let LogEvent::Certificate { der } = &entry.event {
            let name = kuriiri_seal::digest(der);
            self.certificates.entry(name).or_insert(found.index);
        } else if let LogEvent::FilePart(part) = &entry.event {
            self.parts.entry(part.digest).or_default().insert(part.part, found.index);
        } else if let LogEvent::PolicyChanged(policy) = &entry.event {
            self.policy = Some((found.index, policy.clone()));
        }
    }

    /// Takes an entry, the certificates that it names, and the files by which was decided.
    fn choose(&mut self, found: &Found) {
        self.chosen.insert(found.index);
        let Ok(entry) = &found.entry else { return };
        let mut signers = Vec::new();
        if let LogEvent::Decided(decided) = &entry.event {
            signers.extend(decided.envelope.iter().map(|envelope| envelope.proof.signer));
            signers.extend(decided.approvals.iter().map(|signed| signed.proof.signer));
        } else if let LogEvent::Approved { approval, .. } = &entry.event {
            signers.push(approval.proof.signer);
        } else if !matches!(entry.event, LogEvent::ReceiptIn { .. }) {
            return;
        }
        let shown = signers.iter().filter_map(|signer| self.certificates.get(signer));
        self.chosen.extend(shown);
        if let Some((index, policy)) = &self.policy {
            self.chosen.insert(*index);
            for file in &policy.files {
                self.chosen
                    .extend(self.parts.get(&file.digest).into_iter().flat_map(|p| p.values()));
            }
        }
    }
}
