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
    scan::{Found, found},
};

/// Everything that logs say of a message, with all that is needed to judge it. With entries of a log
/// that was pruned is the one that says so. `body` is salt and
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
        let part = gather(folder, message)?;
        if !part.entries.is_empty() {
            logs.push(part);
        }
    }
    match folders.first() {
        Some(first) if logs.is_empty() => {
            let mut what = format!("it does not speak of {message}");
            if first.first() > 0 {
                let more = "entries were pruned, and what they spoke of is not known";
                what = format!("{what}; its first {} {more}", first.first());
            }
            Err(FolderError::form(first.path(), what))
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
    let logs = parts.iter().map(|(folder, entries)| Sources::of(folder)?.part(entries));
    Ok(evidence(claim, message, logs.collect::<Result<_, _>>()?))
}

/// A claim with these parts of logs.
pub(crate) fn evidence(
    claim: Claim,
    message: Option<MessageId>,
    logs: Vec<LogPart>,
) -> MessageBundle {
    MessageBundle {
        format: EVIDENCE_FORMAT.to_owned(),
        message: message.map(|message| message.to_string()),
        claim: Some(claim),
        logs,
        body: None,
    }
}

/// Where in a log stands what its entries are judged by: for evidence of many of them the log is read
/// once. It grows with the certificates and the changes of signed files, as an audit does.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    folder: &'a LogFolder,
    nodes: CachedNodes<'a>,
    certificates: HashMap<Fingerprint, u64>,
    /// Each change of files, with the entries that show them.
    changes: Vec<(u64, Vec<u64>)>,
    pruned: Option<u64>,
}

impl<'a> Sources<'a> {
    pub(crate) fn of(folder: &'a LogFolder) -> Result<Self, FolderError> {
        let (mut context, mut changes) = (Context::default(), Vec::new());
        each(folder, |found| {
            context.remember(&found);
            if let Some((index, policy)) = context.policy.take() {
                changes.push((index, context.shown(&policy)));
            }
        })?;
        let nodes = CachedNodes::new(folder);
        let Context { certificates, pruned, .. } = context;
        Ok(Self { folder, nodes, certificates, changes, pruned })
    }

    /// These entries with all that is needed to judge them. What is not there is left out.
    pub(crate) fn part(&self, wanted: &[u64]) -> Result<LogPart, FolderError> {
        let mut chosen = BTreeSet::new();
        for index in wanted.iter().copied().filter(|index| *index < self.folder.size()) {
            match self.folder.entry(index) {
                Ok(bytes) => self.choose(&found((index, bytes)), &mut chosen),
                Err(error) if error.is_pruned() => {}
                Err(error) => return Err(error),
            }
        }
        part(self.folder, &self.nodes, chosen, self.pruned)
    }

    fn choose(&self, found: &Found, chosen: &mut BTreeSet<u64>) {
        chosen.insert(found.index);
        let Some(signers) = signers_of(found) else { return };
        let shown = signers.iter().filter_map(|signer| self.certificates.get(signer));
        chosen.extend(shown.filter(|shown| **shown < found.index));
        let before = self.changes.partition_point(|(change, _)| *change < found.index);
        if let Some((change, shown)) = before.checked_sub(1).and_then(|at| self.changes.get(at)) {
            chosen.insert(*change);
            chosen.extend(shown);
        }
    }
}

/// What stands in a log before an entry that is wanted, and may be needed to judge it.
#[derive(Default)]
struct Context {
    certificates: HashMap<Fingerprint, u64>,
    /// The latest of each part of a file.
    parts: HashMap<Digest, BTreeMap<u32, u64>>,
    policy: Option<(u64, PolicyInForce)>,
    /// Where the log says last that it was pruned.
    pruned: Option<u64>,
    /// Where each header was first shown, of messages that are wanted.
    subjects: Vec<Digest>,
    chosen: BTreeSet<u64>,
}

fn gather(folder: &LogFolder, message: MessageId) -> Result<LogPart, FolderError> {
    let mut context = Context::default();
    each(folder, |found| {
        context.remember(&found);
        let subject = subject_of(&found);
        let is_subject = subject.is_some_and(|subject| context.subjects.contains(&subject));
        let is_by_name = message_of(&found) == Some(message);
        if is_by_name {
            context.subjects.extend(subject.filter(|_| !is_subject));
        }
        if is_by_name || is_subject {
            context.choose(&found);
        }
    })?;
    let Context { chosen, pruned, .. } = context;
    part(folder, &CachedNodes::new(folder), chosen, pruned)
}

/// These entries with their proofs, and of a log that was pruned the one that says so.
fn part(
    folder: &LogFolder,
    nodes: &CachedNodes<'_>,
    mut chosen: BTreeSet<u64>,
    pruned: Option<u64>,
) -> Result<LogPart, FolderError> {
    if folder.first() > 0 && !chosen.is_empty() {
        chosen.extend(pruned);
    }
    let mut entries = Vec::with_capacity(chosen.len());
    for index in chosen {
        let path = kuriiri_merkle::inclusion(nodes, index, folder.size())?;
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
            let name = kuriiri_merkle::digest(der);
            self.certificates.entry(name).or_insert(found.index);
        } else if let LogEvent::FilePart(part) = &entry.event {
            self.parts.entry(part.digest).or_default().insert(part.part, found.index);
        } else if let LogEvent::PolicyChanged(policy) = &entry.event {
            self.policy = Some((found.index, policy.clone()));
        } else if let LogEvent::Pruned { .. } = &entry.event {
            self.pruned = Some(found.index);
        }
    }

    /// Takes an entry, the certificates that it names, and the files by which was decided.
    fn choose(&mut self, found: &Found) {
        self.chosen.insert(found.index);
        let Some(signers) = signers_of(found) else { return };
        let shown = signers.iter().filter_map(|signer| self.certificates.get(signer));
        self.chosen.extend(shown);
        if let Some((index, policy)) = &self.policy {
            let shown = self.shown(policy);
            self.chosen.insert(*index);
            self.chosen.extend(shown);
        }
    }

    /// The entries that show these files.
    fn shown(&self, policy: &PolicyInForce) -> Vec<u64> {
        let parts = policy.files.iter().filter_map(|file| self.parts.get(&file.digest));
        parts.flat_map(|parts| parts.values().copied()).collect()
    }
}

/// The signers that an entry names; nothing when it needs nothing to be judged.
fn signers_of(found: &Found) -> Option<Vec<Fingerprint>> {
    let entry = found.entry.as_ref().ok()?;
    let mut signers = Vec::new();
    if let LogEvent::Decided(decided) = &entry.event {
        signers.extend(decided.envelope.iter().map(|envelope| envelope.proof.signer));
        signers.extend(decided.approvals.iter().map(|signed| signed.proof.signer));
    } else if let LogEvent::Approved { approval, .. } = &entry.event {
        signers.push(approval.proof.signer);
    } else if !matches!(entry.event, LogEvent::ReceiptIn { .. }) {
        return None;
    }
    Some(signers)
}
