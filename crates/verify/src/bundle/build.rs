//! Gathers what belongs to one message.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

use bytes::Bytes;
use kuriiri_types::{Digest, Fingerprint, LogEvent, MessageId, PolicyInForce, Timestamp};

use super::{BUNDLE_FORMAT, EVIDENCE_FORMAT, LogPart, MessageBundle, Proved};
use crate::{
    contradiction::Claim,
    folder::{FolderError, LogFolder},
    found::{Found, Named, found},
    nodes::CachedNodes,
    query::is_of,
    scan::{each, found_in},
};

/// Everything that logs say of a message, with all that is needed to judge it; where its header was
/// pruned, with the entry that says so. `body` is salt and body, if they are at hand.
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

/// A claim with what proves it: of each log these entries, and all that is needed to judge them; of
/// headers that of the message alone.
///
/// # Errors
/// When a log cannot be read.
pub fn evidence_of(
    claim: Claim,
    message: Option<MessageId>,
    parts: &[(&LogFolder, Vec<u64>)],
) -> Result<MessageBundle, FolderError> {
    let logs = parts.iter().map(|(folder, entries)| Sources::of(folder)?.part(entries, message));
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

/// Where a log has what its entries are judged by: for evidence of many of them the log is read once. It
/// grows with the certificates and the changes of signed files, as an audit does.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    folder: &'a LogFolder,
    nodes: CachedNodes<'a>,
    certificates: HashMap<Fingerprint, u64>,
    /// Each change of files, with the entries that show them.
    changes: Vec<(u64, Vec<u64>)>,
    pruned: Vec<(u64, Timestamp)>,
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

    /// These entries with all that is needed to judge them, and with the header of a message. What is
    /// not there is left out.
    pub(crate) fn part(
        &self,
        wanted: &[u64],
        message: Option<MessageId>,
    ) -> Result<LogPart, FolderError> {
        let mut chosen = BTreeSet::new();
        for index in wanted.iter().copied().filter(|index| *index < self.folder.size()) {
            self.choose(&found((index, self.folder.entry(index)?)), &mut chosen);
        }
        part(&self.nodes, chosen, &self.pruned, message)
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

/// What a log has before an entry that is wanted, and may be needed to judge it.
#[derive(Default)]
struct Context {
    certificates: HashMap<Fingerprint, u64>,
    /// The latest of each part of a file.
    parts: HashMap<Digest, BTreeMap<u32, u64>>,
    policy: Option<(u64, PolicyInForce)>,
    /// Where the log says that headers were pruned, and up to which time.
    pruned: Vec<(u64, Timestamp)>,
    chosen: BTreeSet<u64>,
}

fn gather(folder: &LogFolder, message: MessageId) -> Result<LogPart, FolderError> {
    let (mut context, mut headers) = (Context::default(), Vec::new());
    each(folder, |found| {
        context.remember(&found);
        if is_of(&found, message, &mut headers) {
            context.choose(&found);
        }
    })?;
    let Context { chosen, pruned, .. } = context;
    part(&CachedNodes::new(folder), chosen, &pruned, Some(message))
}

/// These entries with their proofs and with the header of a message; and where it was pruned, the entry
/// that says so.
fn part(
    nodes: &CachedNodes<'_>,
    mut chosen: BTreeSet<u64>,
    pruned: &[(u64, Timestamp)],
    message: Option<MessageId>,
) -> Result<LogPart, FolderError> {
    let folder = nodes.folder();
    let mut read = BTreeMap::new();
    for index in std::mem::take(&mut chosen) {
        let found = found_in(folder, index)?;
        chosen.extend(leave_for(&found, pruned, message));
        read.insert(index, found);
    }
    for index in chosen {
        if let Entry::Vacant(free) = read.entry(index) {
            free.insert(found_in(folder, index)?);
        }
    }
    let mut entries = Vec::with_capacity(read.len());
    for (index, found) in read {
        let wanted = headers_of(&found, message).filter_map(|(_, header)| header.cloned());
        let headers = wanted.collect();
        let path = kuriiri_merkle::inclusion(nodes, index, folder.size())?;
        entries.push(Proved { index, entry: found.bytes, path, headers });
    }
    Ok(LogPart {
        origin: folder.checkpoint().origin.clone(),
        checkpoint: String::from_utf8_lossy(folder.note()).into_owned(),
        entries,
    })
}

/// The headers beside an entry that are those of a message.
fn headers_of(
    found: &Found,
    message: Option<MessageId>,
) -> impl Iterator<Item = (Named, Option<&Bytes>)> {
    found.first_named().filter(move |(named, _)| message.is_some() && named.message == message)
}

/// The entry that gives leave for the header of a message to be missing.
fn leave_for(
    found: &Found,
    pruned: &[(u64, Timestamp)],
    message: Option<MessageId>,
) -> Option<u64> {
    let Some(LogEvent::Decided(decided)) = found.event() else { return None };
    let keep_until = decided.keep_until?;
    headers_of(found, message).find(|(_, header)| header.is_none())?;
    let covers = |(index, until): &&(u64, Timestamp)| *index > found.index && *until >= keep_until;
    pruned.iter().find(covers).map(|(index, _)| *index)
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
        } else if let LogEvent::Pruned { until, .. } = &entry.event {
            self.pruned.push((found.index, *until));
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
        signers.extend(decided.batch.iter().map(|batch| batch.signer));
        signers.extend(decided.approvals.iter().map(|signed| signed.proof.signer));
    } else if let LogEvent::Approved { approval, .. } = &entry.event {
        signers.push(approval.proof.signer);
    } else if !matches!(entry.event, LogEvent::ReceiptIn { .. }) {
        return None;
    }
    Some(signers)
}
