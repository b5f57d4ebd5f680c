//! Entries of a log by what they are about.

use kuriiri_merkle::inclusion;
use kuriiri_tlog::TlogProof;
use kuriiri_types::{
    ApprovalAct, Decided, Direction, Entry, LogEvent, MessageId, Ministry, Timestamp,
};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::{
    folder::{FolderError, LogFolder},
    known::parsed,
    scan::{Found, Inner, found, scan},
};

/// An entry, told in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its place in the log.
    pub index: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Its kind, such as `DECIDED`.
    pub kind: &'static str,
    /// The message that it is about, if the entry names it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "crate::finding::as_text")]
    pub message: Option<MessageId>,
    /// What it says, in one line.
    pub what: String,
}

/// What a log says of itself, without judging it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root, in hexadecimal.
    pub root: String,
    /// When the first entry was written, and the last.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Names of all keys that are said to have signed the checkpoint.
    pub signed_by: Vec<String>,
    /// How many messages went to each peer, by the chains.
    pub sent: BTreeMap<String, u64>,
    /// How many came from each.
    pub received: BTreeMap<String, u64>,
    /// Entries by kind.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Sums up a log, reading all of it; of entries that were pruned (see [`LogFolder::first`]), what was
/// kept.
///
/// # Errors
/// When a bundle cannot be read.
pub fn summary(folder: &LogFolder) -> Result<Summary, FolderError> {
    let note = kuriiri_tlog::Note::parse(folder.note());
    let signatures = note.iter().flat_map(|note| note.signatures());
    let mut summary = Summary {
        origin: folder.checkpoint().origin.clone(),
        size: folder.size(),
        root: folder.checkpoint().root.to_string(),
        period: None,
        signed_by: signatures.map(|signature| signature.name().to_string()).collect(),
        sent: BTreeMap::new(),
        received: BTreeMap::new(),
        kinds: BTreeMap::new(),
    };
    each(folder, |found| {
        let Ok(entry) = &found.entry else { return };
        *summary.kinds.entry(entry.event.kind()).or_default() += 1;
        summary.period = Some((summary.period.map_or(entry.at, |(first, _)| first), entry.at));
        for channel in &entry.channels {
            let chains = match channel.direction {
                Direction::In => &mut summary.received,
                Direction::Out => &mut summary.sent,
            };
            chains.insert(channel.peer.to_string(), channel.seq.saturating_add(1));
        }
    })?;
    Ok(summary)
}

/// Every entry about a message, in order: all that say its id, and all that name its header.
///
/// # Errors
/// When a bundle cannot be read.
pub fn find(folder: &LogFolder, message: MessageId) -> Result<Vec<Told>, FolderError> {
    Ok(find_all(folder, message)?.iter().map(told).collect())
}

pub(crate) fn find_all(folder: &LogFolder, message: MessageId) -> Result<Vec<Found>, FolderError> {
    let (mut entries, mut subjects) = (Vec::new(), Vec::new());
    each(folder, |found| {
        let is_named = message_of(&found) == Some(message);
        let subject = subject_of(&found);
        if is_named {
            subjects.extend(subject.filter(|subject| !subjects.contains(subject)));
        }
        // Whatever names a header without the id comes after the entry with both.
        if is_named || subject.is_some_and(|subject| subjects.contains(&subject)) {
            entries.push(found);
        }
    })?;
    Ok(entries)
}

/// The proof that one entry is in the log, as a C2SP `tlog-proof` file with the entry in it.
///
/// # Errors
/// When there is no such entry, or the files that are needed cannot be read.
pub fn prove(folder: &LogFolder, index: u64) -> Result<Vec<u8>, FolderError> {
    let extra = folder.entry(index)?.to_vec();
    let hashes = inclusion(folder, index, folder.size())?;
    let checkpoint = folder.note().clone();
    Ok(TlogProof { extra, index, hashes, checkpoint }.to_bytes().to_vec())
}

/// Shows every entry in order; of those that were pruned, what was kept.
pub(crate) fn each(folder: &LogFolder, mut visit: impl FnMut(Found)) -> Result<(), FolderError> {
    let first = folder.first_bundle();
    for bundle in 0..first {
        folder.kept(bundle)?.into_iter().map(found).for_each(&mut visit);
    }
    let mut failed = None;
    scan(folder, first, |_, chunk| match chunk {
        Ok(entries) => {
            entries.into_iter().for_each(&mut visit);
            true
        }
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    failed.map_or(Ok(()), Err)
}

/// The message that an entry names by its id.
pub(crate) fn message_of(found: &Found) -> Option<MessageId> {
    match (&found.entry, &found.inner) {
        (_, Inner::Header(header)) => Some(header.id),
        (_, Inner::Receipt(receipt)) => Some(receipt.message),
        (Ok(Entry { event: LogEvent::Receipt(receipt), .. }), _) => Some(receipt.message),
        (Ok(Entry { event: LogEvent::Approved { approval, .. }, .. }), _) => {
            let said = kuriiri_wire::approval::decode(&approval.approval);
            said.ok().map(|said| said.message)
        }
        _ => None,
    }
}

/// The message that an entry is about, by the leaf hash of its header.
pub(crate) fn subject_of(found: &Found) -> Option<kuriiri_types::Digest> {
    match &found.inner {
        Inner::Receipt(receipt) => Some(receipt.header_digest),
        Inner::Nothing | Inner::Header(_) | Inner::Unreadable(_) => {
            found.entry.as_ref().ok().and_then(|entry| entry.event.subject())
        }
    }
}

/// An entry in a few words.
pub(crate) fn told(found: &Found) -> Told {
    let (at, kind, what) = match &found.entry {
        Ok(entry) => (entry.at, entry.event.kind(), words(entry, &found.inner)),
        Err(error) => (Timestamp::default(), "UNREADABLE", error.to_string()),
    };
    Told { index: found.index, at, kind, message: message_of(found), what }
}

/// What an entry says.
pub(crate) fn words(entry: &Entry, inner: &Inner) -> String {
    match &entry.event {
        LogEvent::Receipt(receipt) => receipt_words(receipt),
        LogEvent::ReceiptIn { from, .. } => match inner {
            Inner::Receipt(receipt) => format!("through {from}: {}", receipt_words(receipt)),
            Inner::Nothing | Inner::Header(_) | Inner::Unreadable(_) => {
                format!("through {from}: a receipt that cannot be read")
            }
        },
        LogEvent::Decided(decided) => decided_words(entry, decided),
        LogEvent::TurnedAway { by, code, count } => {
            let by: &dyn std::fmt::Display = match by {
                kuriiri_types::Giver::System(system) => system,
                kuriiri_types::Giver::Peer(peer) => peer,
            };
            format!("{count} from {by}: {code}")
        }
        LogEvent::Approved { approval, .. } => approval_words(&approval.approval),
        LogEvent::Certificate { der } => format!("{}", kuriiri_merkle::digest(der)),
        LogEvent::PolicyChanged(policy) => {
            let name = |file: &kuriiri_types::FileInForce| format!("{} {}", file.name, file.serial);
            policy.files.iter().map(name).collect::<Vec<_>>().join(", ")
        }
        LogEvent::FilePart(part) => {
            format!("part {} of {} of {}", part.part, part.parts, part.digest)
        }
        LogEvent::PeerCheckpoint { checkpoint } | LogEvent::Restored { checkpoint } => {
            parsed(checkpoint)
                .map_or_else(String::new, |seen| format!("{} at {}", seen.origin, seen.size))
        }
        LogEvent::Booted { software } => software.clone(),
        LogEvent::Erased { by, basis, .. } => format!("by {by} on the basis {basis}"),
        LogEvent::Acted { by, what } | LogEvent::Exported { by, what } => format!("{by}: {what}"),
        LogEvent::ClockStepped { from } => format!("it had shown {from}"),
        LogEvent::ChannelHeads(heads) => {
            heads.iter().map(crate::heads::words).collect::<Vec<_>>().join("; ")
        }
        LogEvent::Pruned { before, by, basis } => {
            format!("entries before {before}, by {by} on the basis {basis}")
        }
    }
}

fn decided_words(entry: &Entry, decided: &Decided) -> String {
    let word = crate::rules::word_of(decided.ruling);
    let next = decided.next.as_ref().map(|next| format!(", next {next}"));
    let reasons = decided.reasons.join(" ");
    let links: Vec<String> = entry.channels.iter().map(link).collect();
    let mut text = format!("{word} for {}{}", decided.dest, next.unwrap_or_default());
    for more in [reasons, links.join(", ")] {
        if !more.is_empty() {
            text = format!("{text}; {more}");
        }
    }
    text
}

fn approval_words(bytes: &[u8]) -> String {
    match kuriiri_wire::approval::decode(bytes) {
        Ok(said) => match said.act {
            ApprovalAct::Release => format!("{} releases it", said.officer),
            ApprovalAct::Reject { .. } => format!("{} rejects it", said.officer),
        },
        Err(error) => error.to_string(),
    }
}

fn link(channel: &kuriiri_types::Channel) -> String {
    let way = match channel.direction {
        Direction::In => "from",
        Direction::Out => "to",
    };
    format!("number {} {way} {}", channel.seq, channel.peer)
}

fn receipt_words(receipt: &kuriiri_types::Receipt) -> String {
    let code = receipt.code.map(|code| format!(" ({code})")).unwrap_or_default();
    let by = receipt.by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
    format!("{} says {} for {}{code}{by}", receipt.issuer, receipt.kind, receipt.recipient)
}

/// Whether an entry is a link of the chain with a peer.
pub(crate) fn is_link_with(entry: &Entry, peer: &Ministry) -> bool {
    entry.channels.iter().any(|channel| channel.peer == *peer)
}
